//! The configuration: one TOML file, read strictly, with a default that is useful without any file.
//!
//! What is said twice is taken from the command line first, then from the environment, then from the file
//! (`docs/service.md` has the table). A key that nobody knows and a value out of range are refused with the
//! line, the key and what to write instead.

mod cache;
mod client;
mod discovery;
pub(crate) mod duration;
mod error;
mod file;
mod on_change;
mod problem;
mod provider;
mod proxy;
mod refresh;
mod service;
mod shared;

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

pub use self::cache::CacheSettings;
pub use self::client::{ClientSettings, ServiceAddress};
pub use self::discovery::{Discovery, LocalServer};
pub use self::error::ConfigError;
pub use self::file::{ConfigFile, VARIABLE};
pub use self::on_change::{Argv, OnChange, StatusName, WebhookUrl};
pub use self::problem::ConfigProblem;
pub use self::provider::{BaseUrl, ProviderConfig, ProviderName};
pub use self::proxy::ProxySettings;
pub use self::refresh::RefreshSettings;
pub use self::service::{DEFAULT_LISTEN, Listen, ServiceLimits, ServiceSettings};
pub use self::shared::{SharedPrefix, SharedSettings, SharedUrl};

use self::problem::Step;
use crate::store::CollectInput;

/// Everything that can be configured, each part with a default.
///
/// ```
/// use runtime_signals::config::Config;
///
/// let config = Config::parse("[[providers]]\nname = \"studio\"\ntype = \"lmstudio\"\n")?;
/// assert_eq!(config.providers[0].input().base_url, "http://127.0.0.1:1234");
///
/// let refused = Config::parse("[service]\nlisen = \"127.0.0.1:80\"\n").unwrap_err();
/// assert!(refused.to_string().starts_with("line 2: `service.lisen`: unknown key; did you mean `listen`?"));
/// # Ok::<(), runtime_signals::config::ConfigProblem>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The signal cache.
    pub cache: CacheSettings,
    /// How the service is reached, and what it takes.
    pub service: ServiceSettings,
    /// Which service the commands ask.
    pub client: ClientSettings,
    /// How providers are kept fresh.
    pub refresh: RefreshSettings,
    /// How calls are passed on to providers.
    pub proxy: ProxySettings,
    /// The server over which a fleet shares its signals.
    pub shared: SharedSettings,
    /// What is looked for where no provider is configured.
    pub discovery: Discovery,
    /// Parser components: whom to trust, and within which limits.
    pub parsers: crate::parsers::Options,
    /// Whom the service tells of changes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub on_change: Vec<OnChange>,
    /// The providers, by name.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub providers: Vec<ProviderConfig>,
}

impl Config {
    /// Reads the file that is named, else the one that [`ConfigFile::find`] finds; without any, the defaults.
    ///
    /// # Errors
    /// The file cannot be read, or something in it is refused: nothing of it takes effect then.
    pub fn load(named: Option<&Path>) -> Result<Self, ConfigError> {
        match ConfigFile::find(named) {
            Some(file) => file.read(),
            None => Ok(Self::default()),
        }
    }

    /// Reads a text.
    ///
    /// # Errors
    /// The first thing that is refused in it.
    pub fn parse(text: &str) -> Result<Self, ConfigProblem> {
        let document =
            toml::Deserializer::parse(text).map_err(|error| ConfigProblem::syntax(&error, text))?;
        let config: Self = serde_path_to_error::deserialize(document)
            .map_err(|error| ConfigProblem::value(error.path().to_string(), error.inner(), text))?;
        config.check(text)?;
        Ok(config)
    }

    /// What no single value shows.
    fn check(&self, text: &str) -> Result<(), ConfigProblem> {
        let mut names = HashMap::new();
        for (position, provider) in self.providers.iter().enumerate() {
            let path = [Step::Key("providers"), Step::Item(position), Step::Key("name")];
            if names.insert(provider.name.as_str(), position).is_some() {
                let problem = format!("the provider {} is configured twice", provider.name.as_str());
                return Err(ConfigProblem::at(&path, text, problem, "give each provider a name of its own"));
            }
            if let Some((problem, remedy)) = provider.lacks() {
                return Err(ConfigProblem::at(&path, text, problem, remedy));
            }
        }
        for (position, rule) in self.on_change.iter().enumerate() {
            let path = [Step::Key("on_change"), Step::Item(position)];
            if position >= on_change::MOST {
                let problem = format!("there are more than {} of them", on_change::MOST);
                return Err(ConfigProblem::at(&path, text, problem, "have one command tell the others"));
            }
            if let Some((problem, remedy)) = rule.lacks() {
                return Err(ConfigProblem::at(&path, text, problem, remedy));
            }
        }
        Ok(())
    }

    /// The configuration of a provider.
    #[must_use]
    pub fn provider(&self, name: &str) -> Option<&ProviderConfig> {
        self.providers.iter().find(|provider| provider.name.as_str() == name)
    }

    /// The place of a provider by the order of the configuration, lower first: its own `order`, else that in the file.
    /// Those that are not configured come last.
    #[must_use]
    pub fn order(&self, name: &str) -> u32 {
        let place = self.providers.iter().position(|provider| provider.name.as_str() == name);
        let configured = place.and_then(|place| self.providers.get(place));
        let place = place.and_then(|place| u32::try_from(place).ok());
        configured.and_then(|provider| provider.order).or(place).unwrap_or(u32::MAX)
    }

    /// What a refresh of a provider is to look at. What is not configured is taken to be named for its type.
    #[must_use]
    pub fn input(&self, provider: &str) -> CollectInput {
        match self.provider(provider) {
            Some(configured) => configured.input(),
            None => CollectInput { provider_type: provider.to_owned(), base_url: String::new() },
        }
    }

    /// The whole configuration as a text that reads back the same, but for secrets, which are masked.
    #[must_use]
    pub fn to_toml(&self) -> String {
        toml::to_string(self).unwrap_or_else(|error| format!("# it cannot be shown: {error}\n"))
    }

    /// Where the user's own file lies, whether or not it exists.
    #[must_use]
    pub fn default_path() -> Option<PathBuf> {
        file::default_path(|variable| std::env::var_os(variable))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> String {
        Config::parse(text).unwrap_err().to_string()
    }

    #[test]
    fn an_empty_file_is_the_default() {
        assert_eq!(Config::parse("").unwrap(), Config::default());
    }

    #[test]
    fn an_unknown_key_is_refused_with_its_line_and_the_keys_that_are_known() {
        let text = refused("[cache]\nttl = \"5m\"\nttll = \"5m\"\n");
        assert!(text.starts_with("line 3: `cache.ttll`: unknown key; did you mean `ttl`?"), "{text}");
        assert!(text.contains("`refresh_deadline`"), "{text}");
        let text = refused("\n[servise]\nlisten = \"127.0.0.1:1\"\n");
        assert!(text.starts_with("line 2: `servise`: unknown key; did you mean `service`?"), "{text}");
        let text = refused("[[providers]]\nname = \"a\"\ntype = \"openai\"\nzzzzzzzz = 1\n");
        assert!(
            text.starts_with("line 4: `providers[0].zzzzzzzz`: unknown key; the keys here are "),
            "{text}"
        );
    }

    #[test]
    fn a_bad_value_is_refused_with_its_line_its_key_and_a_remedy() {
        for (text, start) in [
            ("[cache]\nttl = \"soon\"\n", "line 2: `cache.ttl`: \"soon\" is no duration; write "),
            ("[cache]\nttl = \"0s\"\n", "line 2: `cache.ttl`: a duration of zero; write "),
            ("[cache]\nttl = 5\n", "line 2: `cache.ttl`: invalid type: integer `5`, expected a duration"),
            (
                "[service]\nlisten = \"localhost\"\n",
                "line 2: `service.listen`: \"localhost\" is no address; ",
            ),
            ("[service.limits]\nbody_bytes = -1\n", "line 2: `service.limits.body_bytes`: "),
            ("[service.limits]\nconnections = 0\n", "line 2: `service.limits.connections`: "),
            ("[refresh]\njitter = 1.5\n", "line 2: `refresh.jitter`: "),
            ("[proxy]\nmax_streams = 0\n", "line 2: `proxy.max_streams`: "),
            (
                "[proxy]\nidle_timeout = \"never\"\n",
                "line 2: `proxy.idle_timeout`: \"never\" is no duration; ",
            ),
            ("[[providers]]\nname = \"../up\"\ntype = \"openai\"\n", "line 2: `providers[0].name`: "),
            (
                "[[providers]]\nname = \"a\"\ntype = \"openai\"\nbase_url = \"ftp://h\"\n",
                "line 4: `providers[0].base_url`: it is neither http nor https; ",
            ),
            (
                "[[providers]]\nname = \"a\"\ntype = \"openai\"\n\n[[providers]]\nname = \"a\"\ntype = \"x\"\n",
                "line 6: `providers[1].name`: the provider a is configured twice; ",
            ),
            ("[[providers]]\nname = \"a\"\n", "line 1: `providers[0]`: missing field `type`; "),
            (
                "[[providers]]\nname = \"gpu\"\ntype = \"lucebox\"\n",
                "line 2: `providers[0].name`: gpu has no `base_url`",
            ),
            ("a = [\n", "line "),
        ] {
            let problem = refused(text);
            assert!(problem.starts_with(start), "{problem}");
            assert!(problem.contains("; "), "{problem}");
        }
    }

    #[test]
    fn of_long_texts_a_message_tells_the_start_and_what_is_wrong() {
        let long = "9; ".repeat(10_000);
        for (text, wrong) in [
            (format!("[refresh]\ninterval = \"{long}\"\n"), "is no duration"),
            (format!("[service]\nlisten = \"{long}\"\n"), "is no address"),
            (format!("[\"{long}\"]\n"), "unknown key"),
            (format!("[[providers]]\nname = \"a\"\n\"{long}\" = 1\n"), "unknown key"),
        ] {
            let problem = refused(&text);
            assert!(problem.len() < 2_000 && problem.contains(wrong), "{problem}");
        }
    }

    #[test]
    fn no_message_repeats_a_secret() {
        let text =
            "[[providers]]\nname = \"a\"\ntype = \"x\"\nbase_url = \"ftp://me:hunter2@h/?key=hunter2\"\n";
        assert!(!refused(text).contains("hunter2"), "{}", refused(text));
        let text = text.replace("ftp", "http");
        let config = Config::parse(&text).unwrap();
        assert_eq!(config.input("a").base_url, "http://me:hunter2@h/?key=hunter2");
        assert!(!config.to_toml().contains("hunter2"), "{}", config.to_toml());
        assert!(!format!("{config:?}").contains("hunter2"));
    }

    #[test]
    fn what_is_shown_reads_back_the_same() {
        let text = "[service]\nlisten = \"off\"\nsocket = \"/run/s\"\n[[providers]]\nname = \"o\"\ntype = \"ollama\"\n\
                    interval = \"10s\"\norder = 2\n";
        let config = Config::parse(text).unwrap();
        assert_eq!(Config::parse(&config.to_toml()).unwrap(), config);
        let default = Config::default();
        assert_eq!(Config::parse(&default.to_toml()).unwrap(), default);
    }

    #[test]
    fn what_is_not_configured_is_named_for_its_type() {
        let config = Config::parse("[[providers]]\nname = \"mine\"\ntype = \"openai\"\n").unwrap();
        assert_eq!(config.input("mine").provider_type, "openai");
        assert_eq!(config.input("claude").provider_type, "claude");
    }
}
