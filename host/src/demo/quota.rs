//! How simulated providers count: buckets that refill and windows that end.

use std::time::{Duration, SystemTime};

/// An allowance that refills at a constant rate.
#[derive(Debug)]
pub(super) struct Bucket {
    capacity: u32,
    window: Duration,
    level: f64,
    at: SystemTime,
}

impl Bucket {
    pub(super) fn full(capacity: u32, window: Duration, now: SystemTime) -> Self {
        Self { capacity, window, level: capacity.into(), at: now }
    }

    pub(super) fn capacity(&self) -> u32 {
        self.capacity
    }

    /// Takes an amount. Where there is less, nothing is taken: the time until there is enough.
    pub(super) fn take(&mut self, amount: u32, now: SystemTime) -> Result<(), Duration> {
        let elapsed = now.duration_since(self.at).unwrap_or_default();
        self.at = now;
        let refilled = elapsed.as_secs_f64() / self.window.as_secs_f64() * f64::from(self.capacity);
        self.level = (self.level + refilled).min(self.capacity.into());
        let missing = f64::from(amount) - self.level;
        if missing > 0.0 {
            return Err(self.time_for(missing));
        }
        self.level -= f64::from(amount);
        Ok(())
    }

    /// What was left after the last call.
    pub(super) fn remaining(&self) -> u32 {
        self.level as u32
    }

    /// The time from the last call until the allowance is full.
    pub(super) fn until_full(&self) -> Duration {
        self.time_for(f64::from(self.capacity) - self.level)
    }

    fn time_for(&self, amount: f64) -> Duration {
        self.window.mul_f64((amount / f64::from(self.capacity)).max(0.0))
    }
}

/// An allowance that returns as a whole when its window ends.
#[derive(Debug)]
pub(super) struct Window {
    limit: u32,
    length: Duration,
    used: u32,
    ends_at: SystemTime,
}

impl Window {
    pub(super) fn starting(limit: u32, length: Duration, now: SystemTime) -> Self {
        Self { limit, length, used: 0, ends_at: now + length }
    }

    pub(super) fn limit(&self) -> u32 {
        self.limit
    }

    /// Takes an amount, at most what is left. Whether anything was left.
    pub(super) fn take(&mut self, amount: u32, now: SystemTime) -> bool {
        if now >= self.ends_at {
            self.used = 0;
            self.ends_at = now + self.length;
        }
        let passes = self.remaining() > 0;
        self.used = self.used.saturating_add(amount).min(self.limit);
        passes
    }

    /// What was left after the last call.
    pub(super) fn remaining(&self) -> u32 {
        self.limit.saturating_sub(self.used)
    }

    pub(super) fn ends_at(&self) -> SystemTime {
        self.ends_at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: SystemTime = SystemTime::UNIX_EPOCH;
    const MINUTE: Duration = Duration::from_secs(60);

    #[test]
    fn a_bucket_counts_down_and_refills_at_a_constant_rate() {
        let mut bucket = Bucket::full(3, MINUTE, START);
        assert_eq!([0; 3].map(|_| bucket.take(1, START)), [Ok(()); 3]);
        assert_eq!((bucket.remaining(), bucket.until_full()), (0, MINUTE));
        assert_eq!(bucket.take(1, START), Err(Duration::from_secs(20)));
        assert_eq!(bucket.take(1, START + Duration::from_secs(20)), Ok(()));
        assert_eq!(bucket.take(3, START + 10 * MINUTE), Ok(()));
    }

    #[test]
    fn a_window_returns_as_a_whole() {
        let mut window = Window::starting(10, MINUTE, START);
        assert!(window.take(4, START));
        assert_eq!(window.remaining(), 6);
        assert!(window.take(40, START));
        assert!(!window.take(1, START + MINUTE / 2));
        assert!(window.take(1, START + MINUTE));
        assert_eq!((window.remaining(), window.ends_at()), (9, START + 2 * MINUTE));
    }

    #[test]
    fn a_clock_that_is_set_back_refills_nothing() {
        let mut bucket = Bucket::full(1, MINUTE, START + MINUTE);
        assert_eq!(bucket.take(1, START + MINUTE), Ok(()));
        assert!(bucket.take(1, START).is_err());
    }
}
