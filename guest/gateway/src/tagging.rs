//! From one response to its tag.

use alloc::string::String;
use core::time::Duration;

use runtime_signals_core::call::Call;
use runtime_signals_core::evidence::Evidence;
use runtime_signals_core::signal::Status;
use runtime_signals_core::tag::tag;
use runtime_signals_core::{Store, Time};

/// The header that carries the tag.
pub const HEADER: &str = "x-provider-status";

/// The type that reads each dialect by the names that are its own: there is nothing to configure in these gateways.
const PROVIDER_TYPE: &str = "generic";
/// A reset further ahead comes of a time that is compared with no clock.
const FURTHEST_RESET: Duration = Duration::from_secs(366 * 86_400);

/// What a response says about limits, as the value of [`HEADER`]; `None` where it says nothing.
///
/// The time is that of the response's `Date`. Without one, waits are told, and resets at a point in time are not.
pub fn tag_of<'a>(
    status: u16,
    headers: impl Iterator<Item = (&'a str, &'a str)> + Clone,
    body: &[u8],
) -> Option<String> {
    let date = headers.clone().find(|(name, _)| name.eq_ignore_ascii_case("date"));
    let now = date.and_then(|(_, value)| Time::parse_http_date(value.as_bytes())).unwrap_or(Time::UNIX_EPOCH);
    let call = Call {
        status,
        body,
        latency_ns: 0,
        ttfb_ns: None,
        account: None,
        model: None,
        error: None,
        received_at: now,
    };
    let mut store = Store::new(1);
    let provider = store.add_provider("");
    let headers = headers.map(|(name, value)| (name.as_bytes(), value.as_bytes()));
    store.record_call(provider, PROVIDER_TYPE, &call, headers).ok()?;
    let mut signal = store.collect(provider, &Evidence::None, now).ok()?;
    signal.quota_reset_at = signal.quota_reset_at.filter(|reset_at| reset_at.since(now) <= FURTHEST_RESET);
    (signal.status != Status::Unknown).then(|| tag(&signal))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DATE: (&str, &str) = ("Date", "Tue, 24 Nov 2026 12:00:00 GMT");

    fn tag(status: u16, headers: &[(&str, &str)], body: &str) -> Option<String> {
        tag_of(status, headers.iter().copied(), body.as_bytes())
    }

    #[test]
    fn limits_are_told_by_the_names_of_each_dialect() {
        let openai = [DATE, ("X-RateLimit-Remaining-Requests", "59"), ("x-ratelimit-reset-requests", "20s")];
        assert_eq!(tag(200, &openai, "").unwrap(), "available;remaining=59;reset=20");
        let anthropic = [
            DATE,
            ("anthropic-ratelimit-requests-remaining", "4"),
            ("anthropic-ratelimit-requests-reset", "2026-11-24T12:01:00Z"),
        ];
        assert_eq!(tag(200, &anthropic, "").unwrap(), "available;remaining=4;reset=60");
    }

    #[test]
    fn a_refusal_tells_its_end_with_a_clock_and_without() {
        let expected = "exhausted;remaining=0;reset=30;reason=rate_limited";
        assert_eq!(tag(429, &[DATE, ("retry-after", "30")], "").unwrap(), expected);
        assert_eq!(tag(429, &[("retry-after", "30")], "").unwrap(), expected);
    }

    #[test]
    fn without_a_clock_no_point_in_time_is_told() {
        let headers = [
            ("anthropic-ratelimit-requests-remaining", "4"),
            ("anthropic-ratelimit-requests-reset", "2026-11-24T12:01:00Z"),
        ];
        assert_eq!(tag(200, &headers, "").unwrap(), "available;remaining=4");
    }

    #[test]
    fn the_body_of_an_error_tells_why() {
        let body = r#"{"error":{"message":"You exceeded your current quota","type":"insufficient_quota","code":"insufficient_quota"}}"#;
        assert!(
            tag(429, &[DATE], body).unwrap().ends_with("reason=no_credit"),
            "{:?}",
            tag(429, &[DATE], body)
        );
    }

    #[test]
    fn what_says_nothing_is_not_tagged() {
        assert_eq!(tag(404, &[DATE], "no such model"), None);
        assert_eq!(tag(200, &[], "").unwrap(), "available");
        assert_eq!(tag(500, &[], "").as_deref(), Some("degraded;reason=error"));
    }
}
