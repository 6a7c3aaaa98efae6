//! Texts for people: waits, resets and limits in sentences.
//!
//! Word by word, once. A wait is a span of time behind `try again in` and the like; a limit is a number
//! behind `limit` and the like, with the figures and the words for quantity and window beside it.

use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use super::facts::Facts;
use super::key::Figure;
use super::span::{count, span};
use super::term::{Label, Term};
use super::{CONCURRENCY, MOST_LIMITS, StatedLimit};
use crate::limit::Quantity;
use crate::text;
use crate::time::Time;

/// How many words may stand between the announcement of a figure and `of`.
const ANNOUNCED: u8 = 12;
/// How many words may stand between `retry` and `after`, or between an allowance and what it counts.
const NEAR: u8 = 4;

/// What a text says.
pub(super) struct Said<'a> {
    /// The wait.
    pub wait: Option<Duration>,
    /// When something resets.
    pub reset: Option<Time>,
    /// The limits.
    pub limits: &'a mut Vec<StatedLimit>,
}

/// Reads a text, which is given also in lower case; `cut` if its end is missing.
pub(super) fn read(text: &[u8], lower: &[u8], cut: bool, said: &mut Said<'_>) {
    let (clause, facts) = (Clause::NEW, Facts::new());
    let mut reader = Reader { text, rest: lower, before: b' ', cut, said, clause, facts, concurrent: false };
    while let [byte, ..] = reader.rest {
        match byte {
            b'0'..=b'9' if !is_of_word(reader.before) && !b"-_.$/#@".contains(&reader.before) => {
                reader.number();
            }
            _ if is_of_word(*byte) => reader.word(),
            _ => reader.mark(*byte),
        }
    }
    reader.end();
}

/// Adds a limit, unless it is there, as far as both say what they are.
pub(super) fn add(limits: &mut Vec<StatedLimit>, new: StatedLimit) {
    let same = |old: &StatedLimit| {
        (old.quantity, old.limit) == (new.quantity, new.limit)
            && (old.window_s == new.window_s || old.window_s.is_none() || new.window_s.is_none())
            && (old.model == new.model || old.model.is_none() || new.model.is_none())
    };
    if limits.len() < MOST_LIMITS && !limits.iter().any(same) {
        limits.push(new);
    }
}

/// Is it a letter or a digit, or part of one?
const fn is_of_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte >= 0x80
}

struct Reader<'a, 'b> {
    /// All of the text.
    text: &'a [u8],
    /// What is unread, in lower case.
    rest: &'a [u8],
    /// The last byte that was read.
    before: u8,
    cut: bool,
    said: &'a mut Said<'b>,
    clause: Clause,
    /// What the sentences say, until they have stated a limit.
    facts: Facts,
    concurrent: bool,
}

/// What the words of a sentence let expect.
struct Clause {
    /// What the last word says.
    last: Term,
    /// The figure that is announced.
    label: Option<Label>,
    /// Words since then.
    label_age: u8,
    /// Words since `again` and the like.
    again_age: u8,
    /// Words since the allowance.
    limit_age: u8,
    /// A wait follows.
    herald: bool,
    /// It is about something else.
    beside: bool,
}

impl Clause {
    const NEW: Self = Self {
        last: Term::Plain,
        label: None,
        label_age: 0,
        again_age: u8::MAX,
        limit_age: 0,
        herald: false,
        beside: false,
    };
}

impl<'a> Reader<'a, '_> {
    /// Takes bytes from the unread text.
    fn take(&mut self, length: usize) -> &'a [u8] {
        let (taken, rest) = self.rest.split_at_checked(length).unwrap_or_default();
        self.before = taken.last().copied().unwrap_or(b' ');
        self.rest = rest;
        taken
    }

    fn has_limit(&self) -> bool {
        self.facts.has(Figure::Limit)
    }

    /// A mark between words.
    fn mark(&mut self, mark: u8) {
        self.take(1);
        let apart = self.rest.first().is_none_or(u8::is_ascii_whitespace);
        match mark {
            b'\n' => self.end(),
            b'.' | b'!' | b'?' | b';' if apart => self.end(),
            b'/' => self.per(),
            _ => {}
        }
    }

    fn per(&mut self) {
        if self.has_limit() && self.clause.limit_age == 0 {
            // So many per minute: what is not named is requests.
            self.facts.kind.quantity.get_or_insert(Quantity::Requests);
        }
        self.clause.last = Term::Per;
    }

    fn word(&mut self) {
        let before = self.before;
        let word = self.take(self.rest.iter().take_while(|byte| is_of_word(**byte)).count());
        let mut term = Term::of(word);
        let joined = before == b'_' || self.rest.first() == Some(&b'_');
        if joined && matches!(term, Term::Figure(_)) {
            // Within a name: `max_tokens`.
            term = Term::Plain;
        }
        let clause = &mut self.clause;
        clause.again_age = clause.again_age.saturating_add(1);
        clause.label_age = clause.label_age.saturating_add(1);
        clause.herald = match term {
            Term::Wait => true,
            Term::In => clause.again_age <= NEAR,
            Term::Filler | Term::For | Term::At => clause.herald,
            _ => false,
        };
        self.understand(term);
        self.clause.limit_age = self.clause.limit_age.saturating_add(1);
    }

    fn understand(&mut self, term: Term) {
        let near = !self.has_limit() || self.clause.limit_age <= NEAR;
        let clause = &mut self.clause;
        let last = core::mem::replace(&mut clause.last, term);
        match term {
            Term::Again => clause.again_age = 0,
            Term::At if clause.again_age <= NEAR || last == Term::Violated => {
                self.said.reset = self.said.reset.or_else(|| Time::parse_rfc3339(self.time()?));
            }
            Term::Figure(label) => (clause.label, clause.label_age) = (Some(label), 0),
            Term::Limited => {
                (clause.label, clause.label_age) = (Some(Label::Limit), 0);
                self.facts.violated = true;
            }
            Term::To if last == Term::Limited => clause.last = last,
            Term::Up => self.facts.violated |= last == Term::Figure(Label::Used),
            Term::Violated => self.facts.violated = true,
            Term::Unit(unit) if last == Term::Per && near => self.window(unit.seconds()),
            Term::Concurrent => self.concurrent = true,
            Term::Context => clause.beside = true,
            Term::Per => self.per(),
            Term::For | Term::Model => {
                if let Some(model) = self.model(term) {
                    self.facts.model = Some(text::bounded(model, text::NAME_BYTES));
                }
            }
            _ if near => self.facts.kind.learn(term, last),
            _ => {}
        }
    }

    const fn window(&mut self, seconds: u64) {
        self.facts.kind.window_s = if seconds == 0 { None } else { Some(seconds) };
    }

    fn number(&mut self) {
        let (number, (span_ns, length)) = (count(self.rest), span(self.rest));
        self.take(length.max(number.length));
        let last = core::mem::replace(&mut self.clause.last, Term::Plain);
        let herald = core::mem::take(&mut self.clause.herald);
        // At the end of a text that was cut off, more digits or another unit may have followed.
        if self.cut && self.rest.iter().all(|byte| matches!(byte, b',' | b'.')) {
            return;
        }
        let wait_ns = match self.rest {
            _ if length > 0 && herald => Some(span_ns),
            _ if length > 0 => {
                if last == Term::Per {
                    self.window(span_ns / 1_000_000_000);
                }
                None
            }
            // A number within a time of day, a name or a percentage.
            [b':' | b'.', b'0'..=b'9', ..] | [b'_' | b'-' | b'%', ..] => None,
            [next, ..] if is_of_word(*next) => None,
            // So many of something.
            [b' ', next, ..] if herald && is_of_word(*next) => None,
            // Seconds.
            _ if herald => number.units_of(1000),
            _ => {
                self.count(last, number.whole.filter(|_| number.nanos == 0));
                None
            }
        };
        self.said.wait = self.said.wait.or(wait_ns.map(Duration::from_nanos));
    }

    /// A count, behind what the last word says.
    fn count(&mut self, last: Term, count: Option<u64>) {
        let label = match last {
            Term::Figure(label) => Some(label),
            Term::Limited => Some(Label::Limit),
            Term::Of
            | Term::Counted(_)
            | Term::Rate(..)
            | Term::Unit(_)
            | Term::Window(_)
            | Term::Concurrent
                if self.clause.label_age <= ANNOUNCED =>
            {
                self.clause.label
            }
            _ => None,
        };
        let figure = match label {
            Some(Label::Limit) => {
                self.state();
                self.clause.limit_age = 0;
                Figure::Limit
            }
            Some(Label::Used) => Figure::Used,
            Some(Label::Asked) => Figure::Asked,
            Some(Label::Left) => Figure::Left,
            None => return,
        };
        #[expect(clippy::cast_precision_loss, reason = "no limit needs more than 52 bits")]
        self.facts.add(figure, count.map(|count| count as f64));
    }

    /// The time behind `reset at`: a date, one more byte, and a time.
    fn time(&self) -> Option<&'a [u8]> {
        let rest = self.rest.trim_ascii_start();
        let of_time = |byte: &u8| byte.is_ascii_alphanumeric() || b":.+-".contains(byte);
        let length = rest.iter().skip(11).take_while(|byte| of_time(byte)).count() + 11;
        let time = rest.get(..length).filter(|_| !self.cut || length < rest.len())?;
        Some(time.strip_suffix(b".").unwrap_or(time))
    }

    /// The model behind `for`, where `in` follows, or behind `model:`.
    fn model(&self, term: Term) -> Option<&'a [u8]> {
        let text = self.text.get(self.text.len() - self.rest.len()..)?;
        let marks = text.iter().take_while(|byte| b" :=`'\"".contains(byte)).count();
        let (marks, name) = text.split_at_checked(marks)?;
        let of_name = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._:/@+".contains(byte);
        let (name, rest) = name.split_at_checked(name.iter().take_while(|byte| of_name(byte)).count())?;
        let follows = if term == Term::For { rest.starts_with(b" in ") } else { marks != b" " };
        let is_name = name.iter().any(|byte| byte.is_ascii_digit() || *byte == b'-');
        let is_whole = !self.cut || !rest.is_empty();
        (follows && is_name && is_whole).then_some(name.strip_suffix(b".").unwrap_or(name))
    }

    /// The end of a sentence.
    fn end(&mut self) {
        if self.clause.beside {
            self.facts = Facts::new();
        }
        self.state();
        self.clause = Clause::NEW;
        self.facts.forget_figures();
    }

    /// States the limit of which all figures are known.
    fn state(&mut self) {
        if !self.has_limit() {
            return;
        }
        let facts = &mut self.facts;
        let violated = core::mem::replace(&mut facts.violated, true);
        let known = facts.kind.quantity.is_some() || facts.kind.window_s.is_some() || self.concurrent;
        let Some(mut limit) = facts.take_limit(Time::MIN) else { return };
        let (allowance, asked) = (limit.limit.unwrap_or(0), limit.requested.unwrap_or(1));
        // A request larger than the whole window is refused without the window being used up.
        let over = limit.used.is_some_and(|used| used.saturating_add(asked) > allowance);
        limit.used_up = allowance == 0 || asked <= allowance && (violated || over);
        limit.from_sentence = true;
        if self.concurrent {
            (limit.quantity, limit.window_s) = (Quantity::Other, None);
            limit.pool = String::from(CONCURRENCY);
        }
        if known || limit.used_up {
            add(self.said.limits, limit);
        }
        (self.facts, self.concurrent) = (Facts::new(), false);
    }
}
