//! The way through a body, value by value.

use alloc::vec::Vec;
use core::time::Duration;

use super::facts::{Facts, figure, word};
use super::key::{Figure, HEADER_RANK, Key, MS_RANK, Name, RESET_RANK, SENTENCE_RANK, say};
use super::kind;
use super::scan::Scan;
use super::sentence::{self, Said};
use super::{
    Body, HEADER_BYTES, MOST_CALM_WORDS, MOST_HEADERS, MOST_LIMITS, MOST_WORDS, StatedLimit, TEXT_BYTES,
    WORD_BYTES,
};
use crate::number;
use crate::text;
use crate::time::Time;

/// Deepest nesting that is followed.
const DEEPEST: u32 = 32;
/// Most of a text that is read, in bytes: there may be another JSON document in it.
const VALUE_BYTES: usize = 8192;
/// A shorter text states nothing: `wait 1s`.
const SHORTEST_SENTENCE: usize = 7;

/// A body being read.
pub(super) struct Walk {
    body: Body,
    /// The limits that texts state.
    said: Vec<StatedLimit>,
    now: Time,
    /// Rank of the wait.
    rank: u8,
    depth: u32,
    /// Within a text within a body.
    nested: bool,
    scratch: Vec<u8>,
}

/// A value without members.
struct Scalar<'a> {
    text: &'a [u8],
    /// In quotes?
    quoted: bool,
    /// Was its end there?
    whole: bool,
}

impl Walk {
    pub(super) fn new(now: Time) -> Self {
        let body = Body::default();
        Self { body, said: Vec::new(), now, rank: u8::MAX, depth: 0, nested: false, scratch: Vec::new() }
    }

    /// What was read.
    pub(super) fn finish(mut self) -> Body {
        for said in self.said {
            // A sentence only repeats what fields say better.
            sentence::add(&mut self.body.limits, said);
        }
        self.body
    }

    /// Values, lines of an event stream and lines of text, in any order.
    pub(super) fn document(&mut self, text: &[u8]) {
        let mut scan = Scan::new(text);
        scan.take(b"\xef\xbb\xbf");
        while let Some(first) = scan.peek() {
            if matches!(first, b'{' | b'[' | b'"') {
                self.value(Key::Say(say::TEXT), &Name::NONE, &mut scan, &mut Facts::new());
                continue;
            }
            if scan.take(b"data:") || [&b"}"[..], b"]", b","].iter().any(|mark| scan.take(mark)) {
                continue;
            }
            let rest = scan.rest();
            let end = rest.iter().position(|byte| *byte == b'\n');
            let line = rest.get(..end.unwrap_or(rest.len())).unwrap_or_default();
            if let Some(event) = line.strip_prefix(b"event:") {
                self.word(event.trim_ascii());
                self.body.is_error |= event.trim_ascii() == b"error";
            } else if !(line.starts_with(b":") || line.starts_with(b"id:") || line.starts_with(b"retry:")) {
                let start = json_within(rest, line.len());
                self.prose(line.get(..start.unwrap_or(line.len())).unwrap_or_default(), false);
                if let Some(start) = start {
                    scan.skip(start);
                    continue;
                }
            }
            scan.skip(line.len());
        }
    }

    /// A value of a key; the items of a list are values of its key.
    fn value(&mut self, key: Key, name: &Name, scan: &mut Scan<'_>, facts: &mut Facts) {
        match scan.peek() {
            None => {}
            _ if key == Key::Generated => scan.pass_over(&mut self.scratch),
            Some(b'{' | b'[') if self.depth >= DEEPEST => scan.pass_over(&mut self.scratch),
            Some(b'{') => {
                scan.skip(1);
                self.depth += 1;
                self.body.is_error |= key.is_error();
                match key {
                    Key::Part | Key::Headers => self.members(key, scan, facts),
                    _ => self.object(name, key, scan),
                }
                self.depth -= 1;
            }
            Some(b'[') => {
                scan.skip(1);
                self.depth += 1;
                loop {
                    match scan.peek() {
                        None => break,
                        Some(b']') => {
                            scan.skip(1);
                            break;
                        }
                        Some(b',' | b'}' | b':') => scan.skip(1),
                        Some(_) => self.value(key, name, scan, facts),
                    }
                }
                self.depth -= 1;
            }
            Some(b'"') => {
                let most = match key {
                    Key::Other => 0,
                    Key::Say(_) => VALUE_BYTES,
                    _ => HEADER_BYTES,
                };
                let mut text = core::mem::take(&mut self.scratch);
                let whole = scan.string(&mut text, most);
                self.scalar(key, name, &Scalar { text: &text, quoted: true, whole }, facts);
                self.scratch = text;
            }
            Some(_) => {
                let (text, whole) = scan.bare();
                self.scalar(key, name, &Scalar { text, quoted: false, whole }, facts);
            }
        }
    }

    /// The members of an object, which may not be closed.
    fn members(&mut self, around: Key, scan: &mut Scan<'_>, facts: &mut Facts) {
        loop {
            match scan.peek() {
                None => return,
                Some(b'}') => return scan.skip(1),
                Some(b'"') => {
                    let mut text = core::mem::take(&mut self.scratch);
                    let whole = scan.string(&mut text, WORD_BYTES);
                    let key = match around {
                        _ if !whole => Key::Other,
                        Key::Headers => Key::Header,
                        _ => Key::of(&text),
                    };
                    let name = Name::of(&text);
                    self.scratch = text;
                    if scan.peek() == Some(b':') {
                        scan.skip(1);
                        if !matches!(scan.peek(), Some(b'}' | b',')) {
                            self.value(key, &name, scan, facts);
                        }
                    }
                }
                Some(b',' | b':' | b']') => scan.skip(1),
                // An event after one that was cut off.
                Some(b'{' | b'[') => self.value(Key::Other, &Name::NONE, scan, facts),
                Some(_) => _ = scan.bare(),
            }
        }
    }

    /// An object of its own, behind its opening brace.
    fn object(&mut self, name: &Name, key: Key, scan: &mut Scan<'_>) {
        let before = self.body.limits.len();
        let mut facts = Facts::new();
        self.members(Key::Other, scan, &mut facts);
        self.body.is_error |= facts.failed && facts.explained;
        let is_full = self.body.limits.len() >= MOST_LIMITS;
        if facts.has_figures() && !is_full || self.body.limits.len() > before {
            facts.kind.fill(kind::of(name.bytes()));
        }
        let limit = facts.take_limit(self.now);
        if limit.is_none() || key.is_error() {
            if let Some(wait) = facts.reset_in {
                self.wait(wait, RESET_RANK);
            }
            self.body.resets_at = self.body.resets_at.or(facts.reset);
        }
        match limit {
            Some(_) if is_full => {}
            Some(limit) => self.body.limits.push(limit),
            None => {
                // What it says about the limits in it that do not say it themselves.
                let by_name = facts.pool.is_empty() && facts.kind.is_limit;
                let pool = if by_name { &facts.kind.rest } else { &facts.pool };
                let within = self.body.limits.get_mut(before..).unwrap_or_default();
                for limit in within {
                    limit.resets_at = limit.resets_at.or(facts.reset);
                    if limit.pool.is_empty() {
                        limit.pool.clone_from(pool);
                    }
                }
            }
        }
        if facts.reached {
            mark_reached(self.body.limits.get_mut(before..).unwrap_or_default());
        }
    }

    fn scalar(&mut self, key: Key, name: &Name, value: &Scalar<'_>, facts: &mut Facts) {
        let text = value.text.trim_ascii();
        let is = |bare: &[u8]| !value.quoted && text == bare;
        // Of a text for people, the start says something too.
        let people = value.quoted && matches!(key, Key::Say(bits) if bits & say::TEXT != 0);
        if text.is_empty() || is(b"null") || !(value.whole || people) {
            return;
        }
        match key {
            Key::Say(_) if is(b"false") => {}
            Key::Say(bits) => self.say(bits, text, value, facts),
            Key::Upstream => _ = self.body.upstream.get_or_insert_with(|| word(text)),
            Key::Header => self.header(name, text),
            Key::Wait(rank) => self.wait_of(text, rank),
            Key::ResetIn => facts.reset_in = facts.reset_in.or(number::seconds(text)),
            Key::Reset | Key::Period => {
                // Zero is what is written where nothing is known.
                let nothing = number::seconds(text).is_some_and(|number| number.is_zero());
                let reset = number::reset(text, self.now).filter(|_| !nothing).map(|(time, _)| time);
                facts.reset = facts.reset.or(reset);
                if reset.is_none() && key == Key::Period {
                    facts.kind.fill(kind::of(text));
                }
            }
            Key::Figure(place) => facts.add(place, figure(place, text)),
            Key::QuotaValue => {
                facts.add(Figure::Limit, figure(Figure::Limit, text));
                facts.violated = true;
            }
            Key::Name => {
                // A name says more than the metric that it is about.
                let before = core::mem::replace(&mut facts.kind, kind::of(text));
                facts.kind.fill(before);
            }
            Key::QuotaMetric => {
                facts.kind.fill(kind::of(text));
                facts.violated = true;
            }
            // The general allowance goes by the name of the whole.
            Key::Pool => facts.pool = kind::of(text).rest,
            Key::PoolName if facts.pool.is_empty() && !kind::of(text).rest.is_empty() => {
                facts.pool = word(text);
            }
            Key::Model => facts.model = Some(text::bounded(text, text::NAME_BYTES)),
            Key::Reached => facts.reached |= is(b"true"),
            Key::Allowed => facts.reached |= is(b"false"),
            Key::Unlimited => facts.unlimited |= is(b"true"),
            _ => {}
        }
    }

    /// Words and texts.
    fn say(&mut self, bits: u8, text: &[u8], value: &Scalar<'_>, facts: &mut Facts) {
        let has = |bit: u8| bits & bit != 0;
        let status = number::allowance(text);
        if has(say::ERROR) {
            self.body.is_error |= value.quoted || status != Some(0);
        }
        if has(say::TYPE) {
            self.body.is_error |= text == b"error";
            if text.ends_with(b"_LIMIT") {
                let kind = kind::of(text);
                facts.kind.fill(kind::Kind { rest: kind.rest, ..kind::Kind::new() });
            }
        }
        if has(say::CODE) {
            facts.failed |= status.is_some_and(|code| (400..600).contains(&code));
            facts.explained |= value.quoted && status.is_none();
        }
        let is_text = |byte: &u8| *byte == b' ' || *byte == b'{';
        let is_id = |byte: &u8| byte.is_ascii_lowercase() || *byte == b'_';
        let is_word = text.len() <= WORD_BYTES
            && !(has(say::ERROR) && (!value.quoted || text.iter().any(is_text)))
            && (!has(say::ID) || text.iter().all(is_id));
        if has(say::WORD) && value.whole && is_word {
            self.word(text);
        }
        let is_text = has(say::TEXT) || !is_word && !has(say::ID);
        if value.quoted && is_text && (!has(say::IN_ERROR) || self.body.is_error) {
            self.explain(value, facts);
        }
    }

    fn explain(&mut self, value: &Scalar<'_>, facts: &mut Facts) {
        facts.explained = true;
        let text = value.text;
        match json_within(text, text.len()).filter(|_| !self.nested) {
            None => self.prose(text, !value.whole),
            Some(start) => {
                self.prose(text.get(..start).unwrap_or_default(), false);
                self.nested = true;
                self.document(text.get(start..).unwrap_or_default());
                self.nested = false;
            }
        }
    }

    /// A text for people; `cut` if its end is missing.
    fn prose(&mut self, text: &[u8], cut: bool) {
        let text = text.trim_ascii();
        let room = TEXT_BYTES.saturating_sub(self.body.text.len() + 1);
        let fitting = text.get(..room.min(text.len())).unwrap_or_default();
        if fitting.is_empty() {
            return;
        }
        if !self.body.text.is_empty() {
            self.body.text.push('\n');
        }
        let lower = fitting.to_ascii_lowercase();
        self.body.text.push_str(&text::bounded(&lower, room));
        if lower.len() < SHORTEST_SENTENCE {
            return;
        }
        let mut said = Said { wait: None, reset: None, limits: &mut self.said };
        sentence::read(fitting, &lower, cut || fitting.len() < text.len(), &mut said);
        let Said { wait, reset, .. } = said;
        if let Some(wait) = wait {
            self.wait(wait, SENTENCE_RANK);
        }
        self.body.resets_at = self.body.resets_at.or(reset.filter(|reset| *reset > self.now));
    }

    fn word(&mut self, text: &[u8]) {
        let words = &mut self.body.words;
        let most = if self.body.is_error { MOST_WORDS } else { MOST_CALM_WORDS };
        let fits = words.len() < most && (1..=WORD_BYTES).contains(&text.len());
        if fits && !words.iter().any(|word| word.as_bytes().eq_ignore_ascii_case(text)) {
            words.push(word(text));
        }
    }

    fn header(&mut self, name: &Name, value: &[u8]) {
        let name = name.bytes();
        if name.is_empty() {
            return;
        }
        if let Key::Wait(rank) = Key::of(name) {
            self.wait_of(value, if rank == MS_RANK { rank } else { HEADER_RANK });
        }
        if self.body.headers.len() < MOST_HEADERS {
            let value = text::bounded(value, HEADER_BYTES);
            self.body.headers.push((word(name), value));
        }
    }

    fn wait_of(&mut self, text: &[u8], rank: u8) {
        let millis = rank == MS_RANK;
        if let Some(wait) = if millis { number::millis(text) } else { number::retry_after(text, self.now) } {
            self.wait(wait, rank);
        }
    }

    /// The more exact of two waits counts, but no wait of nothing beside another one.
    fn wait(&mut self, wait: Duration, rank: u8) {
        let better = match self.body.wait {
            None => true,
            Some(Duration::ZERO) => !wait.is_zero(),
            Some(_) => !wait.is_zero() && rank < self.rank,
        };
        if better && self.now.checked_add(wait).is_some() {
            (self.body.wait, self.rank) = (Some(wait), rank);
        }
    }
}

/// Marks which of the limits was reached: those without anything left; if none is, the fullest.
fn mark_reached(limits: &mut [StatedLimit]) {
    let used =
        |limit: &StatedLimit| if limit.remaining == Some(0) { 1.0 } else { limit.utilization.unwrap_or(0.0) };
    let fullest = limits.iter().map(used).fold(0.0, f64::max).min(1.0);
    for limit in limits {
        limit.used_up |= used(limit) >= fullest;
    }
}

/// Where within the first `most` bytes of a text JSON begins: an object with a member.
fn json_within(text: &[u8], most: usize) -> Option<usize> {
    let starts = text.get(..most)?.iter().enumerate().filter(|(_, byte)| **byte == b'{');
    let mut starts = starts.map(|(start, _)| start);
    starts.find(|start| {
        let within = text.get(start + 1..).unwrap_or_default();
        within.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'"')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_found_within_text() {
        for (text, expected) in [
            ("429 {\"a\":1}", Some(4)),
            ("{\n  \"error\": {}}", Some(0)),
            ("{'a': 1}", None),
            ("a {b} {\"", Some(6)),
            ("{", None),
            ("", None),
        ] {
            assert_eq!(json_within(text.as_bytes(), text.len()), expected, "{text}");
        }
    }
}
