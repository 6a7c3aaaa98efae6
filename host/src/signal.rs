//! What comes out: signals, limits and readings.

use std::time::{Duration, SystemTime};

use runtime_signals_profile::words;
pub use runtime_signals_profile::{Effect, Quantity, Refill, RefusalClass};

/// Can a request be sent to the provider now?
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ModelStatus {
    /// Yes, as far as is known.
    Available,
    /// Perhaps: the last call failed, or the provider is short of capacity.
    Degraded,
    /// No: a limit of the caller is used up. [`Signal::quota_reset_at`] says until when.
    Exhausted,
    /// There is no evidence.
    Unknown,
}

words!(ModelStatus {
    Available => "available", Degraded => "degraded", Exhausted => "exhausted", Unknown => "unknown",
});

/// Why a signal has its status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// A rate limit (seconds to minutes) refuses requests.
    RateLimited,
    /// A longer quota (day, week, month, plan) is used up.
    QuotaExhausted,
    /// Credit or a spend limit is used up: waiting does not help.
    NoCredit,
    /// The provider refused the credential.
    Unauthorized,
    /// No connection could be made.
    Unreachable,
    /// The provider did not answer in time.
    Timeout,
    /// The provider is overloaded, or too many requests are in flight.
    Busy,
    /// The server is up, its model is not loaded yet.
    Loading,
    /// The last call failed for another reason.
    Error,
    /// A reason of a later version.
    Other,
}

words!(Reason {
    RateLimited => "rate_limited", QuotaExhausted => "quota_exhausted", NoCredit => "no_credit",
    Unauthorized => "unauthorized", Unreachable => "unreachable", Timeout => "timeout", Busy => "busy",
    Loading => "loading", Error => "error", Other => "other",
});

/// To whom a limit applies, as far as it is known. Empty: to the provider as configured.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Scope {
    /// The account.
    pub account: Option<String>,
    /// The model.
    pub model: Option<String>,
}

/// One limited quantity over one window in one scope.
#[derive(Clone, Debug, PartialEq)]
pub struct Limit {
    /// What it counts.
    pub quantity: Quantity,
    /// To whom it applies.
    pub scope: Scope,
    /// Which of several allowances of one quantity it is; empty for the main one.
    pub pool: String,
    /// Length of the window, stated by the provider or inferred from its refill.
    pub window: Option<Duration>,
    /// The allowance of one window.
    pub limit: Option<u64>,
    /// What is left of it.
    pub remaining: Option<u64>,
    /// Share used, 0 to 1, where the provider reports a share.
    pub utilization: Option<f64>,
    /// When it resets.
    pub resets_at: Option<SystemTime>,
    /// When the response that said so was received.
    pub captured_at: SystemTime,
    /// How it fills again.
    pub refill: Refill,
    /// Whom it refuses when it is used up.
    pub effect: Effect,
}

impl Limit {
    /// The share that is left, 0 to 1: by the share that the provider reports, else by its counts.
    #[must_use]
    pub fn share_left(&self) -> Option<f64> {
        match (self.utilization, self.remaining, self.limit) {
            (Some(used), ..) => Some((1.0 - used).clamp(0.0, 1.0)),
            (None, Some(remaining), Some(limit)) if limit > 0 => {
                Some((remaining as f64 / limit as f64).min(1.0))
            }
            _ => None,
        }
    }
}

/// A refusal that is still in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cooldown {
    /// To whom it applies.
    pub scope: Scope,
    /// What kind of refusal it was.
    pub class: RefusalClass,
    /// When it was received: only a success sent later ends it early.
    pub refused_at: SystemTime,
    /// When it ends by itself.
    pub until: SystemTime,
}

/// Percentiles of the latency window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Latency {
    /// Samples in the window.
    pub count: u32,
    /// The 90th percentile.
    pub p90: Duration,
    /// The 99th percentile.
    pub p99: Duration,
    /// Median time to the first byte; `None` when never measured.
    pub ttfb_p50: Option<Duration>,
}

/// The state of one provider at one time.
#[derive(Clone, Debug, PartialEq)]
pub struct Signal {
    /// The provider's name.
    pub provider: String,
    /// Can a request be sent?
    pub status: ModelStatus,
    /// Requests left if known, else tokens left; 0 when exhausted.
    pub quota_remaining: Option<u64>,
    /// When the limit that binds resets; when exhausted, when that ends.
    pub quota_reset_at: Option<SystemTime>,
    /// Upper median of the last 100 latencies; zero when there are none.
    pub recent_p50_latency: Duration,
    /// When the last success was received.
    pub last_success_at: Option<SystemTime>,
    /// When the last failure was received.
    pub last_error_at: Option<SystemTime>,
    /// What it was, at most 512 bytes; empty for none.
    pub last_error_msg: String,
    /// When the signal was judged.
    pub recorded_at: SystemTime,
    /// Why it has its status.
    pub reason: Option<Reason>,
    /// Until when a refusal is in force.
    pub cooldown_until: Option<SystemTime>,
    /// All limits that are known and not past their reset.
    pub limits: Vec<Limit>,
    /// Percentiles; `None` when there are no samples.
    pub latency: Option<Latency>,
    /// Class of the last refusal.
    pub refusal: Option<RefusalClass>,
    /// Refusals in force, by scope.
    pub cooldowns: Vec<Cooldown>,
}

impl Signal {
    /// Is it the same but for the time at which it was judged?
    #[must_use]
    pub fn says_the_same_as(&self, other: &Self) -> bool {
        let other = Self { recorded_at: self.recorded_at, ..other.clone() };
        *self == other
    }

    /// A signal without any evidence.
    #[must_use]
    pub const fn unknown(provider: String, recorded_at: SystemTime) -> Self {
        Self {
            provider,
            status: ModelStatus::Unknown,
            quota_remaining: None,
            quota_reset_at: None,
            recent_p50_latency: Duration::ZERO,
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

/// What one response says about limits.
#[derive(Clone, Debug, PartialEq)]
pub struct Reading {
    /// Smallest count of requests left.
    pub remaining_requests: Option<u64>,
    /// Smallest count of tokens left.
    pub remaining_tokens: Option<u64>,
    /// Reset of the limit that binds.
    pub reset_at: Option<SystemTime>,
    /// The wait that the response states, rounded up to a millisecond.
    pub retry_after: Option<Duration>,
    /// It shows that a limit of the caller is used up.
    pub exhausted: bool,
    /// The limits themselves.
    pub limits: Vec<Limit>,
    /// Why, where there is anything to explain.
    pub reason: Option<Reason>,
    /// What kind of refusal it is.
    pub refusal: Option<RefusalClass>,
}
