//! The same values on both sides of the interface.

use std::time::{Duration, SystemTime};

use super::bindings::exports::runtime_signals::signals::runtime_signals as wit_api;
use super::bindings::exports::runtime_signals::signals::types as wit;
use crate::probe::{ProbeFailureKind, ProbeOutcome};
use crate::quota::{QuotaState, QuotaStatus};
use crate::signal::{Effect, Limit, Quantity, Reading, Reason, Refill, RefusalClass, Scope};
use crate::time::{from_unix, to_unix};
use crate::wait::{Binding, Need, Wait};

/// A value as one of the interface.
pub(crate) trait ToWit {
    type Wit;
    fn to_wit(&self) -> Self::Wit;
}

/// A value of the interface as ours.
#[expect(clippy::wrong_self_convention, reason = "the counterpart of `to_wit` reads better than `into_host`")]
pub(crate) trait FromWit {
    type Host;
    fn from_wit(self) -> Self::Host;
}

impl<T: ToWit> ToWit for Option<T> {
    type Wit = Option<T::Wit>;
    fn to_wit(&self) -> Self::Wit {
        self.as_ref().map(ToWit::to_wit)
    }
}

impl<T: FromWit> FromWit for Option<T> {
    type Host = Option<T::Host>;
    fn from_wit(self) -> Self::Host {
        self.map(FromWit::from_wit)
    }
}

impl<T: ToWit> ToWit for Vec<T> {
    type Wit = Vec<T::Wit>;
    fn to_wit(&self) -> Self::Wit {
        self.iter().map(ToWit::to_wit).collect()
    }
}

impl<T: FromWit> FromWit for Vec<T> {
    type Host = Vec<T::Host>;
    fn from_wit(self) -> Self::Host {
        self.into_iter().map(FromWit::from_wit).collect()
    }
}

impl ToWit for SystemTime {
    type Wit = wit::Instant;
    fn to_wit(&self) -> wit::Instant {
        let (seconds, nanoseconds) = to_unix(*self);
        wit::Instant { seconds, nanoseconds }
    }
}

impl FromWit for wit::Instant {
    type Host = SystemTime;
    fn from_wit(self) -> SystemTime {
        from_unix(self.seconds, self.nanoseconds)
    }
}

/// Nanoseconds of a span, at most 584 years.
pub(crate) fn nanoseconds(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}

/// Both directions of an enumeration whose cases have the same names on both sides.
macro_rules! same_cases {
    ($type:ident = $wit:path { $($case:ident),* }) => {
        impl ToWit for $type {
            type Wit = $wit;
            fn to_wit(&self) -> $wit {
                use $wit as Wit;
                match self {
                    $(Self::$case => Wit::$case,)*
                }
            }
        }
        impl FromWit for $wit {
            type Host = $type;
            fn from_wit(self) -> $type {
                match self {
                    $(Self::$case => $type::$case,)*
                }
            }
        }
    };
}

same_cases!(
    Reason = wit::Reason {
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
    RefusalClass =
        wit::RefusalClass { Rate, Quota, Money, Concurrency, Capacity, Oversize, ModelScoped, Other }
);
same_cases!(Quantity = wit::Quantity { Requests, Tokens, InputTokens, OutputTokens, Other });
same_cases!(Refill = wit::Refill { Continuous, WindowEdge, Projected });
same_cases!(Effect = wit::Effect { Refuses, RefusesSome, Informs });
same_cases!(QuotaState = wit::QuotaState { Ok, Stale, Blocked, Unavailable, Unauthenticated, Unknown });
same_cases!(ProbeFailureKind = wit::ProbeFailureKind { Unreachable, Timeout, Loading, Busy, Refused });

impl ToWit for Scope {
    type Wit = wit::Scope;
    fn to_wit(&self) -> wit::Scope {
        wit::Scope { account: self.account.clone(), model: self.model.clone() }
    }
}

impl FromWit for wit::Scope {
    type Host = Scope;
    fn from_wit(self) -> Scope {
        Scope { account: self.account, model: self.model }
    }
}

impl FromWit for wit::Limit {
    type Host = Limit;
    fn from_wit(self) -> Limit {
        Limit {
            quantity: self.quantity.from_wit(),
            scope: self.scope.from_wit(),
            pool: self.pool,
            window: self.window_s.map(Duration::from_secs),
            limit: self.limit,
            remaining: self.remaining,
            utilization: self.utilization,
            resets_at: self.resets_at.from_wit(),
            captured_at: self.captured_at.from_wit(),
            refill: self.refill.from_wit(),
            effect: self.effect.from_wit(),
        }
    }
}

impl FromWit for wit::Reading {
    type Host = Reading;
    fn from_wit(self) -> Reading {
        Reading {
            remaining_requests: self.remaining_requests,
            remaining_tokens: self.remaining_tokens,
            reset_at: self.reset_at.from_wit(),
            retry_after: self.retry_after_ms.map(Duration::from_millis),
            exhausted: self.exhausted,
            limits: self.limits.from_wit(),
            reason: self.reason.from_wit(),
            refusal: self.refusal.from_wit(),
        }
    }
}

impl ToWit for Need {
    type Wit = wit::Need;
    fn to_wit(&self) -> wit::Need {
        wit::Need { requests: self.requests, tokens: self.tokens }
    }
}

impl FromWit for wit::Wait {
    type Host = Wait;
    fn from_wit(self) -> Wait {
        let binding = match (self.limit, self.refusal) {
            (Some(limit), _) => Binding::Limit(limit.from_wit()),
            (None, class) => Binding::Refusal(class.map_or(RefusalClass::Other, FromWit::from_wit)),
        };
        match (self.kind, binding, self.until) {
            (wit::WaitKind::Go, ..) => Wait::Go,
            (wit::WaitKind::Until, binding, Some(at)) => Wait::Until { at: at.from_wit(), binding },
            (wit::WaitKind::TooLarge, Binding::Limit(limit), _) => Wait::TooLarge(limit),
            _ => Wait::Unknown,
        }
    }
}

impl ToWit for ProbeOutcome {
    type Wit = wit::ProbeOutcome;
    fn to_wit(&self) -> wit::ProbeOutcome {
        match self {
            Self::Alive => wit::ProbeOutcome::Alive,
            Self::Unusable(why) => wit::ProbeOutcome::Unusable(why.clone()),
            Self::Failed { kind, message } => {
                wit::ProbeOutcome::Failed(wit::ProbeFailure { kind: kind.to_wit(), message: message.clone() })
            }
        }
    }
}

impl ToWit for QuotaStatus {
    type Wit = wit::QuotaStatus;
    fn to_wit(&self) -> wit::QuotaStatus {
        let windows = self.account_windows().map(|window| wit::QuotaWindow {
            name: window.name.clone(),
            limit_id: window.limit_id.clone(),
            window_minutes: window.window_minutes,
            used_percent: window.used_percent,
            resets_at: window.resets_at.to_wit(),
            state: window.state.to_wit(),
        });
        wit::QuotaStatus {
            source: self.source.clone(),
            captured_at: self.captured_at.to_wit(),
            fresh: self.fresh,
            age_ns: self.age.map(nanoseconds),
            state: self.state.to_wit(),
            windows: windows.collect(),
            account: self.account.clone(),
            reason: self.reason.clone(),
        }
    }
}

/// What a collect may use beside what was recorded.
#[derive(Clone, Debug)]
pub(crate) enum Evidence {
    /// Nothing.
    None,
    /// A liveness check.
    Probe(ProbeOutcome),
    /// A quota.
    Quota(QuotaStatus),
}

impl ToWit for Evidence {
    type Wit = wit_api::Evidence;
    fn to_wit(&self) -> wit_api::Evidence {
        match self {
            Self::None => wit_api::Evidence::None,
            Self::Probe(outcome) => wit_api::Evidence::Probe(outcome.to_wit()),
            Self::Quota(status) => wit_api::Evidence::Quota(status.to_wit()),
        }
    }
}
