//! The short way through nearly all responses.
//!
//! It assumes that the call went well, and that each header tells a figure of a limit of which something is left, or
//! the provider's clock. Where anything else turns up the response is not plain, and is read the long way; what
//! both make of a plain one is the same.

use super::facts::Clock;
use super::parts::inferred_window;
use crate::edge;
use crate::limit::{Account, Effect, Figures, Scope};
use crate::number::{self, Precision};
use crate::packed::{ERROR, FIRST_HEADER, Observation};
use crate::profile::{LimitRule, NameMatch, Profile, What};
use crate::time::{Recent, Time};

/// The figures of one limit, as they were told. Which of them were, stands beside those of all limits.
#[derive(Clone, Copy, Debug)]
struct Told {
    limit: u64,
    remaining: u64,
    reset: Time,
    precision: Precision,
}

const NOTHING: Told =
    Told { limit: 0, remaining: 0, reset: Time::UNIX_EPOCH, precision: Precision::PointInTime };

/// Most limits of a profile.
const MOST_RULES: usize = 32;

/// What a plain response says. Its memory is used again for the next one.
#[derive(Debug)]
pub struct Plain {
    /// By rule of the profile.
    told: [Told; MOST_RULES],
    /// Which of the rules have what is left, their limit, their reset; and which resets are by the provider's clock: a
    /// bit each.
    remaining: u32,
    limit: u32,
    reset: u32,
    exact: u32,
    /// The provider's clock.
    date: Option<Time>,
    recent: Recent,
}

impl Default for Plain {
    fn default() -> Self {
        let told = [NOTHING; MOST_RULES];
        Self { told, remaining: 0, limit: 0, reset: 0, exact: 0, date: None, recent: Recent::default() }
    }
}

impl Plain {
    /// Reads a response; `None` where it is not plain.
    #[inline]
    pub fn read(&mut self, profile: &Profile, response: &Observation<'_>) -> Option<()> {
        if !response.body.is_empty() || !matches!(response.status, 200..=299 | 0) {
            return None;
        }
        (self.remaining, self.limit, self.reset, self.exact) = (0, 0, 0, 0);
        let mut date = None;
        for (id, value) in response.frames.texts() {
            let Some(header) = profile.headers.get(usize::from(id).wrapping_sub(FIRST_HEADER.into())) else {
                if id == ERROR {
                    return None;
                }
                continue;
            };
            if header.kind != NameMatch::Exact {
                return None;
            }
            let rule = header.meaning.limit;
            let told = self.told.get_mut(usize::from(rule))?;
            let all = match header.meaning.what {
                What::Remaining => {
                    told.remaining = number::count_in(value).filter(|left| *left > 0)?;
                    &mut self.remaining
                }
                What::Limit => {
                    told.limit = number::allowance_in(value)?;
                    &mut self.limit
                }
                What::Reset => {
                    (told.reset, told.precision) =
                        number::reset_after(value, response.received_at, &mut self.recent)?;
                    self.exact |= u32::from(told.precision == Precision::PointInTime) << rule;
                    &mut self.reset
                }
                What::Date => {
                    date = date.or(Some(value.alone()));
                    continue;
                }
                _ => return None,
            };
            // Of several headers that tell the same, ranks decide.
            let bit = 1 << rule;
            if *all & bit != 0 {
                return None;
            }
            *all |= bit;
        }
        // A limit of which only the size is told may be another one's; and what nobody tells may be declared.
        let is_whole = (self.limit | self.reset) & !self.remaining == 0;
        let is_told = self.remaining != 0 || profile.limits.iter().all(|rule| rule.declared.is_none());
        // It matters for resets that are by it.
        self.date =
            date.filter(|_| self.exact != 0).and_then(|date| self.recent.http_date(date.trim_ascii()));
        (is_whole && is_told).then_some(())
    }

    /// By how much the provider's clock differs from ours, as far as that matters.
    #[inline]
    pub(crate) fn clock(&self, response: &Observation<'_>) -> Clock {
        self.date.map_or(Clock::RIGHT, |date| Clock::of(date, response))
    }

    /// The rules of which a limit was told, by their place in the profile and in its order.
    #[inline]
    pub(crate) fn places(&self) -> impl Iterator<Item = usize> + use<> {
        let mut rest = self.remaining;
        core::iter::from_fn(move || {
            let place = rest.trailing_zeros();
            rest &= rest.wrapping_sub(1);
            (place < u32::BITS).then_some(place as usize)
        })
    }

    /// The limit of a rule that was told at `now`; `None` where the rule makes none of it.
    #[inline(always)]
    pub(crate) fn limit<'p>(
        &self,
        profile: &'p Profile,
        place: usize,
        clock: &Clock,
        now: Time,
    ) -> Option<PlainLimit<'p>> {
        let (rule, told) = (profile.limits.get(place)?, self.told.get(place)?);
        if rule.window_s == Some(0) {
            return None;
        }
        let bit = 1 << (place & 31);
        let signed = |count: u64| count.min(i64::MAX.unsigned_abs());
        let limit = (self.limit & bit != 0).then_some(told.limit);
        // A reset that has passed says nothing.
        let reset = Some(told.reset).filter(|reset| self.reset & bit != 0 && *reset > now);
        let inferred = || inferred_window(rule, limit?, told.remaining, reset?, told.precision, now);
        let window_s = rule.window_s.map(u64::from).or_else(inferred);
        let mut resets_at = reset;
        if resets_at.is_none() && limit != Some(0) {
            resets_at = edge::next(rule.edge, now);
        }
        if self.exact & bit != 0 && !clock.is_right() {
            resets_at = resets_at.map(|reset| clock.by_ours(reset)).filter(|reset| *reset > now);
        }
        Some(PlainLimit {
            rule,
            window_s,
            limit: limit.map(signed),
            remaining: signed(told.remaining),
            resets_at,
        })
    }
}

/// A limit as a plain response tells it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PlainLimit<'a> {
    pub(crate) rule: &'a LimitRule,
    pub(crate) window_s: Option<u64>,
    pub(crate) limit: Option<u64>,
    pub(crate) remaining: u64,
    pub(crate) resets_at: Option<Time>,
}

impl<'a> PlainLimit<'a> {
    /// The same for those who take any limit.
    pub(crate) fn account(self, scope: &'a Scope, sent_at: Time, now: Time) -> Account<'a> {
        let Self { rule, window_s, limit, remaining, resets_at } = self;
        Account {
            quantity: rule.quantity,
            scope,
            pool: &rule.pool,
            window_s,
            figures: Figures {
                limit,
                remaining: Some(remaining),
                utilization: None,
                resets_at,
                captured_at: now,
            },
            refill: rule.refill,
            effect: rule.effect,
            sent_at,
            seen_at: now,
            refusal_ends_at: None,
            spares_provider: rule.effect != Effect::Refuses,
            shared: false,
        }
    }
}

#[cfg(test)]
mod tests;
