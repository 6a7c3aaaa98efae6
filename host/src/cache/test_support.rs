//! What the unit tests of this module share.

use std::fs::File;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use super::options::CacheOptions;
use crate::clock::Clock;

/// Above the largest process number of any system.
pub(crate) const DEAD_PID: i64 = i32::MAX as i64;

/// A clock that moves when it is told to.
pub(crate) struct ManualClock(Mutex<SystemTime>);

impl ManualClock {
    pub(crate) fn advance(&self, by: Duration) {
        *self.0.lock().unwrap() += by;
    }
}

impl Clock for ManualClock {
    fn now(&self) -> SystemTime {
        *self.0.lock().unwrap()
    }
}

/// The default options on a clock that starts at the file system's time and then moves by hand.
pub(crate) fn manual_options() -> (CacheOptions, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock(Mutex::new(SystemTime::now())));
    (CacheOptions { clock: clock.clone(), ..CacheOptions::default() }, clock)
}

pub(crate) fn rfc3339(time: SystemTime) -> String {
    jiff::Timestamp::try_from(time).unwrap().to_string()
}

pub(crate) fn set_modified(path: &Path, time: SystemTime) {
    File::options().append(true).open(path).unwrap().set_modified(time).unwrap();
}

pub(crate) fn mode_of(path: &Path) -> u32 {
    std::fs::symlink_metadata(path).unwrap().permissions().mode() & 0o777
}
