//! Limits: one limited quantity over one window in one scope.

use core::time::Duration;

pub use runtime_signals_profile::{Effect, Quantity, Refill};

use crate::refusal::{Cooldown, MONEY_COOLDOWN, QUOTA_COOLDOWN, QUOTA_WINDOW_S, RATE_COOLDOWN};
pub use crate::scope::{Name, Scope};
use crate::time::Time;

mod held;
#[cfg(test)]
mod tests;

pub use held::{Account, Held, MOST, merge};

/// How long a count without a reset and without a window says anything: the runtime time-to-live.
const UNDATED: Duration = Duration::from_secs(300);

/// One limited quantity over one window in one scope.
#[derive(Clone, Debug, PartialEq)]
pub struct Limit {
    /// What it counts.
    pub quantity: Quantity,
    /// To whom it applies.
    pub scope: Scope,
    /// Which of several allowances of one quantity it is; the empty name is the main one.
    pub pool: Name,
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
    /// How it fills again.
    pub refill: Refill,
    /// Whom it refuses when it is used up.
    pub effect: Effect,
}

impl Limit {
    /// A limit of which nothing is known yet.
    #[must_use]
    pub const fn new(quantity: Quantity, captured_at: Time) -> Self {
        Self {
            quantity,
            scope: Scope::EVERYONE,
            pool: Name::EMPTY,
            window_s: None,
            limit: None,
            remaining: None,
            utilization: None,
            resets_at: None,
            captured_at,
            refill: Refill::WindowEdge,
            effect: Effect::Refuses,
        }
    }

    /// Keeps figures of foreign origin within the ranges that every reader of the JSON takes.
    #[must_use]
    pub fn bounded(mut self) -> Self {
        let signed = |count: Option<u64>| count.map(|count| count.min(i64::MAX.unsigned_abs()));
        self.pool = self.pool.bounded();
        (self.window_s, self.limit, self.remaining) =
            (signed(self.window_s), signed(self.limit), signed(self.remaining));
        self.utilization = self.utilization.filter(|used| !used.is_nan()).map(|used| used.clamp(0.0, 1.0));
        self
    }

    /// When this account of the limit stops to say anything.
    #[must_use]
    #[inline]
    pub fn expires_at(&self) -> Time {
        self.expires_by(self.window_s)
    }

    /// The same where the length of its window, in seconds, is known from elsewhere.
    #[inline]
    fn expires_by(&self, window_s: Option<u64>) -> Time {
        self.resets_at.unwrap_or_else(|| self.unstated_end(window_s))
    }

    fn unstated_end(&self, window_s: Option<u64>) -> Time {
        let window = window_s.map(Duration::from_secs);
        let span = match self.limit {
            // An allowance of nothing does not refill: what it takes is another plan.
            Some(0) if self.is_used_up() => MONEY_COOLDOWN,
            _ if !self.is_used_up() => window.unwrap_or(UNDATED),
            _ if window_s >= Some(QUOTA_WINDOW_S) => QUOTA_COOLDOWN,
            _ => window.map_or(RATE_COOLDOWN, |window| window.min(RATE_COOLDOWN)),
        };
        self.captured_at.saturating_add(span)
    }

    /// Is it one that was used up when this refusal was received, so that the refusal says when it can be
    /// used again?
    #[must_use]
    pub fn came_with(&self, refusal: &Cooldown) -> bool {
        self.is_used_up()
            && self.captured_at == refusal.refused_at
            && self.scope.account() == refusal.scope.account()
            && refusal.class.exhausts_scope()
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
    #[inline]
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
        Self::left(limits, |quantity| quantity == Quantity::Requests)
    }

    /// Smallest count of tokens left.
    #[must_use]
    pub fn tokens_left(limits: &[Self]) -> Option<u64> {
        Self::left(limits, Quantity::is_tokens)
    }

    /// Smallest count left. Allowances that refuse only some requests, or none, count where there is no other.
    fn left(limits: &[Self], counts: fn(Quantity) -> bool) -> Option<u64> {
        let least = |main: bool| {
            let counting = limits.iter().filter(|limit| counts(limit.quantity));
            let counting = counting.filter(|limit| !main || limit.effect == Effect::Refuses);
            counting.filter_map(|limit| limit.remaining).min()
        };
        least(true).or_else(|| least(false))
    }

    /// Are these two accounts of the same limit, where the other one applies to `scope`?
    ///
    /// Windows are told apart by their length. Where one account does not know it, the allowance
    /// decides, since a full bucket lets nothing be inferred.
    #[must_use]
    #[inline]
    pub fn same_series(&self, other: &Self, scope: &Scope) -> bool {
        self.quantity == other.quantity
            && self.scope == *scope
            && self.pool == other.pool
            && match (self.window_s, other.window_s) {
                (Some(a), Some(b)) => a == b,
                _ => self.limit == other.limit || self.limit.is_none() || other.limit.is_none(),
            }
    }

    /// Takes over what another account of one response tells of this limit and this one does not.
    pub fn fill(&mut self, other: &Self) {
        self.window_s = self.window_s.or(other.window_s);
        self.limit = self.limit.or(other.limit);
        self.remaining = self.remaining.or(other.remaining);
        self.utilization = self.utilization.or(other.utilization);
        self.resets_at = self.resets_at.or(other.resets_at);
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
