//! What follows from all that is known of a provider at a given time.

use alloc::vec::Vec;
use core::time::Duration;

use runtime_signals_profile::carry::save_length;

use super::Provider;
use crate::limit::{Held, Limit, Quantity};
use crate::refusal::{Cooldown, RefusalClass};
use crate::signal::{Latency, Reason, Signal, Status};
use crate::state::State;
use crate::time::Time;

/// How long a quota harness' finding is used.
const QUOTA_TTL: Duration = Duration::from_secs(15 * 60);

/// A success so long before a time-out shows that the provider is up.
const SHORTLY: Duration = Duration::from_secs(60);

/// A signal in its packed form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judged {
    /// The packed signal.
    pub signal: Vec<u8>,
    /// If nothing is heard until then, nothing of it changes but the time at which it was judged. It holds for no time
    /// before that.
    pub good_until: Time,
}

/// What refuses at a given time, and until when.
struct Refusal {
    until: Time,
    reason: Reason,
}

/// What follows at a given time, but for what is merely told.
struct Verdict {
    status: Status,
    reason: Option<Reason>,
    quota_remaining: Option<u64>,
    quota_reset_at: Option<Time>,
    cooldown_until: Option<Time>,
}

impl Provider {
    /// The signal as of `now`.
    #[must_use]
    pub fn judge(&self, now: Time) -> Signal {
        let Verdict { status, reason, quota_remaining, quota_reset_at, cooldown_until } = self.verdict(now);
        let (recent_p50_latency_ns, latency) = self.latencies();
        Signal {
            provider: self.name.clone(),
            status,
            quota_remaining,
            quota_reset_at,
            recent_p50_latency_ns,
            last_success_at: self.last_success_at,
            last_error_at: self.last_error_at,
            last_error_msg: self.last_error_msg.clone(),
            recorded_at: now,
            reason,
            cooldown_until,
            limits: self.limits.iter().filter_map(|held| held.at(now)).collect(),
            latency,
            refusal: self.last_refusal.map(|(_, class)| class),
            cooldowns: self.cooldowns_in_force(now).cloned().collect(),
        }
    }

    /// The packed form of the signal as of `now`: what [`judge`](Self::judge) tells, without a copy of it.
    #[must_use]
    pub fn judge_packed(&self, now: Time) -> Judged {
        let verdict = self.verdict(now);
        let (p50_ns, latency) = self.latencies();
        let room = 192 + self.name.len() + self.last_error_msg.len() + 112 * self.limits.len();
        let mut to = Vec::with_capacity(room);
        self.name.save(&mut to);
        verdict.status.save(&mut to);
        verdict.quota_remaining.save(&mut to);
        verdict.quota_reset_at.save(&mut to);
        p50_ns.save(&mut to);
        self.last_success_at.save(&mut to);
        self.last_error_at.save(&mut to);
        self.last_error_msg.save(&mut to);
        now.save(&mut to);
        verdict.reason.save(&mut to);
        verdict.cooldown_until.save(&mut to);
        let limits = || self.limits.iter().filter(|held| held.limit.expires_at() > now);
        save_length(limits().count(), &mut to);
        limits().for_each(|held| held.save_at(now, &mut to));
        latency.save(&mut to);
        self.last_refusal.map(|(_, class)| class).save(&mut to);
        save_length(self.cooldowns_in_force(now).count(), &mut to);
        self.cooldowns_in_force(now).for_each(|cooldown| cooldown.save(&mut to));
        Judged { signal: to, good_until: self.next_change(now) }
    }

    /// When the verdict changes next, after `now`, if nothing else is heard.
    fn next_change(&self, now: Time) -> Time {
        let limits = self.limits.iter().filter_map(|held| held.next_change(now));
        let cooldowns = self.cooldowns_in_force(now).map(|held| held.until);
        let quota = self.quota_ok_at_by(now).map(|ok_at| ok_at.saturating_add(QUOTA_TTL));
        limits.chain(cooldowns).chain(quota).min().unwrap_or(Time::MAX)
    }

    fn verdict(&self, now: Time) -> Verdict {
        let quota_ok_at = self.quota_ok_at_by(now);
        // What the harness found later than a refusal knows better.
        let counts = |refused_at: Time| Some(refused_at) > quota_ok_at;
        let cooldown_until =
            cooldown_until(self.cooldowns_in_force(now).filter(|held| counts(held.refused_at)));

        let cooldowns = self
            .cooldowns_in_force(now)
            .filter(|held| held.class.exhausts_provider() && counts(held.refused_at))
            .map(|held| Refusal { until: held.until, reason: Reason::of_refusal(held.class) });
        let limits = self.limits.iter().filter_map(|held| {
            let until = held.refuses_until(now)?;
            let refuses = !held.spares_provider && counts(held.limit.captured_at);
            refuses.then(|| Refusal { until, reason: Reason::of_window(held.limit.window_s) })
        });
        if let Some(refusal) =
            limits.chain(cooldowns).max_by_key(|refusal| (refusal.until, refusal.reason as u8))
        {
            return Verdict {
                status: Status::Exhausted,
                reason: Some(refusal.reason),
                quota_remaining: Some(0),
                quota_reset_at: Some(refusal.until),
                cooldown_until,
            };
        }
        let limits = self.limits.iter().map(|held| &held.limit);
        let (quota_remaining, quota_reset_at) = left(limits.filter(|limit| limit.expires_at() > now));
        let failed = self.failed.as_ref().filter(|(at, _)| Some(*at) > self.last_success_at);
        let mut cooldowns = self.cooldowns_in_force(now);
        let (status, reason) = match failed {
            // Other calls came through at that time: it is busy, not down.
            Some((at, Reason::Timeout)) if self.succeeded_shortly_before(*at) => {
                (Status::Degraded, Some(Reason::Busy))
            }
            Some((_, reason)) => (Status::Degraded, Some(*reason)),
            // Short of capacity.
            None if cooldowns.any(|held| !held.class.exhausts_scope()) => {
                (Status::Degraded, Some(Reason::Busy))
            }
            None if self.known || quota_ok_at.is_some() => (Status::Available, None),
            None => (Status::Unknown, None),
        };
        Verdict { status, reason, quota_remaining, quota_reset_at, cooldown_until }
    }

    fn cooldowns_in_force(&self, now: Time) -> impl Iterator<Item = &Cooldown> {
        self.cooldowns.iter().map(|held| &held.cooldown).filter(move |held| held.in_force(now))
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
        self.cooldowns_in_force(now).filter(move |held| Some(held.refused_at) > quota_ok_at)
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
pub fn left<'a>(limits: impl Iterator<Item = &'a Limit>) -> (Option<u64>, Option<Time>) {
    let (mut requests, mut tokens) = (None, None);
    // What is used up all the same binds one model only, or is outdated.
    let usable = limits.filter(|limit| !limit.is_used_up()).inspect(|limit| {
        let least = match limit.quantity {
            Quantity::Requests => &mut requests,
            quantity if quantity.is_tokens() => &mut tokens,
            _ => return,
        };
        *least = match (*least, limit.remaining) {
            (Some(least), Some(remaining)) => Some(remaining.min(least)),
            (least, remaining) => least.or(remaining),
        };
    });
    let resets_at = Limit::binding(usable).and_then(|limit| limit.resets_at);
    (requests.or(tokens), resets_at)
}

/// Until when a refusal of the provider, or its own shortage, is in force.
fn cooldown_until<'a>(cooldowns: impl Iterator<Item = &'a Cooldown>) -> Option<Time> {
    let provider_wide = cooldowns.filter(|held| held.class != RefusalClass::ModelScoped);
    provider_wide.map(|held| held.until).max()
}
