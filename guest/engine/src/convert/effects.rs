//! Times, and what a host's effects found, as values of the core; and the headers that a host is to send. The collector
//! has this file too, over its own bindings.

use alloc::vec::Vec;

use runtime_signals_core as core_logic;

use core_logic::evidence;
use core_logic::packed::FIRST_HEADER;
use core_logic::profile::{NameMatch as CoreMatch, Profile as CoreProfile};
use core_logic::time::Time;

use crate::bindings::types::{
    Instant, NameMatch, ProbeFailureKind, ProbeOutcome, QuotaState, QuotaStatus, WantedHeader,
};

/// The headers that a profile asks for.
pub(crate) fn wanted_headers(profile: Option<&CoreProfile>) -> Vec<WantedHeader> {
    let headers = profile.map(|profile| profile.headers.as_slice()).unwrap_or_default();
    let wanted = (FIRST_HEADER..).zip(headers).map(|(id, header)| WantedHeader {
        id,
        kind: match header.kind {
            CoreMatch::Exact => NameMatch::Exact,
            CoreMatch::Prefix => NameMatch::Prefix,
            CoreMatch::Suffix => NameMatch::Suffix,
        },
        name: header.name.clone(),
    });
    wanted.collect()
}

/// A value of the interface as one of the core. Times outside of the range become its nearest end.
pub(crate) trait FromWit {
    type Core;
    fn from_wit(self) -> Self::Core;
}

impl<T: FromWit> FromWit for Option<T> {
    type Core = Option<T::Core>;
    fn from_wit(self) -> Self::Core {
        self.map(FromWit::from_wit)
    }
}

impl FromWit for Instant {
    type Core = Time;
    fn from_wit(self) -> Time {
        let end = if self.seconds < 0 { Time::MIN } else { Time::MAX };
        Time::new(self.seconds, self.nanoseconds).unwrap_or(end)
    }
}

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
            windows: windows.collect::<Vec<_>>(),
            account: self.account,
        }
    }
}

impl FromWit for ProbeOutcome {
    type Core = evidence::ProbeOutcome;
    fn from_wit(self) -> evidence::ProbeOutcome {
        let failure = match self {
            Self::Alive => return evidence::ProbeOutcome::Alive,
            Self::Unusable(_) => return evidence::ProbeOutcome::Unusable,
            Self::Failed(failure) => failure,
        };
        let kind = match failure.kind {
            ProbeFailureKind::Unreachable => evidence::ProbeFailure::Unreachable,
            ProbeFailureKind::Timeout => evidence::ProbeFailure::Timeout,
            ProbeFailureKind::Loading => evidence::ProbeFailure::Loading,
            ProbeFailureKind::Busy => evidence::ProbeFailure::Busy,
            ProbeFailureKind::Refused => evidence::ProbeFailure::Refused,
        };
        evidence::ProbeOutcome::Failed { kind, message: failure.message }
    }
}
