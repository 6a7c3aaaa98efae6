use super::*;
use crate::testing::call;

fn now() -> Time {
    Time::parse_rfc3339(b"2026-01-15T12:00:00Z").unwrap()
}

fn later(millis: u64) -> Option<Time> {
    now().checked_add(Duration::from_millis(millis))
}

fn reading(provider_type: &str, status: u16, headers: &[(&str, &str)]) -> Reading {
    call(status, 0).of_type(provider_type).headers(headers).read()
}

#[test]
fn openai_counters_are_read_with_their_windows() {
    let reading = reading(
        "openai",
        200,
        &[
            ("x-ratelimit-limit-requests", "10000"),
            ("x-ratelimit-remaining-requests", "9999"),
            ("x-ratelimit-reset-requests", "8.64s"),
            ("x-ratelimit-limit-tokens", "200000"),
            ("x-ratelimit-remaining-tokens", "199938"),
            ("x-ratelimit-reset-tokens", "18ms"),
        ],
    );
    assert_eq!((reading.remaining_requests, reading.remaining_tokens), (Some(9_999), Some(199_938)));
    assert_eq!(reading.reset_at, later(18), "tokens are nearest to empty");
    assert!(!reading.exhausted);
    let windows: Vec<_> = reading.limits.iter().map(|limit| limit.window_s).collect();
    assert_eq!(windows, [Some(86_400), Some(60)]);
}

#[test]
fn a_remaining_of_minus_one_means_not_reported_and_any_other_negative_overdrawn() {
    let unreported = reading("openai", 200, &[("x-ratelimit-remaining-tokens", "-1")]);
    assert_eq!((unreported.remaining_tokens, unreported.exhausted), (None, false));
    let overdrawn = reading("openai", 200, &[("x-ratelimit-remaining-tokens", "-250")]);
    assert_eq!((overdrawn.remaining_tokens, overdrawn.exhausted), (Some(0), true));
}

#[test]
fn a_reset_that_has_passed_by_the_providers_own_clock_is_none() {
    let left =
        [("anthropic-ratelimit-requests-limit", "50"), ("anthropic-ratelimit-requests-remaining", "7")];
    let reset = ("anthropic-ratelimit-requests-reset", "2026-01-15T12:01:00Z");
    let date = |date| reading("anthropic", 200, &[left[0], left[1], reset, ("date", date)]).reset_at;
    assert_eq!(date("Thu, 15 Jan 2026 12:00:00 GMT"), later(60_000));
    assert_eq!(date("Thu, 15 Jan 2026 12:00:30 GMT"), later(30_000));
    assert_eq!(date("Thu, 15 Jan 2026 13:00:00 GMT"), None);
}

#[test]
fn a_window_is_no_longer_than_every_reader_takes() {
    let headers =
        [("x-ratelimit-remaining-tokens", "7"), ("x-ratelimit-renewalperiod-tokens", "18446744073709551607")];
    let reading = reading("azure-openai", 200, &headers);
    assert_eq!(reading.limits[0].window_s, Some(i64::MAX.unsigned_abs()));
}

#[test]
fn numbers_that_overflow_years_past_9999_nan_and_empty_values_are_ignored() {
    for (name, value) in [
        ("x-ratelimit-remaining-requests", "99999999999999999999"),
        ("x-ratelimit-remaining-requests", ""),
        ("x-ratelimit-reset-requests", "99999999999999"),
        ("x-ratelimit-reset-requests", "99999999999h"),
        ("retry-after", "nan"),
        ("retry-after", "999999999999999"),
        ("retry-after-ms", ""),
    ] {
        let spoilt = reading(
            "openai",
            200,
            &[(name, value), ("x-ratelimit-limit-tokens", "100"), ("x-ratelimit-remaining-tokens", "7")],
        );
        assert_eq!(spoilt.remaining_tokens, Some(7), "{name}: {value}");
        assert_eq!((spoilt.remaining_requests, spoilt.retry_after), (None, None), "{name}: {value}");
    }
}

#[test]
fn the_first_usable_value_among_duplicate_header_lines_counts() {
    let reading = reading(
        "openai",
        200,
        &[
            ("x-ratelimit-remaining-requests", "junk"),
            ("x-ratelimit-remaining-requests", "12"),
            ("x-ratelimit-remaining-requests", "99"),
        ],
    );
    assert_eq!(reading.remaining_requests, Some(12));
}

#[test]
fn of_two_limits_at_zero_the_later_ends_it() {
    let reading = reading(
        "openai",
        429,
        &[
            ("x-ratelimit-remaining-requests", "0"),
            ("x-ratelimit-reset-requests", "20s"),
            ("x-ratelimit-remaining-tokens", "0"),
            ("x-ratelimit-reset-tokens", "5s"),
        ],
    );
    assert_eq!(reading.reset_at, later(20_000));
}

#[test]
fn the_reset_is_that_of_the_exhausted_limit_not_the_earliest() {
    let reading = reading(
        "openai",
        429,
        &[
            ("x-ratelimit-remaining-requests", "50"),
            ("x-ratelimit-reset-requests", "1s"),
            ("x-ratelimit-remaining-tokens", "0"),
            ("x-ratelimit-reset-tokens", "30s"),
        ],
    );
    assert_eq!((reading.reset_at, reading.exhausted), (later(30_000), true));
}

#[test]
fn milliseconds_are_more_exact_than_retry_after_unless_they_are_zero() {
    let exact = reading("openai", 429, &[("retry-after", "1"), ("retry-after-ms", "534")]);
    assert_eq!(exact.retry_after, Some(Duration::from_millis(534)));
    let zero = reading("openai", 429, &[("retry-after", "1"), ("retry-after-ms", "0")]);
    assert_eq!(zero.retry_after, Some(Duration::from_millis(1_000)));
}

#[test]
fn the_smallest_of_anthropics_token_figures_binds() {
    let reading = reading(
        "anthropic",
        429,
        &[
            ("anthropic-ratelimit-input-tokens-limit", "100000"),
            ("anthropic-ratelimit-input-tokens-remaining", "0"),
            ("anthropic-ratelimit-input-tokens-reset", "2026-01-15T12:01:01Z"),
            ("anthropic-ratelimit-tokens-limit", "120000"),
            ("anthropic-ratelimit-tokens-remaining", "20000"),
            ("anthropic-ratelimit-tokens-reset", "2026-01-15T12:00:00Z"),
            ("retry-after", "4"),
        ],
    );
    assert_eq!((reading.remaining_tokens, reading.reset_at), (Some(0), later(61_000)));
    assert_eq!(reading.retry_after, Some(Duration::from_millis(4_000)));
}

#[test]
fn legacy_headers_speak_where_the_present_ones_are_silent() {
    let both = reading(
        "anthropic",
        200,
        &[
            ("x-ratelimit-remaining-requests", "1"),
            ("anthropic-ratelimit-requests-remaining", "9"),
            ("x-ratelimit-remaining-tokens", "5"),
        ],
    );
    assert_eq!((both.remaining_requests, both.remaining_tokens), (Some(9), Some(5)));
}

#[test]
fn openrouters_milliseconds_are_not_seconds() {
    let reading = reading(
        "openrouter",
        429,
        &[
            ("x-ratelimit-limit", "50"),
            ("x-ratelimit-remaining", "0"),
            ("x-ratelimit-reset", "1791331200000"),
        ],
    );
    assert_eq!(reading.reset_at, Time::parse_rfc3339(b"2026-10-07T00:00:00Z"));
    assert_eq!(reading.remaining_requests, Some(0));
}

#[test]
fn each_status_has_its_class() {
    for (status, class, exhausted) in [
        (429, Some(RefusalClass::Rate), true),
        (402, Some(RefusalClass::Money), true),
        (413, Some(RefusalClass::Oversize), false),
        (503, Some(RefusalClass::Capacity), false),
        (529, Some(RefusalClass::Capacity), false),
        (500, None, false),
        (401, None, false),
        (403, None, false),
        (404, None, false),
        (200, None, false),
    ] {
        let reading = reading("openai", status, &[]);
        assert_eq!((reading.refusal, reading.exhausted), (class, exhausted), "{status}");
    }
}

#[test]
fn capacity_states_a_wait_but_no_reset_of_a_quota() {
    let reading = reading("openai", 503, &[("retry-after", "120")]);
    assert_eq!(
        (reading.retry_after, reading.reset_at, reading.exhausted),
        (Some(Duration::from_millis(120_000)), None, false)
    );
}
