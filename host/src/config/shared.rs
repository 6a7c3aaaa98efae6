//! `[shared]`: the server over which a fleet shares its signals.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use reqwest::Url;
use serde::{Deserialize, Serialize};

use super::duration;
use super::problem::quoted;

/// Holds the server's URL, and wins over the file.
const VARIABLE: &str = "RUNTIME_SIGNALS_SHARED_URL";
/// The longest prefix, in bytes.
const LONGEST_PREFIX: usize = 64;

/// Redis or Valkey, and what is kept there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SharedSettings {
    /// The server; without one, nothing is shared. `RUNTIME_SIGNALS_SHARED_URL` wins.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<SharedUrl>,
    /// What the names of keys and of the channel begin with: hosts with the same one share their signals.
    pub prefix: SharedPrefix,
    /// The certificates, as PEM, of those who may vouch for the server; those that the system trusts if not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
    /// How long the server may take to accept a connection, and to answer: 1 second.
    #[serde(with = "duration")]
    pub timeout: Duration,
}

impl Default for SharedSettings {
    fn default() -> Self {
        Self { url: None, prefix: SharedPrefix::default(), ca_file: None, timeout: Duration::from_secs(1) }
    }
}

impl SharedSettings {
    /// These settings with those of the environment put over them.
    ///
    /// # Errors
    /// The variable holds no URL of a server. The message repeats nothing of it.
    pub fn override_from_env(mut self) -> Result<Self, String> {
        let named = std::env::var_os(VARIABLE).filter(|value| !value.is_empty());
        if let Some(url) = named {
            let url = url.to_string_lossy().into_owned().try_into();
            self.url = Some(url.map_err(|problem: String| format!("{VARIABLE}: {problem}"))?);
        }
        Ok(self)
    }
}

/// The address of a Redis or Valkey server. User, password and options are not shown.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SharedUrl {
    text: String,
    shown: String,
}

impl SharedUrl {
    /// The address, with its password.
    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    /// Is the connection encrypted?
    #[must_use]
    pub fn is_encrypted(&self) -> bool {
        self.text.starts_with("rediss:") || self.text.starts_with("valkeys:")
    }
}

impl TryFrom<String> for SharedUrl {
    type Error = String;

    /// The message repeats nothing of the text, which may hold a password.
    fn try_from(text: String) -> Result<Self, String> {
        const REMEDY: &str = "write it as redis://user:password@host:6379/0, or rediss:// for TLS";
        let mut url = Url::parse(text.trim()).map_err(|error| format!("it is no URL ({error}); {REMEDY}"))?;
        if !matches!(url.scheme(), "redis" | "rediss" | "valkey" | "valkeys") {
            return Err(format!("its scheme is neither redis nor rediss; {REMEDY}"));
        }
        if url.host_str().is_none_or(str::is_empty) {
            return Err(format!("it names no host; {REMEDY}"));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(format!("it has options behind a ? or a #, which are not taken; {REMEDY}"));
        }
        let database = url.path().trim_start_matches('/');
        if !database.is_empty() && database.parse::<u32>().is_err() {
            return Err(format!("its path is no number of a database; {REMEDY}"));
        }
        let text = url.to_string();
        // Neither can fail: the address has a host.
        if !url.username().is_empty() {
            let _ = url.set_username("removed");
        }
        if url.password().is_some() {
            let _ = url.set_password(Some("removed"));
        }
        Ok(Self { text, shown: url.into() })
    }
}

impl From<SharedUrl> for String {
    fn from(url: SharedUrl) -> Self {
        url.shown
    }
}

impl fmt::Display for SharedUrl {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str(&self.shown)
    }
}

impl fmt::Debug for SharedUrl {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str(&self.shown)
    }
}

/// The beginning of the names of keys.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SharedPrefix(String);

impl Default for SharedPrefix {
    fn default() -> Self {
        Self("runtime-signals".to_owned())
    }
}

impl TryFrom<String> for SharedPrefix {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let is_fit = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:{}".contains(&byte);
        if text.is_empty() || text.len() > LONGEST_PREFIX || !text.bytes().all(is_fit) {
            return Err(format!(
                "{} is no prefix; write 1 to {LONGEST_PREFIX} letters, digits and -_.:{{}}, such as \
                 \"runtime-signals\"",
                quoted(&text)
            ));
        }
        Ok(Self(text))
    }
}

impl From<SharedPrefix> for String {
    fn from(prefix: SharedPrefix) -> Self {
        prefix.0
    }
}

impl fmt::Display for SharedPrefix {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Result<SharedUrl, String> {
        text.to_owned().try_into()
    }

    #[test]
    fn what_is_shown_of_an_address_holds_no_secret() {
        let url = url("rediss://me:hunter2@cache.example.net:6380/3").unwrap();
        assert_eq!(url.as_str(), "rediss://me:hunter2@cache.example.net:6380/3");
        assert_eq!(url.to_string(), "rediss://removed:removed@cache.example.net:6380/3");
        assert_eq!(format!("{url:?}"), url.to_string());
        assert!(url.is_encrypted());
        assert!(!super::SharedUrl::try_from("redis://h".to_owned()).unwrap().is_encrypted());
    }

    #[test]
    fn other_addresses_are_refused_without_being_repeated() {
        for text in [
            "hunter2",
            "http://me:hunter2@h",
            "redis:///0",
            "redis://h/hunter2",
            "redis://h?protocol=hunter2",
            "rediss://:hunter2@h#insecure",
        ] {
            let problem = url(text).unwrap_err();
            assert!(problem.contains("; write it as ") && !problem.contains("hunter2"), "{problem}");
        }
    }

    #[test]
    fn a_prefix_is_a_short_word() {
        assert!(SharedPrefix::try_from("{team}:signals".to_owned()).is_ok());
        for text in ["", "two words", &"x".repeat(65)] {
            assert!(SharedPrefix::try_from(text.to_owned()).is_err(), "{text}");
        }
    }
}
