//! How long the load lasts, and when each part of it is due.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// The longest sleep, after which it is seen that the load is over.
const LOOK: Duration = Duration::from_millis(200);

/// The time of the load.
pub(crate) struct Course {
    pub(crate) began: Instant,
    until: Instant,
    broken: AtomicBool,
}

impl Course {
    /// From now on.
    pub(crate) fn new(lasts: Duration) -> Self {
        let began = Instant::now();
        Self { began, until: began + lasts, broken: AtomicBool::new(false) }
    }

    pub(crate) fn is_over(&self) -> bool {
        Instant::now() >= self.until || self.broken.load(Ordering::Acquire)
    }

    pub(crate) fn lasts(&self) -> Duration {
        self.until - self.began
    }

    /// Ends it early.
    pub(crate) fn break_off(&self) {
        self.broken.store(true, Ordering::Release);
    }

    /// Sleeps until then; `false` where the load is over before.
    pub(crate) fn sleep_until(&self, then: Instant) -> bool {
        while !self.is_over() {
            let rest = then.saturating_duration_since(Instant::now());
            if rest.is_zero() {
                return true;
            }
            thread::sleep(rest.min(LOOK));
        }
        false
    }
}

/// A schedule with equal steps. What is late is made up for, so that a slow service is not spared.
pub(crate) struct Schedule {
    next: Instant,
    step: Duration,
}

impl Schedule {
    pub(crate) fn new(first: Instant, step: Duration) -> Self {
        Self { next: first, step }
    }

    /// Sleeps until the next step, and says when it was due; `None` where the load is over.
    pub(crate) fn next(&mut self, course: &Course) -> Option<Instant> {
        let due = self.next;
        self.next += self.step;
        course.sleep_until(due).then_some(due)
    }
}
