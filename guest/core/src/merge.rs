//! Commits: what to write where another process has stored something meanwhile.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::time::Duration;

use crate::json;
use crate::limit::{self, Held, Scope};
use crate::provider::{Provider, cooldown_until, left};
use crate::refusal::{HeldCooldown, add_cooldown};
use crate::signal::{Reason, Signal, Status};
use crate::time::Time;

/// What a commit should do.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// Write this signal.
    Write(Box<Signal>),
    /// What is stored is newer, or knows something where the new one knows nothing; and there is nothing
    /// that it lacks.
    Superseded,
}

/// What to write where `stored` is on disk and `fresh`, from wherever, is to be committed at `now`.
///
/// The newer signal by `recorded_at` stays, and takes over what it lacks: the last success and error, limits
/// and refusals in force. A stored time ahead of `now` by more than `ahead` is a wrong clock's and is
/// replaced. Bytes that are no signal of this provider are replaced as well.
#[must_use]
pub fn commit(stored: Option<&[u8]>, fresh: Signal, now: Time, ahead: Duration) -> Outcome {
    let not_after = now.saturating_add(ahead);
    let stored = stored.and_then(|bytes| json::decode(&fresh.provider, bytes).ok());
    let Some(stored) = stored else { return Outcome::Write(Box::new(fresh)) };
    if fresh.status == Status::Unknown && stored.status != Status::Unknown {
        return Outcome::Superseded;
    }
    if stored.recorded_at <= fresh.recorded_at || stored.recorded_at > not_after {
        return Outcome::Write(Box::new(combine(&stored, fresh, now, not_after)));
    }
    // What is merely late may still tell of a refusal that nobody else has seen.
    let nothing = Signal::unknown(fresh.provider.clone(), fresh.recorded_at);
    let as_it_is = combine(&nothing, stored.clone(), now, not_after);
    let merged = combine(&fresh, stored, now, not_after);
    // The class of a refusal that is over is no news by itself.
    let compared = Signal { refusal: as_it_is.refusal, ..merged.clone() };
    if compared == as_it_is { Outcome::Superseded } else { Outcome::Write(Box::new(merged)) }
}

/// The newer one of two signals with what it lacks of the older one.
fn combine(older: &Signal, mut newer: Signal, now: Time, not_after: Time) -> Signal {
    if older.last_error_at.map(|at| at.min(not_after)) > newer.last_error_at {
        newer.last_error_at = older.last_error_at.map(|at| at.min(not_after));
        newer.last_error_msg.clone_from(&older.last_error_msg);
    }
    let succeeded_at = newer.last_success_at;
    newer.last_success_at = succeeded_at.max(older.last_success_at.map(|at| at.min(not_after)));
    if newer.refusal.is_none() {
        newer.refusal.clone_from(&older.refusal);
    }

    // A signal does not say in which scope its last success was: in one that it knows nothing newer of, what
    // was refused stays refused.
    let in_newer = core::mem::take(&mut newer.limits);
    let is_over = |scope: &Scope, refused_at: Time| {
        let told_since =
            || in_newer.iter().any(|limit| limit.scope == *scope && limit.captured_at > refused_at);
        succeeded_at > Some(refused_at) && (*scope == Scope::default() || told_since())
    };
    let as_held = |cooldown| HeldCooldown { cooldown, shared: false };
    let mut cooldowns: Vec<_> = core::mem::take(&mut newer.cooldowns).into_iter().map(as_held).collect();
    let of_newer = cooldowns.clone();
    for cooldown in older.cooldowns.iter().filter(|held| held.in_force(now)) {
        let mut cooldown = cooldown.clone();
        cooldown.refused_at = cooldown.refused_at.min(not_after);
        if !is_over(&cooldown.scope, cooldown.refused_at) {
            add_cooldown(&mut cooldowns, as_held(cooldown), &|cooldown| {
                older.limits.iter().chain(&in_newer).any(|limit| limit.came_with(cooldown))
            });
        }
    }
    let mut limits: Vec<Held> = Vec::new();
    let beside: Vec<_> = of_newer.iter().map(|held| held.cooldown.clone()).collect();
    for limit in in_newer.iter().take(limit::MOST) {
        limit::merge(&mut limits, Held::stored(limit, &beside, Time::MAX));
    }
    for limit in older.limits.iter().take(limit::MOST) {
        if !(limit.is_used_up() && is_over(&limit.scope, limit.captured_at)) {
            limit::merge(&mut limits, Held::stored(limit, &older.cooldowns, not_after));
        }
    }

    // The newer signal has been judged by all that it lists; what the older one adds is judged here.
    let added = |held: &&HeldCooldown| !of_newer.contains(held);
    let cooling = cooldowns.iter().filter(added).map(|held| &held.cooldown);
    let refusing = cooling.clone().filter(|held| held.class.exhausts_provider());
    let refusing = refusing.map(|held| (held.until, Reason::of_refusal(held.class)));
    let used_up = limits.iter().filter(|held| {
        let known = |limit| held.limit.same_series(limit) && limit.captured_at == held.limit.captured_at;
        !held.spares_provider && !in_newer.iter().any(known)
    });
    let used_up =
        used_up.filter_map(|held| Some((held.refuses_until(now)?, Reason::of_window(held.limit.window_s))));
    if let Some((until, reason)) =
        used_up.chain(refusing).max_by_key(|(until, reason)| (*until, *reason as u8))
    {
        if newer.status != Status::Exhausted || newer.quota_reset_at < Some(until) {
            newer.reason = Some(reason);
            newer.quota_reset_at = Some(until);
        }
        newer.status = Status::Exhausted;
        newer.quota_remaining = Some(0);
    } else if newer.status == Status::Available && cooling.clone().any(|held| !held.class.exhausts_scope()) {
        newer.status = Status::Degraded;
        newer.reason = Some(Reason::Busy);
    }
    newer.cooldown_until = newer.cooldown_until.max(cooldown_until(cooling));
    newer.cooldowns = cooldowns.into_iter().map(|held| held.cooldown).collect();
    newer.limits = limits.iter().filter_map(|held| held.at(now)).collect();
    if newer.status != Status::Exhausted && !in_newer.is_empty() {
        (newer.quota_remaining, newer.quota_reset_at) = left(&newer.limits);
    }
    newer
}

/// What to write of a provider whose state is in memory, where `stored` is on disk.
///
/// The state takes in what others have stored, so that memory and disk agree afterwards. Where nothing was
/// known here before, what is stored stays as it is: reading it has not made it younger.
#[must_use]
pub fn settle(provider: &mut Provider, stored: Option<&[u8]>, now: Time, ahead: Duration) -> Outcome {
    let not_after = now.saturating_add(ahead);
    let stored = stored.and_then(|bytes| json::decode(provider.name(), bytes).ok());
    let mut recorded_at = now;
    if let Some(stored) = &stored {
        let knows_nothing = provider.judge(now).status == Status::Unknown;
        provider.adopt(stored, not_after);
        if stored.recorded_at <= not_after {
            if knows_nothing && stored.status != Status::Unknown {
                return Outcome::Superseded;
            }
            // A clock that runs a little behind must not lose to what it has just taken in.
            recorded_at = recorded_at.max(stored.recorded_at);
        }
    }
    let mut signal = provider.judge(now);
    signal.recorded_at = recorded_at;
    provider.share(recorded_at);
    Outcome::Write(Box::new(signal))
}

#[cfg(test)]
mod tests;
