//! The same values on both sides of the interface.

use alloc::string::ToString;
use alloc::vec::Vec;

use runtime_signals_core as core_logic;

use core_logic::evidence::{self, ProbeOutcome as CoreProbeOutcome};
use core_logic::limit::{Limit as CoreLimit, Quantity as CoreQuantity, Scope as CoreScope};
use core_logic::reading::Reading as CoreReading;
use core_logic::refusal::{Cooldown as CoreCooldown, RefusalClass as CoreClass};
use core_logic::signal::{
    Latency as CoreLatency, Reason as CoreReason, Signal as CoreSignal, Status as CoreStatus,
};
use core_logic::store::InputError as CoreInputError;
use core_logic::time::Time;

use crate::bindings::exports::runtime_signals::signals::runtime_signals::{Evidence, InputError};
use crate::bindings::exports::runtime_signals::signals::types::{
    Cooldown, Instant, Latency, Limit, ProbeFailureKind, ProbeOutcome, Quantity, QuotaState, QuotaStatus,
    Reading, Reason, RefusalClass, Scope, Signal, Status,
};

/// A value of the core as one of the interface.
pub(crate) trait ToWit {
    type Wit;
    fn to_wit(self) -> Self::Wit;
}

/// A value of the interface as one of the core. Times outside of the range become its nearest end.
pub(crate) trait FromWit {
    type Core;
    fn from_wit(self) -> Self::Core;
}

impl<T: ToWit> ToWit for Option<T> {
    type Wit = Option<T::Wit>;
    fn to_wit(self) -> Self::Wit {
        self.map(ToWit::to_wit)
    }
}

impl<T: FromWit> FromWit for Option<T> {
    type Core = Option<T::Core>;
    fn from_wit(self) -> Self::Core {
        self.map(FromWit::from_wit)
    }
}

impl<T: ToWit> ToWit for Vec<T> {
    type Wit = Vec<T::Wit>;
    fn to_wit(self) -> Self::Wit {
        self.into_iter().map(ToWit::to_wit).collect()
    }
}

impl<T: FromWit> FromWit for Vec<T> {
    type Core = Vec<T::Core>;
    fn from_wit(self) -> Self::Core {
        self.into_iter().map(FromWit::from_wit).collect()
    }
}

impl ToWit for Time {
    type Wit = Instant;
    fn to_wit(self) -> Instant {
        Instant { seconds: self.seconds(), nanoseconds: self.nanoseconds() }
    }
}

impl FromWit for Instant {
    type Core = Time;
    fn from_wit(self) -> Time {
        let end = if self.seconds < 0 { Time::MIN } else { Time::MAX };
        Time::new(self.seconds, self.nanoseconds).unwrap_or(end)
    }
}

/// Both directions of an enumeration whose cases have the same names on both sides.
macro_rules! same_cases {
    ($core:ident, $wit:ident { $($case:ident),* }) => {
        impl ToWit for $core {
            type Wit = $wit;
            fn to_wit(self) -> $wit {
                match self {
                    $(Self::$case => $wit::$case,)*
                }
            }
        }
        impl FromWit for $wit {
            type Core = $core;
            fn from_wit(self) -> $core {
                match self {
                    $(Self::$case => $core::$case,)*
                }
            }
        }
    };
}

/// Both directions of a record whose fields have the same names on both sides: `plain` ones are of the
/// same type, the others are converted.
macro_rules! same_fields {
    ($core:ident, $wit:ident { $($plain:ident),* ; $($converted:ident),* }) => {
        impl ToWit for $core {
            type Wit = $wit;
            fn to_wit(self) -> $wit {
                $wit { $($plain: self.$plain,)* $($converted: self.$converted.to_wit(),)* }
            }
        }
        impl FromWit for $wit {
            type Core = $core;
            fn from_wit(self) -> $core {
                $core { $($plain: self.$plain,)* $($converted: self.$converted.from_wit(),)* }
            }
        }
    };
}

same_cases!(CoreStatus, Status { Available, Degraded, Exhausted, Unknown });
same_cases!(
    CoreReason,
    Reason {
        RateLimited,
        QuotaExhausted,
        NoCredit,
        Unauthorized,
        Unreachable,
        Timeout,
        Busy,
        Loading,
        Error,
        Other
    }
);
same_cases!(
    CoreClass,
    RefusalClass { Rate, Quota, Money, Concurrency, Capacity, Oversize, ModelScoped, Other }
);
same_cases!(CoreQuantity, Quantity { Requests, Tokens, InputTokens, OutputTokens, Other });

same_fields!(CoreScope, Scope { account, model; });
same_fields!(CoreLimit, Limit {
    window_s, limit, remaining, utilization; quantity, scope, resets_at, captured_at
});
same_fields!(CoreCooldown, Cooldown { ; scope, class, refused_at, until });
same_fields!(CoreLatency, Latency { count, p90_ns, p99_ns, ttfb_p50_ns; });
same_fields!(CoreReading, Reading {
    remaining_requests, remaining_tokens, retry_after_ms, exhausted; reset_at, limits, reason, refusal
});
same_fields!(CoreSignal, Signal {
    provider, quota_remaining, recent_p50_latency_ns, last_error_msg;
    status, quota_reset_at, last_success_at, last_error_at, recorded_at, reason, cooldown_until, limits,
    latency, refusal, cooldowns
});

impl FromWit for QuotaState {
    type Core = evidence::QuotaState;
    fn from_wit(self) -> evidence::QuotaState {
        match self {
            Self::Ok => evidence::QuotaState::Ok,
            Self::Stale => evidence::QuotaState::Stale,
            Self::Blocked => evidence::QuotaState::Blocked,
            Self::Unavailable => evidence::QuotaState::Unavailable,
            Self::Unauthenticated => evidence::QuotaState::Unauthenticated,
            Self::Unknown => evidence::QuotaState::Unknown,
        }
    }
}

impl FromWit for QuotaStatus {
    type Core = evidence::QuotaStatus;
    fn from_wit(self) -> evidence::QuotaStatus {
        let windows = self.windows.into_iter().map(|window| evidence::QuotaWindow {
            window_minutes: window.window_minutes,
            used_percent: window.used_percent,
            resets_at: window.resets_at.from_wit(),
            state: window.state.from_wit(),
        });
        evidence::QuotaStatus {
            captured_at: self.captured_at.from_wit(),
            state: self.state.from_wit(),
            windows: windows.collect(),
            account: self.account,
        }
    }
}

impl FromWit for Evidence {
    type Core = evidence::Evidence;
    fn from_wit(self) -> evidence::Evidence {
        match self {
            Self::None => evidence::Evidence::None,
            Self::Quota(status) => evidence::Evidence::Quota(status.from_wit()),
            Self::Probe(ProbeOutcome::Alive) => evidence::Evidence::Probe(CoreProbeOutcome::Alive),
            Self::Probe(ProbeOutcome::Unusable(_)) => evidence::Evidence::Probe(CoreProbeOutcome::Unusable),
            Self::Probe(ProbeOutcome::Failed(failure)) => {
                let kind = match failure.kind {
                    ProbeFailureKind::Unreachable => evidence::ProbeFailure::Unreachable,
                    ProbeFailureKind::Timeout => evidence::ProbeFailure::Timeout,
                    ProbeFailureKind::Refused => evidence::ProbeFailure::Refused,
                };
                evidence::Evidence::Probe(CoreProbeOutcome::Failed { kind, message: failure.message })
            }
        }
    }
}

impl ToWit for CoreInputError {
    type Wit = InputError;
    fn to_wit(self) -> InputError {
        match self {
            Self::UnknownProvider(handle) => InputError::UnknownProvider(handle),
            Self::UnknownProfile(handle) => InputError::UnknownProfile(handle),
            Self::Malformed(malformed) => InputError::Malformed(malformed.to_string()),
            Self::NotASignal(why) => InputError::NotASignal(why.to_string()),
            Self::NotAState(why) => InputError::NotAState(why.to_string()),
        }
    }
}
