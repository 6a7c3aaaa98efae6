//! Packed observations: the layout stands in `wit/runtime-signals.wit`.

use std::time::SystemTime;

use super::convert::nanoseconds;
use super::profile::{Profile, push_frame};
use crate::observation::{Counts, Observation};
use crate::redact::redact;
use crate::time::to_unix;

/// Length of an observation without frames and body, in bytes.
const HEADER_BYTES: usize = 64;
/// Longest body excerpt, in bytes.
const BODY_BYTES: usize = 64 << 10;
/// Longest text of the caller's own, in bytes. The guest keeps less of it; without a bound a long error would not
/// fit into a frame, and the failed call would pass for a success.
const TEXT_BYTES: usize = 4 << 10;
/// Where the provider's handle stands.
const PROVIDER: std::ops::Range<usize> = 4..8;
const ERROR: u8 = 0;
const ACCOUNT: u8 = 1;
const MODEL: u8 = 2;

/// Appends an observation, for a provider whose handle [`set_provider`] puts in.
pub(crate) fn pack(observation: &Observation<'_>, profile: &Profile, now: SystemTime, to: &mut Vec<u8>) {
    let body = observation.body.filter(|_| profile.wants_body(observation.status)).unwrap_or_default();
    let body = body.get(..BODY_BYTES).unwrap_or(body);
    pack_parts(observation, profile.handle, |to| profile.frame(observation.headers, to), body, now, to);
}

/// Appends an observation that has been read: without headers and body.
pub(crate) fn pack_read(observation: &Observation<'_>, now: SystemTime, to: &mut Vec<u8>) {
    pack_parts(observation, 0, |_| (), &[], now, to);
}

fn pack_parts(
    observation: &Observation<'_>,
    profile: u16,
    frame: impl FnOnce(&mut Vec<u8>),
    body: &[u8],
    now: SystemTime,
    to: &mut Vec<u8>,
) {
    let start = to.len();
    to.resize(start + HEADER_BYTES, 0);
    if let Some(error) = observation.error {
        push_text(to, ERROR, &redact(error));
    }
    for (id, name) in [(ACCOUNT, observation.account), (MODEL, observation.model)] {
        name.into_iter().for_each(|name| push_text(to, id, name));
    }
    frame(to);
    let frames = to.len() - start - HEADER_BYTES;
    to.extend_from_slice(body);

    let received_at = observation.received_at.unwrap_or(now);
    let sent_at = received_at.checked_sub(observation.latency).unwrap_or(SystemTime::UNIX_EPOCH);
    let length = to.len() - start;
    let Some(fixed) = to.get_mut(start..).and_then(|tail| tail.first_chunk_mut::<HEADER_BYTES>()) else {
        return;
    };
    let mut fields = Fields { fixed, at: 0 };
    // All lengths are below the bounds of headers and body.
    let u32_of = |length: usize| u32::try_from(length).unwrap_or(u32::MAX);
    fields.put(u32_of(length).to_le_bytes());
    fields.put(0u32.to_le_bytes());
    fields.put(profile.to_le_bytes());
    fields.put(observation.status.unwrap_or(0).to_le_bytes());
    fields.put(u32_of(body.len()).to_le_bytes());
    fields.put_time(received_at);
    fields.put(flags(observation).to_le_bytes());
    fields.put_time(sent_at);
    fields.put(u32_of(frames).to_le_bytes());
    fields.put(nanoseconds(observation.latency).to_le_bytes());
    fields.put(observation.ttfb.map_or(0, nanoseconds).to_le_bytes());
}

/// 1 for a time to first byte, 2 or 4 for a part of a call.
fn flags(observation: &Observation<'_>) -> u32 {
    let part = match observation.counts {
        Counts::Everything => 0,
        Counts::AllButLatency => 2,
        Counts::LatencyOnly => 4,
    };
    part | u32::from(observation.ttfb.is_some())
}

/// Appends a frame with the start of a text.
fn push_text(to: &mut Vec<u8>, id: u8, text: &str) {
    let start = text.get(..text.floor_char_boundary(TEXT_BYTES)).unwrap_or(text);
    push_frame(to, id, &[], start.as_bytes());
}

/// The fixed part, filled from front to back.
struct Fields<'a> {
    fixed: &'a mut [u8; HEADER_BYTES],
    at: usize,
}

impl Fields<'_> {
    fn put<const LENGTH: usize>(&mut self, bytes: [u8; LENGTH]) {
        let place = self.fixed.get_mut(self.at..self.at + LENGTH);
        place.into_iter().for_each(|place| place.copy_from_slice(&bytes));
        self.at += LENGTH;
    }

    fn put_time(&mut self, time: SystemTime) {
        let (seconds, nanoseconds) = to_unix(time);
        self.put(seconds.to_le_bytes());
        self.put(nanoseconds.to_le_bytes());
    }
}

/// Puts the provider's handle into the first observation of `packed`.
pub(crate) fn set_provider(packed: &mut [u8], handle: u32) {
    let place = packed.get_mut(PROVIDER);
    place.into_iter().for_each(|place| place.copy_from_slice(&handle.to_le_bytes()));
}

/// The observations in `packed`, one by one.
pub(crate) fn split(packed: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = packed;
    std::iter::from_fn(move || {
        let length = usize::try_from(u32::from_le_bytes(*rest.first_chunk()?)).ok()?;
        let (first, tail) = rest.split_at_checked(length)?;
        rest = tail;
        Some(first)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_long_text_the_start_is_told() {
        let mut frames = Vec::new();
        push_text(&mut frames, ERROR, &"ß".repeat(100_000));
        push_text(&mut frames, MODEL, "m");
        let (long, short) = frames.split_at(3 + TEXT_BYTES);
        assert!(long.ends_with("ß".as_bytes()));
        assert_eq!(short, [MODEL, 1, 0, b'm']);
    }
}
