//! What may come out of a parser: bounded, in range, and in words too short and plain to carry a secret out.

use std::time::{Duration, SystemTime};

use crate::engine::wit::{Instant, Limit, Reading};
use crate::time::{from_unix, to_unix};

const MOST_LIMITS: usize = 32;
const LONGEST_TEXT_BYTES: usize = 64;
/// Counts that JSON carries everywhere without loss.
const MOST_COUNT: u64 = (1 << 53) - 1;
/// Longest window, and longest way from the response's time to a time that it names.
const LONGEST: Duration = Duration::from_secs(10 * 366 * 24 * 60 * 60);
const NANOSECONDS: u32 = 1_000_000_000;

/// Why a reading is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadReading {
    /// More limits than a response has.
    #[error("more than {MOST_LIMITS} limits")]
    Limits,
    /// A text with other characters, or too long.
    #[error("`{0}` is not of the form [a-z0-9_.:-]{{1,64}}")]
    Text(&'static str),
    /// A number out of range.
    #[error("`{0}` is out of range")]
    Number(&'static str),
    /// A time out of range.
    #[error("`{0}` is no time within ten years of the response")]
    Time(&'static str),
}

/// Refuses a reading of a response that was received at this time.
pub(super) fn check(reading: &Reading, received_at: SystemTime) -> Result<(), BadReading> {
    if reading.limits.len() > MOST_LIMITS {
        return Err(BadReading::Limits);
    }
    count("remaining-requests", reading.remaining_requests)?;
    count("remaining-tokens", reading.remaining_tokens)?;
    let wait = reading.retry_after_ms.is_none_or(|wait| Duration::from_millis(wait) <= LONGEST);
    ensure(wait, BadReading::Number("retry-after-ms"))?;
    time("reset-at", reading.reset_at, received_at)?;
    reading.limits.iter().try_for_each(|limit| check_limit(limit, received_at))
}

fn check_limit(limit: &Limit, received_at: SystemTime) -> Result<(), BadReading> {
    if !limit.pool.is_empty() {
        text("pool", &limit.pool)?;
    }
    for (name, value) in [("account", &limit.scope.account), ("model", &limit.scope.model)] {
        value.iter().try_for_each(|value| text(name, value))?;
    }
    count("limit", limit.limit)?;
    count("remaining", limit.remaining)?;
    let window = limit.window_s.is_none_or(|window| Duration::from_secs(window) <= LONGEST);
    ensure(window, BadReading::Number("window-s"))?;
    let share = limit.utilization.is_none_or(|share| (0.0..=1.0).contains(&share));
    ensure(share, BadReading::Number("utilization"))?;
    time("resets-at", limit.resets_at, received_at)?;
    time("captured-at", Some(limit.captured_at), received_at)
}

fn ensure(holds: bool, error: BadReading) -> Result<(), BadReading> {
    if holds { Ok(()) } else { Err(error) }
}

fn count(name: &'static str, count: Option<u64>) -> Result<(), BadReading> {
    ensure(count.is_none_or(|count| count <= MOST_COUNT), BadReading::Number(name))
}

fn text(name: &'static str, text: &str) -> Result<(), BadReading> {
    ensure(is_plain(text), BadReading::Text(name))
}

/// Is a text of the form `[a-z0-9_.:-]{1,64}`?
pub(super) fn is_plain(text: &str) -> bool {
    let plain = |byte: u8| {
        byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'_' | b'.' | b':' | b'-')
    };
    (1..=LONGEST_TEXT_BYTES).contains(&text.len()) && text.bytes().all(plain)
}

fn time(name: &'static str, at: Option<Instant>, received_at: SystemTime) -> Result<(), BadReading> {
    let Some(at) = at else { return Ok(()) };
    let bad = BadReading::Time(name);
    ensure(at.nanoseconds < NANOSECONDS, bad)?;
    let (received, _) = to_unix(received_at);
    ensure(at.seconds.abs_diff(received) <= LONGEST.as_secs(), bad)?;
    // The platform can express it.
    ensure(to_unix(from_unix(at.seconds, at.nanoseconds)) == (at.seconds, at.nanoseconds), bad)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::wit::{Effect, Quantity, Refill, Scope};

    const NOW: u64 = 1_768_478_400;

    fn at(seconds: i64) -> Instant {
        Instant { seconds, nanoseconds: 0 }
    }

    fn limit() -> Limit {
        Limit {
            quantity: Quantity::Requests,
            scope: Scope { account: Some("org-1".into()), model: Some("gpt-4o:free".into()) },
            pool: String::new(),
            window_s: Some(60),
            limit: Some(MOST_COUNT),
            remaining: Some(0),
            utilization: Some(1.0),
            resets_at: Some(at(1_768_478_460)),
            captured_at: at(1_768_478_400),
            refill: Refill::Continuous,
            effect: Effect::Refuses,
        }
    }

    fn reading(limits: Vec<Limit>) -> Reading {
        Reading {
            remaining_requests: Some(1),
            remaining_tokens: None,
            reset_at: None,
            retry_after_ms: Some(0),
            exhausted: false,
            limits,
            reason: None,
            refusal: None,
        }
    }

    fn checked(reading: &Reading) -> Result<(), BadReading> {
        check(reading, SystemTime::UNIX_EPOCH + Duration::from_secs(NOW))
    }

    fn of_limit(change: impl FnOnce(&mut Limit)) -> Result<(), BadReading> {
        let mut limit = limit();
        change(&mut limit);
        checked(&reading(vec![limit]))
    }

    #[test]
    fn thirty_two_limits_pass_and_one_more_does_not() {
        assert_eq!(checked(&reading(vec![limit(); 32])), Ok(()));
        assert_eq!(checked(&reading(vec![limit(); 33])), Err(BadReading::Limits));
    }

    #[test]
    fn texts_are_short_and_plain() {
        for text in ["", "A", "a b", "sk-\n", "é", "a/b", &"a".repeat(65)] {
            let model = of_limit(|limit| limit.scope.model = Some(text.into()));
            assert_eq!(model, Err(BadReading::Text("model")), "{text:?}");
            let pool = of_limit(|limit| limit.pool = text.into());
            assert_eq!(pool.is_ok(), text.is_empty(), "{text:?}");
        }
        assert_eq!(of_limit(|limit| limit.pool = "a".repeat(64)), Ok(()));
    }

    #[test]
    fn numbers_are_in_range() {
        for share in [-0.1, 1.1, f64::NAN, f64::INFINITY, -0.0 - f64::MIN_POSITIVE] {
            let refused = of_limit(|limit| limit.utilization = Some(share));
            assert_eq!(refused, Err(BadReading::Number("utilization")), "{share}");
        }
        assert_eq!(of_limit(|limit| limit.limit = Some(u64::MAX)), Err(BadReading::Number("limit")));
        assert_eq!(of_limit(|limit| limit.window_s = Some(u64::MAX)), Err(BadReading::Number("window-s")));
        let long = Reading { retry_after_ms: Some(u64::MAX), ..reading(Vec::new()) };
        assert_eq!(checked(&long), Err(BadReading::Number("retry-after-ms")));
        let many = Reading { remaining_tokens: Some(1 << 53), ..reading(Vec::new()) };
        assert_eq!(checked(&many), Err(BadReading::Number("remaining-tokens")));
    }

    #[test]
    fn times_are_near_the_response() {
        for seconds in [0, i64::MIN, i64::MAX, 253_402_300_799] {
            let refused = of_limit(|limit| limit.resets_at = Some(at(seconds)));
            assert_eq!(refused, Err(BadReading::Time("resets-at")), "{seconds}");
        }
        let nanoseconds = of_limit(|limit| limit.captured_at.nanoseconds = NANOSECONDS);
        assert_eq!(nanoseconds, Err(BadReading::Time("captured-at")));
        let reset = Reading { reset_at: Some(at(0)), ..reading(Vec::new()) };
        assert_eq!(checked(&reset), Err(BadReading::Time("reset-at")));
    }
}
