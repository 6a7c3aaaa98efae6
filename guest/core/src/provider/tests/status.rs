//! Status: what is left, until when, and what a failure does to it.

use super::*;

#[test]
fn nothing_known_is_unknown() {
    let signal = after(&[]).judge(at(0));
    assert_eq!(signal, Signal::unknown("p".into(), at(0)));
}

#[test]
fn a_retry_hint_is_anchored_to_the_time_it_was_received_so_it_ends() {
    let provider = after(&[call(429, 0).headers(&[("retry-after", "30")])]);
    assert_eq!(verdict(&provider.judge(at(1))), (Status::Exhausted, Some(0), Some(at(30))));
    assert_eq!(verdict(&provider.judge(at(29))), (Status::Exhausted, Some(0), Some(at(30))));
    assert_eq!(verdict(&provider.judge(at(30))), (Status::Available, None, None));
}

#[test]
fn a_retry_hint_ends_although_it_was_recorded_late() {
    let late = call(429, -3600).headers(&[("retry-after", "30")]);
    assert_eq!(status(&after(&[late]), 0), Status::Available);
}

#[test]
fn an_exhausted_limit_is_over_once_its_reset_has_passed() {
    let used_up = [("x-ratelimit-remaining-requests", "0"), ("x-ratelimit-reset-requests", "20s")];
    let provider = after(&[call(200, 0).headers(&used_up)]);
    assert_eq!(verdict(&provider.judge(at(19))), (Status::Exhausted, Some(0), Some(at(20))));
    let over = provider.judge(at(20));
    assert_eq!((verdict(&over), over.limits.len()), ((Status::Available, None, None), 0));
}

#[test]
fn the_reset_reported_is_that_of_the_limit_that_is_exhausted_not_the_earliest_of_all() {
    let provider = after(&[call(200, 0).headers(&[
        ("x-ratelimit-remaining-requests", "50"),
        ("x-ratelimit-reset-requests", "1s"),
        ("x-ratelimit-remaining-tokens", "0"),
        ("x-ratelimit-reset-tokens", "30s"),
    ])]);
    assert_eq!(verdict(&provider.judge(at(0))), (Status::Exhausted, Some(0), Some(at(30))));
}

#[test]
fn where_nothing_is_exhausted_the_reset_is_that_of_the_limit_that_binds() {
    let provider = after(&[call(200, 0).headers(&[
        ("x-ratelimit-limit-requests", "100"),
        ("x-ratelimit-remaining-requests", "50"),
        ("x-ratelimit-reset-requests", "10s"),
        ("x-ratelimit-limit-tokens", "1000"),
        ("x-ratelimit-remaining-tokens", "100"),
        ("x-ratelimit-reset-tokens", "40s"),
    ])]);
    assert_eq!(verdict(&provider.judge(at(0))), (Status::Available, Some(50), Some(at(40))));
    assert_eq!(verdict(&provider.judge(at(10))), (Status::Available, Some(100), Some(at(40))));
    assert_eq!(verdict(&provider.judge(at(40))), (Status::Available, None, None));
}

#[test]
fn a_remaining_of_minus_one_means_not_reported_and_any_other_negative_overdrawn() {
    let told = |remaining| {
        let provider = after(&[call(200, 0).headers(&[("x-ratelimit-remaining-requests", remaining)])]);
        let signal = provider.judge(at(1));
        (signal.status, signal.quota_remaining)
    };
    assert_eq!(told("-1"), (Status::Available, None));
    assert_eq!(told("-2"), RATE_LIMITED);
    assert_eq!(told("-9223372036854775808"), RATE_LIMITED);
}

#[test]
fn numbers_that_overflow_years_past_9999_nan_and_empty_values_are_never_an_error_for_the_whole_signal() {
    for value in ["99999999999999999999", "253402300800", "253402300800000", "99999999999h", "NaN", "inf", ""]
    {
        let provider = after(&[call(200, 0).headers(&[
            ("x-ratelimit-reset-requests", value),
            ("retry-after", value),
            ("x-ratelimit-remaining-requests", "7"),
        ])]);
        assert_eq!(verdict(&provider.judge(at(1))), (Status::Available, Some(7), None), "{value:?}");
    }
    let provider = after(&[call(200, 0).headers(&[
        ("x-ratelimit-remaining-requests", "18446744073709551616"),
        ("x-ratelimit-remaining-tokens", "7"),
    ])]);
    assert_eq!(verdict(&provider.judge(at(1))), (Status::Available, Some(7), None));
}

#[test]
fn of_two_hints_in_force_the_later_ends_it() {
    let long = call(429, 0).headers(&[("retry-after", "300")]);
    let short = call(429, 10).headers(&[("retry-after", "5")]);
    for calls in [[long, short], [short, long]] {
        let provider = after(&calls);
        assert_eq!(provider.judge(at(11)).quota_reset_at, Some(at(300)));
        assert_eq!(status(&provider, 20), Status::Exhausted);
        assert_eq!(status(&provider, 300), Status::Available);
    }
}

#[test]
fn of_two_limits_at_zero_the_later_ends_it() {
    for (requests, tokens) in [("8s", "58s"), ("58s", "8s")] {
        let provider = after(&[call(429, 0).headers(&[
            ("x-ratelimit-limit-requests", "10000"),
            ("x-ratelimit-remaining-requests", "0"),
            ("x-ratelimit-reset-requests", requests),
            ("x-ratelimit-remaining-tokens", "0"),
            ("x-ratelimit-reset-tokens", tokens),
        ])]);
        let signal = provider.judge(at(0));
        assert_eq!((signal.quota_reset_at, signal.cooldown_until), (Some(at(58)), Some(at(58))));
        assert_eq!((status(&provider, 57), status(&provider, 58)), (Status::Exhausted, Status::Available));
    }
}

#[test]
fn within_one_response_an_explicit_hint_ends_the_refusal() {
    let provider = after(&[call(429, 0).headers(&[
        ("retry-after", "20"),
        ("x-ratelimit-limit-requests", "60"),
        ("x-ratelimit-remaining-requests", "0"),
        ("x-ratelimit-reset-requests", "6m0s"),
    ])]);
    assert_eq!(verdict(&provider.judge(at(19))), (Status::Exhausted, Some(0), Some(at(20))));
    let signal = provider.judge(at(20));
    assert_eq!(verdict(&signal), (Status::Available, None, None));
    assert_eq!((signal.limits[0].limit, signal.limits[0].remaining), (Some(60), None), "no longer known");
}

#[test]
fn an_explicit_hint_does_not_outlast_by_way_of_the_limit_what_the_limit_says() {
    let provider = after(&[call(429, 0).headers(&[
        ("retry-after", "90"),
        ("x-ratelimit-remaining-requests", "0"),
        ("x-ratelimit-reset-requests", "20s"),
    ])]);
    assert_eq!(provider.judge(at(0)).quota_reset_at, Some(at(90)));
    assert_eq!(provider.judge(at(20)).limits, []);
}

#[test]
fn last_error_and_last_success_survive_later_writes() {
    let provider = after(&[call(200, 0), call(500, 1), call(200, 2), call(404, 3), call(429, 4)]);
    let signal = provider.judge(at(5));
    assert_eq!((signal.last_success_at, signal.last_error_at), (Some(at(2)), Some(at(1))));
    assert_eq!(signal.last_error_msg, "HTTP 500");
}

#[test]
fn success_sets_last_success_at() {
    assert_eq!(after(&[call(200, 3)]).judge(at(9)).last_success_at, Some(at(3)));
    assert_eq!(after(&[call(200, 3), call(204, 1)]).judge(at(9)).last_success_at, Some(at(3)));
    assert_eq!(after(&[call(404, 3)]).judge(at(9)).last_success_at, None);
}

#[test]
fn a_failed_call_makes_available_degraded_until_the_next_success() {
    for (failure, reason) in [
        (call(401, 1), Reason::Unauthorized),
        (call(403, 1), Reason::Unauthorized),
        (call(408, 1), Reason::Busy),
        (call(500, 1), Reason::Error),
        (call(502, 1), Reason::Error),
        (call(504, 1), Reason::Busy),
        (call(0, 1).error("connection refused"), Reason::Unreachable),
        (call(0, 1).error("operation timed out"), Reason::Busy),
        (call(200, 1).error("the stream broke"), Reason::Error),
        (call(0, 1).error(""), Reason::Error),
    ] {
        let mut provider = after(&[call(200, 0), failure]);
        let signal = provider.judge(at(86_400));
        assert_eq!((signal.status, signal.reason), (Status::Degraded, Some(reason)));
        assert_eq!(signal.last_error_at, Some(at(1)));
        call(200, 2).record(&mut provider);
        assert_eq!(status(&provider, 3), Status::Available);
    }
}

#[test]
fn a_failure_that_is_recorded_after_a_later_success_changes_nothing_but_what_was_last() {
    let provider = after(&[call(200, 2), call(500, 1)]);
    let signal = provider.judge(at(3));
    assert_eq!((signal.status, signal.last_error_at), (Status::Available, Some(at(1))));
    let provider = after(&[call(500, 2), call(0, 1).error("timeout")]);
    assert_eq!(provider.judge(at(3)).last_error_msg, "HTTP 500");
}

#[test]
fn an_error_turns_unknown_into_degraded() {
    let provider = after(&[call(0, 1).error("dns lookup failed")]);
    let signal = provider.judge(at(2));
    assert_eq!((signal.status, signal.last_error_msg.as_str()), (Status::Degraded, "dns lookup failed"));
}

#[test]
fn other_4xx_are_the_callers_own() {
    for status_code in [400, 404, 405, 409, 413, 422, 451, 499] {
        let provider = after(&[call(200, 0), call(status_code, 1)]);
        let signal = provider.judge(at(2));
        assert_eq!((signal.status, signal.last_error_at), (Status::Available, None), "{status_code}");
    }
}

#[test]
fn a_403_with_a_quota_mark_is_a_refusal_and_no_failure() {
    let used_up = [("x-ratelimit-remaining-requests", "0"), ("x-ratelimit-reset-requests", "20s")];
    let signal = after(&[call(403, 0).headers(&used_up)]).judge(at(1));
    assert_eq!((signal.status, signal.last_error_at), (Status::Exhausted, None));
    assert_eq!(signal.refusal, Some(RefusalClass::Quota));
}

#[test]
fn a_2xx_without_limit_headers_is_available() {
    let signal = after(&[call(201, 0)]).judge(at(3600));
    assert_eq!(verdict(&signal), (Status::Available, None, None));
    assert_eq!(signal.reason, None);
}

#[test]
fn a_status_that_was_not_told_is_a_success_unless_the_headers_refuse() {
    assert_eq!(after(&[call(0, 0)]).judge(at(1)).last_success_at, Some(at(0)));
    let refused = after(&[call(0, 0).headers(&[("retry-after", "9")])]).judge(at(1));
    assert_eq!((refused.status, refused.last_success_at), (Status::Exhausted, None));
}

#[test]
fn the_first_usable_value_among_duplicate_header_lines_counts() {
    let provider = after(&[call(200, 0).headers(&[
        ("x-ratelimit-remaining-requests", "junk"),
        ("x-ratelimit-remaining-requests", "12"),
        ("x-ratelimit-remaining-requests", "0"),
    ])]);
    assert_eq!(provider.judge(at(1)).quota_remaining, Some(12));
}

#[test]
fn requests_left_come_before_tokens_left() {
    let both = [("x-ratelimit-remaining-requests", "9"), ("x-ratelimit-remaining-tokens", "5")];
    assert_eq!(after(&[call(200, 0).headers(&both)]).judge(at(1)).quota_remaining, Some(9));
    assert_eq!(after(&[call(200, 0).headers(&both[1..])]).judge(at(1)).quota_remaining, Some(5));
}

#[test]
fn counts_without_a_reset_are_not_used_beyond_the_time_to_live() {
    let provider = after(&[call(200, 0).headers(&[("x-ratelimit-remaining-requests", "9")])]);
    assert_eq!(provider.judge(at(299)).quota_remaining, Some(9));
    assert_eq!(provider.judge(at(300)).quota_remaining, None);
}

#[test]
fn frozen_counters_without_a_reset_stay_known_while_they_are_repeated() {
    let frozen = [("x-ratelimit-remaining-requests", "8300")];
    let provider = after(&[call(200, 0).headers(&frozen), call(200, 290).headers(&frozen)]);
    assert_eq!(provider.judge(at(310)).quota_remaining, Some(8300));
}

#[test]
fn latencies_of_answers_are_measured_and_those_of_errors_are_not() {
    let calls = [
        call(200, 0).took(30),
        call(429, 1).took(10),
        call(200, 2).took(20),
        call(0, 3).error("x").took(999),
    ];
    let signal = after(&calls).judge(at(4));
    assert_eq!(signal.recent_p50_latency_ns, 20);
    let latency = signal.latency.unwrap();
    assert_eq!((latency.count, latency.p90_ns, latency.p99_ns), (3, 30, 30));
}

#[test]
fn a_time_out_while_other_calls_succeed_is_busy_and_not_down() {
    let time_out = |seconds| call(0, seconds).error("operation timed out");
    let reason = |calls: &[_], seconds| after(calls).judge(at(seconds)).reason;
    assert_eq!(reason(&[call(200, 0), time_out(60)], 61), Some(Reason::Busy));
    assert_eq!(reason(&[call(200, 0), time_out(61)], 62), Some(Reason::Timeout));
    assert_eq!(reason(&[time_out(1)], 2), Some(Reason::Timeout));
    let refused = call(0, 1).error("connection refused");
    assert_eq!(reason(&[call(200, 0), refused], 2), Some(Reason::Unreachable));
}

#[test]
fn a_server_that_loads_its_model_is_degraded_with_that_reason() {
    let body = r#"{"error":{"code":503,"message":"Loading model","type":"unavailable_error"}}"#;
    let signal = after(&[call(503, 0).of_type("llama-server").body(body)]).judge(at(1));
    assert_eq!((signal.status, signal.reason), (Status::Degraded, Some(Reason::Loading)));
}

#[test]
fn each_class_of_refusal_has_its_reason() {
    for (status, body, status_then, reason) in [
        (429, r#"{"error":{"code":"rate_limit_exceeded"}}"#, Status::Exhausted, Some(Reason::RateLimited)),
        (429, r#"{"error":{"type":"usage_limit_reached"}}"#, Status::Exhausted, Some(Reason::QuotaExhausted)),
        (429, r#"{"error":{"code":"insufficient_quota"}}"#, Status::Exhausted, Some(Reason::NoCredit)),
        (429, r#"{"error":{"message":"Concurrency limit reached"}}"#, Status::Exhausted, Some(Reason::Busy)),
        (529, r#"{"error":{"type":"overloaded_error"}}"#, Status::Degraded, Some(Reason::Busy)),
        (413, r#"{"error":{"code":"rate_limit_exceeded"}}"#, Status::Unknown, None),
        (401, "", Status::Degraded, Some(Reason::Unauthorized)),
    ] {
        let signal = after(&[call(status, 0).of_type("generic").body(body)]).judge(at(1));
        assert_eq!((signal.status, signal.reason), (status_then, reason), "{status} {body}");
    }
}

#[test]
fn a_call_that_is_told_of_in_two_parts_counts_once() {
    let limits = [("x-ratelimit-remaining-requests", "7"), ("x-ratelimit-reset-requests", "20s")];
    let begun = call(200, 2).headers(&limits).sent(1).took(1_000_000_000).counting(Counts::AllButLatency);
    let signal = after(&[begun]).judge(at(2));
    assert_eq!((signal.status, signal.quota_remaining), (Status::Available, Some(7)));
    assert_eq!((signal.last_success_at, signal.latency), (Some(at(2)), None));

    let refused = call(429, 3).headers(&[("retry-after", "30")]);
    let ended = call(0, 9).sent(1).took(8_000_000_000).counting(Counts::LatencyOnly);
    let signal = after(&[begun, refused, ended]).judge(at(9));
    assert_eq!((signal.status, signal.last_success_at), (Status::Exhausted, Some(at(2))));
    assert_eq!(after(&[begun, ended]).judge(at(9)).recent_p50_latency_ns, 8_000_000_000);
}
