//! One response, as a parser sees it.

use core::time::Duration;

use runtime_signals_values::{Time, number};

use crate::{Header, Instant};

/// One response.
#[derive(Clone, Copy, Debug)]
pub struct Response<'a> {
    /// HTTP status.
    pub status: u16,
    /// The beginning of the body, if it is an error response and the parser wants bodies.
    pub body: Option<&'a [u8]>,
    /// When it was received.
    pub received_at: Time,
    frames: &'a [u8],
}

impl<'a> Response<'a> {
    /// A response with these headers, as frames (`wit/header-parser.wit`).
    #[must_use]
    pub const fn new(status: u16, frames: &'a [u8], body: Option<&'a [u8]>, received_at: Time) -> Self {
        Self { status, body, received_at, frames }
    }

    /// The values of a header, in the order in which they were sent.
    pub fn values(&self, header: Header) -> impl Iterator<Item = &'a [u8]> {
        self.named_values(header).map(|(_, value)| value)
    }

    /// The names and values of the headers that fit a prefix or suffix; of other headers the name is empty.
    pub fn named_values(&self, header: Header) -> impl Iterator<Item = (&'a [u8], &'a [u8])> {
        frames(self.frames).filter(move |(id, _)| *id == header.id).filter_map(move |(_, value)| {
            if !header.is_pattern() {
                return Some((&[][..], value));
            }
            let (length, rest) = value.split_first()?;
            rest.split_at_checked(usize::from(*length))
        })
    }

    /// The first value of a header from which something can be read.
    pub fn first<T>(&self, header: Header, read: impl FnMut(&'a [u8]) -> Option<T>) -> Option<T> {
        self.values(header).find_map(read)
    }

    /// What is left of an allowance: decimal digits. `-1` means that it is not told; any other negative number is
    /// an overdrawn allowance, which is 0.
    #[must_use]
    #[inline(never)]
    pub fn count(&self, header: Header) -> Option<u64> {
        self.first(header, number::count)
    }

    /// An allowance: decimal digits.
    #[must_use]
    #[inline(never)]
    pub fn allowance(&self, header: Header) -> Option<u64> {
        self.first(header, number::allowance)
    }

    /// When a limit resets: a duration as Go writes it (`6m0s`), RFC 3339, or a number, which is told by its magnitude
    /// (seconds from now, Unix seconds or Unix milliseconds).
    #[must_use]
    #[inline(never)]
    pub fn reset(&self, header: Header) -> Option<Instant> {
        self.first(header, |text| number::reset(text, self.received_at)).map(|(time, _)| time.into())
    }

    /// A wait as in `retry-after`: seconds, a duration as Go writes it, or any of the three HTTP dates.
    #[must_use]
    #[inline(never)]
    pub fn wait(&self, header: Header) -> Option<Duration> {
        self.first(header, |text| number::retry_after(text, self.received_at))
    }
}

/// The frames in packed bytes; what is cut off is none.
fn frames(mut rest: &[u8]) -> impl Iterator<Item = (u8, &[u8])> {
    core::iter::from_fn(move || {
        let (&[id, low, high], tail) = rest.split_first_chunk::<3>()?;
        let (value, tail) = tail.split_at_checked(usize::from(u16::from_le_bytes([low, high])))?;
        rest = tail;
        Some((id, value))
    })
}

#[cfg(test)]
mod tests {
    extern crate std;

    use std::vec::Vec;

    use super::*;

    const LEFT: Header = Header::exact(16, "left");
    const POOLS: Header = Header::prefix(17, "left-");
    const NOW: Time = Time::UNIX_EPOCH;

    #[test]
    fn the_first_usable_value_counts() {
        let response = Response::new(200, b"\x10\x01\x00?\x10\x02\x0041\x10\x01\x007", None, NOW);
        assert_eq!(response.count(LEFT), Some(41));
        assert_eq!(response.values(LEFT).count(), 3);
    }

    #[test]
    fn patterns_come_with_their_names() {
        let response = Response::new(200, b"\x11\x08\x00\x06left-a5\x11\x01\x00\xff\x11\x00\x00", None, NOW);
        assert_eq!(response.named_values(POOLS).collect::<Vec<_>>(), [(&b"left-a"[..], &b"5"[..])]);
        assert_eq!(response.count(POOLS), Some(5));
        assert_eq!(response.values(LEFT).count(), 0);
    }

    #[test]
    fn frames_that_are_cut_off_are_none() {
        for length in 0..6 {
            let cut = &b"\x10\x03\x00123"[..length];
            assert_eq!(Response::new(200, cut, None, NOW).count(LEFT), None, "{cut:?}");
        }
    }

    #[test]
    fn waits_and_resets_are_judged_at_the_time_of_the_response() {
        let now = Time::new(784_111_747, 0).unwrap();
        let date = b"\x10\x1d\x00Sun, 06 Nov 1994 08:49:37 GMT";
        assert_eq!(Response::new(429, date, None, now).wait(LEFT), Some(Duration::from_secs(30)));
        let reset = Response::new(200, b"\x10\x04\x006m0s", None, now).reset(LEFT);
        assert_eq!(reset.map(|at| at.seconds), Some(784_112_107));
    }
}
