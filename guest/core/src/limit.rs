//! Limits: one limited quantity over one window in one scope, and how two accounts of one are merged.

use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use crate::refusal::{MONEY_COOLDOWN, RATE_COOLDOWN};
use crate::time::Time;

/// How long a count without a reset and without a window says anything: the runtime time-to-live.
const UNDATED: Duration = Duration::from_secs(300);
/// Limits kept for one provider, over all scopes.
const MOST: usize = 128;

/// What a limit counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Quantity {
    /// Requests.
    Requests,
    /// Tokens of any kind.
    Tokens,
    /// Tokens sent.
    InputTokens,
    /// Tokens generated.
    OutputTokens,
    /// Anything else.
    Other,
}

impl Quantity {
    /// The word for it in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Requests => "requests",
            Self::Tokens => "tokens",
            Self::InputTokens => "input_tokens",
            Self::OutputTokens => "output_tokens",
            Self::Other => "other",
        }
    }

    /// Does it count tokens?
    #[must_use]
    pub const fn is_tokens(self) -> bool {
        matches!(self, Self::Tokens | Self::InputTokens | Self::OutputTokens)
    }
}

impl From<&str> for Quantity {
    fn from(word: &str) -> Self {
        let known = [Self::Requests, Self::Tokens, Self::InputTokens, Self::OutputTokens];
        known.into_iter().find(|quantity| quantity.as_str() == word).unwrap_or(Self::Other)
    }
}

/// To whom a limit applies, as far as it is known.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Scope {
    /// The account.
    pub account: Option<String>,
    /// The model.
    pub model: Option<String>,
}

/// One limited quantity over one window in one scope.
#[derive(Clone, Debug, PartialEq)]
pub struct Limit {
    /// What it counts.
    pub quantity: Quantity,
    /// To whom it applies.
    pub scope: Scope,
    /// Length of the window in seconds.
    pub window_s: Option<u64>,
    /// The allowance of one window.
    pub limit: Option<u64>,
    /// What is left of it.
    pub remaining: Option<u64>,
    /// Share used, 0 to 1.
    pub utilization: Option<f64>,
    /// When it resets.
    pub resets_at: Option<Time>,
    /// When the response that said so was received.
    pub captured_at: Time,
}

impl Limit {
    /// When this account of the limit stops to say anything.
    #[must_use]
    pub fn expires_at(&self) -> Time {
        self.resets_at.unwrap_or_else(|| {
            let span = match (self.limit, self.remaining, self.window_s) {
                // An allowance of nothing does not refill: what it takes is another plan.
                (Some(0), _, _) => MONEY_COOLDOWN,
                (_, Some(0), _) => RATE_COOLDOWN,
                (_, _, Some(window)) => Duration::from_secs(window),
                (_, _, None) => UNDATED,
            };
            self.captured_at.saturating_add(span)
        })
    }

    /// Share left, 0 to 1, as far as it is known.
    #[must_use]
    pub fn share_left(&self) -> Option<f64> {
        match (self.remaining, self.limit) {
            (Some(0), _) => Some(0.0),
            #[expect(clippy::cast_precision_loss, reason = "a share needs no more than 52 bits")]
            (Some(remaining), Some(limit)) if limit > 0 => Some(remaining as f64 / limit as f64),
            _ => self.utilization.map(|used| 1.0 - used),
        }
    }

    /// Is the allowance used up?
    #[must_use]
    pub fn is_used_up(&self) -> bool {
        self.remaining == Some(0) || self.utilization.is_some_and(|used| used >= 1.0)
    }

    /// The one of these limits that binds: the one nearest to empty; without shares, that with the
    /// smallest number left.
    pub fn binding<'a>(limits: impl Iterator<Item = &'a Self>) -> Option<&'a Self> {
        limits.filter(|limit| limit.remaining.is_some() || limit.utilization.is_some()).min_by(|a, b| {
            match (a.share_left(), b.share_left()) {
                (Some(a), Some(b)) => a.total_cmp(&b),
                _ => a.remaining.unwrap_or(u64::MAX).cmp(&b.remaining.unwrap_or(u64::MAX)),
            }
        })
    }

    /// Smallest count of requests left.
    #[must_use]
    pub fn requests_left(limits: &[Self]) -> Option<u64> {
        let counting = limits.iter().filter(|limit| limit.quantity == Quantity::Requests);
        counting.filter_map(|limit| limit.remaining).min()
    }

    /// Smallest count of tokens left.
    #[must_use]
    pub fn tokens_left(limits: &[Self]) -> Option<u64> {
        let counting = limits.iter().filter(|limit| limit.quantity.is_tokens());
        counting.filter_map(|limit| limit.remaining).min()
    }

    /// Are these two accounts of the same limit?
    ///
    /// Windows are told apart by their length. Where one account does not know it, the allowance
    /// decides, since a full bucket lets nothing be inferred.
    fn same_series(&self, other: &Self) -> bool {
        self.quantity == other.quantity
            && self.scope == other.scope
            && match (self.window_s, other.window_s) {
                (Some(a), Some(b)) => a == b,
                _ => self.limit == other.limit || self.limit.is_none() || other.limit.is_none(),
            }
    }
}

/// A limit as it is kept: with what decides between two accounts of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Held {
    /// The limit.
    pub limit: Limit,
    /// When the call that told it was sent: the later one knows better.
    pub sent_at: Time,
    /// Where the same response stated when to come back: what is left is unknown from then on, since a
    /// reset tells when the allowance is full again, not when a request can pass.
    pub refusal_ends_at: Option<Time>,
}

impl Held {
    /// A limit from a response, or from a signal that another process stored.
    #[must_use]
    pub const fn new(limit: Limit, sent_at: Time) -> Self {
        Self { limit, sent_at, refusal_ends_at: None }
    }

    /// Until when the caller is refused by this limit; `None` when it is not used up at `now`.
    #[must_use]
    pub fn refuses_until(&self, now: Time) -> Option<Time> {
        if !self.limit.is_used_up() {
            return None;
        }
        Some(self.refusal_ends_at.unwrap_or_else(|| self.limit.expires_at())).filter(|end| *end > now)
    }

    /// What can be said of it at `now`; `None` when it is past its reset.
    #[must_use]
    pub fn at(&self, now: Time) -> Option<Limit> {
        if self.limit.expires_at() <= now {
            return None;
        }
        let mut limit = self.limit.clone();
        if limit.is_used_up() && self.refuses_until(now).is_none() {
            limit.remaining = None;
            limit.utilization = None;
        }
        Some(limit)
    }

    /// Does this account replace `held`?
    ///
    /// The call that was sent later knows better. Of calls sent at the same time the one that saw the
    /// higher use wins. An unchanged repeat is not news.
    fn replaces(&self, held: &Self) -> bool {
        let same_figures = |a: &Limit, b: &Limit| {
            (a.limit, a.remaining, a.utilization, a.resets_at)
                == (b.limit, b.remaining, b.utilization, b.resets_at)
        };
        if same_figures(&self.limit, &held.limit) && self.refusal_ends_at <= held.refusal_ends_at {
            return false;
        }
        match self.sent_at.cmp(&held.sent_at) {
            core::cmp::Ordering::Greater => true,
            core::cmp::Ordering::Less => false,
            core::cmp::Ordering::Equal => used_more(&self.limit, &held.limit),
        }
    }
}

fn used_more(a: &Limit, b: &Limit) -> bool {
    match (a.share_left(), b.share_left()) {
        (Some(a), Some(b)) => a < b,
        _ => match (a.remaining, b.remaining) {
            (Some(a), Some(b)) => a < b,
            (a, b) => a.is_some() > b.is_some() || a.is_some() == b.is_some(),
        },
    }
}

/// Merges one account of a limit into those that are held.
///
/// A response that leaves a figure out does not make it unknown: what it lacks is taken over while it
/// belongs to the same window.
pub fn merge(held: &mut Vec<Held>, mut new: Held) {
    match held.iter_mut().find(|held| held.limit.same_series(&new.limit)) {
        Some(old) => {
            new.limit.window_s = new.limit.window_s.or(old.limit.window_s);
            if new.replaces(old) {
                new.limit.limit = new.limit.limit.or(old.limit.limit);
                *old = new;
            } else {
                old.limit.window_s = new.limit.window_s;
            }
        }
        None => {
            if held.len() >= MOST
                && let Some(oldest) =
                    held.iter().enumerate().min_by_key(|(_, held)| held.limit.captured_at).map(|(i, _)| i)
            {
                held.swap_remove(oldest);
            }
            held.push(new);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn second(second: i64) -> Time {
        Time::new(second, 0).unwrap()
    }

    fn held(sent: i64, remaining: u64, window_s: Option<u64>) -> Held {
        let limit = Limit {
            quantity: Quantity::Requests,
            scope: Scope::default(),
            window_s,
            limit: Some(100),
            remaining: Some(remaining),
            utilization: None,
            resets_at: Some(second(1000)),
            captured_at: second(sent + 1),
        };
        Held::new(limit, second(sent))
    }

    fn remaining(all: &[Held]) -> Vec<Option<u64>> {
        all.iter().map(|held| held.limit.remaining).collect()
    }

    #[test]
    fn the_higher_use_wins_over_a_lower_one_sent_earlier_or_at_the_same_time() {
        let mut all = Vec::new();
        merge(&mut all, held(10, 5, Some(60)));
        merge(&mut all, held(9, 8, Some(60)));
        merge(&mut all, held(10, 8, Some(60)));
        assert_eq!(remaining(&all), [Some(5)]);
        merge(&mut all, held(10, 4, Some(60)));
        assert_eq!(remaining(&all), [Some(4)]);
        merge(&mut all, held(11, 90, Some(60)));
        assert_eq!(remaining(&all), [Some(90)]);
    }

    #[test]
    fn an_unchanged_repeat_does_not_make_old_evidence_younger() {
        let mut all = Vec::new();
        merge(&mut all, held(10, 5, Some(60)));
        merge(&mut all, held(20, 5, Some(60)));
        assert_eq!(all[0].limit.captured_at, second(11));
    }

    #[test]
    fn windows_of_another_length_do_not_overwrite() {
        let mut all = Vec::new();
        merge(&mut all, held(10, 5, Some(60)));
        merge(&mut all, held(11, 90, Some(86_400)));
        assert_eq!(remaining(&all), [Some(5), Some(90)]);
    }

    #[test]
    fn a_window_once_inferred_stays_known() {
        let mut all = Vec::new();
        merge(&mut all, held(10, 99, Some(60)));
        merge(&mut all, held(11, 100, None));
        assert_eq!((all.len(), all[0].limit.window_s, all[0].limit.remaining), (1, Some(60), Some(100)));
    }

    #[test]
    fn a_limit_past_its_reset_is_in_no_output() {
        let limit = held(10, 0, Some(60));
        assert_eq!(limit.refuses_until(second(999)), Some(second(1000)));
        assert_eq!(limit.refuses_until(second(1000)), None);
        assert_eq!(limit.at(second(1000)), None);
    }

    #[test]
    fn after_an_explicit_hint_the_rest_of_a_used_up_limit_is_unknown() {
        let mut limit = held(10, 0, Some(60));
        limit.refusal_ends_at = Some(second(15));
        assert_eq!(limit.refuses_until(second(14)), Some(second(15)));
        assert_eq!(limit.at(second(14)).unwrap().remaining, Some(0));
        assert_eq!(limit.at(second(15)).unwrap().remaining, None);
    }
}
