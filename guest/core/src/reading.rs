//! Readings: what one response says about limits.

use alloc::vec::Vec;
use core::time::Duration;

use crate::limit::{Limit, Quantity};
use crate::number::{self, Precision};
use crate::packed::Frames;
use crate::profile::{Counter, MOST_COUNTERS, Meaning, Part, Profile, Refill};
use crate::refusal::{QUOTA_WINDOW_S, RefusalClass};
use crate::signal::Reason;
use crate::time::Time;
use crate::window;

/// The parts of a response that are read.
#[derive(Clone, Copy, Debug)]
pub struct Response<'a> {
    /// HTTP status; 0 when there was none, or when it was not told.
    pub status: u16,
    /// Error, scope and headers.
    pub frames: Frames<'a>,
    /// When it was received.
    pub received_at: Time,
}

/// What one response says about limits.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reading {
    /// Smallest count of requests left.
    pub remaining_requests: Option<u64>,
    /// Smallest count of tokens left.
    pub remaining_tokens: Option<u64>,
    /// Reset of the limit that binds.
    pub reset_at: Option<Time>,
    /// The wait that the response states, in milliseconds, rounded up.
    pub retry_after_ms: Option<u64>,
    /// It shows that a limit of the caller is used up.
    pub exhausted: bool,
    /// The limits themselves, without scope.
    pub limits: Vec<Limit>,
    /// Why, where there is anything to explain.
    pub reason: Option<Reason>,
    /// What kind of refusal it is.
    pub refusal: Option<RefusalClass>,
}

impl Reading {
    /// What kind of refusal it is; where its parser names no class, the rest of it decides.
    ///
    /// Limits that are used up speak for themselves, unless the response also states when to come back.
    #[must_use]
    pub fn class(&self) -> Option<RefusalClass> {
        let unsaid = || {
            let says = self.limits.iter().any(Limit::is_used_up)
                || [self.remaining_requests, self.remaining_tokens].contains(&Some(0));
            let hinted = self.retry_after_ms.is_some_and(|wait| wait > 0);
            (self.exhausted && (hinted || !says)).then(|| RefusalClass::of_reason(self.reason.as_ref()))
        };
        self.refusal.clone().or_else(unsaid)
    }

    /// When the response itself says that its refusal ends.
    #[must_use]
    pub fn stated_end(&self, received_at: Time) -> Option<Time> {
        let wait = self.retry_after_ms.filter(|wait| *wait > 0)?;
        received_at.checked_add(Duration::from_millis(wait))
    }

    /// The limits of a response that was received at that time. Counts without a limit, which is all that
    /// a simple parser tells, make one each.
    #[must_use]
    pub fn into_limits(self, received_at: Time) -> Vec<Limit> {
        let mut limits = self.limits;
        let counts = [
            (Quantity::Requests, self.remaining_requests.filter(|_| Limit::requests_left(&limits).is_none())),
            (Quantity::Tokens, self.remaining_tokens.filter(|_| Limit::tokens_left(&limits).is_none())),
        ];
        let one_is_zero = counts.iter().any(|(_, remaining)| *remaining == Some(0));
        for (quantity, remaining) in counts {
            if remaining.is_some() {
                // The reset is that of the limit that binds.
                let resets_at = self.reset_at.filter(|_| !one_is_zero || remaining == Some(0));
                limits.push(Limit { remaining, resets_at, ..Limit::new(quantity, received_at) });
            }
        }
        for limit in &mut limits {
            limit.captured_at = received_at;
            limit.resets_at = limit.resets_at.filter(|resets_at| *resets_at > received_at);
        }
        limits
    }
}

/// The parts of one counter, as far as they have been seen.
#[derive(Clone, Copy, Default)]
struct Parts {
    limit: Option<u64>,
    remaining: Option<u64>,
    reset: Option<(Time, Precision)>,
}

impl Parts {
    /// Takes a value where none usable came before: the first usable one among duplicates counts.
    fn take(&mut self, part: Part, value: &[u8], now: Time) {
        match part {
            Part::Limit => self.limit = self.limit.or_else(|| number::count(value)),
            Part::Remaining => self.remaining = self.remaining.or_else(|| number::count(value)),
            Part::Reset => self.reset = self.reset.or_else(|| number::reset(value, now)),
        }
    }

    fn or(self, legacy: Self) -> Self {
        Self {
            limit: self.limit.or(legacy.limit),
            remaining: self.remaining.or(legacy.remaining),
            reset: self.reset.or(legacy.reset),
        }
    }

    fn limit(self, counter: &Counter, now: Time) -> Option<Limit> {
        if self.limit.is_none() && self.remaining.is_none() {
            return None;
        }
        // A reset that has passed says nothing.
        let reset = self.reset.filter(|(at, _)| *at > now);
        Some(Limit {
            window_s: reset.and_then(|reset| self.window(counter, reset, now)),
            limit: self.limit,
            remaining: self.remaining,
            resets_at: reset.map(|(at, _)| at),
            ..Limit::new(counter.quantity, now)
        })
    }

    fn window(self, counter: &Counter, (at, precision): (Time, Precision), now: Time) -> Option<u64> {
        if counter.refill != Refill::Continuous {
            return None;
        }
        window::infer(self.limit?, self.remaining?, at.since(now), precision)
    }
}

/// Reads a response by a profile.
#[must_use]
pub fn read(profile: &Profile, response: &Response<'_>) -> Reading {
    let now = response.received_at;
    let mut present = [Parts::default(); MOST_COUNTERS];
    let mut legacy = present;
    let mut retry_after = None;
    let mut retry_after_ms = None;
    for (id, value) in response.frames.iter() {
        let (counters, index, part) = match profile.meaning(id) {
            Some(Meaning::Counter(index, part)) => (&mut present, index, part),
            Some(Meaning::Legacy(index, part)) => (&mut legacy, index, part),
            Some(Meaning::RetryAfter) => {
                retry_after = retry_after.or_else(|| number::retry_after(value, now));
                continue;
            }
            Some(Meaning::RetryAfterMs) => {
                // Zero is no more exact than what Retry-After says.
                retry_after_ms =
                    retry_after_ms.or_else(|| number::millis(value).filter(|wait| !wait.is_zero()));
                continue;
            }
            None => continue,
        };
        if let Some(parts) = counters.get_mut(index) {
            parts.take(part, value, now);
        }
    }
    let limits = present
        .into_iter()
        .zip(legacy)
        .zip(profile.counters)
        .filter_map(|((present, legacy), counter)| present.or(legacy).limit(counter, now))
        .collect();
    let wait = retry_after_ms.or(retry_after).filter(|wait| now.checked_add(*wait).is_some());
    judge(response, limits, wait)
}

/// What follows from a response's status, limits and wait.
fn judge(response: &Response<'_>, limits: Vec<Limit>, wait: Option<Duration>) -> Reading {
    let now = response.received_at;
    let used_up = limits.iter().filter(|limit| limit.is_used_up());
    let used_up = used_up.max_by_key(|limit| (limit.window_s, limit.resets_at));
    let hint = wait.filter(|wait| !wait.is_zero());
    let refusal = classify(response, used_up, hint);
    let exhausted = match &refusal {
        Some(class) => class.exhausts_scope(),
        None => used_up.is_some(),
    };
    let binding = used_up.or_else(|| Limit::binding(limits.iter()));
    let hinted_end = hint.filter(|_| exhausted).and_then(|wait| now.checked_add(wait));
    let reset_at = binding.and_then(|limit| limit.resets_at).or(hinted_end);
    let reason = match (&refusal, used_up) {
        (Some(class), _) => Some(Reason::of_refusal(class)).filter(|_| *class != RefusalClass::Oversize),
        (None, Some(limit)) => Some(Reason::of_window(limit.window_s)),
        (None, None) => failure(response.status),
    };
    Reading {
        remaining_requests: Limit::requests_left(&limits),
        remaining_tokens: Limit::tokens_left(&limits),
        reset_at,
        retry_after_ms: wait.map(whole_millis),
        exhausted,
        reason,
        refusal,
        limits,
    }
}

fn whole_millis(wait: Duration) -> u64 {
    wait.as_secs().saturating_mul(1000).saturating_add(wait.subsec_nanos().div_ceil(1_000_000).into())
}

/// What kind of refusal a response is, by status, counters and hint.
fn classify(
    response: &Response<'_>,
    used_up: Option<&Limit>,
    hint: Option<Duration>,
) -> Option<RefusalClass> {
    let long_window = |limit: &Limit| {
        limit.window_s.is_some_and(|window| window >= QUOTA_WINDOW_S)
    };
    match response.status {
        429 if used_up.is_some_and(long_window) => Some(RefusalClass::Quota),
        429 => Some(RefusalClass::Rate),
        402 => Some(RefusalClass::Money),
        413 => Some(RefusalClass::Oversize),
        503 | 529 => Some(RefusalClass::Capacity),
        403 if used_up.is_some() => Some(RefusalClass::Quota),
        401 => None,
        408 | 500..=599 => hint.map(|_| RefusalClass::Capacity),
        // A wait on any other answer is a rate limit, 403 and 200 included.
        _ => hint.map(|_| RefusalClass::Rate),
    }
}

/// Why a call with this status failed; `None` where it did not, or where the caller is at fault.
#[must_use]
pub fn failure(status: u16) -> Option<Reason> {
    match status {
        401 | 403 => Some(Reason::Unauthorized),
        408 | 504 => Some(Reason::Timeout),
        503 | 529 => Some(Reason::Busy),
        500..=599 => Some(Reason::Error),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packed::{FIRST_HEADER, push_frame};
    use crate::profile;

    fn now() -> Time {
        Time::parse_rfc3339(b"2026-01-15T12:00:00Z").unwrap()
    }

    fn later(millis: u64) -> Option<Time> {
        now().checked_add(Duration::from_millis(millis))
    }

    fn reading(provider_type: &str, status: u16, headers: &[(&str, &str)]) -> Reading {
        let (_, profile) = profile::for_type(provider_type);
        let mut frames = Vec::new();
        for (name, value) in headers {
            let index = profile.fields.iter().position(|field| field.name == *name).unwrap();
            push_frame(&mut frames, FIRST_HEADER + u8::try_from(index).unwrap(), value.as_bytes()).unwrap();
        }
        let frames = Frames::new(&frames).unwrap();
        read(profile, &Response { status, frames, received_at: now() })
    }

    #[test]
    fn openai_counters_are_read_with_their_windows() {
        let reading = reading("openai", 200, &[
            ("x-ratelimit-limit-requests", "10000"),
            ("x-ratelimit-remaining-requests", "9999"),
            ("x-ratelimit-reset-requests", "8.64s"),
            ("x-ratelimit-limit-tokens", "200000"),
            ("x-ratelimit-remaining-tokens", "199938"),
            ("x-ratelimit-reset-tokens", "18ms"),
        ]);
        assert_eq!((reading.remaining_requests, reading.remaining_tokens), (Some(9_999), Some(199_938)));
        assert_eq!(reading.reset_at, later(18), "tokens are nearest to empty");
        assert!(!reading.exhausted);
        let windows: Vec<_> = reading.limits.iter().map(|limit| limit.window_s).collect();
        assert_eq!(windows, [Some(86_400), Some(60)]);
    }

    #[test]
    fn a_remaining_of_minus_one_means_not_reported_and_any_other_negative_overdrawn() {
        let unreported = reading("openai", 200, &[("x-ratelimit-remaining-tokens", "-1")]);
        assert_eq!((unreported.remaining_tokens, unreported.exhausted), (None, false));
        let overdrawn = reading("openai", 200, &[("x-ratelimit-remaining-tokens", "-250")]);
        assert_eq!((overdrawn.remaining_tokens, overdrawn.exhausted), (Some(0), true));
    }

    #[test]
    fn numbers_that_overflow_years_past_9999_nan_and_empty_values_are_ignored() {
        for (name, value) in [
            ("x-ratelimit-remaining-requests", "99999999999999999999"),
            ("x-ratelimit-remaining-requests", ""),
            ("x-ratelimit-reset-requests", "99999999999999"),
            ("x-ratelimit-reset-requests", "99999999999h"),
            ("retry-after", "nan"),
            ("retry-after", "999999999999999"),
            ("retry-after-ms", ""),
        ] {
            let spoilt = reading("openai", 200, &[
                (name, value),
                ("x-ratelimit-limit-tokens", "100"),
                ("x-ratelimit-remaining-tokens", "7"),
            ]);
            assert_eq!(spoilt.remaining_tokens, Some(7), "{name}: {value}");
            assert_eq!((spoilt.remaining_requests, spoilt.retry_after_ms), (None, None), "{name}: {value}");
        }
    }

    #[test]
    fn the_first_usable_value_among_duplicate_header_lines_counts() {
        let reading = reading("openai", 200, &[
            ("x-ratelimit-remaining-requests", "junk"),
            ("x-ratelimit-remaining-requests", "12"),
            ("x-ratelimit-remaining-requests", "99"),
        ]);
        assert_eq!(reading.remaining_requests, Some(12));
    }

    #[test]
    fn of_two_limits_at_zero_the_later_ends_it() {
        let reading = reading("openai", 429, &[
            ("x-ratelimit-remaining-requests", "0"),
            ("x-ratelimit-reset-requests", "20s"),
            ("x-ratelimit-remaining-tokens", "0"),
            ("x-ratelimit-reset-tokens", "5s"),
        ]);
        assert_eq!(reading.reset_at, later(20_000));
    }

    #[test]
    fn the_reset_is_that_of_the_exhausted_limit_not_the_earliest() {
        let reading = reading("openai", 429, &[
            ("x-ratelimit-remaining-requests", "50"),
            ("x-ratelimit-reset-requests", "1s"),
            ("x-ratelimit-remaining-tokens", "0"),
            ("x-ratelimit-reset-tokens", "30s"),
        ]);
        assert_eq!((reading.reset_at, reading.exhausted), (later(30_000), true));
    }

    #[test]
    fn milliseconds_are_more_exact_than_retry_after_unless_they_are_zero() {
        let exact = reading("openai", 429, &[("retry-after", "1"), ("retry-after-ms", "534")]);
        assert_eq!(exact.retry_after_ms, Some(534));
        let zero = reading("openai", 429, &[("retry-after", "1"), ("retry-after-ms", "0")]);
        assert_eq!(zero.retry_after_ms, Some(1_000));
    }

    #[test]
    fn the_smallest_of_anthropics_token_figures_binds() {
        let reading = reading("anthropic", 429, &[
            ("anthropic-ratelimit-input-tokens-limit", "100000"),
            ("anthropic-ratelimit-input-tokens-remaining", "0"),
            ("anthropic-ratelimit-input-tokens-reset", "2026-01-15T12:01:01Z"),
            ("anthropic-ratelimit-tokens-limit", "120000"),
            ("anthropic-ratelimit-tokens-remaining", "20000"),
            ("anthropic-ratelimit-tokens-reset", "2026-01-15T12:00:00Z"),
            ("retry-after", "4"),
        ]);
        assert_eq!((reading.remaining_tokens, reading.reset_at), (Some(0), later(61_000)));
        assert_eq!(reading.retry_after_ms, Some(4_000));
    }

    #[test]
    fn legacy_headers_speak_where_the_present_ones_are_silent() {
        let both = reading("anthropic", 200, &[
            ("x-ratelimit-remaining-requests", "1"),
            ("anthropic-ratelimit-requests-remaining", "9"),
            ("x-ratelimit-remaining-tokens", "5"),
        ]);
        assert_eq!((both.remaining_requests, both.remaining_tokens), (Some(9), Some(5)));
    }

    #[test]
    fn openrouters_milliseconds_are_not_seconds() {
        let reading = reading("openrouter", 429, &[
            ("x-ratelimit-limit", "50"),
            ("x-ratelimit-remaining", "0"),
            ("x-ratelimit-reset", "1791331200000"),
        ]);
        assert_eq!(reading.reset_at, Time::parse_rfc3339(b"2026-10-07T00:00:00Z"));
        assert_eq!(reading.remaining_requests, Some(0));
    }

    #[test]
    fn each_status_has_its_class() {
        for (status, class, exhausted) in [
            (429, Some(RefusalClass::Rate), true),
            (402, Some(RefusalClass::Money), true),
            (413, Some(RefusalClass::Oversize), false),
            (503, Some(RefusalClass::Capacity), false),
            (529, Some(RefusalClass::Capacity), false),
            (500, None, false),
            (401, None, false),
            (403, None, false),
            (404, None, false),
            (200, None, false),
        ] {
            let reading = reading("openai", status, &[]);
            assert_eq!((reading.refusal, reading.exhausted), (class, exhausted), "{status}");
        }
    }

    #[test]
    fn capacity_states_a_wait_but_no_reset_of_a_quota() {
        let reading = reading("openai", 503, &[("retry-after", "120")]);
        assert_eq!((reading.retry_after_ms, reading.reset_at, reading.exhausted), (Some(120_000), None, false));
    }
}
