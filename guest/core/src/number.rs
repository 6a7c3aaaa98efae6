//! Numbers as providers write them. What cannot be read is `None`: never wrapped, never guessed.

use core::time::Duration;

use crate::time::Time;

const SECOND_NS: u64 = 1_000_000_000;
const MILLISECOND_NS: u64 = 1_000_000;
/// Below this a number is a count of seconds, from here on Unix seconds.
const UNIX_SECONDS: u64 = 1_000_000_000;
/// From here on a number is Unix milliseconds.
const UNIX_MILLIS: u64 = 100_000_000_000;
/// Longer texts are no number of any provider.
const LONGEST: usize = 64;

/// A count: decimal digits.
///
/// `-1` means that the provider does not report it; any other negative number is an overdrawn
/// allowance, which is 0.
#[must_use]
pub fn count(text: &[u8]) -> Option<u64> {
    let text = text.trim_ascii();
    match text.strip_prefix(b"-") {
        None => digits(text),
        Some(b"1") => None,
        Some(negative) => digits(negative).map(|_| 0),
    }
}

/// An allowance: decimal digits, and never negative.
#[must_use]
pub fn allowance(text: &[u8]) -> Option<u64> {
    digits(text.trim_ascii())
}

fn digits(text: &[u8]) -> Option<u64> {
    if text.is_empty() {
        return None;
    }
    text.iter().try_fold(0u64, |sum, byte| {
        let digit = byte.wrapping_sub(b'0');
        (digit < 10).then_some(())?;
        sum.checked_mul(10)?.checked_add(u64::from(digit))
    })
}

/// Seconds, with or without a fraction.
#[must_use]
pub fn seconds(text: &[u8]) -> Option<Duration> {
    scaled(text.trim_ascii(), SECOND_NS)
}

/// Milliseconds, with or without a fraction.
#[must_use]
pub fn millis(text: &[u8]) -> Option<Duration> {
    scaled(text.trim_ascii(), MILLISECOND_NS)
}

/// A non-negative decimal number in millionths, cut off below.
#[must_use]
pub fn millionths(text: &[u8]) -> Option<u64> {
    let number = seconds(text)?;
    number.as_secs().checked_mul(1_000_000)?.checked_add(number.subsec_micros().into())
}

/// A Go duration: numbers with units, `6m0s`, `100ms`, `2m59.56s`, `1h`.
#[must_use]
pub fn go_duration(text: &[u8]) -> Option<Duration> {
    let mut rest = text.trim_ascii();
    let mut sum = Duration::ZERO;
    if rest.is_empty() || rest.len() > LONGEST {
        return None;
    }
    while !rest.is_empty() {
        let number_end = rest.iter().position(|byte| !(byte.is_ascii_digit() || *byte == b'.'))?;
        let (number, tail) = rest.split_at_checked(number_end)?;
        let unit_end =
            tail.iter().position(|byte| byte.is_ascii_digit() || *byte == b'.').unwrap_or(tail.len());
        let (unit, tail) = tail.split_at_checked(unit_end)?;
        sum = sum.checked_add(scaled(number, nanoseconds_of(unit)?)?)?;
        rest = tail;
    }
    Some(sum)
}

fn nanoseconds_of(unit: &[u8]) -> Option<u64> {
    Some(match unit {
        b"ns" => 1,
        b"us" | b"\xc2\xb5s" | b"\xce\xbcs" => 1_000,
        b"ms" => 1_000_000,
        b"s" => 1_000_000_000,
        b"m" => 60_000_000_000,
        b"h" => 3_600_000_000_000,
        _ => return None,
    })
}

/// A non-negative decimal number of units, exact to the nanosecond: `58.891` seconds are not 58.890999 s.
fn scaled(number: &[u8], unit_ns: u64) -> Option<Duration> {
    if number.len() > LONGEST {
        return None;
    }
    let point = number.iter().position(|byte| *byte == b'.').unwrap_or(number.len());
    let (whole, fraction) = number.split_at_checked(point)?;
    let fraction = fraction.strip_prefix(b".").unwrap_or_default();
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let whole = if whole.is_empty() { 0 } else { digits(whole)? };
    let mut fraction_ns = 0;
    let mut place_ns = unit_ns;
    for byte in fraction {
        let digit = byte.wrapping_sub(b'0');
        (digit < 10).then_some(())?;
        place_ns /= 10;
        fraction_ns += place_ns * u64::from(digit);
    }
    let units_a_second = SECOND_NS / unit_ns;
    let whole = if units_a_second == 0 {
        Duration::from_secs(whole.checked_mul(unit_ns / SECOND_NS)?)
    } else {
        let rest_ns = u32::try_from(whole % units_a_second * unit_ns).ok()?;
        Duration::new(whole / units_a_second, rest_ns)
    };
    whole.checked_add(Duration::from_nanos(fraction_ns))
}

/// How exactly a reset was told, which bounds what can be inferred from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Precision {
    /// A span, cut off below its last unit.
    Span {
        /// The last unit, in nanoseconds.
        unit_ns: u64,
    },
    /// A point in time by the provider's clock, in whole seconds or better.
    PointInTime,
}

/// When a limit resets, in any of the encodings that providers use.
///
/// RFC 3339 and durations are recognised by their form. Bare numbers follow the magnitudes of all that
/// has been seen: below 10⁹ seconds from now, below 10¹¹ Unix seconds, above that Unix milliseconds.
#[must_use]
pub fn reset(text: &[u8], now: Time) -> Option<(Time, Precision)> {
    let text = text.trim_ascii();
    if let Some(span) = go_duration(text) {
        let fine = text.ends_with(b"ms") || text.contains(&b'.');
        let unit_ns = if fine { MILLISECOND_NS } else { SECOND_NS };
        return Some((now.checked_add(span)?, Precision::Span { unit_ns }));
    }
    if let Some(time) = Time::parse_rfc3339(text) {
        return Some((time, Precision::PointInTime));
    }
    let number = seconds(text)?;
    match number.as_secs() {
        0..UNIX_SECONDS => {
            let unit_ns = if text.contains(&b'.') { MILLISECOND_NS } else { SECOND_NS };
            Some((now.checked_add(number)?, Precision::Span { unit_ns }))
        }
        UNIX_SECONDS..UNIX_MILLIS => Some((Time::UNIX_EPOCH.checked_add(number)?, Precision::PointInTime)),
        _ => Some((Time::UNIX_EPOCH.checked_add(millis(text)?)?, Precision::PointInTime)),
    }
}

/// `Retry-After` (RFC 9110 section 10.2.3): delta-seconds or an HTTP date; fractions and Go durations
/// are seen in the wild. A date that has passed is zero.
#[must_use]
pub fn retry_after(text: &[u8], now: Time) -> Option<Duration> {
    let text = text.trim_ascii();
    seconds(text)
        .or_else(|| go_duration(text))
        .or_else(|| Time::parse_http_date(text).map(|date| date.since(now)))
        .filter(|wait| now.checked_add(*wait).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: fn(u64) -> Option<Duration> = |ms| Some(Duration::from_millis(ms));

    #[test]
    fn counts_are_decimal_digits() {
        for (text, expected) in [
            ("59", Some(59)),
            (" 7 ", Some(7)),
            ("0", Some(0)),
            ("-1", None),
            ("-5", Some(0)),
            ("", None),
            ("-", None),
            ("18446744073709551615", Some(u64::MAX)),
            ("18446744073709551616", None),
            ("1e3", None),
            ("0x10", None),
            ("12.5", None),
            ("NaN", None),
            ("+5", None),
        ] {
            assert_eq!(count(text.as_bytes()), expected, "{text:?}");
        }
        for (text, expected) in [("60", Some(60)), (" 0 ", Some(0)), ("-1", None), ("-2", None), ("", None)] {
            assert_eq!(allowance(text.as_bytes()), expected, "{text:?}");
        }
    }

    #[test]
    fn go_durations_are_exact() {
        for (text, expected) in [
            ("6m0s", MS(360_000)),
            ("100ms", MS(100)),
            ("58.891s", MS(58_891)),
            ("1m", MS(60_000)),
            ("2m59.56s", MS(179_560)),
            ("4h17m", MS(15_420_000)),
            ("8.64s", MS(8_640)),
            (".5s", MS(500)),
            ("1.5h", MS(5_400_000)),
            ("17", None),
            ("", None),
            ("s", None),
            ("-1s", None),
            ("1d", None),
            ("1s garbage", None),
            (".s", None),
            ("99999999999999999999h", None),
        ] {
            assert_eq!(go_duration(text.as_bytes()), expected, "{text:?}");
        }
        assert_eq!(go_duration("1µs".as_bytes()), Some(Duration::from_micros(1)));
    }

    #[test]
    fn a_bare_reset_is_told_by_its_magnitude() {
        let now = Time::new(1_768_478_400, 0).unwrap();
        let at = |text: &str| reset(text.as_bytes(), now).map(|(time, _)| time);
        assert_eq!(at("30"), now.checked_add(Duration::from_secs(30)));
        assert_eq!(at("45.5"), now.checked_add(Duration::from_millis(45_500)));
        assert_eq!(at("1789582462"), Time::new(1_789_582_462, 0));
        assert_eq!(at("1788220800000"), Time::new(1_788_220_800, 0));
        assert_eq!(at("2026-10-07T00:00:00Z"), Time::new(1_791_331_200, 0));
        assert_eq!(at("12ms"), now.checked_add(Duration::from_millis(12)));
        for text in ["", "nan", "inf", "-5", "1e12", "99999999999999999999", "soon"] {
            assert_eq!(at(text), None, "{text:?}");
        }
    }

    #[test]
    fn retry_after_takes_seconds_and_dates_and_never_runs_backwards() {
        let now = Time::new(784_111_747, 0).unwrap();
        let wait = |text: &str| retry_after(text.as_bytes(), now);
        assert_eq!(wait("120"), MS(120_000));
        assert_eq!(wait("0.5"), MS(500));
        assert_eq!(wait("2s"), MS(2_000));
        assert_eq!(wait("Sun, 06 Nov 1994 08:49:37 GMT"), MS(30_000));
        assert_eq!(wait("Sat, 05 Nov 1994 08:49:37 GMT"), MS(0));
        for text in ["", "nan", "-3", "18446744073709551615", "soon"] {
            assert_eq!(wait(text), None, "{text:?}");
        }
    }
}
