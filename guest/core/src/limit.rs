//! Limits: one limited quantity over one window in one scope.

pub use runtime_signals_profile::{Effect, Quantity, Refill};

use crate::refusal::Cooldown;
pub use crate::scope::{Name, Scope};
use crate::time::Time;

mod figures;
mod held;
#[cfg(test)]
mod tests;

pub use figures::Figures;
pub use held::{Account, Held, MOST, merge};

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

    /// What changes of it from one response to the next.
    #[must_use]
    #[inline]
    pub const fn figures(&self) -> Figures {
        Figures {
            limit: self.limit,
            remaining: self.remaining,
            utilization: self.utilization,
            resets_at: self.resets_at,
            captured_at: self.captured_at,
        }
    }

    /// When this account of the limit stops to say anything.
    #[must_use]
    #[inline]
    pub fn expires_at(&self) -> Time {
        self.figures().expires_by(self.window_s)
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
        self.figures().share_left()
    }

    /// Is the allowance used up?
    #[must_use]
    #[inline]
    pub fn is_used_up(&self) -> bool {
        self.figures().is_used_up()
    }

    /// Does it say how much is left or used?
    #[must_use]
    pub const fn has_figures(&self) -> bool {
        self.figures().tell_use()
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
        self.is_of(other.quantity, scope, other.pool.as_str(), other.window_s, other.limit)
    }

    #[inline(always)]
    fn is_of(
        &self,
        quantity: Quantity,
        scope: &Scope,
        pool: &str,
        window_s: Option<u64>,
        limit: Option<u64>,
    ) -> bool {
        self.quantity == quantity
            && self.scope == *scope
            && self.pool.is(pool)
            && match (self.window_s, window_s) {
                (Some(a), Some(b)) => a == b,
                _ => self.limit == limit || self.limit.is_none() || limit.is_none(),
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
}
