//! What a response says beside its limits: waits, marks, the clock that it goes by.

use alloc::vec::Vec;
use core::time::Duration;

use crate::limit::Limit;
use crate::number;
use crate::packed::Observation;
use crate::time::Time;

/// Most marks of one response.
const MOST_MARKS: usize = 8;
/// A clock may be off by so much before it is called wrong: dates are in whole seconds.
const CLOCK_SLACK: Duration = Duration::from_secs(2);

/// What a response says beside its limits.
#[derive(Default)]
pub(super) struct Facts<'a> {
    /// The stated wait and the rank of the header that stated it.
    pub(super) wait: Option<(u8, Duration)>,
    marks: Vec<&'a [u8]>,
    pub(super) claim: Option<&'a [u8]>,
    pub(super) policies: Option<&'a [u8]>,
    /// The provider's clock, as it was sent.
    pub(super) date: Option<&'a [u8]>,
    /// A wait that is stated by the provider's clock, and the rank of its header.
    until: Option<(u8, Time)>,
}

impl<'a> Facts<'a> {
    pub(super) fn add_mark(&mut self, mark: &'a [u8]) {
        if self.marks.len() < MOST_MARKS {
            self.marks.push(mark.trim_ascii());
        }
    }

    pub(super) fn marks(&self) -> &[&'a [u8]] {
        &self.marks
    }

    pub(super) fn offer_wait(&mut self, rank: u8, wait: Option<Duration>) {
        if let Some(wait) = wait
            && self.wait.is_none_or(|(held, _)| rank < held)
        {
            self.wait = Some((rank, wait));
        }
    }

    /// A wait in seconds, or a time to wait for. `x` seconds or a date, as in `Retry-After`.
    pub(super) fn offer_seconds(&mut self, rank: u8, value: &[u8], now: Time) {
        let wait = number::wait(value).filter(|wait| now.checked_add(*wait).is_some());
        if wait.is_none()
            && self.until.is_none_or(|(held, _)| rank < held)
            && let Some(until) = Time::parse_http_date(value.trim_ascii())
        {
            self.until = Some((rank, until));
        }
        self.offer_wait(rank, wait);
    }

    /// Times by the provider's clock are by ours from now on.
    pub(super) fn set_clock(&mut self, response: &Observation<'_>, limits: &mut [Limit], exact: u32) {
        if exact == 0 && self.until.is_none() {
            return;
        }
        let date = self.date.and_then(|date| Time::parse_http_date(date.trim_ascii()));
        let clock = date.map_or(Clock::RIGHT, |date| Clock::of(date, response));
        for (index, limit) in limits.iter_mut().enumerate() {
            if exact & (1 << (index & 31)) != 0 {
                let by_ours = limit.resets_at.map(|resets_at| clock.by_ours(resets_at));
                // A reset that has passed says nothing.
                limit.resets_at = by_ours.filter(|resets_at| *resets_at > response.received_at);
            }
        }
        if let Some((rank, until)) = self.until {
            self.offer_wait(rank, Some(clock.by_ours(until).since(response.received_at)));
        }
    }
}

/// By how much the provider's clock differs from ours.
pub(crate) struct Clock {
    ahead: Duration,
    behind: Duration,
}

impl Clock {
    pub(super) const RIGHT: Self = Self { ahead: Duration::ZERO, behind: Duration::ZERO };

    /// It is wrong where its date lies neither between sending and receiving nor close to it.
    pub(super) fn of(date: Time, response: &Observation<'_>) -> Self {
        let beyond = |off: Duration| if off > CLOCK_SLACK { off } else { Duration::ZERO };
        Self {
            ahead: beyond(date.since(response.received_at)),
            behind: beyond(response.sent_at.min(response.received_at).since(date)),
        }
    }

    pub(super) const fn is_right(&self) -> bool {
        self.ahead.is_zero() && self.behind.is_zero()
    }

    /// A time by the provider's clock as one by ours.
    pub(super) fn by_ours(&self, time: Time) -> Time {
        time.saturating_add(self.behind).saturating_sub(self.ahead)
    }
}
