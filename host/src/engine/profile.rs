//! Profiles: which headers of a provider type go into the sandbox, and as what.
//!
//! The component declares them once a type; names are matched here, so that a response's other headers are
//! never copied and the guest compares no names.

use super::bindings::exports::runtime_signals::signals::types::{NameMatch, WantedHeader};
use crate::observation::Headers;

pub(crate) use super::bindings::exports::runtime_signals::signals::runtime_signals::EvidenceSource;
use super::bindings::exports::runtime_signals::signals::runtime_signals::{BodyUse, Profile as Described};

/// Most bytes of frames of one response. Headers beyond it are left out.
const MOST_FRAME_BYTES: usize = 64 << 10;
/// Longest header name that is looked at.
const LONGEST_NAME: usize = 128;

/// How a provider type is read.
#[derive(Debug)]
pub(crate) struct Profile {
    pub(crate) handle: u16,
    pub(crate) source: EvidenceSource,
    body: BodyUse,
    /// By the length of the name.
    exact: Vec<Vec<Exact>>,
    patterns: Vec<Pattern>,
}

/// A header that is asked for by its whole name.
#[derive(Clone, Debug)]
struct Exact {
    mark: u32,
    name: Box<[u8]>,
    id: u8,
}

#[derive(Debug)]
struct Pattern {
    id: u8,
    prefix: bool,
    text: Box<[u8]>,
}

impl Profile {
    pub(crate) fn new(described: Described) -> Self {
        let Described { handle, source, body, headers } = described;
        let mut exact: Vec<Vec<_>> = Vec::new();
        let mut patterns = Vec::new();
        for WantedHeader { id, kind, name } in headers {
            let text = name.to_ascii_lowercase().into_bytes().into_boxed_slice();
            match kind {
                NameMatch::Exact if text.len() <= LONGEST_NAME => {
                    exact.resize(exact.len().max(text.len() + 1), Vec::new());
                    let named = exact.get_mut(text.len());
                    let mark = mark_of(&text);
                    named.into_iter().for_each(|names| names.push(Exact { mark, name: text.clone(), id }));
                }
                NameMatch::Exact => {}
                NameMatch::Prefix => patterns.push(Pattern { id, prefix: true, text }),
                NameMatch::Suffix => patterns.push(Pattern { id, prefix: false, text }),
            }
        }
        Self { handle, source, body, exact, patterns }
    }

    /// What a parser component asks for.
    pub(crate) fn of_parser(headers: Vec<WantedHeader>) -> Self {
        let (source, body) = (EvidenceSource::Recorded, BodyUse::Errors);
        Self::new(Described { handle: 0, source, body, headers })
    }

    /// Is the body of a response with this status looked at?
    pub(crate) fn wants_body(&self, status: Option<u16>) -> bool {
        self.body == BodyUse::All || status.is_none_or(|status| status >= 400)
    }

    /// Appends a frame for each header that the profile asks for. Values over 64 KiB are left out.
    pub(crate) fn frame(&self, headers: &dyn Headers, frames: &mut Vec<u8>) {
        let start = frames.len();
        headers.for_each(&mut |name, value| {
            if frames.len() - start + name.len() + value.len() + 4 <= MOST_FRAME_BYTES {
                self.frame_one(name, value, frames);
            }
        });
    }

    fn frame_one(&self, name: &[u8], value: &[u8], frames: &mut Vec<u8>) {
        // Most headers end here: no wanted name has their length, or none has their mark.
        let same_length = self.exact.get(name.len()).map(Vec::as_slice).unwrap_or_default();
        if let Some(Exact { id, .. }) = find(same_length, name) {
            return push_frame(frames, *id, &[], value);
        }
        if self.patterns.is_empty() || name.len() > LONGEST_NAME {
            return;
        }
        let name = name.to_ascii_lowercase();
        let fits = |pattern: &&Pattern| match pattern.prefix {
            true => name.starts_with(&pattern.text),
            false => name.ends_with(&pattern.text),
        };
        if let (Some(pattern), Ok(length)) = (self.patterns.iter().find(fits), u8::try_from(name.len())) {
            let mut named = vec![length];
            named.extend_from_slice(&name);
            push_frame(frames, pattern.id, &named, value);
        }
    }
}

/// The one of this name, in any case, among some of its length.
fn find<'a>(same_length: &'a [Exact], name: &[u8]) -> Option<&'a Exact> {
    let mark = mark_of(name);
    let is_it = |exact: &&Exact| {
        exact.mark == mark && (*exact.name == *name || exact.name.eq_ignore_ascii_case(name))
    };
    same_length.iter().find(is_it)
}

/// Three bytes of a name that tell most names of one length apart, in either case.
fn mark_of(name: &[u8]) -> u32 {
    let at = |index: usize| name.get(index).copied().unwrap_or_default() | 0x20;
    u32::from_le_bytes([
        at(name.len() / 2),
        at(name.len().saturating_sub(7)),
        at(name.len().saturating_sub(1)),
        0,
    ])
}

/// Appends a frame, unless its value is too long for one.
pub(crate) fn push_frame(frames: &mut Vec<u8>, id: u8, name: &[u8], value: &[u8]) {
    let Ok(length) = u16::try_from(name.len() + value.len()) else { return };
    let [low, high] = length.to_le_bytes();
    frames.reserve(usize::from(length) + 3);
    frames.extend_from_slice(&[id, low, high]);
    if !name.is_empty() {
        frames.extend_from_slice(name);
    }
    frames.extend_from_slice(value);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn profile() -> Profile {
        let wanted = |id, kind, name: &str| WantedHeader { id, kind, name: name.into() };
        let headers = vec![
            wanted(16, NameMatch::Exact, "retry-after"),
            wanted(17, NameMatch::Prefix, "x-ai-ratelimit-"),
            wanted(18, NameMatch::Suffix, "-limit-name"),
        ];
        Profile::new(Described {
            handle: 0,
            source: EvidenceSource::Recorded,
            body: BodyUse::Errors,
            headers,
        })
    }

    fn frames(headers: &dyn Headers) -> Vec<u8> {
        let mut frames = Vec::new();
        profile().frame(headers, &mut frames);
        frames
    }

    #[test]
    fn names_are_matched_in_any_case_and_others_never_copied() {
        let headers = [("Retry-AFTER", "7"), ("authorization", "Bearer secret"), ("retry-afters", "8")];
        assert_eq!(frames(&headers), b"\x10\x01\x007");
    }

    #[test]
    fn patterns_carry_the_name() {
        assert_eq!(frames(&[("X-AI-RateLimit-A", "1")]), b"\x11\x12\x00\x10x-ai-ratelimit-a1");
        assert_eq!(frames(&[("x-y-limit-name", "1")]), b"\x12\x10\x00\x0ex-y-limit-name1");
    }

    #[test]
    fn absurd_headers_are_left_out_and_the_rest_is_read() {
        let huge = "9".repeat(1 << 20);
        let headers = [("retry-after", huge.as_str()), ("retry-after", "7"), (huge.as_str(), "1"), ("", "")];
        assert_eq!(frames(&headers), b"\x10\x01\x007");
        let many = vec![("retry-after", "1234567"); 100_000];
        assert!(frames(&many).len() <= MOST_FRAME_BYTES);
        assert_eq!(frames(&[("retry-after", &b"\xff\xfe"[..])]), b"\x10\x02\x00\xff\xfe");
    }
}
