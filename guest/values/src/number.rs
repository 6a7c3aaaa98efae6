//! Numbers as providers write them. What cannot be read is `None`: never wrapped, never guessed.

use core::time::Duration;

use crate::time::{Recent, Time};
use crate::word::{self, Text};

const SECOND_NS: u64 = 1_000_000_000;
const MILLISECOND_NS: u64 = 1_000_000;
/// Below this a number is a count of seconds, from here on Unix seconds.
const UNIX_SECONDS: u64 = 1_000_000_000;
/// From here on a number is Unix milliseconds.
const UNIX_MILLIS: u64 = 100_000_000_000;
/// Longer texts are no number of any provider.
const LONGEST: usize = 64;
/// How many billionths one unit of the last place is, by the number of places.
const PLACES: [u64; 9] = [1_000_000_000, 100_000_000, 10_000_000, 1_000_000, 100_000, 10_000, 1_000, 100, 10];

/// A count: decimal digits.
///
/// `-1` means that the provider does not report it; any other negative number is an overdrawn
/// allowance, which is 0.
#[must_use]
#[inline(never)]
pub fn count(text: &[u8]) -> Option<u64> {
    match text.trim_ascii() {
        [b'-', b'1'] => None,
        [b'-', negative @ ..] => digits(negative).map(|_| 0),
        text => digits(text),
    }
}

/// A count, in less time where it is told as nearly all are.
#[must_use]
#[inline(always)]
pub fn count_in(text: Text<'_>) -> Option<u64> {
    word::whole(text).or_else(|| count(text.alone()))
}

/// An allowance: decimal digits, and never negative.
#[must_use]
#[inline(never)]
pub fn allowance(text: &[u8]) -> Option<u64> {
    digits(text.trim_ascii())
}

/// An allowance, in less time where it is told as nearly all are.
#[must_use]
#[inline(always)]
pub fn allowance_in(text: Text<'_>) -> Option<u64> {
    word::whole(text).or_else(|| allowance(text.alone()))
}

fn digits(text: &[u8]) -> Option<u64> {
    let (number, rest) = take_digits(text)?;
    (rest.is_empty() && !text.is_empty()).then_some(number)
}

/// Takes the digits off the front, which may be none; `None` where the number is too large.
fn take_digits(text: &[u8]) -> Option<(u64, &[u8])> {
    let (mut number, mut rest) = (0u64, text);
    while let Some((byte @ b'0'..=b'9', tail)) = rest.split_first() {
        number = number.checked_mul(10)?.checked_add((byte - b'0').into())?;
        rest = tail;
    }
    Some((number, rest))
}

/// Seconds, with or without a fraction.
#[must_use]
pub fn seconds(text: &[u8]) -> Option<Duration> {
    scaled(text.trim_ascii(), 1)
}

/// Milliseconds, with or without a fraction.
#[must_use]
pub fn millis(text: &[u8]) -> Option<Duration> {
    scaled(text.trim_ascii(), 1_000)
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
    let text = text.trim_ascii();
    let (first, rest) = Decimal::take(text).filter(|_| text.len() <= LONGEST)?;
    go_duration_after(first, rest).map(|(span, _)| span)
}

/// A Go duration whose first number has been taken, and how exactly it is told.
fn go_duration_after(first: Decimal, rest: &[u8]) -> Option<(Duration, Precision)> {
    let (mut unit, mut rest) = Unit::take(rest)?;
    let mut sum_ns = unit.nanoseconds(first)?;
    let mut has_point = first.has_point;
    while !rest.is_empty() {
        let (number, tail) = Decimal::take(rest)?;
        (unit, rest) = Unit::take(tail)?;
        sum_ns = sum_ns.checked_add(unit.nanoseconds(number)?)?;
        has_point |= number.has_point;
    }
    let precision = Precision::of_span(has_point || unit.length_ns == MILLISECOND_NS);
    Some((Duration::from_nanos(sum_ns), precision))
}

/// A unit of time.
#[derive(Clone, Copy)]
struct Unit {
    length_ns: u64,
    /// The most of them that can be counted in nanoseconds.
    most: u64,
}

impl Unit {
    const NANOSECOND: Self = Self::of(1);

    const fn of(length_ns: u64) -> Self {
        Self { length_ns, most: u64::MAX / length_ns }
    }

    /// Takes the unit off the front.
    fn take(text: &[u8]) -> Option<(Self, &[u8])> {
        Some(match text {
            [b's', rest @ ..] => (const { Self::of(SECOND_NS) }, rest),
            [b'm', b's', rest @ ..] => (const { Self::of(MILLISECOND_NS) }, rest),
            [b'm', rest @ ..] => (const { Self::of(60 * SECOND_NS) }, rest),
            [b'h', rest @ ..] => (const { Self::of(3600 * SECOND_NS) }, rest),
            [b'u', b's', rest @ ..] | [0xc2, 0xb5, b's', rest @ ..] | [0xce, 0xbc, b's', rest @ ..] => {
                (const { Self::of(1_000) }, rest)
            }
            [b'n', b's', rest @ ..] => (Self::NANOSECOND, rest),
            _ => return None,
        })
    }

    /// So many of them, exact to the nanosecond: `58.891` seconds are not 58.890999 s.
    fn nanoseconds(self, number: Decimal) -> Option<u64> {
        let fraction_ns = match number.billionths {
            0 => 0,
            billionths => billionths * (self.length_ns / 1_000) / (SECOND_NS / 1_000),
        };
        if number.whole > self.most {
            return None;
        }
        (number.whole * self.length_ns).checked_add(fraction_ns)
    }
}

/// A non-negative decimal number.
#[derive(Clone, Copy)]
struct Decimal {
    whole: u64,
    /// Billionths, cut off below.
    billionths: u64,
    has_point: bool,
}

impl Decimal {
    /// Takes the number off the front; `None` where there is none, or a larger one than any time span has.
    fn take(text: &[u8]) -> Option<(Self, &[u8])> {
        let (whole, rest) = take_digits(text)?;
        match rest.split_first() {
            Some((b'.', fraction)) => Self::take_fraction(whole, fraction, rest.len() < text.len()),
            _ => (rest.len() < text.len()).then_some((Self { whole, billionths: 0, has_point: false }, rest)),
        }
    }

    /// Takes what stands behind the point.
    fn take_fraction(whole: u64, text: &[u8], has_whole: bool) -> Option<(Self, &[u8])> {
        let (mut billionths, mut place, mut rest) = (0, SECOND_NS, text);
        while let Some((byte @ b'0'..=b'9', tail)) = rest.split_first() {
            place /= 10;
            billionths += u64::from(byte - b'0') * place;
            rest = tail;
        }
        (has_whole || rest.len() < text.len()).then_some((Self { whole, billionths, has_point: true }, rest))
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
    /// A span, cut off below the second.
    Seconds,
    /// A span, cut off below the millisecond.
    Milliseconds,
    /// A point in time by the provider's clock, in whole seconds or better.
    PointInTime,
}

impl Precision {
    const fn of_span(is_fine: bool) -> Self {
        if is_fine { Self::Milliseconds } else { Self::Seconds }
    }
}

/// When a limit resets, in any of the encodings that providers use.
///
/// RFC 3339 and durations are recognised by their form. Bare numbers follow the magnitudes of all that
/// has been seen: below 10⁹ seconds from now, below 10¹¹ Unix seconds, above that Unix milliseconds.
#[must_use]
#[inline(never)]
pub fn reset(text: &[u8], now: Time) -> Option<(Time, Precision)> {
    let text = text.trim_ascii();
    let (number, rest) = Decimal::take(text).filter(|_| text.len() <= LONGEST)?;
    match rest {
        [] => bare_reset(number, now),
        [b'-', ..] => Some((Time::parse_rfc3339(text)?, Precision::PointInTime)),
        _ => {
            let (span, precision) = go_duration_after(number, rest)?;
            Some((now.checked_add(span)?, precision))
        }
    }
}

/// The same, in less time where it is told as most are, and where others have been read shortly before.
#[inline(always)]
pub fn reset_after(text: Text<'_>, now: Time, recent: &mut Recent) -> Option<(Time, Precision)> {
    if let Some((span_ns, precision)) = usual_span(text) {
        return Some((now.checked_add(Duration::from_nanos(span_ns))?, precision));
    }
    match recent.rfc3339(text.alone()) {
        Some(time) => Some((time, Precision::PointInTime)),
        None => reset(text.alone(), now),
    }
}

/// A Go duration in nanoseconds, of one number that is not large, in seconds or milliseconds: `8.64s`, `18ms`.
#[inline(always)]
fn usual_span(text: Text<'_>) -> Option<(u64, Precision)> {
    if !matches!(text.alone(), [.., b's']) {
        return None;
    }
    let (whole, length) = text.leading_digits();
    let (mut rest, mut billionths) = (text.behind(length)?, 0);
    let mut precision = Precision::Seconds;
    if let [b'.', ..] = rest.alone() {
        rest = rest.behind(1)?;
        let (number, places) = rest.leading_digits();
        rest = rest.behind(places)?;
        billionths = number * PLACES.get(places)?;
        precision = Precision::Milliseconds;
    }
    // With eight digits or none, there may be more of them or something else.
    if !(1..8).contains(&length) {
        return None;
    }
    match rest.alone() {
        [b's'] => Some((whole * SECOND_NS + billionths, precision)),
        [b'm', b's'] => Some((whole * MILLISECOND_NS + billionths / 1_000, Precision::Milliseconds)),
        _ => None,
    }
}

/// A reset without a unit.
fn bare_reset(number: Decimal, now: Time) -> Option<(Time, Precision)> {
    match number.whole {
        0..UNIX_SECONDS => Some((now.checked_add(number.of(1)?)?, Precision::of_span(number.has_point))),
        UNIX_SECONDS..UNIX_MILLIS => {
            Some((Time::UNIX_EPOCH.checked_add(number.of(1)?)?, Precision::PointInTime))
        }
        _ => Some((Time::UNIX_EPOCH.checked_add(number.of(1_000)?)?, Precision::PointInTime)),
    }
}

/// A reset that is a count of seconds from now, whatever its magnitude.
#[must_use]
pub fn reset_delta(text: &[u8], now: Time) -> Option<(Time, Precision)> {
    Some((now.checked_add(seconds(text)?)?, Precision::of_span(text.contains(&b'.'))))
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
    fn the_quick_ways_read_what_the_others_read() {
        let now = Time::new(1_768_478_400, 999_999_999).unwrap();
        let mut recent = Recent::default();
        for text in [
            "",
            "0",
            "7",
            "199938",
            "12345678",
            "123456789",
            "18446744073709551616",
            "-1",
            "-5",
            " 7 ",
            "1e3",
            "12.5",
            "8.64s",
            "18ms",
            "0s",
            "0.5ms",
            "1.s",
            ".5s",
            "s",
            "ms",
            "1.12345678s",
            "1.123456789s",
            "1.1234567891s",
            "1.0000001ms",
            "1234567s",
            "12345678s",
            "99999999999s",
            "6m0s",
            "1m",
            "5ns",
            "1us",
            "1 s",
            "1s ",
            " 1s",
            "s1s",
            "30",
            "45.5",
            "1768478460",
            "1768478460000",
            "2026-01-15T12:01:00Z",
            "2026-01-15T12:01:30Z",
            "2026-01-15T12:01:30.5Z",
            "2026-01-15T14:01:30+02:00",
            "2026-02-30T12:01:30Z",
            "2026-01-15T12:01:60Z",
        ] {
            for behind in ["", "0", "s", "9999999999"] {
                let both = [text, behind].concat();
                let (alone, within) = (text.as_bytes(), Text::new(both.as_bytes(), text.len()).unwrap());
                assert_eq!(count_in(within), count(alone), "{text:?}");
                assert_eq!(allowance_in(within), allowance(alone), "{text:?}");
                assert_eq!(reset_after(within, now, &mut recent), reset(alone, now), "{text:?}");
            }
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
