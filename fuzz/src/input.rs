//! Responses as text: seeds can be read, and a dictionary helps. Any bytes are some responses.
//!
//! ```text
//! openai 429 1768478400 350 gpt org
//! x-ratelimit-remaining-requests: 0
//! retry-after: 20
//!
//! {"error": {"code": "rate_limit_exceeded"}}
//! ```
//!
//! The first line names the provider type, the status, when the response was received in Unix seconds, the
//! latency in milliseconds, the model, the account and the error of the caller, in this order. Several
//! responses are separated by the byte 0x1e. A number or a name that is none stands for some other one.

use core::cell::RefCell;
use core::time::Duration;
use std::collections::HashMap;

use runtime_signals_core::Time;
use runtime_signals_core::packed::{
    ACCOUNT, Counts, ERROR, FIRST_HEADER, Frames, MODEL, Observation, push_frame,
};
use runtime_signals_core::profile::{NameMatch, Profile, Profiles};

/// Between two responses.
pub const SEPARATOR: u8 = 0x1e;
/// Most responses that are read.
pub const MOST_CALLS: usize = 4;

/// A response, and what the host knows of the call.
#[derive(Clone, Debug)]
pub struct Call<'a> {
    /// Handle of the profile.
    pub profile: u16,
    /// HTTP status.
    pub status: u16,
    /// When it was received.
    pub received_at: Time,
    /// When it was sent.
    pub sent_at: Time,
    /// The time in between.
    pub latency: Duration,
    /// The model, where it is known.
    pub model: Option<&'a str>,
    /// The account, where it is known.
    pub account: Option<&'a str>,
    /// The body.
    pub body: &'a [u8],
    /// Does its profile count calls? Then no two are the same.
    pub is_counted: bool,
    frames: Vec<u8>,
}

/// The responses in these bytes: at least one.
#[must_use]
pub fn calls(data: &[u8]) -> Vec<Call<'_>> {
    PROFILES.with_borrow(|profiles| {
        data.split(|byte| *byte == SEPARATOR).take(MOST_CALLS).map(|text| call(text, profiles)).collect()
    })
}

thread_local! {
    static PROFILES: RefCell<BuiltIn> = RefCell::new(BuiltIn::unpack());
}

/// The built-in profiles, which take long to unpack.
struct BuiltIn {
    profiles: Profiles,
    handles: HashMap<String, u16>,
    count: u16,
}

impl BuiltIn {
    fn unpack() -> Self {
        let mut profiles = Profiles::default();
        let count = (0..).find(|handle| !profiles.unpack(*handle)).expect("handles have an end");
        let mut handles = HashMap::new();
        for handle in 0..count {
            let profile = profiles.get(handle).expect("it was unpacked");
            handles.extend(profile.aliases.iter().chain([&profile.name]).map(|name| (name.clone(), handle)));
        }
        Self { profiles, handles, count }
    }

    /// The handle of a provider type; that of some other one where there is none of this name.
    fn handle(&self, name: &[u8]) -> u16 {
        let named = core::str::from_utf8(name).ok().and_then(|name| self.handles.get(name));
        named.copied().unwrap_or_else(|| (number(name) % u64::from(self.count)) as u16)
    }
}

fn call<'a>(text: &'a [u8], built_in: &BuiltIn) -> Call<'a> {
    let (first, mut rest) = line(text);
    let mut words = first.split(|byte| *byte == b' ');
    let mut word = || words.next().unwrap_or_default();
    let profile = built_in.handle(word());
    let status = (number(word()) % 1000) as u16;
    let received_at = time(word());
    let latency = Duration::from_millis(number(word()) % 1_000_000_000);
    let (model, account, error) = (name(word()), name(word()), word());

    let rules = built_in.profiles.get(profile).expect("the handle is that of a profile");
    let mut frames = Vec::new();
    if !error.is_empty() {
        push_frame(&mut frames, ERROR, error);
    }
    for (id, name) in [(ACCOUNT, account), (MODEL, model)] {
        name.and_then(|name| push_frame(&mut frames, id, name.as_bytes()));
    }
    while !rest.is_empty() {
        let (header, tail) = line(rest);
        rest = tail;
        if header.is_empty() {
            break;
        }
        push_header(rules, header, &mut frames);
    }
    Call {
        profile,
        status,
        received_at,
        sent_at: received_at.saturating_sub(latency),
        latency,
        model,
        account,
        body: rest,
        is_counted: rules.limits.iter().any(|rule| rule.declared.is_some()),
        frames,
    }
}

impl Call<'_> {
    /// The packed form, for the provider of handle 0.
    ///
    /// # Panics
    /// When a part is too long for it, which the longest input excludes.
    #[must_use]
    pub fn pack(&self) -> Vec<u8> {
        let latency_ns = u64::try_from(self.latency.as_nanos()).unwrap_or(u64::MAX);
        let observation = Observation {
            provider: 0,
            profile: self.profile,
            status: self.status,
            received_at: self.received_at,
            sent_at: self.sent_at,
            latency_ns,
            ttfb_ns: (latency_ns % 3 == 0).then_some(latency_ns / 2),
            counts: Counts::Everything,
            frames: Frames::new(&self.frames).expect("frames are pushed whole"),
            body: self.body,
        };
        let mut packed = Vec::new();
        observation.pack(&mut packed).expect("the input is short");
        packed
    }
}

/// Appends the frame of a header: of the one of this name, else of some other.
fn push_header(profile: &Profile, line: &[u8], frames: &mut Vec<u8>) {
    let end = line.iter().position(|byte| *byte == b':').unwrap_or(line.len());
    let (name, value) = line.split_at(end);
    let value = value.strip_prefix(b":").unwrap_or(value);
    let value = value.strip_prefix(b" ").unwrap_or(value);
    let mut name = name.get(..100).unwrap_or(name).to_ascii_lowercase();
    let matches = |kind: NameMatch, part: &[u8]| match kind {
        NameMatch::Exact => name == part,
        NameMatch::Prefix => name.starts_with(part),
        NameMatch::Suffix => name.ends_with(part),
    };
    let find = |exact: bool| {
        let mut headers = profile.headers.iter();
        headers.position(|header| {
            (header.kind == NameMatch::Exact) == exact && matches(header.kind, header.name.as_bytes())
        })
    };
    let found = find(true).or_else(|| find(false));
    let index = found.unwrap_or_else(|| (number(&name) % profile.headers.len().max(1) as u64) as usize);
    let Some(header) = profile.headers.get(index) else { return };
    let mut framed = Vec::new();
    if header.kind != NameMatch::Exact {
        match header.kind {
            _ if found.is_some() => {}
            NameMatch::Suffix => name.extend_from_slice(header.name.as_bytes()),
            _ => drop(name.splice(..0, header.name.bytes())),
        }
        framed.push(u8::try_from(name.len()).expect("both parts of the name are short"));
        framed.extend_from_slice(&name);
    }
    framed.extend_from_slice(value);
    let id = FIRST_HEADER + u8::try_from(index).expect("a profile has at most 200 headers");
    push_frame(frames, id, &framed);
}

/// The first line, and what follows it.
fn line(text: &[u8]) -> (&[u8], &[u8]) {
    let end = text.iter().position(|byte| *byte == b'\n').unwrap_or(text.len());
    let (line, rest) = text.split_at(end);
    (line, rest.get(1..).unwrap_or_default())
}

fn name(word: &[u8]) -> Option<&str> {
    core::str::from_utf8(word).ok().filter(|name| !matches!(*name, "" | "-"))
}

/// Unix seconds, with nanoseconds behind a point; within the range of times.
fn time(word: &[u8]) -> Time {
    let point = word.iter().position(|byte| *byte == b'.').unwrap_or(word.len());
    let (seconds, nanoseconds) = word.split_at(point);
    let (negative, digits) = match seconds.strip_prefix(b"-") {
        Some(digits) => (true, digits),
        None => (false, seconds),
    };
    let seconds = i64::try_from(number(digits)).unwrap_or(i64::MAX);
    let seconds = if negative { -seconds } else { seconds };
    let seconds = seconds.clamp(Time::MIN.seconds(), Time::MAX.seconds());
    let nanoseconds = nanoseconds.get(1..).map_or(0, |digits| (number(digits) % 1_000_000_000) as u32);
    Time::new(seconds, nanoseconds).expect("within the range")
}

/// The number that these digits are, at most 2^64 − 1; what is none stands for some number.
fn number(word: &[u8]) -> u64 {
    let digit = |sum: u64, byte: &u8| {
        byte.is_ascii_digit().then(|| sum.saturating_mul(10).saturating_add((byte - b'0').into()))
    };
    let hash = |sum: u64, byte: &u8| (sum ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    word.iter().try_fold(0, digit).unwrap_or_else(|| word.iter().fold(0xcbf2_9ce4_8422_2325, hash))
}
