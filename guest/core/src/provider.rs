//! The state of one provider: what was observed, and what follows from it at a given time.
//!
//! Observations may arrive out of order and from several processes; each is judged at its own time.
//! Nothing here depends on when a call was *processed*.

use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use crate::evidence::{Evidence, ProbeFailure, ProbeOutcome, QuotaState, QuotaStatus};
use crate::latency::LatencyWindow;
use crate::limit::{self, Held, Limit, Quantity, Scope};
use crate::packed::{ACCOUNT, ERROR, MODEL, Observation};
use crate::reading::{Reading, failure};
use crate::refusal::{Cooldown, QUOTA_COOLDOWN, RefusalClass, add_cooldown};
use crate::signal::{Latency, Reason, Signal, Status};
use crate::state::carry_fields;
use crate::text;
use crate::time::Time;

/// How long a quota harness' finding is used.
const QUOTA_TTL: Duration = Duration::from_secs(15 * 60);
/// How long a count without a limit of its own, from another program's signal, says anything.
const FOREIGN_TTL: Duration = Duration::from_secs(300);
/// Scopes whose successes are remembered.
const MOST_SCOPES: usize = 64;

/// The state of one provider.
#[derive(Clone, Debug)]
pub struct Provider {
    name: String,
    latency: LatencyWindow,
    ttfb: LatencyWindow,
    /// The median that another process stored, used while nothing was measured here.
    adopted_p50_ns: u64,
    /// Has anything been learnt about this provider?
    known: bool,
    last_success_at: Option<Time>,
    last_error_at: Option<Time>,
    last_error_msg: String,
    /// The last failure, with or without a message, which lasts until a later success.
    failed: Option<(Time, Reason)>,
    last_refusal: Option<RefusalClass>,
    cooldowns: Vec<Cooldown>,
    limits: Vec<Held>,
    /// By scope, when the last success was sent: it ends what was refused before.
    successes: Vec<(Scope, Time)>,
    quota: Option<Quota>,
    /// A count that another program stored without saying what it counts.
    foreign_count: Option<ForeignCount>,
}

/// What the quota harness found, as far as it decides.
#[derive(Clone, Copy, Debug)]
struct Quota {
    captured_at: Time,
    /// Until when it is blocked; `None` when requests can be sent.
    blocked_until: Option<Time>,
}

#[derive(Clone, Copy, Debug)]
struct ForeignCount {
    remaining: u64,
    resets_at: Option<Time>,
    recorded_at: Time,
}

carry_fields!(Provider {
    name, latency, ttfb, adopted_p50_ns, known, last_success_at, last_error_at, last_error_msg, failed,
    last_refusal, cooldowns, limits, successes, quota, foreign_count,
});
carry_fields!(Quota { captured_at, blocked_until });
carry_fields!(ForeignCount { remaining, resets_at, recorded_at });

/// What refuses at a given time, and until when.
struct Refusal {
    until: Time,
    reason: Reason,
}

impl Provider {
    /// A provider of which nothing is known.
    #[must_use]
    pub fn new(name: String, latency_window: usize) -> Self {
        Self {
            name,
            latency: LatencyWindow::new(latency_window),
            ttfb: LatencyWindow::new(latency_window),
            adopted_p50_ns: 0,
            known: false,
            last_success_at: None,
            last_error_at: None,
            last_error_msg: String::new(),
            failed: None,
            last_refusal: None,
            cooldowns: Vec::new(),
            limits: Vec::new(),
            successes: Vec::new(),
            quota: None,
            foreign_count: None,
        }
    }

    /// The provider's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Has anything been learnt about it?
    #[must_use]
    pub const fn is_known(&self) -> bool {
        self.known
    }

    /// Records a finished call and what its response says about limits.
    pub fn record(&mut self, observation: &Observation<'_>, reading: Reading) {
        let name = |id| {
            let value = observation.frames.get(id).filter(|value| !value.is_empty())?;
            Some(text::bounded(value, text::NAME_BYTES))
        };
        let scope = Scope { account: name(ACCOUNT), model: name(MODEL) };
        let error = observation.frames.get(ERROR);
        if error.is_none() {
            self.latency.record(observation.latency_ns);
            observation.ttfb_ns.into_iter().for_each(|ttfb| self.ttfb.record(ttfb));
        }
        if let Some(message) = error {
            self.fail(observation.received_at, reason_of(message), text::bounded(message, text::MESSAGE_BYTES));
        } else if is_failure(observation.status, &reading) {
            let reason = failure(observation.status).unwrap_or(Reason::Error);
            self.fail(observation.received_at, reason, status_message(observation.status));
        } else if is_success(observation.status, &reading) {
            self.succeed(&scope, observation.sent_at, observation.received_at);
        }
        self.learn_limits(&scope, observation, &reading);
        self.learn_refusal(scope, observation.received_at, &reading);
    }

    fn succeed(&mut self, scope: &Scope, sent_at: Time, received_at: Time) {
        self.known = true;
        self.last_success_at = self.last_success_at.max(Some(received_at));
        // A call that was already in flight says nothing about a refusal that came meanwhile.
        self.cooldowns.retain(|held| held.scope != *scope || held.refused_at >= sent_at);
        self.limits.retain(|held| {
            held.limit.scope != *scope || !held.limit.is_used_up() || held.limit.captured_at >= sent_at
        });
        match self.successes.iter_mut().find(|(other, _)| other == scope) {
            Some((_, latest)) => *latest = sent_at.max(*latest),
            None => {
                if self.successes.len() >= MOST_SCOPES {
                    self.successes.remove(0);
                }
                self.successes.push((scope.clone(), sent_at));
            }
        }
    }

    fn fail(&mut self, at: Time, reason: Reason, message: String) {
        self.known = true;
        if self.failed.as_ref().is_none_or(|(latest, _)| *latest <= at) {
            self.failed = Some((at, reason));
        }
        if self.last_error_at <= Some(at) {
            self.last_error_at = Some(at);
            self.last_error_msg = message;
        }
    }

    fn learn_limits(&mut self, scope: &Scope, observation: &Observation<'_>, reading: &Reading) {
        let hinted_end = stated_end(observation.received_at, reading);
        for limit in &reading.limits {
            self.known = true;
            let mut limit = limit.clone();
            if limit.scope == Scope::default() {
                limit.scope = scope.clone();
            }
            let mut held = Held::new(limit, observation.sent_at);
            held.refusal_ends_at = hinted_end.filter(|_| held.limit.is_used_up());
            self.hold(held);
        }
    }

    /// Keeps a limit unless a success that was sent later has disproved it.
    fn hold(&mut self, held: Held) {
        let disproved = held.limit.is_used_up()
            && self.succeeded_after(&held.limit.scope, held.limit.captured_at);
        if !disproved {
            limit::merge(&mut self.limits, held);
        }
    }

    fn learn_refusal(&mut self, scope: Scope, received_at: Time, reading: &Reading) {
        let Some(class) = reading.refusal.clone() else { return };
        self.last_refusal = Some(class.clone());
        if class == RefusalClass::Oversize {
            return;
        }
        self.known = true;
        let used_up = reading.limits.iter().any(Limit::is_used_up);
        let until = stated_end(received_at, reading)
            .or_else(|| reading.reset_at.filter(|_| used_up))
            .unwrap_or_else(|| received_at.saturating_add(class.default_duration()));
        self.cool_down(Cooldown { scope, class, refused_at: received_at, until });
    }

    fn cool_down(&mut self, cooldown: Cooldown) {
        if !self.succeeded_after(&cooldown.scope, cooldown.refused_at) {
            add_cooldown(&mut self.cooldowns, cooldown);
        }
    }

    fn succeeded_after(&self, scope: &Scope, time: Time) -> bool {
        self.successes.iter().any(|(other, sent_at)| other == scope && *sent_at > time)
    }

    /// Takes in what the host found out for this collect.
    pub fn learn(&mut self, evidence: &Evidence, now: Time) {
        match evidence {
            Evidence::None | Evidence::Probe(ProbeOutcome::Unusable) => {}
            Evidence::Probe(ProbeOutcome::Alive) => self.succeed(&Scope::default(), now, now),
            Evidence::Probe(ProbeOutcome::Failed { kind, message }) => {
                let reason = match kind {
                    ProbeFailure::Unreachable => Reason::Unreachable,
                    ProbeFailure::Timeout => Reason::Timeout,
                    ProbeFailure::Refused => Reason::Error,
                };
                self.fail(now, reason, text::bounded(message.as_bytes(), text::MESSAGE_BYTES));
            }
            Evidence::Quota(status) => self.learn_quota(status),
        }
    }

    fn learn_quota(&mut self, status: &QuotaStatus) {
        self.quota = None;
        let (Some(captured_at), QuotaState::Ok | QuotaState::Blocked) = (status.captured_at, status.state)
        else {
            return;
        };
        // The binding window comes first; later ones may block a model only.
        let blocking = status.windows.iter().find(|window| window.state == QuotaState::Blocked);
        let blocked_until = (status.state == QuotaState::Blocked).then(|| {
            let reset = blocking.and_then(|window| window.resets_at);
            reset.unwrap_or_else(|| captured_at.saturating_add(QUOTA_COOLDOWN))
        });
        self.quota = Some(Quota { captured_at, blocked_until });
        let account = status.account.as_ref();
        let account = account.map(|account| text::bounded(account.as_bytes(), text::NAME_BYTES));
        for window in &status.windows {
            let used = window.used_percent.filter(|used| used.is_finite()).map(|used| used.clamp(0.0, 100.0));
            let limit = Limit {
                quantity: Quantity::Other,
                scope: Scope { account: account.clone(), model: None },
                window_s: window.window_minutes.and_then(|minutes| minutes.checked_mul(60)),
                limit: None,
                remaining: (window.state == QuotaState::Blocked).then_some(0),
                utilization: used.map(|used| used / 100.0),
                resets_at: window.resets_at,
                captured_at,
            };
            self.hold(Held::new(limit, captured_at));
        }
    }

    /// Takes in the evidence of a signal that was stored by another process, or by an earlier one.
    pub fn adopt(&mut self, stored: &Signal) {
        if stored.status == Status::Unknown {
            return;
        }
        self.known = true;
        self.adopt_outcomes(stored);
        for limit in &stored.limits {
            let governing = stored.cooldowns.iter().find(|cooldown| {
                cooldown.scope == limit.scope && cooldown.refused_at == limit.captured_at
            });
            let mut held = Held::new(limit.clone(), limit.captured_at);
            held.refusal_ends_at = governing.map(|cooldown| cooldown.until).filter(|_| limit.is_used_up());
            self.hold(held);
        }
        for cooldown in &stored.cooldowns {
            self.cool_down(cooldown.clone());
        }
        self.adopt_unexplained(stored);
        self.last_refusal = self.last_refusal.take().or_else(|| stored.refusal.clone());
        self.adopted_p50_ns = stored.recent_p50_latency_ns;
    }

    fn adopt_outcomes(&mut self, stored: &Signal) {
        self.last_success_at = self.last_success_at.max(stored.last_success_at);
        if stored.last_error_at > self.last_error_at {
            self.last_error_at = stored.last_error_at;
            self.last_error_msg.clone_from(&stored.last_error_msg);
        }
        if stored.status == Status::Degraded && !stored.cooldowns.iter().any(|held| !held.class.exhausts_scope())
        {
            let at = stored.last_error_at.unwrap_or(stored.recorded_at);
            let reason = stored.reason.clone().unwrap_or(Reason::Error);
            if self.failed.as_ref().is_none_or(|(latest, _)| *latest < at) {
                self.failed = Some((at, reason));
            }
        }
    }

    /// Takes in what a writer without the extra keys says in the plain ones only.
    fn adopt_unexplained(&mut self, stored: &Signal) {
        let explained = !stored.limits.is_empty() || !stored.cooldowns.is_empty();
        match (stored.status, stored.quota_reset_at, stored.quota_remaining) {
            _ if explained => {}
            (Status::Exhausted, reset_at, _) => {
                let class = match stored.reason {
                    Some(Reason::QuotaExhausted) => RefusalClass::Quota,
                    Some(Reason::NoCredit) => RefusalClass::Money,
                    _ => RefusalClass::Rate,
                };
                let refused_at = stored.recorded_at;
                let until =
                    reset_at.unwrap_or_else(|| refused_at.saturating_add(class.default_duration()));
                self.cool_down(Cooldown { scope: Scope::default(), class, refused_at, until });
            }
            (_, resets_at, Some(remaining)) => {
                self.foreign_count =
                    Some(ForeignCount { remaining, resets_at, recorded_at: stored.recorded_at });
            }
            (_, _, None) => {}
        }
    }

    /// Forgets refusals and limits: those of one model, or all.
    pub fn clear(&mut self, model: Option<&str>) {
        let stays = |scope: &Scope| model.is_some() && scope.model.as_deref() != model;
        self.cooldowns.retain(|held| stays(&held.scope));
        self.limits.retain(|held| stays(&held.limit.scope));
        if model.is_none() {
            self.quota = None;
            self.foreign_count = None;
            self.failed = None;
        }
    }

    /// The signal as of `now`.
    #[must_use]
    pub fn judge(&self, now: Time) -> Signal {
        let mut signal = Signal::unknown(self.name.clone(), now);
        signal.recent_p50_latency_ns =
            if self.latency.count() == 0 { self.adopted_p50_ns } else { self.latency.p50() };
        signal.latency = self.latency_percentiles();
        signal.last_success_at = self.last_success_at;
        signal.last_error_at = self.last_error_at;
        signal.last_error_msg.clone_from(&self.last_error_msg);
        signal.refusal.clone_from(&self.last_refusal);
        signal.limits = self.limits.iter().filter_map(|held| held.at(now)).collect();
        signal.cooldowns = self.cooldowns.iter().filter(|held| held.in_force(now)).cloned().collect();
        signal.cooldown_until = cooldown_until(&signal.cooldowns);
        let quota = self.quota.filter(|quota| quota.captured_at.saturating_add(QUOTA_TTL) > now);
        if let Some(refusal) = self.refusal(quota, now) {
            signal.status = Status::Exhausted;
            signal.quota_remaining = Some(0);
            signal.quota_reset_at = Some(refusal.until);
            signal.reason = Some(refusal.reason);
            return signal;
        }
        if let Some((remaining, resets_at)) = self.count(&signal.limits, now) {
            signal.quota_remaining = Some(remaining);
            signal.quota_reset_at = resets_at;
        }
        let failed = self.failed.as_ref().filter(|(at, _)| Some(*at) > self.last_success_at);
        let capacity = signal.cooldowns.iter().any(|held| !held.class.exhausts_scope());
        (signal.status, signal.reason) = match failed {
            Some((_, reason)) => (Status::Degraded, Some(reason.clone())),
            None if capacity => (Status::Degraded, Some(Reason::Busy)),
            None if self.known || quota.is_some() => (Status::Available, None),
            None => (Status::Unknown, None),
        };
        signal
    }

    fn latency_percentiles(&self) -> Option<Latency> {
        let count = u32::try_from(self.latency.count()).unwrap_or(u32::MAX);
        (count > 0).then(|| Latency {
            count,
            p90_ns: self.latency.percentile(90),
            p99_ns: self.latency.percentile(99),
            ttfb_p50_ns: (self.ttfb.count() > 0).then(|| self.ttfb.p50()),
        })
    }

    /// What refuses the caller at `now`: of several, that which lasts longest.
    fn refusal(&self, quota: Option<Quota>, now: Time) -> Option<Refusal> {
        // What the harness found later than a refusal knows better.
        let allowed_at = quota.filter(|quota| quota.blocked_until.is_none()).map(|quota| quota.captured_at);
        let current = |at: Time| allowed_at.is_none_or(|allowed_at| at > allowed_at);
        let cooldowns = self.cooldowns.iter().filter(|held| {
            held.in_force(now) && held.class.exhausts_provider() && current(held.refused_at)
        });
        let cooldowns = cooldowns
            .map(|held| Refusal { until: held.until, reason: Reason::of_refusal(&held.class) });
        let limits = self.limits.iter().filter(|held| current(held.limit.captured_at));
        let limits = limits.filter_map(|held| {
            let until = held.refuses_until(now)?;
            Some(Refusal { until, reason: Reason::of_window(held.limit.window_s) })
        });
        let quota = quota.and_then(|quota| quota.blocked_until).filter(|until| *until > now);
        let quota = quota.map(|until| Refusal { until, reason: Reason::QuotaExhausted });
        limits.chain(cooldowns).chain(quota).max_by_key(|refusal| refusal.until)
    }

    /// Requests left if known, else tokens left, with the reset of the limit that binds.
    fn count(&self, limits: &[Limit], now: Time) -> Option<(u64, Option<Time>)> {
        let smallest = Limit::requests_left(limits).or_else(|| Limit::tokens_left(limits));
        match smallest {
            Some(remaining) => {
                let binding = Limit::binding(limits.iter());
                Some((remaining, binding.and_then(|limit| limit.resets_at)))
            }
            None => {
                let foreign = self.foreign_count?;
                let ends = foreign
                    .resets_at
                    .unwrap_or_else(|| foreign.recorded_at.saturating_add(FOREIGN_TTL));
                (ends > now).then_some((foreign.remaining, foreign.resets_at))
            }
        }
    }
}

/// Until when a refusal of the provider, or its own shortage, is in force.
#[must_use]
pub fn cooldown_until(cooldowns: &[Cooldown]) -> Option<Time> {
    let provider_wide = cooldowns.iter().filter(|held| held.class != RefusalClass::ModelScoped);
    provider_wide.map(|held| held.until).max()
}

/// The end that a response states itself.
fn stated_end(received_at: Time, reading: &Reading) -> Option<Time> {
    let wait = reading.retry_after_ms.filter(|wait| *wait > 0 && reading.refusal.is_some())?;
    received_at.checked_add(Duration::from_millis(wait))
}

/// Did the provider fail the call? Other refusals of 4xx are the caller's own.
fn is_failure(status: u16, reading: &Reading) -> bool {
    match status {
        401 | 408 | 500..=599 => true,
        403 => !reading.exhausted,
        _ => false,
    }
}

/// Did the call succeed? A status that was not told counts as success unless the headers refuse.
fn is_success(status: u16, reading: &Reading) -> bool {
    matches!(status, 200..=299) || status == 0 && reading.refusal.is_none()
}

fn status_message(status: u16) -> String {
    alloc::format!("HTTP {status}")
}

/// Why a call without a response failed, by the words that HTTP clients use for it.
fn reason_of(message: &[u8]) -> Reason {
    const TIMEOUT: [&str; 3] = ["timed out", "timeout", "deadline"];
    const UNREACHABLE: [&str; 6] =
        ["connect", "refused", "reset", "unreachable", "dns", "resolve"];
    let message = text::bounded(message, text::MESSAGE_BYTES).to_ascii_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| message.contains(word));
    if says(&TIMEOUT) {
        Reason::Timeout
    } else if says(&UNREACHABLE) {
        Reason::Unreachable
    } else {
        Reason::Error
    }
}
