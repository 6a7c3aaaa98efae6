//! Times and places of the cache: fixed defaults, overridden by the environment.

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::fmt::friendly::SpanParser;

use super::error::CacheError;
use crate::clock::{Clock, SystemClock};
use crate::folders::user_folder;

/// How long a stored signal counts as fresh.
pub const RUNTIME_TTL: Duration = Duration::from_secs(5 * 60);
/// How long a refresh may take, and how long others wait for it.
pub const RUNTIME_REFRESH_DEADLINE: Duration = Duration::from_secs(5);
/// How long an operation waits for a lock that another process holds.
pub const LOCK_TIMEOUT: Duration = Duration::from_millis(100);
/// How long a failed refresh keeps others from trying again.
pub const FAILURE_COOLDOWN: Duration = Duration::from_millis(250);

const ROOT_VARIABLE: &str = "FIZEAU_CACHE_DIR";
const APPLICATION: &str = "fizeau";
/// Keeps every sum of a time and a setting far from overflow.
const LONGEST_SETTING: Duration = Duration::from_secs(366 * 24 * 60 * 60);

/// Settings of a [`SignalCache`](super::SignalCache). All durations are positive.
#[derive(Clone)]
pub struct CacheOptions {
    /// A stored signal younger than this is fresh. Default [`RUNTIME_TTL`].
    pub ttl: Duration,
    /// The longest refresh, and the longest wait for another's. Default [`RUNTIME_REFRESH_DEADLINE`].
    pub refresh_deadline: Duration,
    /// The longest wait for a dead or stuck owner of a lock. Default [`LOCK_TIMEOUT`].
    pub lock_timeout: Duration,
    /// The pause after a failed refresh. Default [`FAILURE_COOLDOWN`].
    pub failure_cooldown: Duration,
    /// Where the time comes from. Default the system's clock.
    pub clock: Arc<dyn Clock>,
}

impl Default for CacheOptions {
    fn default() -> Self {
        Self {
            ttl: RUNTIME_TTL,
            refresh_deadline: RUNTIME_REFRESH_DEADLINE,
            lock_timeout: LOCK_TIMEOUT,
            failure_cooldown: FAILURE_COOLDOWN,
            clock: Arc::new(SystemClock),
        }
    }
}

impl fmt::Debug for CacheOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CacheOptions")
            .field("ttl", &self.ttl)
            .field("refresh_deadline", &self.refresh_deadline)
            .field("lock_timeout", &self.lock_timeout)
            .field("failure_cooldown", &self.failure_cooldown)
            .finish_non_exhaustive()
    }
}

impl CacheOptions {
    /// The longest that anybody heeds a marker, whatever it states.
    pub(super) const fn longest_marker(&self) -> Duration {
        self.refresh_deadline.saturating_mul(3)
    }

    /// These settings with those of the environment put over them: `FIZ_TTL_RUNTIME`, `FIZ_REFRESH_DEADLINE_RUNTIME`
    /// and `FIZ_LOCK_TIMEOUT`, durations such as `90s`, `1.5h` or `250ms`. An empty variable counts as not set.
    ///
    /// # Errors
    /// [`CacheError::Setting`] names the variable whose value is not a positive duration of at most 366 days.
    pub fn override_from_env(self) -> Result<Self, CacheError> {
        self.override_from(|variable| std::env::var_os(variable))
    }

    fn override_from(mut self, lookup: impl Fn(&str) -> Option<OsString>) -> Result<Self, CacheError> {
        for (variable, setting) in [
            ("FIZ_TTL_RUNTIME", &mut self.ttl),
            ("FIZ_REFRESH_DEADLINE_RUNTIME", &mut self.refresh_deadline),
            ("FIZ_LOCK_TIMEOUT", &mut self.lock_timeout),
        ] {
            if let Some(value) = lookup(variable).filter(|value| !value.is_empty()) {
                *setting = parse_duration(variable, &value.to_string_lossy())?;
            }
        }
        Ok(self)
    }
}

/// The cache root: `FIZEAU_CACHE_DIR`, else `fizeau` in the user's cache directory (`XDG_CACHE_HOME` or `~/.cache`; on
/// macOS `~/Library/Caches`). An empty variable counts as not set, a relative `XDG_CACHE_HOME` too.
///
/// # Errors
/// [`CacheError::NoCacheDirectory`] when the environment names neither.
pub fn default_root() -> Result<PathBuf, CacheError> {
    root_from(|variable| std::env::var_os(variable))
}

fn root_from(lookup: impl Fn(&str) -> Option<OsString>) -> Result<PathBuf, CacheError> {
    let directory = |variable| lookup(variable).filter(|value| !value.is_empty()).map(PathBuf::from);
    if let Some(root) = directory(ROOT_VARIABLE) {
        return Ok(root);
    }
    let user_cache = if cfg!(target_os = "macos") {
        directory("HOME").map(|home| home.join("Library/Caches"))
    } else {
        user_folder(&lookup, "XDG_CACHE_HOME", ".cache")
    };
    user_cache
        .map(|cache| cache.join(Path::new(APPLICATION)))
        .ok_or(CacheError::NoCacheDirectory { variable: ROOT_VARIABLE })
}

fn parse_duration(variable: &'static str, value: &str) -> Result<Duration, CacheError> {
    let refuse = |reason: String| CacheError::Setting { variable, value: value.to_owned(), reason };
    let duration =
        SpanParser::new().parse_unsigned_duration(value.trim()).map_err(|error| refuse(error.to_string()))?;
    if duration.is_zero() {
        return Err(refuse("it is zero".to_owned()));
    }
    if duration > LONGEST_SETTING {
        return Err(refuse("it is longer than 366 days".to_owned()));
    }
    Ok(duration)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env<'a>(values: &'a [(&'a str, &'a str)]) -> impl Fn(&str) -> Option<OsString> + 'a {
        move |wanted| values.iter().find(|(name, _)| *name == wanted).map(|(_, value)| OsString::from(value))
    }

    #[test]
    fn the_defaults_are_the_agreed_constants() {
        let options = CacheOptions::default().override_from(env(&[])).unwrap();
        assert_eq!(options.ttl, Duration::from_secs(300));
        assert_eq!(options.refresh_deadline, Duration::from_secs(5));
        assert_eq!(options.lock_timeout, Duration::from_millis(100));
        assert_eq!(options.failure_cooldown, Duration::from_millis(250));
    }

    #[test]
    fn the_environment_overrides_with_durations_as_go_writes_them() {
        let values = [
            ("FIZ_TTL_RUNTIME", "1.5h"),
            ("FIZ_REFRESH_DEADLINE_RUNTIME", "1m30s"),
            ("FIZ_LOCK_TIMEOUT", "250ms"),
        ];
        let options = CacheOptions::default().override_from(env(&values)).unwrap();
        assert_eq!(options.ttl, Duration::from_secs(5400));
        assert_eq!(options.refresh_deadline, Duration::from_secs(90));
        assert_eq!(options.lock_timeout, Duration::from_millis(250));
        for (text, nanos) in [("300us", 300_000), ("300µs", 300_000), ("7ns", 7), ("1.5s", 1_500_000_000)] {
            assert_eq!(
                parse_duration("FIZ_LOCK_TIMEOUT", text).unwrap(),
                Duration::from_nanos(nanos),
                "{text}"
            );
        }
    }

    #[test]
    fn a_bad_setting_is_an_error_that_names_its_variable() {
        for value in ["soon", "-5s", "0s", "90", "9999999h", "1e9s", "\u{0}"] {
            let error =
                CacheOptions::default().override_from(env(&[("FIZ_TTL_RUNTIME", value)])).unwrap_err();
            assert!(error.to_string().starts_with("FIZ_TTL_RUNTIME="), "{value:?}: {error}");
        }
    }

    #[test]
    fn an_empty_variable_counts_as_not_set() {
        let options = CacheOptions::default().override_from(env(&[("FIZ_TTL_RUNTIME", "")])).unwrap();
        assert_eq!(options.ttl, RUNTIME_TTL);
    }

    #[test]
    fn the_root_is_the_named_directory_else_the_users_cache() {
        let root = |values: &[(&str, &str)]| root_from(env(values)).unwrap();
        assert_eq!(root(&[("FIZEAU_CACHE_DIR", "/c"), ("HOME", "/h")]), Path::new("/c"));
        if cfg!(target_os = "macos") {
            assert_eq!(root(&[("HOME", "/h")]), Path::new("/h/Library/Caches/fizeau"));
        } else {
            assert_eq!(root(&[("XDG_CACHE_HOME", "/x"), ("HOME", "/h")]), Path::new("/x/fizeau"));
            assert_eq!(root(&[("XDG_CACHE_HOME", "rel"), ("HOME", "/h")]), Path::new("/h/.cache/fizeau"));
            assert_eq!(root(&[("FIZEAU_CACHE_DIR", ""), ("HOME", "/h")]), Path::new("/h/.cache/fizeau"));
        }
        assert!(matches!(root_from(env(&[])), Err(CacheError::NoCacheDirectory { .. })));
    }
}
