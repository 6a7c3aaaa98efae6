//! Names of limits: `five_hour`, `seven_day_opus`, `GenerateRequestsPerMinutePerProjectPerModel-FreeTier`.

use alloc::string::String;

use super::table::LONGEST;
use super::term::{Label, Term};
use super::{CONCURRENCY, WORD_BYTES};
use crate::limit::Quantity;

/// What a name says about a limit.
#[derive(Debug, PartialEq)]
pub(super) struct Kind {
    /// What it counts.
    pub quantity: Option<Quantity>,
    /// Length of the window in seconds.
    pub window_s: Option<u64>,
    /// Does it name a limit at all?
    pub is_limit: bool,
    /// The words that tell it from others, joined by `_`.
    pub rest: String,
}

impl Kind {
    pub(super) const fn new() -> Self {
        Self { quantity: None, window_s: None, is_limit: false, rest: String::new() }
    }

    /// Takes from another name what this one does not say.
    pub(super) fn fill(&mut self, other: Self) {
        self.quantity = self.quantity.or(other.quantity);
        self.window_s = self.window_s.or(other.window_s);
        self.is_limit |= other.is_limit;
        if self.rest.is_empty() {
            self.rest = other.rest;
        }
    }

    /// Learns what a word behind another one says of quantity and window.
    pub(super) const fn learn(&mut self, term: Term, last: Term) {
        match (term, last) {
            (Term::Counted(Quantity::Tokens), Term::Direction(quantity)) | (Term::Counted(quantity), _) => {
                self.quantity = Some(quantity);
            }
            (Term::Rate(quantity, unit), _) => {
                self.quantity = Some(quantity);
                self.window_s = Some(unit.seconds());
            }
            (Term::Window(unit), _) => self.window_s = Some(unit.seconds()),
            _ => {}
        }
    }
}

/// Reads a name word by word.
pub(super) fn of(name: &[u8]) -> Kind {
    let mut kind = Kind::new();
    let mut last = Term::Plain;
    // A number, of which the next word may be the unit.
    let mut number: Option<(&[u8], u64)> = None;
    let mut unread = name;
    while let Some(word) = next_word(&mut unread) {
        let mut lower = [0; LONGEST];
        let lower = lower.get_mut(..word.len()).unwrap_or_default();
        lower.copy_from_slice(word.get(..lower.len()).unwrap_or_default());
        lower.make_ascii_lowercase();
        let term = Term::of(lower);
        let before = number.take();
        if let (Term::Unit(unit), many) = (term, before.map_or(1, |(_, many)| many)) {
            kind.window_s = unit.seconds().checked_mul(many).filter(|seconds| *seconds > 0);
            continue;
        }
        if let Some((digits, _)) = before {
            push(&mut kind.rest, digits);
        }
        kind.learn(term, core::mem::replace(&mut last, term));
        match term {
            Term::Small(many) => number = Some((word, many.into())),
            Term::Figure(Label::Limit) => kind.is_limit = true,
            Term::Concurrent => push(&mut kind.rest, CONCURRENCY.as_bytes()),
            Term::Counted(_) | Term::Direction(_) | Term::Rate(..) | Term::Window(_) | Term::Figure(_) => {}
            Term::Generic | Term::Per | Term::Of => {}
            _ => match crate::number::allowance(lower) {
                Some(many) => number = Some((word, many)),
                None => push(&mut kind.rest, word),
            },
        }
    }
    if let Some((digits, _)) = number {
        push(&mut kind.rest, digits);
    }
    kind
}

/// Adds a word to a name, within its bound.
fn push(rest: &mut String, word: &[u8]) {
    if !rest.is_empty() && rest.len() < WORD_BYTES {
        rest.push('_');
    }
    for byte in word {
        if rest.len() < WORD_BYTES {
            rest.push(char::from(byte.to_ascii_lowercase()));
        }
    }
}

/// The next word: letters, of which only the first may be a capital one, or capital letters, or digits.
fn next_word<'a>(unread: &mut &'a [u8]) -> Option<&'a [u8]> {
    let start = unread.iter().position(u8::is_ascii_alphanumeric)?;
    let text = unread.get(start..)?;
    let length = text.windows(2).position(|pair| match pair {
        [a, b] if !b.is_ascii_alphanumeric() || a.is_ascii_digit() != b.is_ascii_digit() => true,
        [a, b] => a.is_ascii_lowercase() && b.is_ascii_uppercase(),
        _ => false,
    });
    let (word, rest) = text.split_at_checked(length.map_or(text.len(), |length| length + 1))?;
    *unread = rest;
    Some(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_quantity_window_and_pool() {
        const HOUR: Option<u64> = Some(3600);
        const DAY: Option<u64> = Some(86_400);
        const WEEK: Option<u64> = Some(604_800);
        for (name, quantity, window_s, rest) in [
            ("five_hour", None, Some(18_000), ""),
            ("seven_day", None, WEEK, ""),
            ("seven_day_opus", None, WEEK, "opus"),
            ("seven_day_oauth_apps", None, WEEK, "oauth_apps"),
            ("5h", None, Some(18_000), ""),
            ("7d_oi", None, WEEK, "oi"),
            ("3_hours", None, Some(10_800), ""),
            ("weekly_scoped", None, WEEK, "scoped"),
            ("primary_window", None, None, ""),
            ("code_review_rate_limit", None, None, "code_review"),
            ("codex_bengalfox", None, None, "bengalfox"),
            ("free_model_daily_requests", Some(Quantity::Requests), DAY, "free_model"),
            ("requests", Some(Quantity::Requests), None, ""),
            ("output_tokens", Some(Quantity::OutputTokens), None, ""),
            ("TOKENS_LIMIT", Some(Quantity::Tokens), None, ""),
            ("TIME_LIMIT", None, None, "time"),
            ("tpm", Some(Quantity::Tokens), Some(60), ""),
            ("RequestsPerHour", Some(Quantity::Requests), HOUR, ""),
            ("gpt-4o", None, None, "gpt_4_o"),
            ("claude-3-5-sonnet", None, None, "claude_3_5_sonnet"),
            ("", None, None, ""),
        ] {
            let kind = of(name.as_bytes());
            assert_eq!((kind.quantity, kind.window_s), (quantity, window_s), "{name}");
            assert_eq!(kind.rest, rest, "{name}");
        }
    }

    #[test]
    fn quotas_of_google_tell_quantity_and_window() {
        for (name, quantity, window_s) in [
            ("GenerateRequestsPerDayPerProjectPerModel-FreeTier", Quantity::Requests, Some(86_400)),
            ("GenerateRequestsPerMinutePerProjectPerModel-FreeTier", Quantity::Requests, Some(60)),
            ("GenerateContentInputTokensPerModelPerMinute-FreeTier", Quantity::InputTokens, Some(60)),
            ("generate_content_free_tier_input_token_count", Quantity::InputTokens, None),
            (
                "generativelanguage.googleapis.com/generate_content_free_tier_requests",
                Quantity::Requests,
                None,
            ),
        ] {
            let kind = of(name.as_bytes());
            assert_eq!((kind.quantity, kind.window_s), (Some(quantity), window_s), "{name}");
        }
    }

    #[test]
    fn the_rest_of_a_name_stays_within_its_bound() {
        assert!(of("a_b9".repeat(100).as_bytes()).rest.len() <= WORD_BYTES);
        assert!(of("x".repeat(300).as_bytes()).rest.len() <= WORD_BYTES);
    }
}
