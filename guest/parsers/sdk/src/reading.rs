//! Readings, and the limits in them.

use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use runtime_signals_values::Time;
use runtime_signals_values::number::whole_millis;

use crate::{Effect, Instant, Limit, Quantity, Reading, Refill, RefusalClass, Response, Scope};

impl From<Time> for Instant {
    fn from(time: Time) -> Self {
        Self { seconds: time.seconds(), nanoseconds: time.nanoseconds() }
    }
}

impl Limit {
    /// A limit of which nothing is known yet: it applies to the call's own scope, fills at the end of its window and
    /// refuses every request when it is used up.
    #[must_use]
    pub const fn new(quantity: Quantity, response: &Response<'_>) -> Self {
        let now = response.received_at;
        Self {
            quantity,
            scope: Scope { account: None, model: None },
            pool: String::new(),
            window_s: None,
            limit: None,
            remaining: None,
            utilization: None,
            resets_at: None,
            captured_at: Instant { seconds: now.seconds(), nanoseconds: now.nanoseconds() },
            refill: Refill::WindowEdge,
            effect: Effect::Refuses,
        }
    }

    fn is_told(&self) -> bool {
        self.limit.is_some() || self.remaining.is_some() || self.utilization.is_some()
    }

    fn is_used_up(&self) -> bool {
        self.remaining == Some(0) || self.utilization.is_some_and(|used| used >= 1.0)
    }

    /// Share left, 0 to 1.
    #[expect(clippy::cast_precision_loss, reason = "a share needs no more than 52 bits")]
    fn share_left(&self) -> Option<f64> {
        match (self.remaining, self.limit) {
            (Some(0), _) => Some(0.0),
            (Some(left), Some(limit)) if limit > 0 => Some(left as f64 / limit as f64),
            _ => self.utilization.map(|used| 1.0 - used),
        }
    }
}

impl Reading {
    /// What these limits say, without those of which the response tells nothing. It is exhausted where one that refuses
    /// every request is used up, or the status is 429, which is a refusal of the rate unless it is said otherwise.
    #[must_use]
    pub fn of(response: &Response<'_>, limits: impl IntoIterator<Item = Limit>) -> Self {
        let limits: Vec<_> = limits.into_iter().filter(Limit::is_told).collect();
        let left = |counts: fn(&Limit) -> bool| {
            let counting = limits.iter().filter(|limit| limit.effect == Effect::Refuses && counts(limit));
            counting.filter_map(|limit| limit.remaining).min()
        };
        let is_refusal = response.status == 429;
        let used_up = || limits.iter().filter(|limit| limit.effect == Effect::Refuses && limit.is_used_up());
        Self {
            remaining_requests: left(|limit| limit.quantity == Quantity::Requests),
            remaining_tokens: left(|limit| !matches!(limit.quantity, Quantity::Requests | Quantity::Other)),
            // Of several that are used up, the one that lasts longest binds.
            reset_at: match used_up().filter_map(|limit| limit.resets_at).max_by_key(key) {
                Some(last) => Some(last),
                None => binding(&limits).and_then(|limit| limit.resets_at),
            },
            retry_after_ms: None,
            exhausted: is_refusal || used_up().next().is_some(),
            reason: None,
            refusal: is_refusal.then_some(RefusalClass::Rate),
            limits,
        }
    }

    /// The same, with the wait that the response states: a wait of more than nothing means that it is exhausted.
    #[must_use]
    pub fn with_wait(mut self, wait: Option<Duration>) -> Self {
        self.retry_after_ms = wait.map(whole_millis);
        self.exhausted |= wait.is_some_and(|wait| !wait.is_zero());
        self
    }
}

const fn key(instant: &Instant) -> (i64, u32) {
    (instant.seconds, instant.nanoseconds)
}

/// The limit nearest to empty; where no share is known, that with the smallest number left.
fn binding(limits: &[Limit]) -> Option<&Limit> {
    let counting = limits.iter().filter(|limit| limit.effect == Effect::Refuses);
    counting.min_by(|a, b| match (a.share_left(), b.share_left()) {
        (Some(a), Some(b)) => a.total_cmp(&b),
        (None, None) => a.remaining.unwrap_or(u64::MAX).cmp(&b.remaining.unwrap_or(u64::MAX)),
        (a, b) => b.is_some().cmp(&a.is_some()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Time = Time::UNIX_EPOCH;

    fn limit(quantity: Quantity, limit: Option<u64>, remaining: Option<u64>, reset: Option<i64>) -> Limit {
        let response = Response::new(200, &[], None, NOW);
        let resets_at = reset.and_then(|seconds| Time::new(seconds, 0)).map(Instant::from);
        Limit { limit, remaining, resets_at, ..Limit::new(quantity, &response) }
    }

    fn of(status: u16, limits: &[Limit]) -> Reading {
        Reading::of(&Response::new(status, &[], None, NOW), limits.iter().cloned())
    }

    fn reset(reading: &Reading) -> Option<i64> {
        reading.reset_at.map(|at| at.seconds)
    }

    #[test]
    fn the_limit_nearest_to_empty_gives_the_reset() {
        let requests = limit(Quantity::Requests, Some(100), Some(50), Some(7));
        let tokens = limit(Quantity::Tokens, Some(1000), Some(100), Some(60));
        let untold = limit(Quantity::Other, None, None, Some(3));
        let reading = of(200, &[requests.clone(), tokens, untold]);
        assert_eq!((reading.remaining_requests, reading.remaining_tokens), (Some(50), Some(100)));
        assert_eq!((reset(&reading), reading.limits.len(), reading.exhausted), (Some(60), 2, false));

        let unlimited = limit(Quantity::Tokens, None, Some(2), Some(60));
        assert_eq!(reset(&of(200, &[requests, unlimited])), Some(7));
    }

    #[test]
    fn of_several_that_are_used_up_the_last_reset_ends_it() {
        let input = limit(Quantity::InputTokens, None, Some(0), Some(60));
        let output = limit(Quantity::OutputTokens, None, Some(0), Some(7));
        let reading = of(200, &[input, output]);
        assert_eq!((reset(&reading), reading.exhausted, reading.refusal), (Some(60), true, None));
    }

    #[test]
    fn what_refuses_nobody_exhausts_nothing() {
        let informing =
            Limit { effect: Effect::Informs, ..limit(Quantity::Requests, None, Some(0), Some(7)) };
        let reading = of(200, &[informing]);
        assert_eq!((reset(&reading), reading.exhausted, reading.remaining_requests), (None, false, None));
    }

    #[test]
    fn a_stated_wait_is_rounded_up_and_exhausts() {
        let reading = of(200, &[]).with_wait(Some(Duration::from_micros(1500)));
        assert_eq!((reading.retry_after_ms, reading.exhausted), (Some(2), true));
        let reading = of(200, &[]).with_wait(Some(Duration::ZERO));
        assert_eq!((reading.retry_after_ms, reading.exhausted), (Some(0), false));
        assert_eq!(of(429, &[]).refusal, Some(RefusalClass::Rate));
    }
}
