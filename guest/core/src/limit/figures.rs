//! The figures of a limit: what changes from one response to the next.

use core::cmp::Ordering;
use core::time::Duration;

use crate::refusal::{MONEY_COOLDOWN, QUOTA_COOLDOWN, QUOTA_WINDOW_S, RATE_COOLDOWN};
use crate::time::Time;

/// How long a count without a reset and without a window says anything: the runtime time-to-live.
const UNDATED: Duration = Duration::from_secs(300);

/// What one response told of a limit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Figures {
    /// The allowance of one window.
    pub limit: Option<u64>,
    /// What is left of it.
    pub remaining: Option<u64>,
    /// Share used, 0 to 1.
    pub utilization: Option<f64>,
    /// When it resets.
    pub resets_at: Option<Time>,
    /// When the response was received.
    pub captured_at: Time,
}

impl Figures {
    /// When they stop to say anything, where the window is of this length in seconds.
    #[must_use]
    #[inline]
    pub fn expires_by(&self, window_s: Option<u64>) -> Time {
        self.resets_at.unwrap_or_else(|| self.unstated_end(window_s))
    }

    fn unstated_end(&self, window_s: Option<u64>) -> Time {
        let window = window_s.map(Duration::from_secs);
        let span = match self.limit {
            // An allowance of nothing does not refill: what it takes is another plan.
            Some(0) if self.is_used_up() => MONEY_COOLDOWN,
            _ if !self.is_used_up() => window.unwrap_or(UNDATED),
            _ if window_s >= Some(QUOTA_WINDOW_S) => QUOTA_COOLDOWN,
            _ => window.map_or(RATE_COOLDOWN, |window| window.min(RATE_COOLDOWN)),
        };
        self.captured_at.saturating_add(span)
    }

    /// Share left, 0 to 1, as far as it is known.
    #[must_use]
    pub fn share_left(&self) -> Option<f64> {
        match (self.remaining, self.limit) {
            (Some(0), _) => Some(0.0),
            #[expect(clippy::cast_precision_loss, reason = "a share needs no more than 52 bits")]
            (Some(remaining), Some(limit)) if limit > 0 => Some(remaining as f64 / limit as f64),
            _ => self.utilization.map(|used| 1.0 - used),
        }
    }

    /// Is the allowance used up?
    #[must_use]
    #[inline]
    pub fn is_used_up(&self) -> bool {
        self.remaining == Some(0) || self.utilization.is_some_and(|used| used >= 1.0)
    }

    /// Do they say how much is left or used?
    #[must_use]
    #[inline]
    pub const fn tell_use(&self) -> bool {
        self.remaining.is_some() || self.utilization.is_some()
    }

    /// Do they tell the same, whenever that was?
    #[inline(always)]
    pub(super) fn same(&self, other: &Self) -> bool {
        // What is left changes most often.
        self.remaining == other.remaining
            && self.resets_at == other.resets_at
            && self.limit == other.limit
            && self.utilization == other.utilization
    }

    /// Are these two of one response: captured at the same time, with the same reset?
    #[inline(always)]
    pub(super) fn same_evidence(&self, other: &Self) -> bool {
        self.captured_at == other.captured_at && self.resets_at == other.resets_at
    }

    /// Do they tell of a higher use than `other`? Of the same use the one that lasts longer counts.
    #[inline(never)]
    pub(super) fn used_more(self, other: Self) -> bool {
        let by_use: Ordering = match (self.share_left(), other.share_left()) {
            (Some(a), Some(b)) => b.total_cmp(&a),
            _ => match (self.remaining, other.remaining) {
                (Some(a), Some(b)) => b.cmp(&a),
                (a, b) => a.is_some().cmp(&b.is_some()),
            },
        };
        by_use.then(self.resets_at.cmp(&other.resets_at)).is_gt()
    }
}
