//! Where the host takes the time from.
//!
//! Everything that judges evidence by its age asks a [`Clock`], so that a test can set the hour. The
//! guest has no clock at all: the host hands it the time as a value.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::SystemTime;

use crate::time::to_unix;

/// A clock that goes back by more has been wrong; by less, it is being set.
const SET_BACK_S: i64 = 60;

/// A source of wall-clock time.
pub trait Clock: Send + Sync + 'static {
    /// The present time.
    fn now(&self) -> SystemTime;
}

/// The clock of the operating system.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> SystemTime {
        SystemTime::now()
    }
}

/// Notices that a clock was set back.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    /// The latest time that it told, in seconds.
    latest_s: AtomicI64,
}

impl Watch {
    /// Was the clock set back before it told this time? Says so once.
    pub(crate) fn was_set_back(&self, now: SystemTime) -> bool {
        let (now_s, _) = to_unix(now);
        let latest_s = self.latest_s.load(Ordering::Relaxed);
        if now_s > latest_s {
            // Of two threads at once either may be noted: they are not a minute apart.
            self.latest_s.store(now_s, Ordering::Relaxed);
            return false;
        }
        let was_set_back = latest_s - now_s > SET_BACK_S;
        was_set_back
            && self.latest_s.compare_exchange(latest_s, now_s, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_clock_that_is_set_back_by_more_than_a_minute_is_noticed_once() {
        let watch = Watch::default();
        let told = [1000, 1001, 945, 2000, 1930, 1931, 1800, 5000]
            .map(|seconds| watch.was_set_back(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)));
        assert_eq!(told, [false, false, false, false, true, false, true, false]);
    }
}
