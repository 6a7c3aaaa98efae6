//! How long until a request of some size can pass.

use core::time::Duration;

use crate::limit::{Effect, Held, Limit, Quantity, Refill, Scope};
use crate::provider::Provider;
use crate::refusal::RefusalClass;
use crate::time::Time;

/// What is to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Need {
    /// Requests.
    pub requests: u64,
    /// Tokens, sent and generated; 0 where it is not known.
    pub tokens: u64,
}

/// When a request can pass.
#[derive(Clone, Debug, PartialEq)]
pub enum Wait {
    /// Now, as far as is known.
    Go,
    /// Not before that time.
    Until(Time, Binding),
    /// Never: it is larger than the whole allowance of a window.
    TooLarge(Limit),
    /// There is no evidence.
    Unknown,
}

/// What binds.
#[derive(Clone, Debug, PartialEq)]
pub enum Binding {
    /// A limit.
    Limit(Limit),
    /// A refusal.
    Refusal(RefusalClass),
}

impl Provider {
    /// When a request of this size can pass in this scope, from all limits and refusals that apply to it.
    ///
    /// Where an allowance refills continuously, what is there by now is counted in; else what is short comes with
    /// the reset. Evidence that has expired is not looked at.
    #[must_use]
    pub fn wait_for(&self, scope: &Scope, need: Need, now: Time) -> Wait {
        if !self.is_known_at(now) {
            return Wait::Unknown;
        }
        let mut latest: Option<(Time, Binding)> = None;
        let mut offer = |until: Time, binding: &dyn Fn() -> Binding| {
            if until > now && latest.as_ref().is_none_or(|(held, _)| until > *held) {
                latest = Some((until, binding()));
            }
        };
        for held in self.limits_that_count(now).filter(|held| applies(&held.limit.scope, scope)) {
            let limit = &held.limit;
            if limit.effect != Effect::Refuses && limit.scope.model().is_none() {
                // A limit of some other kind of request.
                continue;
            }
            let wanted = match limit.quantity {
                Quantity::Requests => need.requests,
                Quantity::Tokens | Quantity::InputTokens => need.tokens,
                // How much will be generated is not known.
                Quantity::OutputTokens | Quantity::Other => u64::from(need.tokens > 0 || need.requests > 0),
            };
            if wanted == 0 {
                continue;
            }
            if limit.limit.is_some_and(|all| all < wanted && all > 0) {
                return Wait::TooLarge(limit.clone());
            }
            if let Some(until) = held.passes_at(wanted, now) {
                offer(until, &|| Binding::Limit(limit.clone()));
            }
        }
        for cooldown in self.cooldowns_that_count(now).filter(|held| applies(&held.scope, scope)) {
            offer(cooldown.until, &|| Binding::Refusal(cooldown.class));
        }
        latest.map_or(Wait::Go, |(until, binding)| Wait::Until(until, binding))
    }
}

/// Does what was said of one scope apply to calls of another? What is not known may be anything.
fn applies(of: &Scope, to: &Scope) -> bool {
    let fits = |of: Option<&str>, to: Option<&str>| of.is_none() || to.is_none() || of == to;
    fits(of.account(), to.account()) && fits(of.model(), to.model())
}

impl Held {
    /// When so much is there; `None` where it is there by now, or where that is not known.
    fn passes_at(&self, wanted: u64, now: Time) -> Option<Time> {
        let limit = &self.limit;
        let stated = self.refusal_ends_at.filter(|_| limit.is_used_up());
        if stated.is_some_and(|end| end <= now) {
            return None;
        }
        let left = limit.remaining.or_else(|| left_of_share(limit))?;
        if left >= wanted {
            return None;
        }
        let ends_at = limit.expires_at();
        let rate = (limit.refill == Refill::Continuous).then(|| limit.limit.zip(limit.window_s)).flatten();
        let Some((all, window_s)) = rate.filter(|(all, window_s)| *all > 0 && *window_s > 0) else {
            // The response itself may have said when to come back.
            return stated.or(Some(ends_at));
        };
        #[expect(clippy::cast_precision_loss, reason = "a wait needs no more than 52 bits")]
        let missing = (wanted - left) as f64 / all as f64 * window_s as f64;
        let refilled_at = limit.captured_at.saturating_add(Duration::try_from_secs_f64(missing).ok()?);
        // What it said was for a request of that size; this one may be larger.
        Some(refilled_at.min(ends_at)).max(stated)
    }
}

/// What is left by the share that is used; of an allowance that is not known, only that nothing is left.
fn left_of_share(limit: &Limit) -> Option<u64> {
    let used = limit.utilization?;
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a wait needs no more than 52 bits, and a share is within 0 to 1"
    )]
    let left = |all: u64| (all as f64 * (1.0 - used) + 1e-6) as u64;
    limit.limit.map(left).or((used >= 1.0).then_some(0))
}

#[cfg(test)]
mod tests;
