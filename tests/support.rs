//! What several themes need: a clock that stands still, a store over it, children of our own.

use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use runtime_signals::clock::Clock;
use runtime_signals::engine::{CodeCache, EngineOptions};
use runtime_signals::{Store, StoreOptions};

/// A clock that is moved by hand.
pub(crate) struct ManualClock(Mutex<SystemTime>);

impl ManualClock {
    /// 2026-01-15T12:00:00Z.
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self(Mutex::new(SystemTime::UNIX_EPOCH + Duration::from_secs(1_768_478_400))))
    }

    /// The present, for tests in which the file system's times matter.
    pub(crate) fn at_present() -> Arc<Self> {
        Arc::new(Self(Mutex::new(SystemTime::now())))
    }

    pub(crate) fn set(&self, time: SystemTime) {
        *self.0.lock().unwrap() = time;
    }

    pub(crate) fn advance(&self, by: Duration) {
        *self.0.lock().unwrap() += by;
    }
}

impl Clock for ManualClock {
    fn now(&self) -> SystemTime {
        *self.0.lock().unwrap()
    }
}

/// Options for a store whose compiled code is shared by all tests of a build.
pub(crate) fn options(clock: &Arc<ManualClock>) -> StoreOptions {
    let code_cache = CodeCache::Folder(std::path::PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("code"));
    let engine = EngineOptions { code_cache, ..EngineOptions::default() };
    StoreOptions { engine, clock: Some(clock.clone()), ..StoreOptions::default() }
}

/// A store whose clock stands still.
pub(crate) fn store(clock: &Arc<ManualClock>) -> Store {
    Store::with_options(options(clock)).unwrap()
}
