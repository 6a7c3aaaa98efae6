//! A clock that was ahead and has been put right: what comes after that would pass for older than what came before,
//! for as long as it was ahead.

use core::time::Duration;

use super::Provider;
use crate::time::Time;

/// Clocks of hosts differ; what is further ahead of the present was told by a wrong one.
const AHEAD: Duration = Duration::from_secs(60);

impl Provider {
    /// Moves what a wrong clock has dated ahead of `now` back to it, as a whole: a refusal lasts for as long as it would
    /// have. Whatever is told from now on is newer.
    pub(crate) fn keep_to(&mut self, now: Time) {
        let latest = now.saturating_add(AHEAD);
        let heard_at = self.last_success_at.max(self.last_error_at).max(self.shared_at);
        if heard_at.is_some_and(|at| at > latest)
            || self.limits.iter().any(|held| held.seen_at > latest)
            || self.cooldowns.iter().any(|held| held.cooldown.refused_at > latest)
        {
            self.move_back_to(now);
        }
    }

    #[inline(never)]
    fn move_back_to(&mut self, now: Time) {
        let before = now.saturating_sub(AHEAD);
        for held in &mut self.limits {
            held.no_later_than(now, before);
        }
        for held in &mut self.cooldowns {
            held.cooldown.no_later_than(now);
        }
        for (_, sent_at) in &mut self.successes {
            *sent_at = before.min(*sent_at);
        }
        let times = [
            self.last_success_at.as_mut(),
            self.last_error_at.as_mut(),
            self.quota_ok_at.as_mut(),
            self.shared_at.as_mut(),
            self.failed.as_mut().map(|(at, _)| at),
            self.last_refusal.as_mut().map(|(at, _)| at),
        ];
        for at in times.into_iter().flatten() {
            *at = now.min(*at);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::evidence::Evidence;
    use crate::limit::Scope;
    use crate::signal::{Signal, Status};
    use crate::store::Store;
    use crate::testing::{AHEAD, at, call};
    use crate::wait::{Need, Wait};

    const DAY: i64 = 86_400;

    fn response(status: u16, second: i64, left: &str) -> alloc::vec::Vec<u8> {
        let headers = [
            ("x-ratelimit-limit-requests", "60"),
            ("x-ratelimit-remaining-requests", left),
            ("x-ratelimit-reset-requests", "20s"),
        ];
        call(status, second).of_type("openai").headers(&headers).packed()
    }

    /// A store whose clock was a day ahead when it heard of a response.
    fn ahead(status: u16, left: &str) -> Store {
        let mut store = Store::new(10);
        store.add_provider("p");
        store.record(&response(status, DAY, left)).unwrap();
        store
    }

    fn signal(store: &mut Store, second: i64) -> Signal {
        store.collect(0, &Evidence::None, at(second)).unwrap()
    }

    #[test]
    fn once_the_clock_is_right_what_is_told_counts_at_once() {
        let mut store = ahead(200, "59");
        assert_eq!(signal(&mut store, DAY).quota_remaining, Some(59));
        assert_eq!(signal(&mut store, 10).quota_remaining, Some(59));
        store.record(&response(200, 11, "58")).unwrap();
        assert_eq!(signal(&mut store, 12).quota_remaining, Some(58));
        store.record(&response(429, 13, "0")).unwrap();
        assert_eq!(signal(&mut store, 14).status, Status::Exhausted);
        assert_eq!(signal(&mut store, 40).status, Status::Available);
    }

    #[test]
    fn a_refusal_that_is_observed_counts_even_if_nobody_has_asked_since() {
        let mut store = ahead(200, "59");
        let judged = store.observe(&response(429, 11, "0"), 0, at(12)).unwrap();
        assert_eq!(Signal::unpack(&judged.signal).unwrap().status, Status::Exhausted);
    }

    #[test]
    fn what_was_refused_ahead_is_refused_for_no_longer_than_it_would_have_been() {
        let mut store = ahead(429, "0");
        assert_eq!(signal(&mut store, DAY + 1).status, Status::Exhausted);
        let wait = store.wait_for(0, &Scope::default(), Need { requests: 1, tokens: 0 }, at(10)).unwrap();
        assert!(matches!(wait, Wait::Until(until, _) if until == at(30)), "{wait:?}");
        assert_eq!(signal(&mut store, 29).status, Status::Exhausted);
        assert_eq!(signal(&mut store, 31).status, Status::Available);
    }

    #[test]
    fn a_success_ends_what_was_refused_ahead() {
        let mut store = ahead(429, "0");
        assert_eq!(signal(&mut store, 10).status, Status::Exhausted);
        store.record(&response(200, 12, "59")).unwrap();
        assert_eq!(signal(&mut store, 13).status, Status::Available);
    }

    #[test]
    fn a_failure_ahead_ends_with_the_next_success() {
        let mut store = ahead(500, "59");
        assert_eq!(signal(&mut store, 10).status, Status::Degraded);
        store.record(&response(200, 11, "59")).unwrap();
        let signal = signal(&mut store, 12);
        assert_eq!((signal.status, signal.quota_remaining), (Status::Available, Some(59)));
    }

    #[test]
    fn what_is_written_then_tells_others_of_nothing_ahead() {
        let mut store = ahead(200, "59");
        assert!(store.settle(0, None, at(DAY), AHEAD).is_ok());
        store.share(0).unwrap();
        let crate::merge::Outcome::Write(signal) = store.settle(0, None, at(10), AHEAD).unwrap() else {
            panic!()
        };
        let limit = signal.limits.first().unwrap();
        assert_eq!(
            (signal.recorded_at, signal.last_success_at, limit.captured_at, limit.resets_at),
            (at(10), Some(at(10)), at(10), Some(at(30)))
        );
    }

    #[test]
    fn clocks_of_hosts_may_differ_by_a_minute() {
        let mut store = ahead(429, "0");
        assert_eq!(signal(&mut store, DAY - 60).status, Status::Exhausted);
    }
}
