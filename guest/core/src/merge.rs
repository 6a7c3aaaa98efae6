//! Commits: what to write where another process has stored something meanwhile.

use alloc::vec::Vec;
use core::time::Duration;

use crate::json;
use crate::limit::{self, Held};
use crate::provider::{Provider, cooldown_until};
use crate::refusal::add_cooldown;
use crate::signal::{Reason, Signal, Status};
use crate::time::Time;

/// What a commit should do.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// Write this signal.
    Write(Signal),
    /// The stored signal is newer, or knows something where the new one knows nothing.
    Superseded,
}

/// What to write where `stored` is on disk and `fresh`, from wherever, is to be committed at `now`.
///
/// The newer signal by `recorded_at` stays; a stored time ahead of `now` by more than `ahead` is a wrong
/// clock's and is replaced. Bytes that are no signal of this provider are replaced as well. What the new
/// signal lacks is taken over, and a stored refusal stays in force until it is over.
#[must_use]
pub fn commit(stored: Option<&[u8]>, fresh: Signal, now: Time, ahead: Duration) -> Outcome {
    let stored = stored.and_then(|bytes| json::decode(&fresh.provider, bytes).ok());
    let Some(stored) = stored else { return Outcome::Write(fresh) };
    let newer = stored.recorded_at > fresh.recorded_at && stored.recorded_at <= now.saturating_add(ahead);
    let emptier = fresh.status == Status::Unknown && stored.status != Status::Unknown;
    if newer || emptier {
        return Outcome::Superseded;
    }
    Outcome::Write(combine(&stored, fresh, now))
}

fn combine(stored: &Signal, mut fresh: Signal, now: Time) -> Signal {
    if fresh.last_error_at.is_none() {
        fresh.last_error_at = stored.last_error_at;
        fresh.last_error_msg.clone_from(&stored.last_error_msg);
    }
    let succeeded_at = fresh.last_success_at;
    fresh.last_success_at = succeeded_at.or(stored.last_success_at);
    let disproved = |at: Time| succeeded_at.is_some_and(|success| success > at);

    let mut cooldowns = core::mem::take(&mut fresh.cooldowns);
    let standing = stored.cooldowns.iter().filter(|held| held.in_force(now) && !disproved(held.refused_at));
    standing.for_each(|held| add_cooldown(&mut cooldowns, held.clone()));

    let mut limits: Vec<Held> = Vec::new();
    let accounts = stored.limits.iter().filter(|held| !(held.is_used_up() && disproved(held.captured_at)));
    for account in accounts.chain(&fresh.limits) {
        let mut held = Held::new(account.clone(), account.captured_at);
        held.refusal_ends_at = cooldowns
            .iter()
            .find(|cooldown| cooldown.scope == account.scope && cooldown.refused_at == account.captured_at)
            .map(|cooldown| cooldown.until)
            .filter(|_| account.is_used_up());
        limit::merge(&mut limits, held);
    }
    let refusing = limits.iter().filter_map(|held| {
        Some((held.refuses_until(now)?, Reason::of_window(held.limit.window_s)))
    });
    let cooling = cooldowns.iter().filter(|held| held.in_force(now) && held.class.exhausts_provider());
    let cooling = cooling.map(|held| (held.until, Reason::of_refusal(&held.class)));
    if let Some((until, reason)) = refusing.chain(cooling).max_by_key(|(until, _)| *until) {
        if fresh.status != Status::Exhausted || fresh.quota_reset_at < Some(until) {
            fresh.reason = Some(reason);
            fresh.quota_reset_at = Some(until);
        }
        fresh.status = Status::Exhausted;
        fresh.quota_remaining = Some(0);
    }
    fresh.cooldown_until = fresh.cooldown_until.max(cooldown_until(&cooldowns));
    fresh.cooldowns = cooldowns;
    fresh.limits = limits.iter().filter_map(|held| held.at(now)).collect();
    fresh
}

/// What to write of a provider whose state is in memory, where `stored` is on disk.
///
/// The state takes in what others have stored, so that memory and disk agree afterwards.
#[must_use]
pub fn settle(provider: &mut Provider, stored: Option<&[u8]>, now: Time, ahead: Duration) -> Outcome {
    let stored = stored.and_then(|bytes| json::decode(provider.name(), bytes).ok());
    let mut recorded_at = now;
    if let Some(stored) = &stored {
        provider.adopt(stored);
        if stored.recorded_at <= now.saturating_add(ahead) {
            // A clock that runs a little behind must not lose to what it has just taken in.
            recorded_at = recorded_at.max(stored.recorded_at);
        }
    }
    let mut signal = provider.judge(now);
    signal.recorded_at = recorded_at;
    let emptier = signal.status == Status::Unknown && stored.is_some();
    if emptier { Outcome::Superseded } else { Outcome::Write(signal) }
}
