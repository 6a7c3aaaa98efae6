//! What the headers of one response say about one limit, gathered header by header.

use core::time::Duration;

use crate::limit::{Limit, Refill};
use crate::number::{self, Precision};
use crate::profile::{LimitRule, What};
use crate::time::Time;
use crate::window;

/// No header has told this yet.
const UNTOLD: u8 = u8::MAX;
/// Kinds of figures that alternative headers tell.
const KINDS: usize = 7;

/// The figures of one limit, as far as they have been seen.
#[derive(Clone, Copy, Debug)]
pub(super) struct Parts {
    pub(super) limit: Option<u64>,
    pub(super) remaining: Option<u64>,
    pub(super) reset: Option<(Time, Precision)>,
    /// Length of the window in seconds, as the response states it.
    pub(super) window_s: Option<u64>,
    /// Share used, 0 to 1.
    pub(super) share: Option<f64>,
    pub(super) rejected: bool,
    /// The rank of the header that told each kind of figure: a lower one knows better.
    ranks: [u8; KINDS],
}

impl Parts {
    pub(super) const NONE: Self = Self {
        limit: None,
        remaining: None,
        reset: None,
        window_s: None,
        share: None,
        rejected: false,
        ranks: [UNTOLD; KINDS],
    };

    /// Takes a value, unless a header of the same or a better rank has told a usable one: of duplicate lines the
    /// first usable one counts.
    pub(super) fn take(&mut self, what: What, rank: u8, value: &[u8], now: Time) {
        let [limit, remaining, reset, ..] = &mut self.ranks;
        match what {
            What::Limit => tell(&mut self.limit, limit, rank, || number::allowance(value)),
            What::Remaining => tell(&mut self.remaining, remaining, rank, || number::count(value)),
            What::Reset => tell(&mut self.reset, reset, rank, || number::reset(value, now)),
            _ => self.take_other(what, rank, value, now),
        }
    }

    fn take_other(&mut self, what: What, rank: u8, value: &[u8], now: Time) {
        let [_, _, reset, window, share, verdict, pairs] = &mut self.ranks;
        match what {
            What::ResetDelta => tell(&mut self.reset, reset, rank, || number::reset_delta(value, now)),
            What::WindowSeconds => tell(&mut self.window_s, window, rank, || number::allowance(value)),
            What::WindowMinutes => {
                tell(&mut self.window_s, window, rank, || number::allowance(value)?.checked_mul(60));
            }
            What::UsedPercent => {
                tell(&mut self.share, share, rank, || number::share(value).map(|percent| percent / 100.0));
            }
            What::UsedShare => tell(&mut self.share, share, rank, || number::share(value)),
            What::Verdict if rank < *verdict => {
                self.rejected = value.trim_ascii().eq_ignore_ascii_case(b"rejected");
                *verdict = rank;
            }
            What::PercentPairs if rank < *pairs && self.take_pairs(value, now) => {
                self.ranks[KINDS - 1] = rank
            }
            _ => {}
        }
    }

    /// GitHub Copilot's pairs, `ent=300&rem=29.7&rst=2026-05-01T00%3A00%3A00Z`: the allowance (-1 for unlimited, 0
    /// where it is not told), percent left, and the reset. Source: microsoft/vscode, `chatQuotaServiceImpl.ts`.
    fn take_pairs(&mut self, value: &[u8], now: Time) -> bool {
        let mut left = None;
        for pair in value.trim_ascii().split(|byte| *byte == b'&') {
            let Some(at) = pair.iter().position(|byte| *byte == b'=') else { continue };
            let Some((key, text)) = pair.split_at_checked(at) else { continue };
            let text = text.get(1..).unwrap_or_default();
            match key {
                b"ent" => self.limit = number::allowance(text).filter(|allowance| *allowance > 0),
                b"rem" => left = number::share(text).map(|percent| percent / 100.0),
                b"rst" => {
                    let (unescaped, length) = unescape(text);
                    self.reset = unescaped.get(..length).and_then(|text| number::reset(text, now));
                }
                _ => {}
            }
        }
        let Some(left) = left.map(|left| left.min(1.0)) else { return false };
        self.share = Some(1.0 - left);
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "whole requests below 2^52, of a share within 0 to 1"
        )]
        let whole = |allowance: u64| (allowance as f64 * left + 1e-9) as u64;
        self.remaining = self.limit.map(whole);
        true
    }

    /// Fills in what another account of the same limit tells beside it.
    pub(super) fn or(&mut self, other: &Self) {
        self.limit = self.limit.or(other.limit);
        self.remaining = self.remaining.or(other.remaining);
        self.reset = self.reset.or(other.reset);
        self.window_s = self.window_s.or(other.window_s);
        self.share = self.share.or(other.share);
        self.rejected |= other.rejected;
    }

    /// The limit that these figures make; `None` where they make none. A lone reset says something only beside a
    /// refusal.
    pub(super) fn limit(&self, rule: &LimitRule, refused: bool, now: Time) -> Option<Limit> {
        // A reset that has passed says nothing.
        let reset = self.reset.filter(|(at, _)| *at > now);
        let mut share = self.share;
        if self.rejected || refused && reset.is_some() && self.limit.is_none() && self.remaining.is_none() {
            share = Some(share.map_or(1.0, |share| share.max(1.0)));
        }
        if self.limit.is_none() && self.remaining.is_none() && share.is_none() {
            return None;
        }
        // A window of no length is an empty shell. So is a share of 0 without a reset where others have one.
        let stated = self.window_s.or(rule.window_s.map(u64::from));
        if stated == Some(0) {
            return None;
        }
        let mut resets_at = reset.map(|(at, _)| at);
        if resets_at.is_none() && self.remaining == Some(0) && self.limit != Some(0) {
            // Nothing is left, and the allowance is renewed once a period: by its end at the latest.
            resets_at = self.window_s.and_then(|window| now.checked_add(Duration::from_secs(window)));
        }
        let signed = |count: Option<u64>| count.map(|count| count.min(i64::MAX.unsigned_abs()));
        Some(Limit {
            window_s: signed(stated).or_else(|| {
                let (at, precision) = reset?;
                inferred_window(rule, self.limit?, self.remaining?, at, precision, now)
            }),
            limit: signed(self.limit),
            remaining: signed(self.remaining),
            utilization: share.map(|share| share.clamp(0.0, 1.0)),
            resets_at,
            refill: rule.refill,
            effect: rule.effect,
            ..Limit::new(rule.quantity, now)
        })
    }
}

/// The length of a window of which neither the response nor the rule tells, where it follows from its figures.
#[inline]
pub(super) fn inferred_window(
    rule: &LimitRule,
    limit: u64,
    remaining: u64,
    reset: Time,
    precision: Precision,
    now: Time,
) -> Option<u64> {
    let is_continuous = rule.refill == Refill::Continuous;
    is_continuous.then(|| window::infer(limit, remaining, reset.since(now), precision)).flatten()
}

/// Takes a figure where there is one, and where no header of a better rank has told it.
fn tell<T>(held: &mut Option<T>, held_rank: &mut u8, rank: u8, told: impl FnOnce() -> Option<T>) {
    if rank < *held_rank
        && let Some(told) = told()
    {
        *held = Some(told);
        *held_rank = rank;
    }
}

/// A short text without its percent escapes.
fn unescape(text: &[u8]) -> ([u8; 48], usize) {
    let mut unescaped = [0; 48];
    let mut length = 0;
    let mut rest = text;
    while let Some((byte, tail)) = rest.split_first() {
        let escaped = tail.first_chunk::<2>().filter(|_| *byte == b'%');
        let digit = |digit: u8| char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        let value = escaped.and_then(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?));
        rest = if value.is_some() { tail.get(2..).unwrap_or_default() } else { tail };
        let Some(place) = unescaped.get_mut(length) else { break };
        *place = value.unwrap_or(*byte);
        length += 1;
    }
    (unescaped, length)
}
