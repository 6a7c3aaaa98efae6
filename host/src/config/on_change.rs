//! `[[on_change]]`: whom the service tells when a provider's status changes.

use std::fmt;
use std::time::Duration;

use reqwest::Url;
use serde::{Deserialize, Serialize};

use super::{ProviderName, duration};
use crate::signal::ModelStatus;

/// Most entries.
pub(super) const MOST: usize = 32;
/// The longest time-out.
const LONGEST: Duration = Duration::from_secs(600);

/// A command that is run, or an address that is sent to, when a provider's status changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OnChange {
    /// The program and its arguments. It is run without a shell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<Argv>,
    /// Where the change is posted to as JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub webhook: Option<WebhookUrl>,
    /// The providers whose changes are told; all if there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub providers: Vec<ProviderName>,
    /// The statuses that are told of when they are reached; all if there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub to: Vec<StatusName>,
    /// How long the command, or one attempt to post, may take: 10 seconds.
    #[serde(default = "ten_seconds", with = "duration")]
    pub timeout: Duration,
}

fn ten_seconds() -> Duration {
    Duration::from_secs(10)
}

impl OnChange {
    /// Is it told that this provider has reached this status?
    #[must_use]
    pub fn wants(&self, provider: &str, to: ModelStatus) -> bool {
        (self.providers.is_empty() || self.providers.iter().any(|name| name.as_str() == provider))
            && (self.to.is_empty() || self.to.iter().any(|status| status.0 == to))
    }

    /// What is wrong as a whole, and what to do.
    pub(super) fn lacks(&self) -> Option<(&'static str, &'static str)> {
        if self.timeout > LONGEST {
            return Some(("its `timeout` is longer than 10 minutes", "write a shorter one, such as 10s"));
        }
        match (&self.command, &self.webhook) {
            (None, None) => Some((
                "it has neither a `command` nor a `webhook`",
                "add one, such as command = [\"notify-send\", \"a provider has changed\"]",
            )),
            (Some(_), Some(_)) => {
                Some(("it has both a `command` and a `webhook`", "make two entries of it, one for each"))
            }
            _ => None,
        }
    }
}

/// A program and its arguments. The arguments, which may hold secrets, are not shown.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<String>", into = "Vec<String>")]
pub struct Argv(Vec<String>);

impl Argv {
    /// The program.
    #[must_use]
    pub fn program(&self) -> &str {
        self.0.first().map(String::as_str).unwrap_or_default()
    }

    /// Its arguments.
    #[must_use]
    pub fn arguments(&self) -> &[String] {
        self.0.get(1..).unwrap_or_default()
    }
}

impl TryFrom<Vec<String>> for Argv {
    type Error = String;

    fn try_from(words: Vec<String>) -> Result<Self, String> {
        if words.first().is_none_or(String::is_empty) {
            return Err("it names no program; write the program and its arguments, one by one".to_owned());
        }
        if words.iter().any(|word| word.contains('\0')) {
            return Err("a word of it holds a NUL; leave that out".to_owned());
        }
        Ok(Self(words))
    }
}

impl From<Argv> for Vec<String> {
    fn from(argv: Argv) -> Self {
        let removed = |(position, word)| if position == 0 { word } else { "removed".to_owned() };
        argv.0.into_iter().enumerate().map(removed).collect()
    }
}

impl fmt::Debug for Argv {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "{:?} and {} arguments", self.program(), self.arguments().len())
    }
}

/// An `http` or `https` address, of which only scheme, host and port are shown.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct WebhookUrl(Url);

impl WebhookUrl {
    /// The address, with all that it holds.
    pub(crate) fn url(&self) -> &Url {
        &self.0
    }
}

impl TryFrom<String> for WebhookUrl {
    type Error = String;

    /// The message repeats nothing of the text, which may hold a key.
    fn try_from(text: String) -> Result<Self, String> {
        const REMEDY: &str = "write it as https://host/path";
        let url = Url::parse(text.trim()).map_err(|error| format!("it is no URL ({error}); {REMEDY}"))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(format!("it is neither http nor https; {REMEDY}"));
        }
        Ok(Self(url))
    }
}

impl From<WebhookUrl> for String {
    fn from(webhook: WebhookUrl) -> Self {
        format!("{webhook}/removed")
    }
}

impl fmt::Display for WebhookUrl {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str(&self.0.origin().ascii_serialization())
    }
}

impl fmt::Debug for WebhookUrl {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, to)
    }
}

/// The word for a status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct StatusName(pub ModelStatus);

impl TryFrom<String> for StatusName {
    type Error = String;

    fn try_from(word: String) -> Result<Self, String> {
        let status = ModelStatus::from_word(&word);
        status
            .map(Self)
            .ok_or_else(|| format!("{word:?} is no status; write available, degraded, exhausted or unknown"))
    }
}

impl From<StatusName> for String {
    fn from(name: StatusName) -> Self {
        name.0.as_str().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::super::Config;
    use super::*;

    fn only(text: &str) -> OnChange {
        Config::parse(text).unwrap().on_change.remove(0)
    }

    #[test]
    fn an_entry_is_told_what_it_asks_for() {
        let all = only("[[on_change]]\ncommand = [\"true\"]\n");
        assert!(all.wants("any", ModelStatus::Available) && all.timeout == Duration::from_secs(10));
        let some =
            only("[[on_change]]\ncommand = [\"true\"]\nproviders = [\"a\", \"b\"]\nto = [\"exhausted\"]\n");
        assert!(some.wants("b", ModelStatus::Exhausted));
        assert!(!some.wants("c", ModelStatus::Exhausted) && !some.wants("a", ModelStatus::Available));
    }

    #[test]
    fn what_is_wrong_is_refused_with_line_key_and_remedy() {
        for (text, start) in [
            ("", "line 1: `on_change[0]`: it has neither a `command` nor a `webhook`; add one, "),
            ("command = [\"a\"]\nwebhook = \"http://h\"\n", "line 1: `on_change[0]`: it has both "),
            ("command = []\n", "line 2: `on_change[0].command`: it names no program; "),
            ("command = \"a b\"\n", "line 2: `on_change[0].command`: "),
            (
                "webhook = \"ftp://hunter2@h\"\n",
                "line 2: `on_change[0].webhook`: it is neither http nor https; ",
            ),
            ("webhook = \"hunter2\"\n", "line 2: `on_change[0].webhook`: it is no URL "),
            (
                "command = [\"a\"]\nto = [\"broken\"]\n",
                "line 3: `on_change[0].to[0]`: \"broken\" is no status; ",
            ),
            ("command = [\"a\"]\nproviders = [\"../up\"]\n", "line 3: `on_change[0].providers[0]`: "),
            ("command = [\"a\"]\ntimeout = \"1h\"\n", "line 1: `on_change[0]`: its `timeout` is longer "),
            ("comand = [\"a\"]\n", "line 2: `on_change[0].comand`: unknown key; did you mean `command`?"),
        ] {
            let problem = Config::parse(&format!("[[on_change]]\n{text}")).unwrap_err().to_string();
            assert!(problem.starts_with(start) && !problem.contains("hunter2"), "{problem}");
        }
        let many = "[[on_change]]\ncommand = [\"a\"]\n".repeat(MOST + 1);
        assert!(Config::parse(&many).unwrap_err().to_string().contains("more than 32"));
    }

    #[test]
    fn neither_arguments_nor_the_path_of_an_address_are_shown() {
        let text = "[[on_change]]\ncommand = [\"curl\", \"hunter2\"]\n[[on_change]]\n\
                    webhook = \"https://me:hunter2@h.example:8443/hunter2?key=hunter2\"\n";
        let config = Config::parse(text).unwrap();
        let shown = config.to_toml();
        assert!(shown.contains("curl") && shown.contains("https://h.example:8443/removed"), "{shown}");
        assert!(!shown.contains("hunter2") && !format!("{config:?}").contains("hunter2"), "{shown}");
        assert!(Config::parse(&shown).is_ok());
        let webhook = config.on_change[1].webhook.as_ref().unwrap();
        assert_eq!(webhook.to_string(), "https://h.example:8443");
        assert_eq!(webhook.url().as_str(), "https://me:hunter2@h.example:8443/hunter2?key=hunter2");
    }
}
