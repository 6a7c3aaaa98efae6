//! How much of a core the files may take: a share, and what was not used for a while.

use std::time::{Duration, Instant};

/// One part in so many of a core: 5 %.
const SHARE: u32 = 20;
/// What was not used is kept for so long: a burst may take 5 % of this at once.
const KEPT: Duration = Duration::from_secs(1);

/// Processor time that writing may take.
#[derive(Debug, Default)]
pub(super) struct Budget {
    /// When all that was spent will have been earned.
    even_at: Option<Instant>,
}

impl Budget {
    /// From when on more may be spent; in the past, or now, where it may be.
    pub(super) fn ready_at(&self, now: Instant) -> Instant {
        self.even_at.map_or(now, |even| even.checked_sub(KEPT).unwrap_or(now))
    }

    /// Notes what was spent until `now`.
    pub(super) fn spend(&mut self, now: Instant, spent: Duration) {
        let even = self.even_at.map_or(now, |even| even.max(now));
        self.even_at = Some(even + spent * SHARE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn a_burst_may_take_its_part_of_a_second_and_then_each_millisecond_costs_twenty() {
        let (mut budget, start) = (Budget::default(), Instant::now());
        for _ in 0..50 {
            assert!(budget.ready_at(start) <= start);
            budget.spend(start, MS);
        }
        budget.spend(start, MS);
        assert_eq!(budget.ready_at(start), start + 20 * MS);
        budget.spend(start + 20 * MS, MS);
        assert_eq!(budget.ready_at(start + 20 * MS), start + 40 * MS);
    }

    #[test]
    fn of_what_was_not_used_for_an_hour_a_second_is_kept() {
        let (mut budget, start) = (Budget::default(), Instant::now());
        budget.spend(start, MS);
        let later = start + Duration::from_secs(3600);
        budget.spend(later, 51 * MS);
        assert_eq!(budget.ready_at(later), later + 20 * MS);
    }

    #[test]
    fn over_a_minute_five_in_a_hundred_are_spent() {
        let (mut budget, start) = (Budget::default(), Instant::now());
        let (mut now, mut spent) = (start, Duration::ZERO);
        while now < start + Duration::from_secs(60) {
            now = now.max(budget.ready_at(now));
            budget.spend(now, MS);
            spent += MS;
        }
        assert!((3_000..=3_051).contains(&spent.as_millis()), "{spent:?}");
    }
}
