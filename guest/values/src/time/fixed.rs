//! Times in texts of fixed length, of which eight bytes are read at once.
//!
//! The times of one response, and of those that follow it, mostly lie in the same minute: [`Recent`] reads the rest of it
//! alone.

use super::{Time, seconds_of};
use crate::word::Form;

const YEAR_MONTH: Form = Form::new(*b"0000-00-");
const DAY_HOUR: Form = Form::new(*b"00T00:00");
const TO_SECOND_Z: Form = Form::new(*b"0:00:00Z");
const YEAR_HOUR: Form = Form::new(*b"0000 00:");
const TO_SECOND_GMT: Form = Form::new(*b"00:00:00");

/// Unix time of a date and a time of day, all below 100, if both exist; a leap second counts as the one before it.
#[inline(always)]
fn at([century, year]: [u8; 2], month: u8, day: u8, [hour, minute, second]: [u8; 3]) -> Option<Time> {
    if hour >= 24 || minute >= 60 || second > 60 {
        return None;
    }
    let year = i16::from(century) * 100 + i16::from(year);
    let of_day = (u32::from(hour) * 60 + u32::from(minute)) * 60 + u32::from(second.min(59));
    Time::new(seconds_of(year, month.cast_signed(), day.cast_signed())? + i64::from(of_day), 0)
}

/// RFC 3339 to the second, in UTC: `2026-01-15T12:00:00Z`. Its other forms are `None` as well.
#[inline(always)]
pub(super) fn rfc3339(text: &[u8; 20]) -> Option<Time> {
    let (first, rest) = text.split_first_chunk()?;
    let [century, _, year, _, _, month, ..] = YEAR_MONTH.pairs(*first)?;
    let [day, _, _, hour, ..] = DAY_HOUR.pairs(*rest.first_chunk()?)?;
    let [_, _, minute, _, _, second, ..] = TO_SECOND_Z.pairs(*text.last_chunk()?)?;
    at([century, year], month, day, [hour, minute, second])
}

/// `Sun, 06 Nov 1994 08:49:37 GMT`
pub(super) fn imf_fixdate(text: &[u8]) -> Option<Time> {
    let text: &[u8; 29] = text.try_into().ok()?;
    let [name @ .., b',', b' ', tens, ones, b' '] = text.first_chunk::<8>()? else { return None };
    let is_day = name.iter().all(u8::is_ascii_alphabetic) && tens.is_ascii_digit() && ones.is_ascii_digit();
    let (month, rest) = text.get(8..)?.split_first_chunk::<3>()?;
    let month = month_of(*month).filter(|_| is_day)?;
    let (b' ', rest) = rest.split_first()? else { return None };
    let [century, _, year, ..] = YEAR_HOUR.pairs(*rest.first_chunk()?)?;
    let (time, b" GMT") = rest.get(5..)?.split_first_chunk()? else { return None };
    let [hour, _, _, minute, _, _, second, _] = TO_SECOND_GMT.pairs(*time)?;
    at([century, year], month, (tens - b'0') * 10 + (ones - b'0'), [hour, minute, second])
}

/// The number of a month, by the beginning of its name.
pub(super) const fn month_of(name: [u8; 3]) -> Option<u8> {
    Some(match &name {
        b"Jan" => 1,
        b"Feb" => 2,
        b"Mar" => 3,
        b"Apr" => 4,
        b"May" => 5,
        b"Jun" => 6,
        b"Jul" => 7,
        b"Aug" => 8,
        b"Sep" => 9,
        b"Oct" => 10,
        b"Nov" => 11,
        b"Dec" => 12,
        _ => return None,
    })
}

/// Reads times, and remembers the minute of the last one.
#[derive(Clone, Copy, Debug)]
pub struct Recent {
    rfc3339: Minute<2>,
    http_date: Minute<3>,
}

/// A minute as it stood in a text, and when it begins.
#[derive(Clone, Copy, Debug)]
struct Minute<const WORDS: usize> {
    text: [u64; WORDS],
    begins_at: i64,
}

/// The first minute of 1970, so that there is always one.
impl Default for Recent {
    fn default() -> Self {
        let word = |text: &[u8; 8]| u64::from_le_bytes(*text);
        Self {
            rfc3339: Minute { text: [b"1970-01-", b"01T00:00"].map(word), begins_at: 0 },
            http_date: Minute { text: [b"Thu, 01 ", b"Jan 1970", b"0 00:00:"].map(word), begins_at: 0 },
        }
    }
}

impl<const WORDS: usize> Minute<WORDS> {
    /// The time of so many seconds within this minute, if the text is that of it; else what `read` makes of all of it.
    #[inline(always)]
    fn time(
        &mut self,
        text: [u64; WORDS],
        second: [u8; 2],
        read: impl FnOnce() -> Option<Time>,
    ) -> Option<Time> {
        let [tens, ones] = second.map(|digit| digit.wrapping_sub(b'0'));
        let second = i64::from(tens) * 10 + i64::from(ones);
        let is_usual = tens < 6 && ones < 10;
        if is_usual && self.text == text {
            return Time::new(self.begins_at + second, 0);
        }
        let time = read()?;
        if is_usual {
            *self = Self { text, begins_at: time.seconds() - second };
        }
        Some(time)
    }
}

impl Recent {
    /// RFC 3339 to the second, in UTC.
    #[inline]
    pub(crate) fn rfc3339(&mut self, text: &[u8]) -> Option<Time> {
        let text: &[u8; 20] = text.try_into().ok()?;
        let (first, rest) = text.split_first_chunk()?;
        let (second, [b':', tens, ones, b'Z']) = rest.split_first_chunk()? else { return None };
        let minute = [*first, *second].map(u64::from_le_bytes);
        self.rfc3339.time(minute, [*tens, *ones], || rfc3339(text))
    }

    /// See [`Time::parse_http_date`].
    #[must_use]
    #[inline]
    pub fn http_date(&mut self, text: &[u8]) -> Option<Time> {
        let parts = text.split_first_chunk().and_then(|(first, rest)| {
            let (second, rest) = rest.split_first_chunk()?;
            // The third word overlaps the second one, and ends at the minute.
            let third = text.get(15..)?.first_chunk()?;
            let [_, .., b':', tens, ones, b' ', b'G', b'M', b'T'] = rest else { return None };
            Some(([*first, *second, *third].map(u64::from_le_bytes), [*tens, *ones]))
        });
        let Some((minute, second)) = parts.filter(|_| text.len() == 29) else {
            return Time::parse_http_date(text);
        };
        self.http_date.time(minute, second, || Time::parse_http_date(text))
    }
}
