//! Signals: the state of one provider at one time.

use alloc::string::String;
use alloc::vec::Vec;

use crate::limit::Limit;
use crate::refusal::{Cooldown, QUOTA_WINDOW_S, RefusalClass};
use crate::text;
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

impl Status {
    /// The word for it in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Available => "available",
            Self::Degraded => "degraded",
            Self::Exhausted => "exhausted",
            Self::Unknown => "unknown",
        }
    }

    /// The status of a word; `None` for words that are none.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Available, Self::Degraded, Self::Exhausted, Self::Unknown]
            .into_iter()
            .find(|status| status.as_str() == word)
    }
}

/// Why a signal has its status.
#[derive(Clone, Debug, PartialEq, Eq)]
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
    Other(String),
}

impl Reason {
    /// The word for it in JSON.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::RateLimited => "rate_limited",
            Self::QuotaExhausted => "quota_exhausted",
            Self::NoCredit => "no_credit",
            Self::Unauthorized => "unauthorized",
            Self::Unreachable => "unreachable",
            Self::Timeout => "timeout",
            Self::Busy => "busy",
            Self::Loading => "loading",
            Self::Error => "error",
            Self::Other(word) => word,
        }
    }

    /// Why a refusal of this class is one.
    #[must_use]
    pub const fn of_refusal(class: &RefusalClass) -> Self {
        match class {
            RefusalClass::Quota => Self::QuotaExhausted,
            RefusalClass::Money => Self::NoCredit,
            RefusalClass::Capacity => Self::Busy,
            _ => Self::RateLimited,
        }
    }

    /// Why a limit with a window of this length refuses.
    #[must_use]
    pub fn of_window(window_s: Option<u64>) -> Self {
        let is_quota = window_s.is_some_and(|window| window >= QUOTA_WINDOW_S);
        if is_quota { Self::QuotaExhausted } else { Self::RateLimited }
    }
}

impl From<&str> for Reason {
    fn from(word: &str) -> Self {
        match word {
            "rate_limited" => Self::RateLimited,
            "quota_exhausted" => Self::QuotaExhausted,
            "no_credit" => Self::NoCredit,
            "unauthorized" => Self::Unauthorized,
            "unreachable" => Self::Unreachable,
            "timeout" => Self::Timeout,
            "busy" => Self::Busy,
            "loading" => Self::Loading,
            "error" => Self::Error,
            other => {
                let mut word = other.into();
                text::cut(&mut word, text::NAME_BYTES);
                Self::Other(word)
            }
        }
    }
}

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

impl Signal {
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
