//! Signals: the state of one provider at one time.

use alloc::string::String;
use alloc::vec::Vec;

use crate::limit::Limit;
use runtime_signals_profile::words;

use crate::refusal::{Cooldown, QUOTA_WINDOW_S, RefusalClass};
use crate::state::{State, carry_fields};
use crate::time::Time;

/// Can a request be sent now?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Yes, as far as is known.
    Available,
    /// Perhaps: the last call failed, or the provider is short of capacity.
    Degraded,
    /// No: a limit of the caller is used up.
    Exhausted,
    /// There is no evidence.
    Unknown,
}

words!(Status {
    Available => "available", Degraded => "degraded", Exhausted => "exhausted", Unknown => "unknown",
});

/// Why a signal has its status. Of refusals that end at the same time the later case here is named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// A rate limit refuses requests.
    RateLimited,
    /// A longer quota is used up.
    QuotaExhausted,
    /// Credit is used up.
    NoCredit,
    /// The credential was refused.
    Unauthorized,
    /// No connection could be made.
    Unreachable,
    /// No answer in time.
    Timeout,
    /// The provider is overloaded.
    Busy,
    /// The server is up, its model is not loaded yet.
    Loading,
    /// The last call failed for another reason.
    Error,
    /// A reason of a later version.
    Other,
}

impl Reason {
    /// Why a refusal of this class is one.
    #[must_use]
    pub const fn of_refusal(class: RefusalClass) -> Self {
        match class {
            RefusalClass::Quota => Self::QuotaExhausted,
            RefusalClass::Money => Self::NoCredit,
            // Too much at once, of all callers or of this one.
            RefusalClass::Capacity | RefusalClass::Concurrency => Self::Busy,
            _ => Self::RateLimited,
        }
    }

    /// The class of a refusal of which only the reason is known.
    #[must_use]
    pub const fn class(reason: Option<Self>) -> RefusalClass {
        match reason {
            Some(Self::QuotaExhausted) => RefusalClass::Quota,
            Some(Self::NoCredit) => RefusalClass::Money,
            _ => RefusalClass::Rate,
        }
    }

    /// Why a limit with a window of this length refuses.
    #[must_use]
    pub fn of_window(window_s: Option<u64>) -> Self {
        let is_quota = window_s.is_some_and(|window| window >= QUOTA_WINDOW_S);
        if is_quota { Self::QuotaExhausted } else { Self::RateLimited }
    }
}

words!(Reason {
    RateLimited => "rate_limited", QuotaExhausted => "quota_exhausted", NoCredit => "no_credit",
    Unauthorized => "unauthorized", Unreachable => "unreachable", Timeout => "timeout", Busy => "busy",
    Loading => "loading", Error => "error", Other => "other",
} else Other);

/// Percentiles of the latency window, in nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Latency {
    /// Samples in the window.
    pub count: u32,
    /// The 90th percentile.
    pub p90_ns: u64,
    /// The 99th percentile.
    pub p99_ns: u64,
    /// Median time to the first byte; `None` when never measured.
    pub ttfb_p50_ns: Option<u64>,
}

/// The state of one provider at one time.
#[derive(Clone, Debug, PartialEq)]
pub struct Signal {
    /// The provider's name.
    pub provider: String,
    /// Can a request be sent?
    pub status: Status,
    /// Requests left if known, else tokens left; 0 when exhausted.
    pub quota_remaining: Option<u64>,
    /// When the limit that binds resets, or when the refusal ends.
    pub quota_reset_at: Option<Time>,
    /// Upper median of the latency window, in nanoseconds; 0 when it is empty.
    pub recent_p50_latency_ns: u64,
    /// When the last success was received.
    pub last_success_at: Option<Time>,
    /// When the last failure was received.
    pub last_error_at: Option<Time>,
    /// What it was, at most 512 bytes; empty for none.
    pub last_error_msg: String,
    /// When the signal was judged.
    pub recorded_at: Time,
    /// Why it has its status.
    pub reason: Option<Reason>,
    /// Until when a refusal is in force.
    pub cooldown_until: Option<Time>,
    /// All limits that are known and not past their reset.
    pub limits: Vec<Limit>,
    /// Percentiles; `None` when the window is empty.
    pub latency: Option<Latency>,
    /// Class of the last refusal.
    pub refusal: Option<RefusalClass>,
    /// Refusals in force, by scope.
    pub cooldowns: Vec<Cooldown>,
}

carry_fields!(Signal {
    provider,
    status,
    quota_remaining,
    quota_reset_at,
    recent_p50_latency_ns,
    last_success_at,
    last_error_at,
    last_error_msg,
    recorded_at,
    reason,
    cooldown_until,
    limits,
    latency,
    refusal,
    cooldowns,
});

impl Signal {
    /// A signal in its packed form: the layout stands in `wit/runtime-signals.wit`.
    #[must_use]
    pub fn pack(&self) -> Vec<u8> {
        let mut packed = Vec::with_capacity(192 + self.provider.len() + 96 * self.limits.len());
        self.save(&mut packed);
        packed
    }

    /// Reads the packed form; `None` where it is none.
    #[must_use]
    pub fn unpack(mut packed: &[u8]) -> Option<Self> {
        Self::load(&mut packed).filter(|_| packed.is_empty())
    }

    /// A signal without any evidence.
    #[must_use]
    pub const fn unknown(provider: String, recorded_at: Time) -> Self {
        Self {
            provider,
            status: Status::Unknown,
            quota_remaining: None,
            quota_reset_at: None,
            recent_p50_latency_ns: 0,
            last_success_at: None,
            last_error_at: None,
            last_error_msg: String::new(),
            recorded_at,
            reason: None,
            cooldown_until: None,
            limits: Vec::new(),
            latency: None,
            refusal: None,
            cooldowns: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_of_five_hours_or_more_is_a_quota() {
        for (window_s, reason) in [
            (None, Reason::RateLimited),
            (Some(60), Reason::RateLimited),
            (Some(3_600), Reason::RateLimited),
            (Some(18_000), Reason::QuotaExhausted),
            (Some(86_400), Reason::QuotaExhausted),
        ] {
            assert_eq!(Reason::of_window(window_s), reason);
        }
    }

    #[test]
    fn every_status_and_reason_is_read_from_its_own_word() {
        for word in ["available", "degraded", "exhausted", "unknown"] {
            assert_eq!(Status::from_word(word).map(Status::as_str), Some(word));
        }
        assert_eq!(Status::from_word("Available"), None);
        for word in [
            "rate_limited",
            "quota_exhausted",
            "no_credit",
            "unauthorized",
            "unreachable",
            "timeout",
            "busy",
            "loading",
            "error",
            "other",
        ] {
            assert_eq!(Reason::from(word).as_str(), word);
        }
        assert_eq!(Reason::from("of a later version"), Reason::Other);
    }
}
