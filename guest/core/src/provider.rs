//! The state of one provider: what was observed, and what follows from it at a given time.
//!
//! Observations may arrive out of order and from several processes; each is judged at its own time.
//! Nothing here depends on when a call was *processed*.

use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use crate::edge;
use crate::latency::LatencyWindow;
use crate::limit::{self, Account, Held, Limit, Name, Quantity, Scope};
use crate::packed::{Counts, Observation, Reserved};
use crate::profile::Profile;
use crate::reading::{Clock, Declared, Plain, Reading, failure};
use crate::refusal::{Cooldown, HeldCooldown, RefusalClass, add_cooldown, default_duration};
use crate::signal::{Latency, Reason};
use crate::state::carry_fields;
use crate::text;
use crate::time::Time;

mod adopt;
mod clock;
mod judge;
mod learn;
#[cfg(test)]
mod tests;

pub use judge::{Judged, left};

/// Scopes whose successes are remembered.
const MOST_SCOPES: usize = 64;

/// The state of one provider.
#[derive(Clone, Debug)]
pub struct Provider {
    name: String,
    latency: LatencyWindow,
    ttfb: LatencyWindow,
    /// What another process stored of its latencies, used while nothing was measured here.
    adopted_latency: (u64, Option<Latency>),
    /// Has anything been learnt about this provider?
    known: bool,
    last_success_at: Option<Time>,
    last_error_at: Option<Time>,
    last_error_msg: String,
    /// The last failure, which lasts until a later success.
    failed: Option<(Time, Reason)>,
    /// The class of the last refusal, and when it was received.
    last_refusal: Option<(Time, RefusalClass)>,
    cooldowns: Vec<HeldCooldown>,
    limits: Vec<Held>,
    /// By scope, when the last success was sent: it ends what was refused before.
    successes: Vec<(Scope, Time)>,
    /// When the quota harness found that requests can be sent.
    quota_ok_at: Option<Time>,
    /// When memory and disk last agreed.
    shared_at: Option<Time>,
    /// When the signal was recorded that was offered last.
    offered_at: Option<Time>,
}

carry_fields!(Provider {
    name,
    latency,
    ttfb,
    adopted_latency,
    known,
    last_success_at,
    last_error_at,
    last_error_msg,
    failed,
    last_refusal,
    cooldowns,
    limits,
    successes,
    quota_ok_at,
    shared_at,
    offered_at,
});

impl Provider {
    /// A provider of which nothing is known.
    #[must_use]
    pub fn new(name: String, latency_window: usize) -> Self {
        Self {
            name,
            latency: LatencyWindow::new(latency_window),
            ttfb: LatencyWindow::new(latency_window),
            adopted_latency: (0, None),
            known: false,
            last_success_at: None,
            last_error_at: None,
            last_error_msg: String::new(),
            failed: None,
            last_refusal: None,
            cooldowns: Vec::new(),
            limits: Vec::new(),
            successes: Vec::new(),
            quota_ok_at: None,
            shared_at: None,
            offered_at: None,
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
    pub fn record(&mut self, observation: &Observation<'_>, reading: &Reading) {
        let Reserved { error, account, model } = observation.frames.reserved();
        let scope = self.scope_of(account, model);
        let received_at = observation.received_at;
        // By a clock that was set back, a call may seem to be sent after it was answered.
        let sent_at = observation.sent_at.min(received_at);
        let status = reading.inner_status.unwrap_or(observation.status);
        let class = reading.class();
        if error.is_none() && !self.take_latency(observation) {
            return;
        }
        if let Some(message) = error {
            let message = text::bounded(message, text::MESSAGE_BYTES);
            self.fail(received_at, reason_of(&message), message);
        } else if is_failure(status, reading) {
            let loading = reading.reason.filter(|reason| *reason == Reason::Loading);
            let reason = loading.or_else(|| failure(status)).unwrap_or(Reason::Error);
            self.fail(received_at, reason, status_message(status));
        } else if is_success(status, class.is_some(), reading.inner_status.is_some()) {
            self.succeed(&scope, sent_at, received_at);
        }
        if class.is_none() && reading.limits.is_empty() && reading.declared.is_empty() {
            return;
        }
        let stated_end = reading.stated_end(received_at);
        let refusal = class.map(|class| {
            let until = stated_end.unwrap_or_else(|| unstated_end(class, &reading.limits, received_at));
            let scope = match class {
                RefusalClass::ModelScoped if scope.model().is_none() && !reading.model.is_empty() => {
                    Scope::new(scope.account(), Some(reading.model.as_str()))
                }
                _ => scope.clone(),
            };
            Cooldown { scope, class, refused_at: received_at, until }
        });
        if error.is_none() {
            for declared in &reading.declared {
                self.count(&scope, declared, sent_at, received_at, refusal.as_ref());
            }
        }
        self.learn_limits(&scope, sent_at, &reading.limits, refusal.as_ref());
        if let Some(refusal) = refusal {
            self.learn_refusal(refusal);
        }
    }

    /// Records a finished call that was answered by a plain response, and what that says about limits.
    #[inline]
    pub fn record_plain(&mut self, observation: &Observation<'_>, profile: &Profile, plain: &Plain) {
        if !self.take_latency(observation) {
            return;
        }
        let Reserved { account, model, .. } = observation.frames.reserved();
        let scope = self.scope_of(account, model);
        let now = observation.received_at;
        let sent_at = observation.sent_at.min(now);
        self.succeed(&scope, sent_at, now);
        let clock = plain.clock(observation);
        for place in plain.places() {
            let Some(told) = plain.limit(profile, place, &clock, now) else { continue };
            let mut limits = self.limits.iter_mut();
            let is_merged = limits.find_map(|held| {
                held.is_told_by(told, &scope).then(|| held.retell(told, &scope, sent_at, now))
            });
            if is_merged != Some(true) {
                self.merge_plain(plain, profile, place, &clock, &scope, [sent_at, now]);
            }
        }
    }

    /// Merges a limit that a plain response tells, whatever is held of it.
    #[inline(never)]
    fn merge_plain(
        &mut self,
        plain: &Plain,
        profile: &Profile,
        place: usize,
        clock: &Clock,
        scope: &Scope,
        [sent_at, now]: [Time; 2],
    ) {
        if let Some(told) = plain.limit(profile, place, clock, now) {
            limit::merge(&mut self.limits, told.account(scope, sent_at, now));
        }
    }

    /// Takes the latencies of a call that was answered; `false` where nothing else of it counts.
    #[inline]
    fn take_latency(&mut self, observation: &Observation<'_>) -> bool {
        if observation.counts != Counts::AllButLatency {
            self.latency.record(observation.latency_ns);
        }
        let counts = observation.counts != Counts::LatencyOnly;
        if let Some(ttfb_ns) = observation.ttfb_ns.filter(|_| counts) {
            self.ttfb.record(ttfb_ns);
        }
        counts
    }

    /// The scope of a call: the one that is known already, so that most are told equal at a glance.
    fn scope_of(&self, account: Option<&[u8]>, model: Option<&[u8]>) -> Scope {
        let [account, model] = [account, model].map(|name| name.filter(|name| !name.is_empty()));
        if account.is_none() && model.is_none() {
            return Scope::EVERYONE;
        }
        let is_it = |scope: &Scope| {
            scope.account().map(str::as_bytes) == account && scope.model().map(str::as_bytes) == model
        };
        let known = self.successes.iter().map(|(scope, _)| scope).find(|scope| is_it(scope));
        known.cloned().unwrap_or_else(|| {
            let text = |name: Option<&[u8]>| name.map(|name| text::bounded(name, text::NAME_BYTES));
            Scope::new(text(account).as_deref(), text(model).as_deref())
        })
    }

    fn succeed(&mut self, scope: &Scope, sent_at: Time, received_at: Time) {
        self.known = true;
        self.last_success_at = self.last_success_at.max(Some(received_at));
        self.end_refusals(scope, sent_at);
    }

    /// A call that was sent then has succeeded: what was refused before in this scope is over. A call that
    /// was already in flight says nothing about a refusal that came meanwhile.
    fn end_refusals(&mut self, scope: &Scope, sent_at: Time) {
        self.cooldowns.retain(|held| held.cooldown.scope != *scope || held.cooldown.refused_at >= sent_at);
        let used_up = self.limits.iter_mut().filter(|held| held.limit.is_used_up());
        used_up.filter(|held| held.limit.scope == *scope).for_each(|held| held.succeed(sent_at));
        self.note_success(scope, sent_at);
    }

    /// What is learnt from now on about refusals before this success is outdated.
    pub(crate) fn note_success(&mut self, scope: &Scope, sent_at: Time) {
        if let Some((_, latest)) = self.successes.iter_mut().find(|(other, _)| other == scope) {
            *latest = sent_at.max(*latest);
            return;
        }
        let first = self.successes.iter().enumerate().min_by_key(|(_, (_, sent_at))| *sent_at);
        if let Some((index, _)) = first.filter(|_| self.successes.len() >= MOST_SCOPES) {
            self.successes.swap_remove(index);
        }
        self.successes.push((scope.clone(), sent_at));
    }

    /// When the last success of this scope was sent, if after `time`.
    fn succeeded_after(&self, scope: &Scope, time: Time) -> Option<Time> {
        let success = self.successes.iter().find(|(other, _)| other == scope);
        success.map(|(_, sent_at)| *sent_at).filter(|sent_at| *sent_at > time)
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

    /// Takes in the limits of a response, which may be a refusal.
    fn learn_limits(&mut self, scope: &Scope, sent_at: Time, limits: &[Limit], refusal: Option<&Cooldown>) {
        for limit in limits.iter().take(limit::MOST) {
            let mut account = Account::new(limit, sent_at);
            let of_account;
            if limit.scope == Scope::EVERYONE {
                account.scope = scope;
            } else if limit.scope.account().is_none() && scope.account().is_some() {
                of_account = Scope::new(scope.account(), limit.scope.model());
                account.scope = &of_account;
            }
            if let Some(refusal) = refusal.filter(|_| limit.is_used_up()) {
                if !refusal.class.exhausts_scope() {
                    // The provider's own shortage, or that of this one request.
                    continue;
                }
                account.refusal_ends_at = Some(refusal.until);
                account.spares_provider |= refusal.class == RefusalClass::ModelScoped;
            }
            self.known = true;
            self.hold(account);
        }
    }

    /// Counts a call against an allowance that the provider does not tell. A refusal shows that nothing is left.
    fn count(
        &mut self,
        scope: &Scope,
        declared: &Declared,
        sent_at: Time,
        received_at: Time,
        refusal: Option<&Cooldown>,
    ) {
        let refusal = refusal.filter(|refusal| refusal.class.exhausts_scope());
        let window_s = Some(u64::from(declared.window_s));
        let pool = Name::from(DECLARED);
        let same_window = |held: &&mut Held| {
            let limit = &held.limit;
            limit.pool == pool
                && limit.scope == *scope
                && limit.window_s == window_s
                && limit.resets_at > Some(received_at)
        };
        if let Some(held) = self.limits.iter_mut().find(same_window) {
            held.limit.remaining = held.limit.remaining.map(|left| left.saturating_sub(1));
            held.limit.captured_at = held.limit.captured_at.max(received_at);
            (held.sent_at, held.seen_at) = (held.sent_at.max(sent_at), held.seen_at.max(received_at));
            if let Some(refusal) = refusal {
                held.limit.remaining = Some(0);
                held.refusal_ends_at = Some(refusal.until);
            }
            return;
        }
        let window_end = || received_at.checked_add(Duration::from_secs(declared.window_s.into()));
        let left = if refusal.is_some() { 0 } else { declared.allowance - 1 };
        let mut held = Held::new(Limit::new(Quantity::Requests, received_at), sent_at);
        held.limit.scope = scope.clone();
        held.limit.pool = pool;
        held.limit.window_s = window_s;
        held.limit.limit = Some(declared.allowance);
        held.limit.remaining = Some(left);
        held.limit.resets_at = edge::next(declared.edge, received_at).or_else(window_end);
        held.refusal_ends_at = refusal.map(|refusal| refusal.until);
        self.known = true;
        self.hold((&held).into());
    }

    /// Keeps a limit; what a success that was sent later has disproved refuses no more.
    fn hold(&mut self, mut account: Account<'_>) {
        if account.figures.is_used_up()
            && let Some(sent_at) = self.succeeded_after(account.scope, account.seen_at)
        {
            account.refusal_ends_at = Some(account.refusal_ends_at.map_or(sent_at, |end| end.min(sent_at)));
        }
        limit::merge(&mut self.limits, account);
    }

    fn learn_refusal(&mut self, cooldown: Cooldown) {
        if self.last_refusal.as_ref().is_none_or(|(latest, _)| *latest <= cooldown.refused_at) {
            self.last_refusal = Some((cooldown.refused_at, cooldown.class));
        }
        if cooldown.class != RefusalClass::Oversize {
            self.known = true;
            self.cool_down(HeldCooldown::new(cooldown));
        }
    }

    /// Keeps a refusal unless a success that was sent later has disproved it.
    fn cool_down(&mut self, held: HeldCooldown) {
        if self.succeeded_after(&held.cooldown.scope, held.cooldown.refused_at).is_none() {
            let limits = &self.limits;
            add_cooldown(&mut self.cooldowns, held, &|cooldown| {
                limits.iter().any(|held| held.limit.came_with(cooldown))
            });
        }
    }

    /// Forgets refusals and limits: those of one model, or all. They stay forgotten when they are read back
    /// from a signal that was stored before.
    pub fn clear(&mut self, model: Option<&str>) {
        let goes = |scope: &Scope| model.is_none() || scope.model() == model;
        let mut forgotten: Vec<(Scope, Time)> = Vec::new();
        self.cooldowns.retain(|held| {
            let stays = !goes(&held.cooldown.scope);
            if !stays {
                forgotten.push((held.cooldown.scope.clone(), held.cooldown.refused_at));
            }
            stays
        });
        self.limits.retain(|held| {
            let stays = !goes(&held.limit.scope);
            if !stays {
                forgotten.push((held.limit.scope.clone(), held.seen_at));
            }
            stays
        });
        for (scope, seen_at) in forgotten {
            self.end_refusals(&scope, seen_at.saturating_add(Duration::from_nanos(1)));
        }
        if model.is_none() {
            self.failed = None;
        }
    }
}

/// When a refusal ends that does not state it: with the last of the caller's limits that are used up, if there
/// are any.
fn unstated_end(class: RefusalClass, limits: &[Limit], received_at: Time) -> Time {
    let default_end = received_at.saturating_add(default_duration(class));
    let used_up = limits.iter().filter(|limit| limit.is_used_up() && class.exhausts_scope());
    match (class, used_up.map(Limit::expires_at).max()) {
        (_, None) => default_end,
        // What money is short for does not come back with a window.
        (RefusalClass::Money, Some(limits_end)) => limits_end.max(default_end),
        (_, Some(limits_end)) => limits_end,
    }
}

/// Did the provider fail the call? Other refusals of 4xx are the caller's own.
fn is_failure(status: u16, reading: &Reading) -> bool {
    match status {
        401 | 408 | 500..=599 => true,
        403 => !reading.exhausted,
        _ => false,
    }
}

/// Did the call succeed? A status that was not told counts as success unless the headers refuse, or an error
/// stands in the body.
fn is_success(status: u16, refused: bool, error_within: bool) -> bool {
    matches!(status, 200..=299) || status == 0 && !refused && !error_within
}

/// The pool of allowances that a profile declares.
const DECLARED: &str = "declared";

const STATUS_MESSAGE: &str = "HTTP ";

fn status_message(status: u16) -> String {
    alloc::format!("{STATUS_MESSAGE}{status}")
}

/// Why a call failed, by the words that HTTP clients use for it.
fn reason_of(message: &str) -> Reason {
    const TIMEOUT: [&str; 3] = ["timed out", "timeout", "deadline"];
    const UNREACHABLE: [&str; 6] = ["connect", "refused", "reset", "unreachable", "dns", "resolve"];
    let status = message.strip_prefix(STATUS_MESSAGE).and_then(|status| status.parse().ok());
    if let Some(reason) = status.and_then(failure) {
        return reason;
    }
    let message = message.to_ascii_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| message.contains(word));
    if says(&TIMEOUT) {
        Reason::Timeout
    } else if says(&UNREACHABLE) {
        Reason::Unreachable
    } else {
        Reason::Error
    }
}
