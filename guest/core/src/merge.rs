//! Commits: what to write where another process has stored something meanwhile.

use alloc::boxed::Box;
use core::time::Duration;

use crate::json;
use crate::limit::Scope;
use crate::provider::{Provider, left};
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
    let not_after = latest(&stored, now, not_after);
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

/// How late the evidence of a stored signal may be: up to `not_after`, unless its clock is known to be wrong.
fn latest(stored: &Signal, now: Time, not_after: Time) -> Time {
    if stored.recorded_at > not_after { now } else { not_after }
}

/// The newer one of two signals with what it lacks of the older one.
///
/// The newer one has been judged by all that it lists; only what the older one adds changes its status.
fn combine(older: &Signal, mut newer: Signal, now: Time, not_after: Time) -> Signal {
    let mut both = Provider::new(newer.provider.clone(), 0);
    both.adopt_listed(&newer, Time::MAX);
    let alone = both.judge(now);
    // A signal does not say in which scope its last success was. In a scope of which it has heard nothing
    // since, what was refused stays refused.
    if let Some(success_at) = newer.last_success_at {
        both.note_success(&Scope::default(), success_at);
        for limit in newer.limits.iter().filter(|limit| limit.scope != Scope::default()) {
            both.note_success(&limit.scope, success_at.min(limit.captured_at));
        }
    }
    both.adopt_listed(older, not_after);
    let merged = both.judge(now);

    if (merged.status, merged.quota_reset_at) != (alone.status, alone.quota_reset_at)
        && merged.status == Status::Exhausted
    {
        if newer.status != Status::Exhausted || newer.quota_reset_at < merged.quota_reset_at {
            newer.reason = merged.reason;
            newer.quota_reset_at = merged.quota_reset_at;
        }
        newer.status = Status::Exhausted;
        newer.quota_remaining = Some(0);
    } else if newer.status != Status::Exhausted && !newer.limits.is_empty() {
        (newer.quota_remaining, newer.quota_reset_at) = left(merged.limits.iter());
    }
    let short_of_capacity = merged.cooldowns.iter().any(|cooldown| !cooldown.class.exhausts_scope());
    if newer.status == Status::Available && short_of_capacity {
        newer.status = Status::Degraded;
        newer.reason = Some(Reason::Busy);
    }
    if merged.cooldown_until != alone.cooldown_until {
        newer.cooldown_until = newer.cooldown_until.max(merged.cooldown_until);
    }
    newer.last_success_at = merged.last_success_at;
    newer.last_error_at = merged.last_error_at;
    newer.last_error_msg = merged.last_error_msg;
    newer.refusal = merged.refusal;
    newer.limits = merged.limits;
    newer.cooldowns = merged.cooldowns;
    newer
}

/// What to write of a provider whose state is in memory, where `stored` is on disk.
///
/// The state takes in what others have stored, so that memory and disk agree afterwards. Where nothing was
/// known here before, what is stored stays as it is: reading it has not made it younger. When the signal has been
/// written, [`Provider::share`] notes that others were told.
#[must_use]
pub fn settle(provider: &mut Provider, stored: Option<&[u8]>, now: Time, ahead: Duration) -> Outcome {
    let not_after = now.saturating_add(ahead);
    let stored = stored.and_then(|bytes| json::decode(provider.name(), bytes).ok());
    let mut recorded_at = now;
    if let Some(stored) = &stored {
        let knows_nothing = provider.judge(now).status == Status::Unknown;
        provider.adopt(stored, latest(stored, now, not_after));
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
    provider.offer(recorded_at);
    Outcome::Write(Box::new(signal))
}

#[cfg(test)]
mod tests;
