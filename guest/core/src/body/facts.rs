//! Facts of one object or sentence, and the limit that they make.

use alloc::string::String;
use core::time::Duration;

use super::key::{FIGURES, Figure};
use super::kind::Kind;
use super::{StatedLimit, WORD_BYTES};
use crate::limit::Quantity;
use crate::number;
use crate::text;
use crate::time::Time;

/// What an object or a sentence says.
pub(super) struct Facts {
    /// The figures, not a number where they are not known.
    figures: [f64; FIGURES],
    /// When it resets.
    pub reset: Option<Time>,
    /// In what time it resets.
    pub reset_in: Option<Duration>,
    /// What its names say.
    pub kind: Kind,
    /// The pool of the limits within it.
    pub pool: String,
    /// The model.
    pub model: Option<String>,
    /// It is a limit that was reached.
    pub violated: bool,
    /// A limit within it was reached.
    pub reached: bool,
    /// It is no limit.
    pub unlimited: bool,
    /// It has the HTTP status of a failure.
    pub failed: bool,
    /// It has a text for people.
    pub explained: bool,
}

impl Facts {
    pub(super) const fn new() -> Self {
        Self {
            figures: [f64::NAN; FIGURES],
            reset: None,
            reset_in: None,
            kind: Kind::new(),
            pool: String::new(),
            model: None,
            violated: false,
            reached: false,
            unlimited: false,
            failed: false,
            explained: false,
        }
    }

    fn get(&self, figure: Figure) -> f64 {
        self.figures.get(figure as usize).copied().unwrap_or(f64::NAN)
    }

    /// Is the figure known?
    pub(super) fn has(&self, figure: Figure) -> bool {
        !self.get(figure).is_nan()
    }

    /// The first of two figures that is known.
    fn either(&self, a: Figure, b: Figure) -> f64 {
        self.get(if self.has(a) { a } else { b })
    }

    /// Adds a figure; the first of its kind that can be used counts.
    pub(super) fn add(&mut self, figure: Figure, value: Option<f64>) {
        if let (Some(place), Some(value)) = (self.figures.get_mut(figure as usize), value)
            && place.is_nan()
        {
            *place = value;
        }
    }

    /// Keeps only what the next sentence may be about.
    pub(super) const fn forget_figures(&mut self) {
        self.figures = [f64::NAN; FIGURES];
    }

    /// Has it anything that a limit needs?
    pub(super) fn has_figures(&self) -> bool {
        self.violated || self.figures.iter().any(|figure| !figure.is_nan())
    }

    /// Length of the window: as it is stated, or as the name has it.
    fn window(&self) -> Option<u64> {
        let unit = match count(self.get(Figure::Unit)) {
            Some(3) => 3600.0,
            Some(5) => 30.0 * 86_400.0,
            Some(6) => 7.0 * 86_400.0,
            _ => 0.0,
        };
        let stated = if self.has(Figure::Seconds) {
            self.get(Figure::Seconds)
        } else if self.has(Figure::Minutes) {
            self.get(Figure::Minutes) * 60.0
        } else {
            self.get(Figure::Number) * unit
        };
        count(stated).filter(|seconds| *seconds > 0).or(self.kind.window_s)
    }

    /// The limit that it states, if it states one.
    ///
    /// That is a quota that was exceeded; a share together with a reset or the length of a window; or an
    /// allowance together with what is used or left of it. Of money, which has fractions, only the share is
    /// told.
    pub(super) fn take_limit(&mut self, now: Time) -> Option<StatedLimit> {
        // Beside a unit of time, `usage` is the allowance.
        let usage = if self.has(Figure::Unit) { Figure::Usage } else { Figure::Limit };
        let allowance = self.either(Figure::Limit, usage);
        let (used, left) = (self.get(Figure::Used), self.get(Figure::Left));
        let has_percent = self.has(Figure::UsedPercent);
        let percent =
            if has_percent { self.get(Figure::UsedPercent) } else { 100.0 - self.get(Figure::LeftPercent) };
        let mut share = percent / 100.0;
        let window_s = self.window();
        let reset_in = self.reset_in.filter(|span| !span.is_zero());
        let resets_at = self.reset.or_else(|| now.checked_add(reset_in?));
        let shared = !share.is_nan() && (resets_at.is_some() || window_s.is_some());
        let counted = !(allowance.is_nan() || used.is_nan() && left.is_nan());
        if !self.violated && (self.unlimited || !shared && !counted) {
            return None;
        }
        let is_money =
            [allowance, used, left].iter().any(|figure| !figure.is_nan() && count(*figure).is_none());
        if is_money && share.is_nan() && allowance > 0.0 {
            share = if left.is_nan() { used } else { allowance - left } / allowance;
        }
        let count = |figure: f64| count(figure).filter(|_| !is_money);
        let (limit, used) = (count(allowance), count(used));
        let rest = core::mem::take(&mut self.kind.rest);
        Some(StatedLimit {
            quantity: self.kind.quantity.unwrap_or(Quantity::Other),
            pool: if self.violated { String::new() } else { rest },
            model: self.model.take(),
            window_s,
            limit,
            used,
            requested: count(self.get(Figure::Asked)),
            remaining: count(left).or_else(|| Some(limit?.saturating_sub(used?))),
            utilization: (!share.is_nan()).then_some(if share < 0.0 { 0.0 } else { share }),
            resets_at,
            used_up: self.violated,
            from_sentence: false,
        })
    }
}

/// A figure of a field. Negative ones are none, but where something is left, any but `-1` is 0.
pub(super) fn figure(key: Figure, text: &[u8]) -> Option<f64> {
    let overdrawn = text.strip_prefix(b"-").filter(|digits| key == Figure::Left && *digits != b"1");
    let number = number::seconds(overdrawn.unwrap_or(text.strip_suffix(b"%").unwrap_or(text)))?;
    Some(if overdrawn.is_some() { 0.0 } else { number.as_secs_f64() })
}

/// A figure without a fraction, as a count.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
fn count(figure: f64) -> Option<u64> {
    let count = figure as u64;
    (count as f64 == figure).then_some(count)
}

/// A name in lower case, within the bound of words.
pub(super) fn word(bytes: &[u8]) -> String {
    let mut word = text::bounded(bytes, WORD_BYTES);
    word.make_ascii_lowercase();
    word
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_whole_or_not_and_never_negative() {
        for (text, used, left) in [
            ("50", Some(50.0), Some(50.0)),
            ("62%", Some(62.0), Some(62.0)),
            ("74.5", Some(74.5), Some(74.5)),
            ("-1", None, None),
            ("-7", None, Some(0.0)),
            ("-0.3", None, Some(0.0)),
            ("1e3", None, None),
            ("", None, None),
            ("-", None, None),
            ("nan", None, None),
        ] {
            assert_eq!(figure(Figure::Used, text.as_bytes()), used, "{text:?}");
            assert_eq!(figure(Figure::Left, text.as_bytes()), left, "{text:?}");
        }
        assert_eq!([50.0, 74.5, -1.0, f64::NAN].map(count), [Some(50), None, None, None]);
    }

    #[test]
    fn names_are_kept_in_lower_case_and_bounds() {
        assert_eq!(word(b"Venice"), "venice");
        assert_eq!(word("X".repeat(100).as_bytes()), "x".repeat(WORD_BYTES));
    }
}
