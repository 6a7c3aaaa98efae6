//! Limits: one limited quantity over one window in one scope, and how two accounts of one are merged.

use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use crate::refusal::{
    Cooldown, MONEY_COOLDOWN, QUOTA_COOLDOWN, QUOTA_WINDOW_S, RATE_COOLDOWN, RefusalClass,
};
use crate::text;
use crate::time::Time;

/// How long a count without a reset and without a window says anything: the runtime time-to-live.
const UNDATED: Duration = Duration::from_secs(300);
/// Most limits kept for one provider, over all scopes.
pub const MOST: usize = 128;

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

impl Scope {
    /// Keeps foreign names within bounds; an empty one is none.
    #[must_use]
    pub fn bounded(self) -> Self {
        let name = |name: Option<String>| {
            let mut name = name.filter(|name| !name.is_empty())?;
            text::cut(&mut name, text::NAME_BYTES);
            Some(name)
        };
        Self { account: name(self.account), model: name(self.model) }
    }
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
    /// A limit of which nothing is known yet.
    #[must_use]
    pub const fn new(quantity: Quantity, captured_at: Time) -> Self {
        Self {
            quantity,
            scope: Scope { account: None, model: None },
            window_s: None,
            limit: None,
            remaining: None,
            utilization: None,
            resets_at: None,
            captured_at,
        }
    }

    /// Keeps figures of foreign origin within their ranges.
    #[must_use]
    pub fn bounded(mut self) -> Self {
        self.scope = self.scope.bounded();
        self.utilization = self.utilization.filter(|used| !used.is_nan()).map(|used| used.clamp(0.0, 1.0));
        self
    }

    /// When this account of the limit stops to say anything.
    #[must_use]
    pub fn expires_at(&self) -> Time {
        self.resets_at.unwrap_or_else(|| {
            let window = self.window_s.map(Duration::from_secs);
            let span = match self.limit {
                // An allowance of nothing does not refill: what it takes is another plan.
                Some(0) if self.is_used_up() => MONEY_COOLDOWN,
                _ if !self.is_used_up() => window.unwrap_or(UNDATED),
                _ if self.window_s >= Some(QUOTA_WINDOW_S) => QUOTA_COOLDOWN,
                _ => window.map_or(RATE_COOLDOWN, |window| window.min(RATE_COOLDOWN)),
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

    /// Does it say how much is left or used?
    #[must_use]
    pub const fn has_figures(&self) -> bool {
        self.remaining.is_some() || self.utilization.is_some()
    }

    /// The one of these limits that binds: the one nearest to empty; where no share is known, that with the
    /// smallest number left.
    pub fn binding<'a>(limits: impl Iterator<Item = &'a Self>) -> Option<&'a Self> {
        limits.filter(|limit| limit.has_figures()).min_by(|a, b| match (a.share_left(), b.share_left()) {
            (Some(a), Some(b)) => a.total_cmp(&b),
            (None, None) => a.remaining.cmp(&b.remaining),
            (a, b) => b.is_some().cmp(&a.is_some()),
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
    #[must_use]
    pub fn same_series(&self, other: &Self) -> bool {
        self.quantity == other.quantity
            && self.scope == other.scope
            && match (self.window_s, other.window_s) {
                (Some(a), Some(b)) => a == b,
                _ => self.limit == other.limit || self.limit.is_none() || other.limit.is_none(),
            }
    }

    /// Are these two of one response: captured at the same time, with the same reset?
    fn same_evidence(&self, other: &Self) -> bool {
        self.captured_at == other.captured_at && self.resets_at == other.resets_at
    }

    fn same_figures(&self, other: &Self) -> bool {
        (self.limit, self.remaining, self.utilization, self.resets_at)
            == (other.limit, other.remaining, other.utilization, other.resets_at)
    }

    /// Does it tell of a higher use than `other`? Of the same use the one that lasts longer counts.
    fn used_more(&self, other: &Self) -> bool {
        let by_use = match (self.share_left(), other.share_left()) {
            (Some(a), Some(b)) => b.total_cmp(&a),
            _ => match (self.remaining, other.remaining) {
                (Some(a), Some(b)) => b.cmp(&a),
                (a, b) => a.is_some().cmp(&b.is_some()),
            },
        };
        by_use.then(self.resets_at.cmp(&other.resets_at)).is_gt()
    }
}

/// A limit as it is kept: with what decides between two accounts of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Held {
    /// The limit.
    pub limit: Limit,
    /// When the call that told it was sent: the later one knows better.
    pub sent_at: Time,
    /// When it was last told, which is later than captured where it was repeated unchanged.
    pub seen_at: Time,
    /// When it stops to refuse before its reset: the same response stated when to come back, or a call has
    /// succeeded since. What is left is unknown from then on, since a reset tells when the allowance is full
    /// again, not when a request can pass.
    pub refusal_ends_at: Option<Time>,
    /// Used up for its own scope only: others behind the same provider are not refused by it.
    pub spares_provider: bool,
    /// Have other processes been told of it? If they have, and leave it out, they know that it is over.
    pub shared: bool,
}

impl Held {
    /// A limit from a response.
    #[must_use]
    pub const fn new(limit: Limit, sent_at: Time) -> Self {
        let seen_at = limit.captured_at;
        Self { limit, sent_at, seen_at, refusal_ends_at: None, spares_provider: false, shared: false }
    }

    /// A limit from a signal that another process stored, with the refusals that stood beside it: one that
    /// came with the limit says when it stops to refuse.
    ///
    /// Nothing is believed to be younger than `not_after`: a wrong clock's evidence would never be replaced.
    #[must_use]
    pub fn stored(limit: &Limit, beside: &[Cooldown], not_after: Time) -> Self {
        let mut held = Self::new(limit.clone().bounded(), limit.captured_at);
        if limit.is_used_up() {
            let came_with = |cooldown: &&Cooldown| {
                cooldown.refused_at == limit.captured_at && cooldown.scope.account == limit.scope.account
            };
            held.refusal_ends_at = beside.iter().find(came_with).map(|cooldown| cooldown.until);
            held.spares_provider = beside.iter().any(|cooldown| {
                cooldown.class == RefusalClass::ModelScoped
                    && cooldown.scope == limit.scope
                    && cooldown.refused_at >= limit.captured_at
            });
        }
        held.limit.captured_at = limit.captured_at.min(not_after);
        held.sent_at = held.limit.captured_at;
        held.seen_at = held.limit.captured_at;
        held.shared = true;
        held
    }

    /// Until when the caller is refused by this limit; `None` when it is not used up at `now`.
    #[must_use]
    pub fn refuses_until(&self, now: Time) -> Option<Time> {
        if !self.limit.is_used_up() {
            return None;
        }
        let reset = self.limit.expires_at();
        Some(self.refusal_ends_at.map_or(reset, |end| end.min(reset))).filter(|end| *end > now)
    }

    /// A call that was sent at `sent_at` has succeeded: what was used up before is not any more.
    pub fn succeed(&mut self, sent_at: Time) {
        if self.limit.is_used_up() && self.seen_at < sent_at {
            self.refusal_ends_at = Some(self.refusal_ends_at.map_or(sent_at, |end| end.min(sent_at)));
        }
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

    /// Takes in another account of the same limit.
    ///
    /// The call that was sent later knows better. Of calls sent at the same time the one that saw the
    /// higher use wins. An unchanged repeat is not news, and a response that leaves a figure out does not
    /// make it unknown.
    fn merge(&mut self, mut new: Self) {
        let (held_limit, new_limit) = (&mut self.limit, &mut new.limit);
        new_limit.window_s = new_limit.window_s.or(held_limit.window_s);
        held_limit.window_s = new_limit.window_s;
        let same_evidence = held_limit.same_evidence(new_limit);
        if held_limit.has_figures() && !new_limit.has_figures() && held_limit.expires_at() > new_limit.captured_at {
            held_limit.limit = held_limit.limit.or(new_limit.limit);
            if same_evidence {
                // Another process has seen a call succeed, or the limit's refusal end.
                self.refusal_ends_at = Some(new_limit.captured_at);
            }
            return;
        }
        if same_evidence && (!held_limit.has_figures() || held_limit.same_figures(new_limit)) {
            return;
        }
        let is_repeat = held_limit.same_figures(new_limit)
            && held_limit.resets_at.is_some()
            && (self.refusal_ends_at, new.refusal_ends_at) == (None, None);
        if is_repeat {
            if new.seen_at > self.seen_at {
                self.spares_provider = new.spares_provider;
            }
            held_limit.captured_at = held_limit.captured_at.min(new_limit.captured_at);
            self.sent_at = self.sent_at.max(new.sent_at);
            self.seen_at = self.seen_at.max(new.seen_at);
        } else if new.sent_at > self.sent_at
            || new.sent_at == self.sent_at && new_limit.used_more(held_limit)
        {
            new_limit.limit = new_limit.limit.or(held_limit.limit);
            *self = new;
        }
    }
}

/// Merges one account of a limit into those that are held.
pub fn merge(held: &mut Vec<Held>, new: Held) {
    if let Some(old) = held.iter_mut().find(|held| held.limit.same_series(&new.limit)) {
        old.merge(new);
        return;
    }
    let first_to_end = held.iter().enumerate().min_by_key(|(_, held)| held.limit.expires_at());
    if let Some((index, _)) = first_to_end.filter(|_| held.len() >= MOST) {
        held.swap_remove(index);
    }
    held.push(new);
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
