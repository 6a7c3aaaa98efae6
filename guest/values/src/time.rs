//! Points in time as values: the years 0001 to 9999, UTC, in nanoseconds.
//!
//! The calendar is `jiff-core`'s. The texts have fixed forms and are read here: a general date parser
//! would take a third of the component's size.

use core::fmt;
use core::time::Duration;

use jiff_core::civil::{Date, UnixEpochDay};

mod fixed;

pub use fixed::Recent;

const SECONDS_A_DAY: i64 = 86_400;
const NANOSECONDS: u32 = 1_000_000_000;

/// A point in time, UTC, from 0001-01-01T00:00:00Z to 9999-12-31T23:59:59.999999999Z.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time {
    seconds: i64,
    nanoseconds: u32,
}

impl Time {
    /// 0001-01-01T00:00:00Z.
    pub const MIN: Self = Self { seconds: -62_135_596_800, nanoseconds: 0 };
    /// 9999-12-31T23:59:59.999999999Z.
    pub const MAX: Self = Self { seconds: 253_402_300_799, nanoseconds: NANOSECONDS - 1 };

    /// 1970-01-01T00:00:00Z.
    pub const UNIX_EPOCH: Self = Self { seconds: 0, nanoseconds: 0 };

    /// A time from Unix seconds and nanoseconds; `None` outside of the range.
    #[must_use]
    #[inline]
    pub const fn new(seconds: i64, nanoseconds: u32) -> Option<Self> {
        // The first second of the range and the last one are in it as a whole.
        let is_in_range = Self::MIN.seconds <= seconds && seconds <= Self::MAX.seconds;
        if nanoseconds < NANOSECONDS && is_in_range { Some(Self { seconds, nanoseconds }) } else { None }
    }

    /// Seconds since 1970-01-01T00:00:00Z.
    #[must_use]
    pub const fn seconds(self) -> i64 {
        self.seconds
    }

    /// Nanoseconds within the second, 0 to 999,999,999.
    #[must_use]
    pub const fn nanoseconds(self) -> u32 {
        self.nanoseconds
    }

    /// This time and a span more; `None` past the year 9999.
    #[must_use]
    #[inline]
    pub fn checked_add(self, span: Duration) -> Option<Self> {
        let mut seconds = self.seconds.checked_add(i64::try_from(span.as_secs()).ok()?)?;
        let mut nanoseconds = self.nanoseconds + span.subsec_nanos();
        if nanoseconds >= NANOSECONDS {
            nanoseconds -= NANOSECONDS;
            seconds = seconds.checked_add(1)?;
        }
        Self::new(seconds, nanoseconds)
    }

    /// This time and a span more, at most [`Time::MAX`].
    #[must_use]
    pub fn saturating_add(self, span: Duration) -> Self {
        self.checked_add(span).unwrap_or(Self::MAX)
    }

    /// This time and a span less, at least [`Time::MIN`].
    #[must_use]
    pub fn saturating_sub(self, span: Duration) -> Self {
        let whole = Self::MIN.saturating_add(self.since(Self::MIN).saturating_sub(span));
        whole.max(Self::MIN)
    }

    /// The span from `earlier` to this time; zero where `earlier` is later.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        let mut seconds = self.seconds - earlier.seconds;
        let mut nanoseconds = i64::from(self.nanoseconds) - i64::from(earlier.nanoseconds);
        if nanoseconds < 0 {
            nanoseconds += i64::from(NANOSECONDS);
            seconds -= 1;
        }
        match (u64::try_from(seconds), u32::try_from(nanoseconds)) {
            (Ok(seconds), Ok(nanoseconds)) => Duration::new(seconds, nanoseconds),
            _ => Duration::ZERO,
        }
    }

    /// Its year, month and day, UTC.
    #[must_use]
    pub fn date(self) -> (i16, i8, i8) {
        let day = i32::try_from(self.seconds.div_euclid(SECONDS_A_DAY)).unwrap_or_default();
        let date = UnixEpochDay::new(day).map(UnixEpochDay::to_date).unwrap_or(Date::MIN);
        (date.year(), date.month(), date.day())
    }

    /// Midnight UTC at the beginning of a day; `None` where there is no such day in the range.
    #[must_use]
    pub fn midnight(year: i16, month: i8, day: i8) -> Option<Self> {
        Self::new(seconds_at(year.into(), month.into(), day.into())?, 0)
    }

    /// Reads RFC 3339 with any offset.
    #[must_use]
    pub fn parse_rfc3339(text: &[u8]) -> Option<Self> {
        Text(text).rfc3339()
    }

    /// Reads any of the three HTTP date forms of RFC 9110 section 5.6.7.
    #[must_use]
    pub fn parse_http_date(text: &[u8]) -> Option<Self> {
        fixed::imf_fixdate(text).or_else(|| Text(text).rfc850_date()).or_else(|| Text(text).asctime_date())
    }
}

/// RFC 3339 in UTC, with the fraction's trailing zeros trimmed: the form of Go's `RFC3339Nano`.
impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let day = i32::try_from(self.seconds.div_euclid(SECONDS_A_DAY)).map_err(|_| fmt::Error)?;
        let date = UnixEpochDay::new(day).map_err(|_| fmt::Error)?.to_date();
        let of_day = self.seconds.rem_euclid(SECONDS_A_DAY);
        let mut text = *b"0000-00-00T00:00:00.000000000Z";
        write_digits(&mut text, 0..4, i64::from(date.year()));
        write_digits(&mut text, 5..7, i64::from(date.month()));
        write_digits(&mut text, 8..10, i64::from(date.day()));
        write_digits(&mut text, 11..13, of_day / 3600);
        write_digits(&mut text, 14..16, of_day / 60 % 60);
        write_digits(&mut text, 17..19, of_day % 60);
        write_digits(&mut text, 20..29, i64::from(self.nanoseconds));
        let mut length = 29;
        while matches!(text.get(length - 1), Some(b'0' | b'.')) && length > 19 {
            length -= 1;
        }
        let trimmed = text.get(..length).and_then(|text| core::str::from_utf8(text).ok());
        f.write_str(trimmed.ok_or(fmt::Error)?)?;
        f.write_str("Z")
    }
}

/// Writes a number into a range of the text, with leading zeros.
fn write_digits(text: &mut [u8], range: core::ops::Range<usize>, mut number: i64) {
    for place in text.get_mut(range).unwrap_or_default().iter_mut().rev() {
        *place = b'0' + u8::try_from(number % 10).unwrap_or(0);
        number /= 10;
    }
}

/// Unix seconds at the beginning of a day, if there is such a day.
fn seconds_at(year: i64, month: i64, day: i64) -> Option<i64> {
    let narrow = |number: i64| i8::try_from(number).ok();
    seconds_of(i16::try_from(year).ok()?, narrow(month)?, narrow(day)?)
}

/// The same for numbers of a narrower range.
#[inline]
fn seconds_of(year: i16, month: i8, day: i8) -> Option<i64> {
    let date = Date::new(year, month, day).ok()?;
    Some(i64::from(date.to_unix_epoch_day().day()) * SECONDS_A_DAY)
}

/// The unread rest of a text of fixed form. What does not fit is `None`.
#[derive(Clone, Copy)]
struct Text<'a>(&'a [u8]);

impl Text<'_> {
    /// RFC 3339 with any offset.
    fn rfc3339(mut self) -> Option<Time> {
        let year = self.digits(4)?;
        self.mark(b"-")?;
        let month = self.digits(2)?;
        self.mark(b"-")?;
        let day = self.digits(2)?;
        self.mark(b"Tt ")?;
        let of_day = self.time_of_day()?;
        let nanoseconds = if self.mark(b".").is_some() { self.fraction()? } else { 0 };
        let offset = match self.mark(b"Zz+-")? {
            b'+' => self.offset()?,
            b'-' => -self.offset()?,
            _ => 0,
        };
        self.end()?;
        Time::new(seconds_at(year, month, day)? + of_day - offset, nanoseconds)
    }

    /// `Sunday, 06-Nov-94 08:49:37 GMT`; of the two centuries, years from 70 on are the last one's.
    fn rfc850_date(mut self) -> Option<Time> {
        let name = self.0.iter().position(|byte| *byte == b',').filter(|length| (6..=9).contains(length))?;
        self.day_name(name)?;
        self.literal(b", ")?;
        let day = self.digits(2)?;
        self.literal(b"-")?;
        let month = self.month_name()?;
        self.literal(b"-")?;
        let year = self.digits(2)?;
        self.literal(b" ")?;
        let of_day = self.time_of_day()?;
        self.literal(b" GMT")?;
        self.end()?;
        let century = if year >= 70 { 1900 } else { 2000 };
        Time::new(seconds_at(century + year, month, day)? + of_day, 0)
    }

    /// `Sun Nov  6 08:49:37 1994`
    fn asctime_date(mut self) -> Option<Time> {
        self.day_name(3)?;
        self.literal(b" ")?;
        let month = self.month_name()?;
        self.literal(b" ")?;
        let day = if self.literal(b" ").is_some() { self.digits(1)? } else { self.digits(2)? };
        self.literal(b" ")?;
        let of_day = self.time_of_day()?;
        self.literal(b" ")?;
        let year = self.digits(4)?;
        self.end()?;
        Time::new(seconds_at(year, month, day)? + of_day, 0)
    }

    fn take(&mut self, length: usize) -> Option<&[u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn literal(&mut self, expected: &[u8]) -> Option<()> {
        self.0 = self.0.strip_prefix(expected)?;
        Some(())
    }

    /// One byte out of a set.
    fn mark(&mut self, set: &[u8]) -> Option<u8> {
        let (first, rest) = self.0.split_first().filter(|(first, _)| set.contains(first))?;
        self.0 = rest;
        Some(*first)
    }

    fn digits(&mut self, length: usize) -> Option<i64> {
        self.take(length)?
            .iter()
            .try_fold(0, |sum, byte| byte.is_ascii_digit().then(|| sum * 10 + i64::from(byte - b'0')))
    }

    /// A fraction of a second, in nanoseconds; what is finer is cut off.
    fn fraction(&mut self) -> Option<u32> {
        let length = self.0.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let digits = self.take(length).filter(|digits| !digits.is_empty())?;
        let places = digits.iter().chain(core::iter::repeat(&b'0')).take(9);
        Some(places.fold(0, |sum, byte| sum * 10 + u32::from(byte - b'0')))
    }

    /// `hh:mm:ss` as seconds; a leap second counts as the one before it.
    fn time_of_day(&mut self) -> Option<i64> {
        let hours = self.digits(2).filter(|hours| *hours < 24)?;
        self.mark(b":")?;
        let minutes = self.digits(2).filter(|minutes| *minutes < 60)?;
        self.mark(b":")?;
        let seconds = self.digits(2).filter(|seconds| *seconds <= 60)?.min(59);
        Some(hours * 3600 + minutes * 60 + seconds)
    }

    /// `hh:mm` as seconds.
    fn offset(&mut self) -> Option<i64> {
        let hours = self.digits(2).filter(|hours| *hours < 24)?;
        self.mark(b":")?;
        let minutes = self.digits(2).filter(|minutes| *minutes < 60)?;
        Some(hours * 3600 + minutes * 60)
    }

    /// The name of a weekday, which the date repeats and which is therefore not looked at.
    fn day_name(&mut self, length: usize) -> Option<()> {
        self.take(length)?.iter().all(u8::is_ascii_alphabetic).then_some(())
    }

    fn month_name(&mut self) -> Option<i64> {
        let (name, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        fixed::month_of(*name).map(i64::from)
    }

    fn end(self) -> Option<()> {
        self.0.is_empty().then_some(())
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    fn usual(text: &[u8]) -> Option<Time> {
        fixed::rfc3339(text.try_into().ok()?)
    }

    fn rfc3339(text: &str) -> Option<Time> {
        Time::parse_rfc3339(text.as_bytes())
    }

    #[test]
    fn rfc_3339_is_read_with_fractions_and_offsets() {
        assert_eq!(rfc3339("1970-01-01T00:00:01Z"), Time::new(1, 0));
        assert_eq!(rfc3339("2026-06-27T12:09:59.797540+00:00"), Time::new(1_782_562_199, 797_540_000));
        assert_eq!(rfc3339("2026-01-15T14:00:00+02:00"), rfc3339("2026-01-15T12:00:00Z"));
        assert_eq!(rfc3339("9999-12-31T23:59:59.999999999Z"), Some(Time::MAX));
        assert_eq!(rfc3339("0001-01-01T00:00:00Z"), Some(Time::MIN));
    }

    #[test]
    fn times_out_of_range_and_other_forms_are_refused() {
        for text in [
            "",
            "2026",
            "2026-01-15",
            "20260115T120000Z",
            "9999-12-31T23:59:59-01:00",
            "0001-01-01T00:00:00+01:00",
            "2026-02-30T00:00:00Z",
            "10000-01-01T00:00:00Z",
            "2026-01-15T12:00:00",
            "2026-01-15T12:00:00+25:00",
            "2026-01-15T12:00:00 garbage Z",
            "2026-01-15T12:00:00.Z",
            "2026-01-15T24:00:00Z",
            "2026-01-15T12:00:00Zjunk",
            "+026-01-15T12:00:00Z",
        ] {
            assert_eq!(rfc3339(text), None, "{text}");
        }
    }

    #[test]
    fn the_fixed_form_is_read_as_any_other_is() {
        for text in [
            "2026-01-15T12:34:56Z",
            "0001-01-01T00:00:00Z",
            "9999-12-31T23:59:60Z",
            "2024-02-29T23:59:59Z",
            "2023-02-29T00:00:00Z",
            "0000-01-01T00:00:00Z",
            "2026-13-15T12:34:56Z",
            "2026-00-15T12:34:56Z",
            "2026-01-00T12:34:56Z",
            "2026-01-15T24:00:00Z",
            "2026-01-15T12:60:00Z",
            "2026-01-15T12:34:61Z",
        ] {
            let bytes = text.as_bytes();
            assert_eq!(usual(bytes), Text(bytes).rfc3339(), "{text}");
            // One byte after the other is something else.
            for place in 0..bytes.len() {
                for byte in 0..=255 {
                    let mut other = bytes.to_vec();
                    other[place] = byte;
                    let read = usual(&other);
                    assert!(read.is_none() || read == Text(&other).rfc3339(), "{text}, {byte} at {place}");
                    let is_usual = other[10] == b'T' && other[19] == b'Z';
                    assert!(!is_usual || read == Text(&other).rfc3339(), "{text}, {byte} at {place}");
                }
            }
        }
    }

    #[test]
    fn what_was_read_before_makes_no_difference() {
        let texts = [
            "2026-01-15T12:34:56Z",
            "2026-01-15T12:34:07Z",
            "2026-01-15T12:34:60Z",
            "2026-01-15T12:34:7/Z",
            "2026-01-15T12:35:07Z",
            "2026-02-30T12:34:56Z",
            "0001-01-01T00:00:00Z",
            "9999-12-31T23:59:59Z",
            "Thu, 15 Jan 2026 12:34:56 GMT",
            "Thu, 15 Jan 2026 12:34:07 GMT",
            "Thu, 15 Jan 2026 12:34:60 GMT",
            "Thu, 15 Jan 2026 12:34:07 UTC",
            "Thu, 15 Jan 2026 12:35:07 GMT",
            "Wed, 14 Jan 2026 12:34:07 GMT",
            "Thursday, 15-Jan-26 12:34:07 GMT",
            "Thu Jan 15 12:34:07 2026",
            "1970-01-01T00:00:59Z",
            "Thu, 01 Jan 1970 00:00:59 GMT",
            "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0:05Z",
            "",
        ];
        let mut recent = Recent::default();
        for text in texts.iter().flat_map(|first| texts.iter().flat_map(move |then| [first, then])) {
            let text = text.as_bytes();
            assert_eq!(recent.rfc3339(text), usual(text));
            assert_eq!(recent.http_date(text), Time::parse_http_date(text));
        }
    }

    #[test]
    fn all_three_http_date_forms_are_read() {
        let expected = Time::new(784_111_777, 0);
        for text in
            ["Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"]
        {
            assert_eq!(Time::parse_http_date(text.as_bytes()), expected, "{text}");
        }
        for text in [
            "",
            "120",
            "Sun, 06 Nov 1994 08:49:37",
            "Sun, 31 Feb 1994 08:49:37 GMT",
            "Sun, 06 nov 1994 08:49:37 GMT",
        ] {
            assert_eq!(Time::parse_http_date(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn display_trims_the_fraction_as_go_does() {
        for text in [
            "2026-01-15T12:00:00Z",
            "2026-01-15T12:00:00.5Z",
            "2026-01-15T12:00:00.000000001Z",
            "9999-12-31T23:59:59.999999999Z",
            "0001-01-01T00:00:00Z",
            "1969-12-31T23:59:59.25Z",
        ] {
            assert_eq!(rfc3339(text).unwrap().to_string(), text);
        }
    }

    #[test]
    fn spans_never_wrap() {
        let time = Time::new(10, 5).unwrap();
        assert_eq!(time.checked_add(Duration::new(1, 999_999_999)), Time::new(12, 4));
        assert_eq!(time.checked_add(Duration::MAX), None);
        assert_eq!(Time::new(12, 4).unwrap().since(time), Duration::new(1, 999_999_999));
        assert_eq!(time.since(Time::MAX), Duration::ZERO);
    }
}
