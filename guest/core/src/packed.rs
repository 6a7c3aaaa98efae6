//! Packed observations: what crosses the sandbox for each finished call.
//!
//! The layout stands in `wit/runtime-signals.wit`. Reading borrows from the packed bytes; a call with
//! malformed bytes is refused as a whole before anything of it takes effect.

use alloc::vec::Vec;
use core::fmt;

use crate::time::Time;
use runtime_signals_values::Text;

/// Length of an observation without frames and body, in bytes.
pub const HEADER_BYTES: usize = 64;
/// Longest body excerpt, in bytes.
pub const BODY_BYTES: usize = 65_536;
/// Frame: the error of a call that failed.
pub const ERROR: u8 = 0;
/// Frame: the account.
pub const ACCOUNT: u8 = 1;
/// Frame: the model.
pub const MODEL: u8 = 2;
/// First frame id of a profile's headers.
pub const FIRST_HEADER: u8 = 16;

const HAS_TTFB: u32 = 1;
const LATENCY_FOLLOWS: u32 = 2;
const LATENCY_ONLY: u32 = 4;

/// What of an observation counts. A call may be told of twice: when its response begins, which is when its limits are
/// known, and when it ends, which is when its latency is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Counts {
    /// All of it: the call is over.
    #[default]
    Everything,
    /// All but the latency, which is only the time until now: the response has begun.
    AllButLatency,
    /// The latency alone: the rest was recorded when the response began.
    LatencyOnly,
}

impl Counts {
    fn from_flags(flags: u32) -> Option<Self> {
        match flags & (LATENCY_FOLLOWS | LATENCY_ONLY) {
            0 => Some(Self::Everything),
            LATENCY_FOLLOWS => Some(Self::AllButLatency),
            LATENCY_ONLY => Some(Self::LatencyOnly),
            _ => None,
        }
    }

    const fn flags(self) -> u32 {
        match self {
            Self::Everything => 0,
            Self::AllButLatency => LATENCY_FOLLOWS,
            Self::LatencyOnly => LATENCY_ONLY,
        }
    }
}

/// One finished call to a provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Observation<'a> {
    /// Handle of the provider in its store.
    pub provider: u32,
    /// Handle of the profile that reads it.
    pub profile: u16,
    /// HTTP status; 0 when there was no response, or when it was not told.
    pub status: u16,
    /// When the response was received.
    pub received_at: Time,
    /// When the call was sent.
    pub sent_at: Time,
    /// From sending to the end of the response, in nanoseconds.
    pub latency_ns: u64,
    /// From sending to the first byte, in nanoseconds.
    pub ttfb_ns: Option<u64>,
    /// What of it counts.
    pub counts: Counts,
    /// The frames: error and scope, then headers.
    pub frames: Frames<'a>,
    /// Start of the body.
    pub body: &'a [u8],
}

/// Frames one behind the other, checked to be whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Frames<'a>(&'a [u8]);

/// What stands in front of the headers: who called, and why there is no response.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reserved<'a> {
    /// The error of a call that failed.
    pub error: Option<&'a [u8]>,
    /// The account.
    pub account: Option<&'a [u8]>,
    /// The model.
    pub model: Option<&'a [u8]>,
}

impl<'a> Frames<'a> {
    /// Checks that the frames are whole.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Option<Self> {
        let frames = Self(bytes);
        frames.are_whole().then_some(frames)
    }

    #[inline]
    fn are_whole(self) -> bool {
        let mut rest = self.0;
        while let Some((&[_, low, high], tail)) = rest.split_first_chunk::<3>() {
            let Some(tail) = tail.get(usize::from(u16::from_le_bytes([low, high]))..) else { return false };
            rest = tail;
        }
        rest.is_empty()
    }

    /// Each frame's id and value, in order.
    #[inline]
    pub fn iter(self) -> impl Iterator<Item = (u8, &'a [u8])> {
        let mut rest = self.0;
        core::iter::from_fn(move || {
            let (&[id, low, high], tail) = rest.split_first_chunk::<3>()?;
            let (value, tail) = tail.split_at_checked(usize::from(u16::from_le_bytes([low, high])))?;
            rest = tail;
            Some((id, value))
        })
    }

    /// Each frame's id and value with what stands behind it, in order.
    #[inline]
    pub fn texts(self) -> impl Iterator<Item = (u8, Text<'a>)> {
        let mut rest = self.0;
        core::iter::from_fn(move || {
            let (&[id, low, high], tail) = rest.split_first_chunk::<3>()?;
            let length = usize::from(u16::from_le_bytes([low, high]));
            rest = tail.get(length..)?;
            Some((id, Text::new(tail, length)?))
        })
    }

    /// The frames before those of headers; the first one of an id counts.
    #[must_use]
    #[inline]
    pub fn reserved(self) -> Reserved<'a> {
        let mut reserved = Reserved::default();
        for (id, value) in self.iter().take_while(|(id, _)| *id < FIRST_HEADER) {
            let place = match id {
                ERROR => &mut reserved.error,
                ACCOUNT => &mut reserved.account,
                MODEL => &mut reserved.model,
                _ => continue,
            };
            *place = place.or(Some(value));
        }
        reserved
    }
}

/// Packed bytes that are no observations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed {
    /// Where the bad observation begins.
    pub offset: usize,
    /// What is wrong with it.
    pub what: &'static str,
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "observation at byte {}: {}", self.offset, self.what)
    }
}

/// The observations in packed bytes, in order; after an error nothing follows.
pub fn observations(bytes: &[u8]) -> impl Iterator<Item = Result<Observation<'_>, Malformed>> {
    let mut rest = bytes;
    core::iter::from_fn(move || {
        let offset = bytes.len() - rest.len();
        (!rest.is_empty()).then(|| {
            take(&mut rest).map_err(|what| {
                rest = &[];
                Malformed { offset, what }
            })
        })
    })
}

/// The observations in packed bytes of which each has been taken before.
pub(crate) fn checked_observations(bytes: &[u8]) -> impl Iterator<Item = Observation<'_>> {
    let mut rest = bytes;
    core::iter::from_fn(move || take_fields(&mut rest).ok())
}

/// Takes an observation off the front.
///
/// # Errors
/// What is wrong with it.
#[inline]
pub fn take<'a>(from: &mut &'a [u8]) -> Result<Observation<'a>, &'static str> {
    let observation = take_fields(from)?;
    if observation.frames.are_whole() { Ok(observation) } else { Err("a frame ends early") }
}

/// The same without a look at its frames.
#[inline]
fn take_fields<'a>(from: &mut &'a [u8]) -> Result<Observation<'a>, &'static str> {
    let (header, tail) = from.split_first_chunk::<HEADER_BYTES>().ok_or("ends within its fixed part")?;
    let length = u32_at(header, 0) as usize;
    let body_length = u32_at(header, 12) as usize;
    let frames_length = u32_at(header, 44) as usize;
    if body_length > BODY_BYTES {
        return Err("body excerpt over 65,536 bytes");
    }
    if frames_length.checked_add(HEADER_BYTES + body_length) != Some(length) {
        return Err("lengths contradict each other");
    }
    let (frames, tail) = tail.split_at_checked(frames_length).ok_or("ends early")?;
    let (body, tail) = tail.split_at_checked(body_length).ok_or("ends early")?;
    let flags = u32_at(header, 28);
    let observation = Observation {
        provider: u32_at(header, 4),
        profile: u16::from_le_bytes(bytes_at(header, 8)),
        status: u16::from_le_bytes(bytes_at(header, 10)),
        received_at: time_at(header, 16).ok_or("received outside of the years 0001 to 9999")?,
        sent_at: time_at(header, 32).ok_or("sent outside of the years 0001 to 9999")?,
        latency_ns: u64_at(header, 48),
        ttfb_ns: (flags & HAS_TTFB != 0).then(|| u64_at(header, 56)),
        counts: Counts::from_flags(flags).ok_or("flags contradict each other")?,
        frames: Frames(frames),
        body,
    };
    *from = tail;
    Ok(observation)
}

/// Bytes at a constant offset of the fixed part.
#[inline(always)]
fn bytes_at<const N: usize>(header: &[u8; HEADER_BYTES], offset: usize) -> [u8; N] {
    header.get(offset..).and_then(|tail| tail.first_chunk()).copied().unwrap_or([0; N])
}

#[inline(always)]
fn u32_at(header: &[u8; HEADER_BYTES], offset: usize) -> u32 {
    u32::from_le_bytes(bytes_at(header, offset))
}

#[inline(always)]
fn u64_at(header: &[u8; HEADER_BYTES], offset: usize) -> u64 {
    u64::from_le_bytes(bytes_at(header, offset))
}

#[inline(always)]
fn time_at(header: &[u8; HEADER_BYTES], offset: usize) -> Option<Time> {
    Time::new(i64::from_le_bytes(bytes_at(header, offset)), u32_at(header, offset + 8))
}

/// Appends a frame; `None` and nothing appended when the value is over 65,535 bytes.
pub fn push_frame(frames: &mut Vec<u8>, id: u8, value: &[u8]) -> Option<()> {
    let length = u16::try_from(value.len()).ok()?;
    frames.push(id);
    frames.extend_from_slice(&length.to_le_bytes());
    frames.extend_from_slice(value);
    Some(())
}

impl Observation<'_> {
    /// Appends the packed form; `None` and nothing appended when a part is too long for it.
    pub fn pack(&self, to: &mut Vec<u8>) -> Option<()> {
        let frames_length = u32::try_from(self.frames.0.len()).ok()?;
        let body_length = u32::try_from(self.body.len()).ok().filter(|_| self.body.len() <= BODY_BYTES)?;
        let length =
            u32::try_from(HEADER_BYTES).ok()?.checked_add(frames_length)?.checked_add(body_length)?;
        let flags = if self.ttfb_ns.is_some() { HAS_TTFB } else { 0 } | self.counts.flags();
        to.extend_from_slice(&length.to_le_bytes());
        to.extend_from_slice(&self.provider.to_le_bytes());
        to.extend_from_slice(&self.profile.to_le_bytes());
        to.extend_from_slice(&self.status.to_le_bytes());
        to.extend_from_slice(&body_length.to_le_bytes());
        to.extend_from_slice(&self.received_at.seconds().to_le_bytes());
        to.extend_from_slice(&self.received_at.nanoseconds().to_le_bytes());
        to.extend_from_slice(&flags.to_le_bytes());
        to.extend_from_slice(&self.sent_at.seconds().to_le_bytes());
        to.extend_from_slice(&self.sent_at.nanoseconds().to_le_bytes());
        to.extend_from_slice(&frames_length.to_le_bytes());
        to.extend_from_slice(&self.latency_ns.to_le_bytes());
        to.extend_from_slice(&self.ttfb_ns.unwrap_or(0).to_le_bytes());
        to.extend_from_slice(self.frames.0);
        to.extend_from_slice(self.body);
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packed(frames: &[u8], body: &[u8]) -> Vec<u8> {
        packed_for(Counts::Everything, frames, body)
    }

    fn packed_for(counts: Counts, frames: &[u8], body: &[u8]) -> Vec<u8> {
        let at = Time::new(1_768_478_400, 5).unwrap();
        let observation = Observation {
            provider: 7,
            profile: 2,
            status: 429,
            received_at: at,
            sent_at: Time::new(1_768_478_399, 0).unwrap(),
            latency_ns: 11,
            ttfb_ns: Some(9),
            counts,
            frames: Frames::new(frames).unwrap(),
            body,
        };
        let mut bytes = Vec::new();
        observation.pack(&mut bytes).unwrap();
        assert_eq!(observations(&bytes).collect::<Vec<_>>(), [Ok(observation)]);
        bytes
    }

    #[test]
    fn what_is_packed_is_read_back() {
        let mut frames = Vec::new();
        push_frame(&mut frames, MODEL, b"m").unwrap();
        push_frame(&mut frames, FIRST_HEADER, b"59").unwrap();
        let two = [packed(&frames, b"{}"), packed(&[], b"")].concat();
        let read: Vec<_> = observations(&two).map(Result::unwrap).collect();
        assert_eq!(read.len(), 2);
        assert_eq!(read[0].frames.reserved().model, Some(&b"m"[..]));
        assert_eq!(read[0].frames.iter().last(), Some((FIRST_HEADER, &b"59"[..])));
        assert_eq!(read[0].body, b"{}");
    }

    #[test]
    fn what_counts_is_read_back_and_flags_that_contradict_each_other_are_an_error() {
        for counts in [Counts::AllButLatency, Counts::LatencyOnly] {
            packed_for(counts, &[], b"");
        }
        let mut both = packed(&[], b"");
        both[28] |= 6;
        assert!(observations(&both).next().unwrap().is_err());
    }

    #[test]
    fn every_cut_and_every_wrong_length_is_an_error() {
        let mut frames = Vec::new();
        push_frame(&mut frames, MODEL, b"m").unwrap();
        let whole = packed(&frames, b"{}");
        for cut in 1..whole.len() {
            assert!(observations(&whole[..cut]).any(|read| read.is_err()), "cut at {cut}");
        }
        for position in [0, 12, 44] {
            let mut wrong = whole.clone();
            wrong[position] ^= 0xff;
            assert!(observations(&wrong).any(|read| read.is_err()), "length at {position}");
        }
    }
}
