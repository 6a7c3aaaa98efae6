//! What several themes need: a clock that stands still, a store over it, programs of Debian.

use std::path::{Path, PathBuf};
use std::process::Command;
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
    let code_cache = CodeCache::Folder(PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("code"));
    let engine = EngineOptions { code_cache, ..EngineOptions::default() };
    StoreOptions { engine, clock: Some(clock.clone()), ..StoreOptions::default() }
}

/// A store whose clock stands still.
pub(crate) fn store(clock: &Arc<ManualClock>) -> Store {
    Store::with_options(options(clock)).unwrap()
}

/// Memory in use by a process, by its number or `self`, in KiB.
pub(crate) fn resident_kib(process: impl std::fmt::Display) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.split_whitespace().next().unwrap().parse().unwrap()
}

/// The number in a variable of the environment, where it is set.
pub(crate) fn number_from(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|error| panic!("{variable}: {text:?}: {error}")))
}

/// How often a test under load does what it does: so often, or as often as the environment says.
pub(crate) fn rounds(few: u64) -> u64 {
    number_from("RUNTIME_SIGNALS_TEST_ROUNDS").unwrap_or(few)
}

/// What random choices are made of: printed, so that they can be had again, and taken from the environment where it is
/// there.
pub(crate) fn seed() -> u64 {
    const SEED: &str = "RUNTIME_SIGNALS_TEST_SEED";
    let seed = number_from(SEED).unwrap_or_else(|| fastrand::u64(..));
    println!("{SEED}={seed}");
    seed
}

/// Where what tests leave to be looked at is: the folder that cargo builds into.
pub(crate) fn target() -> &'static Path {
    Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap()
}

/// A program that `cargo xtask TASK` unpacks at this path below the target folder, which it is told to where there is
/// none yet.
pub(crate) fn unpacked(task: &str, path: &str) -> PathBuf {
    let program = target().join(path);
    if !program.is_file() {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut fetch = Command::new(cargo);
        fetch.args(["xtask", task]).env("CARGO_TARGET_DIR", target());
        let fetched = fetch.current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/..")).output().unwrap();
        assert!(fetched.status.success(), "{}", String::from_utf8_lossy(&fetched.stderr));
    }
    program
}
