//! Finished calls as HTTP libraries hold them, for shells that get every header.
//!
//! Hosts that match header names by themselves send packed observations ([`crate::packed`]) and copy nothing else;
//! this is the same on the inner side.

use alloc::vec::Vec;

use runtime_signals_profile::{BodyUse, Header, NameMatch, Profile};

use crate::packed::{
    ACCOUNT, BODY_BYTES, Counts, ERROR, FIRST_HEADER, Frames, MODEL, Observation, push_frame,
};
use crate::store::{RefusedRecord, Store};
use crate::time::Time;

/// Most bytes of frames of one response. Headers beyond it are left out.
const MOST_FRAME_BYTES: usize = 64 << 10;
/// Longest header name that is looked at, in bytes.
const LONGEST_NAME: usize = 128;
/// Longest text of the caller's own that is looked at, in bytes.
const TEXT_BYTES: usize = 4 << 10;

/// One finished call to a provider, but for its headers.
#[derive(Clone, Copy, Debug)]
pub struct Call<'a> {
    /// HTTP status; 0 when there was no response, or when it is not known.
    pub status: u16,
    /// Start of the body.
    pub body: &'a [u8],
    /// From sending to the end of the response, in nanoseconds.
    pub latency_ns: u64,
    /// From sending to the first byte, in nanoseconds.
    pub ttfb_ns: Option<u64>,
    /// The account that called.
    pub account: Option<&'a str>,
    /// The model that was called.
    pub model: Option<&'a str>,
    /// Why there is no response, without keys and paths: it is kept.
    pub error: Option<&'a str>,
    /// When the response was received.
    pub received_at: Time,
}

/// Is the body of a response with this status read? 0 may be that of an error.
fn reads_body(profile: &Profile, status: u16) -> bool {
    profile.body != BodyUse::Errors || status == 0 || status >= 400
}

/// Does the profile ask for a header of this name, in any case?
#[must_use]
pub fn wants(profile: &Profile, name: &[u8]) -> bool {
    name.len() <= LONGEST_NAME && profile.headers.iter().any(|header| fits(header, name))
}

/// Is this a name that the header asks for, in any case?
fn fits(header: &Header, name: &[u8]) -> bool {
    let wanted = header.name.as_bytes();
    // Most names end at the length.
    let part = match header.kind {
        NameMatch::Exact => Some(name).filter(|name| name.len() == wanted.len()),
        NameMatch::Prefix => name.get(..wanted.len()),
        NameMatch::Suffix => name.len().checked_sub(wanted.len()).and_then(|start| name.get(start..)),
    };
    part.is_some_and(|part| part.eq_ignore_ascii_case(wanted))
}

/// Appends a frame for each header that the profile asks for, its name in any case.
fn push_headers<'h>(
    profile: &Profile,
    headers: impl Iterator<Item = (&'h [u8], &'h [u8])>,
    frames: &mut Vec<u8>,
) {
    let start = frames.len();
    for (name, value) in headers {
        if name.len() <= LONGEST_NAME
            && frames.len() - start + name.len() + value.len() + 4 <= MOST_FRAME_BYTES
        {
            push_header(profile, name, value, frames);
        }
    }
}

/// Appends a frame for a header that the profile asks for; for a pattern the name goes in front of the value, in lower
/// case.
pub(crate) fn push_header(profile: &Profile, name: &[u8], value: &[u8], frames: &mut Vec<u8>) -> Option<()> {
    let mut fitting = (FIRST_HEADER..)
        .zip(&profile.headers)
        .filter(|(_, header)| fits(header, name))
        .map(|(id, header)| (header.kind, id));
    let first = fitting.next()?;
    let exact = core::iter::once(first).chain(fitting).find(|(kind, _)| *kind == NameMatch::Exact);
    match exact {
        Some((_, id)) => push_frame(frames, id, value),
        None => {
            let length = u8::try_from(name.len()).ok()?;
            push_frame(frames, first.1, &[&[length], &*name.to_ascii_lowercase(), value].concat())
        }
    }
}

impl Store {
    /// Records a finished call to a provider of this type, with all its headers in their order.
    ///
    /// # Errors
    /// An unknown provider. Nothing was recorded.
    pub fn record_call<'h>(
        &mut self,
        provider: u32,
        provider_type: &str,
        call: &Call<'_>,
        headers: impl Iterator<Item = (&'h [u8], &'h [u8])>,
    ) -> Result<(), RefusedRecord> {
        let (handle, profile) = self.profiles().ready(provider_type);
        let profile = profile.ok_or(RefusedRecord::UnknownProfile(handle))?;
        let mut frames = Vec::new();
        for (id, text) in [(ERROR, call.error), (ACCOUNT, call.account), (MODEL, call.model)] {
            if let Some(text) = text {
                let start = text.get(..text.floor_char_boundary(TEXT_BYTES)).unwrap_or(text);
                push_frame(&mut frames, id, start.as_bytes());
            }
        }
        push_headers(profile, headers, &mut frames);
        let body = if reads_body(profile, call.status) { call.body } else { &[] };
        self.record_observation(&Observation {
            provider,
            profile: handle,
            status: call.status,
            received_at: call.received_at,
            sent_at: call.received_at.saturating_sub(core::time::Duration::from_nanos(call.latency_ns)),
            latency_ns: call.latency_ns,
            ttfb_ns: call.ttfb_ns,
            counts: Counts::Everything,
            frames: Frames::new(&frames).unwrap_or_default(),
            body: body.get(..BODY_BYTES).unwrap_or(body),
        })
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::String;
    use alloc::vec;

    use runtime_signals_profile::{Meaning, What};

    use super::*;

    fn profile() -> Profile {
        let meaning = Meaning { what: What::Limit, limit: 0, rank: 0 };
        let wanted = |kind, name: &str| Header { name: name.into(), kind, meaning };
        let headers = vec![
            wanted(NameMatch::Prefix, "x-ai-ratelimit-"),
            wanted(NameMatch::Exact, "x-ai-ratelimit-reset"),
            wanted(NameMatch::Suffix, "-limit-name"),
        ];
        Profile { headers, ..Profile::default() }
    }

    fn frames(headers: &[(&str, &[u8])]) -> Vec<u8> {
        let mut frames = Vec::new();
        push_headers(&profile(), headers.iter().map(|(name, value)| (name.as_bytes(), *value)), &mut frames);
        frames
    }

    #[test]
    fn the_exact_name_comes_before_a_pattern_and_others_are_never_copied() {
        let headers: [(&str, &[u8]); 3] =
            [("X-AI-RateLimit-Reset", b"7"), ("authorization", b"Bearer secret"), ("retry-after", b"8")];
        assert_eq!(frames(&headers), b"\x11\x01\x007");
        for name in ["X-AI-RateLimit-Reset", "x-ai-RATELIMIT-a", "x-limit-name"] {
            assert!(wants(&profile(), name.as_bytes()), "{name}");
        }
        for name in ["authorization", "x-ai-ratelimit", "limit-name", ""] {
            assert!(!wants(&profile(), name.as_bytes()), "{name}");
        }
    }

    #[test]
    fn patterns_carry_the_name_in_lower_case() {
        assert_eq!(frames(&[("X-AI-RateLimit-A", b"1")]), b"\x10\x12\x00\x10x-ai-ratelimit-a1");
        assert_eq!(frames(&[("x-y-limit-name", b"\xff")]), b"\x12\x10\x00\x0ex-y-limit-name\xff");
    }

    #[test]
    fn absurd_headers_are_left_out_and_the_rest_is_read() {
        let (huge, name) = (vec![b'9'; 1 << 20], String::from_utf8(vec![b'a'; 1 << 20]).unwrap());
        let headers: [(&str, &[u8]); 4] =
            [("x-ai-ratelimit-reset", &huge), (&name, b"1"), ("", b""), ("x-ai-ratelimit-reset", b"7")];
        assert_eq!(frames(&headers), b"\x11\x01\x007");
        let many = vec![("x-ai-ratelimit-reset", &b"1234567"[..]); 10_000];
        assert!(frames(&many).len() <= MOST_FRAME_BYTES);
    }
}
