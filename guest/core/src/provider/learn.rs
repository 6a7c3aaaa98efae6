//! What the host found out for a collect: the outcome of a probe, the state of a quota.

use super::Provider;
use crate::evidence::{Evidence, ProbeFailure, ProbeOutcome, QuotaState, QuotaStatus};
use crate::limit::{Held, Limit, Quantity, Scope};
use crate::refusal::{Cooldown, HeldCooldown, QUOTA_COOLDOWN, RefusalClass};
use crate::signal::Reason;
use crate::text;
use crate::time::Time;

impl Provider {
    /// Takes in what the host found out for this collect.
    pub fn learn(&mut self, evidence: &Evidence, now: Time) {
        match evidence {
            Evidence::None | Evidence::Probe(ProbeOutcome::Unusable) => {}
            Evidence::Probe(ProbeOutcome::Alive) => self.succeed(&Scope::default(), now, now),
            Evidence::Probe(ProbeOutcome::Failed { kind, message }) => {
                let reason = match kind {
                    ProbeFailure::Unreachable => Reason::Unreachable,
                    ProbeFailure::Timeout => Reason::Timeout,
                    ProbeFailure::Loading => Reason::Loading,
                    ProbeFailure::Busy => Reason::Busy,
                    ProbeFailure::Refused => Reason::Error,
                };
                self.fail(now, reason, text::bounded(message.as_bytes(), text::MESSAGE_BYTES));
            }
            Evidence::Quota(status) => self.learn_quota(status),
        }
    }

    fn learn_quota(&mut self, status: &QuotaStatus) {
        let (Some(captured_at), QuotaState::Ok | QuotaState::Blocked) = (status.captured_at, status.state)
        else {
            self.quota_ok_at = None;
            return;
        };
        let account = status.account.as_ref();
        let account = account.map(|account| text::bounded(account.as_bytes(), text::NAME_BYTES));
        let scope = Scope::new(account.as_deref(), None);
        // The window that blocks comes first. Others that are used up may be those of one model, or of
        // usage beyond the plan, and of two windows of one length the first is that of the account.
        let blocks = status.state == QuotaState::Blocked;
        for (index, window) in status.windows.iter().enumerate() {
            let before = status.windows.get(..index).unwrap_or_default();
            let binds = index == 0 && blocks;
            let used_up = window.state == QuotaState::Blocked || window.used_percent >= Some(100.0);
            if before.iter().any(|other| other.window_minutes == window.window_minutes) || used_up && !binds {
                continue;
            }
            let limit = Limit {
                scope: scope.clone(),
                window_s: window.window_minutes.and_then(|minutes| minutes.checked_mul(60)),
                remaining: used_up.then_some(0),
                utilization: window.used_percent.map(|used| used / 100.0),
                resets_at: window.resets_at,
                ..Limit::new(Quantity::Other, captured_at)
            };
            self.hold((&Held::new(limit.bounded(), captured_at)).into());
        }
        if blocks {
            let window = status.windows.first().filter(|window| window.state == QuotaState::Blocked);
            let until = window.and_then(|window| window.resets_at);
            let until = until.unwrap_or_else(|| captured_at.saturating_add(QUOTA_COOLDOWN));
            let class = RefusalClass::Quota;
            let cooldown = Cooldown { scope, class, refused_at: captured_at, until };
            self.cool_down(HeldCooldown::new(cooldown));
        } else {
            self.quota_ok_at = self.quota_ok_at.max(Some(captured_at));
        }
    }
}
