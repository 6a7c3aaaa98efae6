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
            (self.exhausted && (hinted || !says)).then(|| RefusalClass::of_reason(self.reason))
        };
        self.refusal.or_else(unsaid)
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
            Part::Limit => self.limit = self.limit.or_else(|| number::allowance(value)),
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
    let reason = match (refusal, used_up) {
        (Some(class), _) => Some(Reason::of_refusal(class)).filter(|_| class != RefusalClass::Oversize),
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
    let long_window = |limit: &Limit| limit.window_s.is_some_and(|window| window >= QUOTA_WINDOW_S);
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
mod tests;
