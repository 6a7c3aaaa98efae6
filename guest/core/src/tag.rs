//! A signal in one header field, for gateways that tag what they pass on.

use alloc::string::String;
use core::fmt::Write;
use core::time::Duration;

use crate::signal::Signal;

/// The signal as a structured field (RFC 9651), an item with parameters as far as they are known:
/// `exhausted;remaining=0;reset=20;reason=rate_limited`, the reset in seconds from when it was judged.
#[must_use]
pub fn tag(signal: &Signal) -> String {
    let mut tag = String::from(signal.status.as_str());
    if let Some(remaining) = signal.quota_remaining {
        // Writing to a string cannot fail. The largest integer of a structured field has 15 digits.
        let _ = write!(tag, ";remaining={}", remaining.min(999_999_999_999_999));
    }
    if let Some(reset_at) = signal.quota_reset_at {
        let _ = write!(tag, ";reset={}", whole_seconds(reset_at.since(signal.recorded_at)));
    }
    if let Some(reason) = signal.reason {
        let _ = write!(tag, ";reason={}", reason.as_str());
    }
    tag
}

/// Seconds, rounded up: who waits so long does not come too early.
#[must_use]
pub fn whole_seconds(wait: Duration) -> u64 {
    wait.as_secs().saturating_add(u64::from(wait.subsec_nanos() > 0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signal::{Reason, Status};
    use crate::time::Time;

    #[test]
    fn what_is_not_known_is_not_told() {
        assert_eq!(tag(&Signal::unknown("a".into(), Time::UNIX_EPOCH)), "unknown");
    }

    #[test]
    fn a_reset_is_told_in_whole_seconds_from_now() {
        let mut signal = Signal::unknown("a".into(), Time::new(100, 1).unwrap());
        signal.status = Status::Exhausted;
        signal.quota_remaining = Some(0);
        signal.quota_reset_at = Time::new(119, 2);
        signal.reason = Some(Reason::RateLimited);
        assert_eq!(tag(&signal), "exhausted;remaining=0;reset=20;reason=rate_limited");
        signal.quota_remaining = Some(u64::MAX);
        signal.quota_reset_at = Time::new(99, 0);
        signal.reason = None;
        assert_eq!(tag(&signal), "exhausted;remaining=999999999999999;reset=0");
    }
}
