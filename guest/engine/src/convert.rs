//! The same values on both sides of the interface.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::time::Duration;

use runtime_signals_core as core_logic;

use core_logic::evidence;
use core_logic::limit::{
    Effect as CoreEffect, Limit as CoreLimit, Name, Quantity as CoreQuantity, Refill as CoreRefill,
    Scope as CoreScope,
};
use core_logic::number::whole_millis;
use core_logic::provider::Judged as CoreJudged;
use core_logic::reading::Reading as CoreReading;
use core_logic::refusal::RefusalClass as CoreClass;
use core_logic::signal::Reason as CoreReason;
use core_logic::store::{InputError as CoreInputError, RefusedRecord};
use core_logic::time::Time;
use core_logic::wait::{Binding as CoreBinding, Need as CoreNeed, Wait as CoreWait};

use crate::bindings::exports::runtime_signals::signals::runtime_signals::{
    Evidence, InputError, Judged, RecordError,
};
use crate::bindings::types::{
    Effect, Instant, Limit, Need, Quantity, Reading, Reason, Refill, RefusalClass, Scope, Wait, WaitKind,
};

mod effects;

pub(crate) use effects::{FromWit, wanted_headers};

/// A value of the core as one of the interface.
pub(crate) trait ToWit {
    type Wit;
    fn to_wit(self) -> Self::Wit;
}

impl<T: ToWit> ToWit for Option<T> {
    type Wit = Option<T::Wit>;
    fn to_wit(self) -> Self::Wit {
        self.map(ToWit::to_wit)
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

same_cases!(CoreRefill, Refill { Continuous, WindowEdge, Projected });
same_cases!(CoreEffect, Effect { Refuses, RefusesSome, Informs });

same_fields!(CoreNeed, Need { requests, tokens; });
same_fields!(CoreLimit, Limit {
    window_s, limit, remaining, utilization; quantity, scope, pool, resets_at, captured_at, refill, effect
});
impl ToWit for CoreScope {
    type Wit = Scope;
    fn to_wit(self) -> Scope {
        Scope { account: self.account().map(Into::into), model: self.model().map(Into::into) }
    }
}

impl FromWit for Scope {
    type Core = CoreScope;
    fn from_wit(self) -> CoreScope {
        CoreScope::new(self.account.as_deref(), self.model.as_deref())
    }
}

impl ToWit for Name {
    type Wit = String;
    fn to_wit(self) -> String {
        self.as_str().into()
    }
}

impl FromWit for String {
    type Core = Name;
    fn from_wit(self) -> Name {
        Name::from(self.as_str())
    }
}

impl ToWit for CoreReading {
    type Wit = Reading;
    fn to_wit(self) -> Reading {
        Reading {
            remaining_requests: self.remaining_requests,
            remaining_tokens: self.remaining_tokens,
            reset_at: self.reset_at.to_wit(),
            retry_after_ms: self.retry_after.map(whole_millis),
            exhausted: self.exhausted,
            limits: self.limits.to_wit(),
            reason: self.reason.to_wit(),
            refusal: self.refusal.to_wit(),
        }
    }
}

impl FromWit for Reading {
    type Core = CoreReading;
    fn from_wit(self) -> CoreReading {
        CoreReading {
            remaining_requests: self.remaining_requests,
            remaining_tokens: self.remaining_tokens,
            reset_at: self.reset_at.from_wit(),
            retry_after: self.retry_after_ms.map(Duration::from_millis),
            exhausted: self.exhausted,
            limits: self.limits.from_wit(),
            reason: self.reason.from_wit(),
            refusal: self.refusal.from_wit(),
            ..CoreReading::default()
        }
    }
}

impl ToWit for CoreWait {
    type Wit = Wait;
    fn to_wit(self) -> Wait {
        let (kind, until, limit, refusal) = match self {
            Self::Go => (WaitKind::Go, None, None, None),
            Self::Until(at, CoreBinding::Limit(limit)) => (WaitKind::Until, Some(at), Some(limit), None),
            Self::Until(at, CoreBinding::Refusal(class)) => (WaitKind::Until, Some(at), None, Some(class)),
            Self::TooLarge(limit) => (WaitKind::TooLarge, None, Some(limit), None),
            Self::Unknown => (WaitKind::Unknown, None, None, None),
        };
        Wait { kind, until: until.to_wit(), limit: limit.to_wit(), refusal: refusal.to_wit() }
    }
}

impl FromWit for Evidence {
    type Core = evidence::Evidence;
    fn from_wit(self) -> evidence::Evidence {
        match self {
            Self::None => evidence::Evidence::None,
            Self::Quota(status) => evidence::Evidence::Quota(status.from_wit()),
            Self::Probe(outcome) => evidence::Evidence::Probe(outcome.from_wit()),
        }
    }
}

impl ToWit for CoreJudged {
    type Wit = Judged;
    fn to_wit(self) -> Judged {
        let Self { signal, good_until } = self;
        Judged { signal, good_until: good_until.to_wit() }
    }
}

impl ToWit for RefusedRecord {
    type Wit = RecordError;
    fn to_wit(self) -> RecordError {
        match self {
            Self::UnknownProvider(handle) => RecordError::UnknownProvider(handle),
            Self::UnknownProfile(handle) => RecordError::UnknownProfile(handle.into()),
            Self::Malformed(malformed) => {
                RecordError::Malformed(u32::try_from(malformed.offset).unwrap_or(u32::MAX))
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
            Self::NotAProfile => InputError::NotAProfile,
        }
    }
}
