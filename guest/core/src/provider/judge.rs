//! What follows from all that is known of a provider at a given time.

use core::time::Duration;

use super::Provider;
use crate::limit::{Held, Limit, Quantity};
use crate::refusal::{Cooldown, RefusalClass};
use crate::signal::{Latency, Reason, Signal, Status};
use crate::time::Time;

/// How long a quota harness' finding is used.
const QUOTA_TTL: Duration = Duration::from_secs(15 * 60);

/// A success so long before a time-out shows that the provider is up.
const SHORTLY: Duration = Duration::from_secs(60);

/// What refuses at a given time, and until when.
struct Refusal {
    until: Time,
    reason: Reason,
}

impl Provider {
    /// The signal as of `now`.
    #[must_use]
    pub fn judge(&self, now: Time) -> Signal {
        let mut signal = Signal::unknown(self.name.clone(), now);
        (signal.recent_p50_latency_ns, signal.latency) = self.latencies();
        signal.last_success_at = self.last_success_at;
        signal.last_error_at = self.last_error_at;
        signal.last_error_msg.clone_from(&self.last_error_msg);
        signal.refusal = self.last_refusal.map(|(_, class)| class);
        let quota_ok_at = self.quota_ok_at_by(now);
        // What the harness found later than a refusal knows better.
        let counts = |refused_at: Time| Some(refused_at) > quota_ok_at;
        let in_force = || self.cooldowns.iter().map(|held| &held.cooldown).filter(|held| held.in_force(now));
        signal.cooldowns = in_force().cloned().collect();
        signal.limits = self.limits.iter().filter_map(|held| held.at(now)).collect();
        signal.cooldown_until = cooldown_until(in_force().filter(|held| counts(held.refused_at)));

        let cooldowns = in_force().filter(|held| held.class.exhausts_provider() && counts(held.refused_at));
        let cooldowns =
            cooldowns.map(|held| Refusal { until: held.until, reason: Reason::of_refusal(held.class) });
        let limits =
            self.limits.iter().filter(|held| !held.spares_provider && counts(held.limit.captured_at));
        let limits = limits.filter_map(|held| {
            let until = held.refuses_until(now)?;
            Some(Refusal { until, reason: Reason::of_window(held.limit.window_s) })
        });
        if let Some(refusal) =
            limits.chain(cooldowns).max_by_key(|refusal| (refusal.until, refusal.reason as u8))
        {
            signal.status = Status::Exhausted;
            signal.quota_remaining = Some(0);
            signal.quota_reset_at = Some(refusal.until);
            signal.reason = Some(refusal.reason);
            return signal;
        }
        (signal.quota_remaining, signal.quota_reset_at) = left(&signal.limits);
        let failed = self.failed.as_ref().filter(|(at, _)| Some(*at) > self.last_success_at);
        let short_of_capacity = in_force().any(|held| !held.class.exhausts_scope());
        (signal.status, signal.reason) = match failed {
            // Other calls came through at that time: it is busy, not down.
            Some((at, Reason::Timeout)) if self.succeeded_shortly_before(*at) => {
                (Status::Degraded, Some(Reason::Busy))
            }
            Some((_, reason)) => (Status::Degraded, Some(*reason)),
            None if short_of_capacity => (Status::Degraded, Some(Reason::Busy)),
            None if self.known || quota_ok_at.is_some() => (Status::Available, None),
            None => (Status::Unknown, None),
        };
        signal
    }

    fn succeeded_shortly_before(&self, failed_at: Time) -> bool {
        self.last_success_at.is_some_and(|success_at| success_at.saturating_add(SHORTLY) >= failed_at)
    }

    /// When the quota harness found that requests can be sent, if that is still used.
    fn quota_ok_at_by(&self, now: Time) -> Option<Time> {
        self.quota_ok_at.filter(|ok_at| ok_at.saturating_add(QUOTA_TTL) > now)
    }

    /// Is there evidence of whether requests can be sent?
    pub(crate) fn is_known_at(&self, now: Time) -> bool {
        self.known || self.quota_ok_at_by(now).is_some()
    }

    /// The limits in force that the quota harness has not disproved.
    pub(crate) fn limits_that_count(&self, now: Time) -> impl Iterator<Item = &Held> {
        let quota_ok_at = self.quota_ok_at_by(now);
        self.limits.iter().filter(move |held| {
            held.limit.expires_at() > now
                && (!held.limit.is_used_up() || Some(held.limit.captured_at) > quota_ok_at)
        })
    }

    /// The refusals in force that the quota harness has not disproved.
    pub(crate) fn cooldowns_that_count(&self, now: Time) -> impl Iterator<Item = &Cooldown> {
        let quota_ok_at = self.quota_ok_at_by(now);
        let cooldowns = self.cooldowns.iter().map(|held| &held.cooldown);
        cooldowns.filter(move |held| held.in_force(now) && Some(held.refused_at) > quota_ok_at)
    }

    /// The median in nanoseconds and the other percentiles: own ones, or those that another process stored.
    fn latencies(&self) -> (u64, Option<Latency>) {
        if self.latency.count() == 0 {
            return self.adopted_latency;
        }
        let latency = Latency {
            count: u32::try_from(self.latency.count()).unwrap_or(u32::MAX),
            p90_ns: self.latency.percentile(90),
            p99_ns: self.latency.percentile(99),
            ttfb_p50_ns: (self.ttfb.count() > 0).then(|| self.ttfb.p50()),
        };
        (self.latency.p50(), Some(latency))
    }
}

/// What is left where nothing refuses: requests if known, else tokens, with the reset of the limit that binds.
#[must_use]
pub fn left(limits: &[Limit]) -> (Option<u64>, Option<Time>) {
    // What is used up all the same binds one model only, or is outdated.
    let usable = || limits.iter().filter(|limit| !limit.is_used_up());
    let least = |counts: fn(Quantity) -> bool| {
        usable().filter(|limit| counts(limit.quantity)).filter_map(|limit| limit.remaining).min()
    };
    let remaining = least(|quantity| quantity == Quantity::Requests).or_else(|| least(Quantity::is_tokens));
    (remaining, Limit::binding(usable()).and_then(|limit| limit.resets_at))
}

/// Until when a refusal of the provider, or its own shortage, is in force.
fn cooldown_until<'a>(cooldowns: impl Iterator<Item = &'a Cooldown>) -> Option<Time> {
    let provider_wide = cooldowns.filter(|held| held.class != RefusalClass::ModelScoped);
    provider_wide.map(|held| held.until).max()
}
