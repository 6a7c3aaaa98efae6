//! Where the host takes the time from.
//!
//! Everything that judges evidence by its age asks a [`Clock`], so that a test can set the hour. The
//! guest has no clock at all: the host hands it the time as a value.

use std::time::SystemTime;

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
