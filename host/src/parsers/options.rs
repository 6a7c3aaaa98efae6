//! What the user decides: whom to trust, with what, within which limits. The table `[parsers]` of the
//! configuration.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::error::{ParserError, ParserProblem};
use super::source::{LockFile, Pinned, Reference, Registry, RegistryOptions};
use crate::engine::Limits;
use crate::folders::user_folder;

/// How parser components are admitted and run.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Options {
    /// Where parsers in service are kept; `None` for `runtime-signals/parsers` in the user's state folder.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state_dir: Option<PathBuf>,
    /// A directory whose components are in service while a service runs: `NAME.wasm`, each with `NAME.wasm.minisig`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub directory: Option<PathBuf>,
    /// Components of registries that a service fetches when it starts.
    pub sources: Vec<Reference>,
    /// The lock file of what was taken from registries; `None` for `runtime-signals/parsers.lock` in the user's
    /// configuration folder.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lock: Option<PathBuf>,
    /// Registries that are asked without TLS, beside those on this machine: `host`, or `host:port`.
    pub insecure_registries: Vec<String>,
    /// How long one component may take from a registry.
    #[serde(with = "crate::config::duration")]
    pub registry_timeout: Duration,
    /// Keys whose signatures are accepted.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<TrustedKey>,
    /// Accept components without a signature. Everything else is still checked.
    pub allow_unsigned: bool,
    /// Accept a version older than the one in service.
    pub allow_downgrade: bool,
    /// Headers that no parser is sent, beside credentials and cookies: names, or with a star at one end the
    /// beginnings or ends of names.
    pub deny_headers: Vec<String>,
    /// What a component and its calls may use.
    pub limits: ParserLimits,
    /// The same for components of keys marked `large` or `allow_wasi`.
    pub large_limits: ParserLimits,
    /// Traps, overruns and refused readings within `fault_window` after which a parser is taken out of service.
    pub most_faults: u32,
    /// The window in which they count.
    #[serde(with = "crate::config::duration")]
    pub fault_window: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            state_dir: None,
            directory: None,
            sources: Vec::new(),
            lock: None,
            insecure_registries: Vec::new(),
            registry_timeout: Duration::from_secs(30),
            keys: Vec::new(),
            allow_unsigned: false,
            allow_downgrade: false,
            deny_headers: Vec::new(),
            limits: ParserLimits::default(),
            large_limits: ParserLimits::large(),
            most_faults: 3,
            fault_window: Duration::from_secs(600),
        }
    }
}

impl Options {
    /// Can any parser come into service by these?
    #[must_use]
    pub fn is_enabled(&self) -> bool {
        self.allow_unsigned || !self.keys.is_empty()
    }

    /// The largest component that any key may have, in bytes.
    #[must_use]
    pub fn most_component_bytes(&self) -> usize {
        let most = self.keys.iter().map(|key| self.limits_of(Some(key)).component_bytes).max();
        self.limits.component_bytes.max(most.unwrap_or(0))
    }

    pub(super) fn limits_of(&self, key: Option<&TrustedKey>) -> &ParserLimits {
        match key {
            Some(key) if key.large || key.allow_wasi => &self.large_limits,
            _ => &self.limits,
        }
    }

    /// The folder of what is in service; `None` where there is neither a setting nor a home.
    #[must_use]
    pub fn state_folder(&self) -> Option<PathBuf> {
        if let Some(folder) = &self.state_dir {
            return Some(folder.clone());
        }
        Some(absolute_folder("XDG_STATE_HOME", ".local/state")?.join("runtime-signals").join("parsers"))
    }

    /// The lock file of what was taken from registries; `None` where there is neither a setting nor a home.
    #[must_use]
    pub fn lock_file(&self) -> Option<PathBuf> {
        let default =
            || Some(absolute_folder("XDG_CONFIG_HOME", ".config")?.join("runtime-signals/parsers.lock"));
        self.lock.clone().or_else(default)
    }

    /// Registries by these settings, and the lock file of what was taken from them.
    ///
    /// # Errors
    ///
    /// There is neither a setting for the lock file nor a home.
    pub fn pinned(&self) -> Result<Pinned, ParserError> {
        let lock = self.lock_file().ok_or_else(|| ParserProblem::NoLock.of("parsers"))?;
        let registry = Registry::new(RegistryOptions {
            insecure: self.insecure_registries.clone(),
            timeout: self.registry_timeout,
            most_bytes: self.most_component_bytes() as u64,
            ..RegistryOptions::default()
        });
        Ok(Pinned::new(registry, LockFile::new(lock)))
    }
}

/// A folder of the user, which has to have a place of its own whatever the current folder is.
fn absolute_folder(variable: &str, below_home: &str) -> Option<PathBuf> {
    user_folder(|variable| std::env::var_os(variable), variable, below_home).filter(|path| path.is_absolute())
}

/// A key whose signatures are accepted, and for what.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct TrustedKey {
    /// What it is called in messages.
    pub name: String,
    /// The public key as minisign prints it: one line that begins with `RW`.
    pub public_key: String,
    /// The provider types that its parsers may serve; `*` for all.
    pub provider_types: Vec<String>,
    /// May its components import WASI, and have the large limits? They are granted nothing: no
    /// files, no sockets, no environment, clocks that stand still, and nothing to wait for.
    #[serde(default)]
    pub allow_wasi: bool,
    /// Have its components the large limits? Those that carry an interpreter need them.
    #[serde(default)]
    pub large: bool,
}

impl TrustedKey {
    /// May its parsers serve this provider type?
    #[must_use]
    pub fn may_serve(&self, provider_type: &str) -> bool {
        self.provider_types.iter().any(|allowed| allowed == "*" || allowed == provider_type)
    }
}

/// What a component and its calls may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct ParserLimits {
    /// Largest component, in bytes.
    pub component_bytes: usize,
    /// Memory and tables of one instance, in bytes.
    pub memory_bytes: usize,
    /// Processor time of one call; an overrun is noticed up to two ticks of 5 ms late.
    #[serde(with = "crate::config::duration")]
    pub cpu_time: Duration,
    /// Bytes that one call may pass to the host.
    pub result_bytes: usize,
}

impl Default for ParserLimits {
    fn default() -> Self {
        Self {
            component_bytes: 1 << 20,
            memory_bytes: 4 << 20,
            cpu_time: Duration::from_millis(5),
            result_bytes: 64 << 10,
        }
    }
}

impl ParserLimits {
    /// Handles of resources that one call may hold.
    const HANDLES: usize = 16;

    /// For components that carry an interpreter.
    #[must_use]
    pub const fn large() -> Self {
        Self {
            component_bytes: 64 << 20,
            memory_bytes: 128 << 20,
            cpu_time: Duration::from_millis(50),
            result_bytes: 64 << 10,
        }
    }

    pub(super) fn of_instance(&self) -> Limits {
        Limits {
            memory_bytes: self.memory_bytes,
            cpu_time: self.cpu_time,
            result_bytes: self.result_bytes,
            handles: Self::HANDLES,
            ..Limits::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_given_has_its_default_and_what_is_not_known_is_refused() {
        let key = r#"{"keys": [{"name": "acme", "public_key": "RW", "provider_types": ["acme"]}]}"#;
        let options: Options = serde_json::from_str(key).unwrap();
        let acme = &options.keys[0];
        assert!(acme.may_serve("acme") && !acme.may_serve("openai"));
        assert!(!acme.allow_wasi && !acme.large);
        assert_eq!(Options { keys: Vec::new(), ..options }, Options::default());
        for unknown in [r#"{"key": []}"#, r#"{"limits": {"cpu": 1}}"#, r#"{"keys": [{"name": "a"}]}"#] {
            assert!(serde_json::from_str::<Options>(unknown).is_err(), "{unknown}");
        }
    }

    #[test]
    fn a_star_serves_all_types() {
        let key = TrustedKey {
            name: "all".into(),
            public_key: String::new(),
            provider_types: vec!["*".into()],
            allow_wasi: false,
            large: false,
        };
        assert!(key.may_serve("openai"));
    }
}
