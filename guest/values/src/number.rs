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

/// A text without white space around it, which few have.
#[inline]
fn trim(text: &[u8]) -> &[u8] {
    match text {
        [first, .., last] if *first > b' ' && *last > b' ' => text,
        _ => text.trim_ascii(),
    }
}

/// A count: decimal digits.
///
/// `-1` means that the provider does not report it; any other negative number is an overdrawn
/// allowance, which is 0.
#[must_use]
#[inline]
pub fn count(text: &[u8]) -> Option<u64> {
    let text = trim(text);
    match text {
        [b'-', b'1'] => None,
        [b'-', negative @ ..] => digits(negative).map(|_| 0),
        _ => digits(text),
    }
}

/// An allowance: decimal digits, and never negative.
#[must_use]
#[inline]
pub fn allowance(text: &[u8]) -> Option<u64> {
    digits(trim(text))
}

#[inline]
fn digits(text: &[u8]) -> Option<u64> {
    let (number, rest) = take_digits(text)?;
    (rest.is_empty() && !text.is_empty()).then_some(number)
}

/// Takes the digits off the front, which may be none; `None` where the number is too large.
#[inline]
fn take_digits(text: &[u8]) -> Option<(u64, &[u8])> {
    // No number of that length overflows, and nearly all are of that length.
    const SAFE: usize = 19;
    let mut number = 0u64;
    let mut rest = text;
    while let Some((digit, tail)) = take_digit(rest) {
        if text.len() - tail.len() > SAFE {
            return take_long(number, rest);
        }
        number = number * 10 + digit;
        rest = tail;
    }
    Some((number, rest))
}

/// More digits of a number that may be too large.
#[cold]
fn take_long(mut number: u64, mut rest: &[u8]) -> Option<(u64, &[u8])> {
    while let Some((digit, tail)) = take_digit(rest) {
        number = number.checked_mul(10)?.checked_add(digit)?;
        rest = tail;
    }
    Some((number, rest))
}

#[inline]
fn take_digit(text: &[u8]) -> Option<(u64, &[u8])> {
    let (byte, tail) = text.split_first()?;
    let digit = byte.wrapping_sub(b'0');
    (digit < 10).then_some((digit.into(), tail))
}

/// Seconds, with or without a fraction.
#[must_use]
pub fn seconds(text: &[u8]) -> Option<Duration> {
    scaled(trim(text), 1)
}

/// Milliseconds, with or without a fraction.
#[must_use]
pub fn millis(text: &[u8]) -> Option<Duration> {
    scaled(trim(text), 1_000)
}

/// Milliseconds, rounded up.
#[must_use]
pub const fn whole_millis(wait: Duration) -> u64 {
    wait.as_secs().saturating_mul(1000).saturating_add(wait.subsec_nanos().div_ceil(1_000_000) as u64)
}

/// A non-negative decimal number in millionths, cut off below.
#[must_use]
pub fn millionths(text: &[u8]) -> Option<u64> {
    let number = seconds(text)?;
    number.as_secs().checked_mul(1_000_000)?.checked_add(number.subsec_micros().into())
}

/// A non-negative decimal number, such as a share or a percentage.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "a share needs no more than 52 bits")]
pub fn share(text: &[u8]) -> Option<f64> {
    millionths(text).map(|millionths| millionths as f64 / 1e6)
}

/// A Go duration of up to 584 years: numbers with units, `6m0s`, `100ms`, `2m59.56s`, `1h`.
#[must_use]
pub fn go_duration(text: &[u8]) -> Option<Duration> {
    let text = trim(text);
    let (first, rest) = Decimal::take(text).filter(|_| text.len() <= LONGEST)?;
    go_duration_after(first, rest)
}

/// A Go duration whose first number has been taken.
#[inline]
fn go_duration_after(first: Decimal, rest: &[u8]) -> Option<Duration> {
    let (unit_ns, mut rest) = take_unit(rest)?;
    let mut sum_ns = first.nanoseconds(unit_ns)?;
    while !rest.is_empty() {
        let (number, tail) = Decimal::take(rest)?;
        let (unit_ns, tail) = take_unit(tail)?;
        sum_ns = sum_ns.checked_add(number.nanoseconds(unit_ns)?)?;
        rest = tail;
    }
    Some(Duration::from_nanos(sum_ns))
}

/// The length of the unit at the front, in nanoseconds, and what follows it.
#[inline]
fn take_unit(text: &[u8]) -> Option<(u64, &[u8])> {
    Some(match text {
        [b's', rest @ ..] => (SECOND_NS, rest),
        [b'm', b's', rest @ ..] => (MILLISECOND_NS, rest),
        [b'm', rest @ ..] => (60 * SECOND_NS, rest),
        [b'h', rest @ ..] => (3600 * SECOND_NS, rest),
        [b'u', b's', rest @ ..] | [0xc2, 0xb5, b's', rest @ ..] | [0xce, 0xbc, b's', rest @ ..] => {
            (1_000, rest)
        }
        [b'n', b's', rest @ ..] => (1, rest),
        _ => return None,
    })
}

/// A non-negative decimal number.
#[derive(Clone, Copy)]
struct Decimal {
    whole: u64,
    /// Billionths, cut off below.
    billionths: u64,
}

impl Decimal {
    /// Takes the number off the front; `None` where there is none, or a larger one than any time span has.
    #[inline]
    fn take(text: &[u8]) -> Option<(Self, &[u8])> {
        let (whole, rest) = take_digits(text)?;
        let Some((b'.', mut rest)) = rest.split_first() else {
            return (rest.len() < text.len()).then_some((Self { whole, billionths: 0 }, rest));
        };
        let (mut billionths, mut place) = (0, 1_000_000_000);
        while let Some((digit, tail)) = take_digit(rest) {
            place /= 10;
            billionths += digit * place;
            rest = tail;
        }
        let has_digits = text.len() - rest.len() > 1;
        has_digits.then_some((Self { whole, billionths }, rest))
    }

    /// So many units, exact to the nanosecond: `58.891` seconds are not 58.890999 s.
    #[inline]
    fn nanoseconds(self, unit_ns: u64) -> Option<u64> {
        let fraction_ns = self.billionths * (unit_ns / 1_000) / (SECOND_NS / 1_000);
        self.whole.checked_mul(unit_ns)?.checked_add(fraction_ns)
    }

    /// So many units, at least a millisecond each.
    #[inline]
    fn of(self, units_a_second: u64) -> Option<Duration> {
        let fraction_ns = self.billionths / units_a_second;
        let rest_ns = self.whole % units_a_second * (SECOND_NS / units_a_second) + fraction_ns;
        Some(Duration::new(self.whole / units_a_second, u32::try_from(rest_ns).ok()?))
    }
}

/// A non-negative decimal number of units, at least a millisecond each, that is nothing else.
#[inline]
fn scaled(text: &[u8], units_a_second: u64) -> Option<Duration> {
    let (number, rest) = Decimal::take(text).filter(|_| text.len() <= LONGEST)?;
    number.of(units_a_second).filter(|_| rest.is_empty())
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
#[inline]
pub fn reset(text: &[u8], now: Time) -> Option<(Time, Precision)> {
    let text = trim(text);
    let (number, rest) = Decimal::take(text).filter(|_| text.len() <= LONGEST)?;
    match rest {
        [] => bare_reset(number, text, now),
        [b'-', ..] => Some((Time::parse_rfc3339(text)?, Precision::PointInTime)),
        _ => {
            let span = go_duration_after(number, rest)?;
            let fine = rest.ends_with(b"ms") || text.contains(&b'.');
            let unit_ns = if fine { MILLISECOND_NS } else { SECOND_NS };
            Some((now.checked_add(span)?, Precision::Span { unit_ns }))
        }
    }
}

/// A reset without a unit.
fn bare_reset(number: Decimal, text: &[u8], now: Time) -> Option<(Time, Precision)> {
    match number.whole {
        0..UNIX_SECONDS => {
            let unit_ns = if text.contains(&b'.') { MILLISECOND_NS } else { SECOND_NS };
            Some((now.checked_add(number.of(1)?)?, Precision::Span { unit_ns }))
        }
        UNIX_SECONDS..UNIX_MILLIS => {
            Some((Time::UNIX_EPOCH.checked_add(number.of(1)?)?, Precision::PointInTime))
        }
        _ => Some((Time::UNIX_EPOCH.checked_add(number.of(1_000)?)?, Precision::PointInTime)),
    }
}

/// A reset that is a count of seconds from now, whatever its magnitude.
#[must_use]
pub fn reset_delta(text: &[u8], now: Time) -> Option<(Time, Precision)> {
    let unit_ns = if text.contains(&b'.') { MILLISECOND_NS } else { SECOND_NS };
    Some((now.checked_add(seconds(text)?)?, Precision::Span { unit_ns }))
}

/// A wait: seconds; fractions and Go durations are seen in the wild.
#[must_use]
pub fn wait(text: &[u8]) -> Option<Duration> {
    let text = text.trim_ascii();
    seconds(text).or_else(|| go_duration(text))
}

/// `Retry-After` (RFC 9110 section 10.2.3): delta-seconds or an HTTP date. A date that has passed is zero.
#[must_use]
pub fn retry_after(text: &[u8], now: Time) -> Option<Duration> {
    wait(text)
        .or_else(|| Time::parse_http_date(text.trim_ascii()).map(|date| date.since(now)))
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
