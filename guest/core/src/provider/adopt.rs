//! What other processes, and earlier ones, have stored: taken in by the same rules as responses.

use super::{Provider, reason_of};
use crate::limit::{self, Held, Limit, Quantity, Scope};
use crate::refusal::{Cooldown, HeldCooldown, default_duration};
use crate::signal::{Reason, Signal, Status};
use crate::text;
use crate::time::Time;

impl Provider {
    /// Takes in the evidence of a stored signal.
    ///
    /// Nothing of it is believed to be younger than `not_after`: evidence from the future would never be
    /// replaced. What other processes were told of and leave out is over: they have seen it end.
    pub fn adopt(&mut self, stored: &Signal, not_after: Time) {
        if stored.recent_p50_latency_ns > 0 || stored.latency.is_some() {
            self.adopted_latency = (stored.recent_p50_latency_ns, stored.latency);
        }
        if stored.status != Status::Unknown {
            self.drop_what_is_over(stored, not_after);
            self.adopt_unexplained(stored, not_after);
        }
        self.adopt_listed(stored, not_after);
        self.shared_at = self.shared_at.max(Some(stored.recorded_at.min(not_after)));
    }

    /// Takes in what a stored signal says in so many words: outcomes, limits and refusals.
    pub(crate) fn adopt_listed(&mut self, stored: &Signal, not_after: Time) {
        self.adopt_outcomes(stored, not_after);
        if stored.status == Status::Unknown {
            return;
        }
        self.known = true;
        for limit in stored.limits.iter().take(limit::MOST) {
            self.hold((&Held::stored(limit, &stored.cooldowns, not_after)).into());
        }
        for cooldown in &stored.cooldowns {
            let mut cooldown = cooldown.clone();
            cooldown.no_later_than(not_after);
            self.cool_down(HeldCooldown::stored(cooldown));
        }
        if let Some(class) = &stored.refusal {
            let came_with = stored.cooldowns.iter().filter(|cooldown| cooldown.class == *class);
            let refused_at = came_with.map(|cooldown| cooldown.refused_at.min(not_after)).max();
            let known_at = self.last_refusal.as_ref().map(|(refused_at, _)| *refused_at);
            if known_at.is_none() || refused_at > known_at {
                self.last_refusal = Some((refused_at.unwrap_or(Time::MIN), *class));
            }
        }
    }

    /// A signal that was recorded at `at` tells of all that is held here, if it gets written.
    pub(crate) fn offer(&mut self, at: Time) {
        self.cooldowns.iter_mut().for_each(|held| held.offered = true);
        self.limits.iter_mut().for_each(Held::offer);
        self.offered_at = Some(at);
    }

    /// The signal that was offered last has been written: other processes are told of what it says, and of nothing
    /// that was learnt since.
    pub fn share(&mut self) {
        self.cooldowns.iter_mut().for_each(|held| held.shared |= held.offered);
        self.limits.iter_mut().for_each(|held| held.shared |= held.offered);
        self.shared_at = self.shared_at.max(self.offered_at.take());
    }

    /// What was shared and is missing from what was stored later is over: its time has come, a call of another
    /// process succeeded, or it was told to forget.
    fn drop_what_is_over(&mut self, stored: &Signal, not_after: Time) {
        // Programs that write the plain keys only leave out everything.
        let tells_refusals = stored.reason.is_some()
            || stored.refusal.is_some()
            || stored.latency.is_some()
            || !stored.limits.is_empty()
            || !stored.cooldowns.is_empty();
        let is_later = self.shared_at.is_some_and(|shared_at| stored.recorded_at >= shared_at);
        if !tells_refusals || !is_later || stored.recorded_at > not_after {
            return;
        }
        self.cooldowns.retain(|held| {
            let listed = || stored.cooldowns.iter().any(|other| held.cooldown.covered_by(other));
            !held.shared || listed()
        });
        self.limits.retain(|held| {
            let listed = || stored.limits.iter().any(|other| held.limit.same_series(other, &other.scope));
            !held.shared || listed()
        });
    }

    fn adopt_outcomes(&mut self, stored: &Signal, not_after: Time) {
        let bounded = |at: Option<Time>| at.map(|at| at.min(not_after));
        let (success_at, error_at) = (bounded(stored.last_success_at), bounded(stored.last_error_at));
        self.last_success_at = self.last_success_at.max(success_at);
        // It may be a failure that is known here and was forgotten on demand.
        let is_news = error_at > self.last_error_at || error_at.is_none();
        if error_at > self.last_error_at {
            self.last_error_at = error_at;
            self.last_error_msg.clone_from(&stored.last_error_msg);
            text::cut(&mut self.last_error_msg, text::MESSAGE_BYTES);
        }
        let failed_at = error_at.filter(|_| error_at > success_at);
        let short_of_capacity = stored.cooldowns.iter().any(|held| !held.class.exhausts_scope());
        let failure = match stored.status {
            Status::Degraded if !short_of_capacity => {
                let reason = stored.reason.unwrap_or(Reason::Error);
                Some((failed_at.unwrap_or(stored.recorded_at.min(not_after)), reason))
            }
            // The failure stands behind the refusal.
            Status::Degraded | Status::Exhausted => {
                failed_at.map(|at| (at, reason_of(&stored.last_error_msg)))
            }
            Status::Available | Status::Unknown => None,
        };
        if let Some((at, reason)) = failure.filter(|_| is_news)
            && self.failed.as_ref().is_none_or(|(latest, _)| *latest < at)
        {
            self.failed = Some((at, reason));
        }
    }

    /// Takes in what the plain keys say and the limits and refusals beside them do not, as in signals of
    /// programs that write the plain ones only.
    fn adopt_unexplained(&mut self, stored: &Signal, not_after: Time) {
        if stored.status == Status::Exhausted {
            let limits = stored.limits.iter().map(|limit| Held::stored(limit, &stored.cooldowns, Time::MAX));
            let limits = limits.filter_map(|held| held.refuses_until(stored.recorded_at));
            let cooldowns = stored.cooldowns.iter().map(|cooldown| cooldown.until);
            let explained = limits.chain(cooldowns).max();
            if explained.is_none() || explained < stored.quota_reset_at {
                let class = Reason::class(stored.reason);
                let ends_at = stored.quota_reset_at;
                let default_end = || stored.recorded_at.saturating_add(default_duration(class));
                let until = ends_at.unwrap_or_else(default_end);
                let scope = Scope::default();
                let mut cooldown = Cooldown { scope, class, refused_at: stored.recorded_at, until };
                cooldown.no_later_than(not_after);
                self.cool_down(HeldCooldown::stored(cooldown));
            }
        } else if let Some(remaining) = stored.quota_remaining
            && Limit::requests_left(&stored.limits).is_none()
            && Limit::tokens_left(&stored.limits).is_none()
        {
            let limit = Limit {
                remaining: Some(remaining),
                resets_at: stored.quota_reset_at,
                ..Limit::new(Quantity::Requests, stored.recorded_at)
            };
            self.hold((&Held::stored(&limit, &[], not_after)).into());
        }
    }
}
