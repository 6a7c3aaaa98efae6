//! `[cache]`: the signal cache.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::duration;
use crate::cache::{
    CacheError, CacheOptions, LOCK_TIMEOUT, RUNTIME_REFRESH_DEADLINE, RUNTIME_TTL, SignalCache, default_root,
};

/// Where signals are stored, and the cache's times. The environment's overrides win over all of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CacheSettings {
    /// The root of the cache; without one, `fizeau` in the user's cache directory. `FIZEAU_CACHE_DIR` wins.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub directory: Option<PathBuf>,
    /// How long a stored signal is fresh: 5 minutes. `FIZ_TTL_RUNTIME` wins.
    #[serde(with = "duration")]
    pub ttl: Duration,
    /// How long a refresh may take: 5 seconds. `FIZ_REFRESH_DEADLINE_RUNTIME` wins.
    #[serde(with = "duration")]
    pub refresh_deadline: Duration,
    /// How long to wait for a lock that another process holds: 100 milliseconds. `FIZ_LOCK_TIMEOUT` wins.
    #[serde(with = "duration")]
    pub lock_timeout: Duration,
}

impl Default for CacheSettings {
    fn default() -> Self {
        Self {
            directory: None,
            ttl: RUNTIME_TTL,
            refresh_deadline: RUNTIME_REFRESH_DEADLINE,
            lock_timeout: LOCK_TIMEOUT,
        }
    }
}

impl CacheSettings {
    /// These settings with those of the environment put over them, and `directory` over both.
    ///
    /// # Errors
    /// A variable has no usable value, or nothing says where the cache is.
    pub fn effective(&self, directory: Option<PathBuf>) -> Result<Self, CacheError> {
        let options = self.options().override_from_env()?;
        let named = std::env::var_os("FIZEAU_CACHE_DIR").is_some_and(|value| !value.is_empty());
        let directory = match directory {
            Some(directory) => directory,
            None if named => default_root()?,
            None => self.directory.clone().map_or_else(default_root, Ok)?,
        };
        Ok(Self {
            directory: Some(directory),
            ttl: options.ttl,
            refresh_deadline: options.refresh_deadline,
            lock_timeout: options.lock_timeout,
        })
    }

    /// The cache of these settings, as they are.
    ///
    /// # Errors
    /// Nothing says where the cache is.
    pub fn open(&self) -> Result<SignalCache, CacheError> {
        let root = self.directory.clone().map_or_else(default_root, Ok)?;
        Ok(SignalCache::with_options(root, self.options()))
    }

    fn options(&self) -> CacheOptions {
        CacheOptions {
            ttl: self.ttl,
            refresh_deadline: self.refresh_deadline,
            lock_timeout: self.lock_timeout,
            ..CacheOptions::default()
        }
    }
}
