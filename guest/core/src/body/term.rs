//! Words of names and sentences that say something about limits.

use super::table::{Table, table};
use crate::limit::Quantity;

/// What a word says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Term {
    /// Nothing.
    Plain,
    /// What is counted.
    Counted(Quantity),
    /// Which tokens are counted.
    Direction(Quantity),
    /// What is counted over which window: `rpm`, `tpd`.
    Rate(Quantity, Unit),
    /// A unit of time.
    Unit(Unit),
    /// A window: `daily`.
    Window(Unit),
    /// A number.
    Small(u8),
    /// A unit of time or a length of a window follows.
    Per,
    /// Calls at the same time are counted.
    Concurrent,
    /// The figure follows: right behind the word, or behind `of` and the like.
    Figure(Label),
    /// The allowance follows behind `to`.
    Limited,
    /// `of`, `is`: what was announced follows.
    Of,
    /// `to`
    To,
    /// `up`
    Up,
    /// A limit was reached.
    Violated,
    /// `again`, `retry`, `reset`: with `in` or `after`, a wait follows.
    Again,
    /// `in`, `after`
    In,
    /// `at`, `on`, `until`: with `reset`, a time follows.
    At,
    /// A wait follows.
    Wait,
    /// A word within an announcement that changes nothing.
    Filler,
    /// `for`: a model may follow.
    For,
    /// `model`
    Model,
    /// The window of a model's attention, which is no limit of this kind.
    Context,
    /// A word of names of limits that tells none from another.
    Generic,
}

/// A figure that is announced by a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Label {
    /// The allowance.
    Limit,
    /// What was used.
    Used,
    /// What was asked for.
    Asked,
    /// What is left.
    Left,
}

/// A unit of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd)]
pub(super) enum Unit {
    /// A millisecond.
    Millisecond,
    /// A second.
    Second,
    /// A minute.
    Minute,
    /// An hour.
    Hour,
    /// The session of a plan: five hours.
    Session,
    /// A day.
    Day,
    /// A week.
    Week,
    /// Thirty days.
    Month,
}

impl Unit {
    /// Its length in milliseconds.
    pub(super) const fn ms(self) -> u64 {
        match self {
            Self::Millisecond => 1,
            Self::Second => 1000,
            Self::Minute => 60_000,
            Self::Hour => 3_600_000,
            Self::Session => 5 * 3_600_000,
            Self::Day => 86_400_000,
            Self::Week => 7 * 86_400_000,
            Self::Month => 30 * 86_400_000,
        }
    }

    /// Its length in seconds.
    pub(super) const fn seconds(self) -> u64 {
        self.ms() / 1000
    }
}

const REQUESTS: Term = Term::Counted(Quantity::Requests);
const TOKENS: Term = Term::Counted(Quantity::Tokens);
const INPUT: Term = Term::Direction(Quantity::InputTokens);
const OUTPUT: Term = Term::Direction(Quantity::OutputTokens);
const LIMIT: Term = Term::Figure(Label::Limit);
const USED: Term = Term::Figure(Label::Used);

/// The words. Where one with an `s` behind it is not there, it means the same.
#[rustfmt::skip]
#[expect(clippy::indexing_slicing, reason = "by the compiler")]
const TERMS: Table<Term> = table!(&[
    ("calls", REQUESTS), ("messages", REQUESTS), ("queries", REQUESTS), ("requests", REQUESTS),
    ("token", TOKENS), ("input", INPUT), ("prompt", INPUT),
    ("output", OUTPUT), ("completion", OUTPUT), ("generated", OUTPUT),
    ("rps", Term::Rate(Quantity::Requests, Unit::Second)), ("rpm", Term::Rate(Quantity::Requests, Unit::Minute)),
    ("rph", Term::Rate(Quantity::Requests, Unit::Hour)), ("rpd", Term::Rate(Quantity::Requests, Unit::Day)),
    ("qps", Term::Rate(Quantity::Requests, Unit::Second)), ("qpm", Term::Rate(Quantity::Requests, Unit::Minute)),
    ("tps", Term::Rate(Quantity::Tokens, Unit::Second)), ("tpm", Term::Rate(Quantity::Tokens, Unit::Minute)),
    ("tph", Term::Rate(Quantity::Tokens, Unit::Hour)), ("tpd", Term::Rate(Quantity::Tokens, Unit::Day)),
    ("itpm", Term::Rate(Quantity::InputTokens, Unit::Minute)), ("itpd", Term::Rate(Quantity::InputTokens, Unit::Day)),
    ("otpm", Term::Rate(Quantity::OutputTokens, Unit::Minute)), ("otpd", Term::Rate(Quantity::OutputTokens, Unit::Day)),
    ("ipm", Term::Rate(Quantity::Other, Unit::Minute)), ("ipd", Term::Rate(Quantity::Other, Unit::Day)),
    ("concurrency", Term::Concurrent), ("concurrent", Term::Concurrent),
    ("userconcurrentrequests", Term::Concurrent), ("userbyminute", REQUESTS), ("userbyday", REQUESTS),
    ("ms", Term::Unit(Unit::Millisecond)), ("millisecond", Term::Unit(Unit::Millisecond)),
    ("s", Term::Unit(Unit::Second)), ("sec", Term::Unit(Unit::Second)), ("second", Term::Unit(Unit::Second)),
    ("m", Term::Unit(Unit::Minute)), ("min", Term::Unit(Unit::Minute)), ("minute", Term::Unit(Unit::Minute)),
    ("h", Term::Unit(Unit::Hour)), ("hr", Term::Unit(Unit::Hour)), ("hour", Term::Unit(Unit::Hour)),
    ("d", Term::Unit(Unit::Day)), ("day", Term::Unit(Unit::Day)),
    ("week", Term::Unit(Unit::Week)), ("month", Term::Unit(Unit::Month)),
    ("hourly", Term::Window(Unit::Hour)), ("session", Term::Window(Unit::Session)),
    ("daily", Term::Window(Unit::Day)), ("weekly", Term::Window(Unit::Week)),
    ("monthly", Term::Window(Unit::Month)),
    ("one", Term::Small(1)), ("two", Term::Small(2)), ("three", Term::Small(3)), ("five", Term::Small(5)),
    ("seven", Term::Small(7)), ("thirty", Term::Small(30)),
    ("per", Term::Per), ("each", Term::Per), ("every", Term::Per),
    ("limit", LIMIT), ("max", LIMIT), ("maximum", LIMIT), ("quota", LIMIT), ("allocation", LIMIT),
    ("allowance", LIMIT), ("limited", Term::Limited), ("capped", Term::Limited),
    ("used", USED), ("usage", USED), ("current", USED),
    ("requested", Term::Figure(Label::Asked)), ("remaining", Term::Figure(Label::Left)),
    ("of", Term::Of), ("is", Term::Of), ("was", Term::Of), ("to", Term::To), ("up", Term::Up),
    ("reached", Term::Violated), ("exceed", Term::Violated), ("exceeded", Term::Violated),
    ("exceeding", Term::Violated), ("exhausted", Term::Violated), ("hit", Term::Violated),
    ("over", Term::Violated),
    ("again", Term::Again), ("retry", Term::Again), ("retrying", Term::Again), ("reset", Term::Again),
    ("available", Term::Again), ("refresh", Term::Again), ("refill", Term::Again), ("renew", Term::Again),
    ("in", Term::In), ("after", Term::In), ("at", Term::At), ("on", Term::At), ("until", Term::At),
    ("wait", Term::Wait), ("waiting", Term::Wait),
    ("about", Term::Filler), ("another", Term::Filler), ("approximately", Term::Filler),
    ("around", Term::Filler), ("least", Term::Filler),
    ("for", Term::For), ("model", Term::Model), ("context", Term::Context),
    ("rate", Term::Generic), ("window", Term::Generic), ("primary", Term::Generic),
    ("secondary", Term::Generic), ("additional", Term::Generic), ("snapshot", Term::Generic),
    ("credit", Term::Generic), ("codex", Term::Generic), ("data", Term::Generic), ("detail", Term::Generic),
    ("error", Term::Generic), ("item", Term::Generic), ("metadata", Term::Generic),
    ("response", Term::Generic), ("result", Term::Generic),
], Term);

impl Term {
    /// What a word in lower case says.
    pub(super) fn of(word: &[u8]) -> Self {
        let singular = || TERMS.get(word.strip_suffix(b"s")?);
        TERMS.get(word).or_else(singular).unwrap_or(Self::Plain)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn abbreviated_rates_are_understood() {
        for (word, expected) in [
            ("rpm", Term::Rate(Quantity::Requests, Unit::Minute)),
            ("tpd", Term::Rate(Quantity::Tokens, Unit::Day)),
            ("rph", Term::Rate(Quantity::Requests, Unit::Hour)),
            ("qps", Term::Rate(Quantity::Requests, Unit::Second)),
            ("itpm", Term::Rate(Quantity::InputTokens, Unit::Minute)),
            ("otpm", Term::Rate(Quantity::OutputTokens, Unit::Minute)),
            ("ipd", Term::Rate(Quantity::Other, Unit::Day)),
            ("api", Term::Plain),
            ("tpx", Term::Plain),
            ("", Term::Plain),
            ("concurrency", Term::Concurrent),
            ("userconcurrentrequests", Term::Concurrent),
        ] {
            assert_eq!(Term::of(word.as_bytes()), expected, "{word}");
        }
    }

    #[test]
    fn plurals_mean_the_same_but_a_request_is_not_what_is_counted() {
        assert_eq!(Term::of(b"seconds"), Term::of(b"second"));
        assert_eq!(Term::of(b"tokens"), TOKENS);
        assert_eq!(Term::of(b"requests"), REQUESTS);
        assert_eq!(Term::of(b"request"), Term::Plain);
    }
}
