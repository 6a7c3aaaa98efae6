//! Refusals: what each class does, when it ends by itself, and what ends it before.

use super::*;
use crate::signal::Status::{Available, Degraded, Exhausted};

/// A refusal that states no end.
fn refused(class: RefusalClass) -> Provider {
    let mut provider = after(&[]);
    let exhausted = class.exhausts_scope();
    let reading = Reading { refusal: Some(class), exhausted, ..Reading::default() };
    call(429, 0).record_reading(&mut provider, reading);
    provider
}

#[test]
fn a_refusal_that_states_no_end_ends_after_the_time_of_its_class() {
    for (class, seconds, reason) in [
        (RefusalClass::Rate, 60, Reason::RateLimited),
        (RefusalClass::Concurrency, 60, Reason::Busy),
        (RefusalClass::Quota, 300, Reason::QuotaExhausted),
        (RefusalClass::Money, 3600, Reason::NoCredit),
    ] {
        let provider = refused(class);
        let signal = provider.judge(at(0));
        assert_eq!(verdict(&signal), (Exhausted, Some(0), Some(at(seconds))), "{class:?}");
        assert_eq!((signal.reason, signal.cooldown_until), (Some(reason), Some(at(seconds))), "{class:?}");
        assert_eq!(signal.refusal, Some(class));
        assert_eq!(
            (status(&provider, seconds - 1), status(&provider, seconds)),
            (Exhausted, Available),
            "{class:?}"
        );
    }
}

#[test]
fn a_limit_of_zero_ends_after_an_hour() {
    let never = [("x-ratelimit-limit-requests", "0"), ("x-ratelimit-remaining-requests", "0")];
    let provider = after(&[call(429, 0).headers(&never)]);
    assert_eq!((status(&provider, 3599), status(&provider, 3600)), (Exhausted, Available));
}

#[test]
fn a_limit_at_zero_that_states_no_reset_ends_after_a_minute() {
    let provider = after(&[call(200, 0).headers(&[("x-ratelimit-remaining-requests", "0")])]);
    assert_eq!((status(&provider, 59), status(&provider, 60)), (Exhausted, Available));
}

#[test]
fn a_quota_at_zero_that_states_no_reset_ends_after_the_time_to_live_however_long_its_window() {
    for (remaining, utilization) in [(Some(0), None), (None, Some(1.0))] {
        let mut provider = after(&[]);
        let weekly = Limit {
            window_s: Some(604_800),
            remaining,
            utilization,
            ..Limit::new(limit::Quantity::Other, at(0))
        };
        call(200, 0).record_reading(&mut provider, Reading { limits: [weekly].into(), ..Reading::default() });
        let signal = provider.judge(at(0));
        assert_eq!((signal.quota_reset_at, signal.reason), (Some(at(300)), Some(Reason::QuotaExhausted)));
    }
}

#[test]
fn money_is_not_back_when_a_window_is() {
    for (reset, seconds) in [("5s", 3600), ("2h", 7200)] {
        let headers = [("x-ratelimit-remaining-requests", "0"), ("x-ratelimit-reset-requests", reset)];
        let provider = after(&[call(402, 0).headers(&headers)]);
        assert_eq!(provider.judge(at(0)).quota_reset_at, Some(at(seconds)));
    }
}

#[test]
fn capacity_makes_degraded_with_a_cooldown_and_uses_up_nothing() {
    let mut provider = after(&[call(200, 0).headers(&[("x-ratelimit-remaining-requests", "7")])]);
    let capacity = Reading {
        retry_after: Some(Duration::from_secs(17)),
        refusal: Some(RefusalClass::Capacity),
        ..Reading::default()
    };
    call(429, 1).record_reading(&mut provider, capacity);
    let signal = provider.judge(at(2));
    assert_eq!((signal.status, signal.reason), (Degraded, Some(Reason::Busy)));
    assert_eq!((signal.cooldown_until, signal.quota_remaining), (Some(at(18)), Some(7)));
    assert_eq!(status(&provider, 18), Available);
}

#[test]
fn a_limit_at_zero_in_a_refusal_for_capacity_or_size_is_not_the_callers() {
    for (status_code, cooldown_until) in [(503, Some(at(61))), (529, Some(at(61))), (413, None)] {
        let used_up = [("x-ratelimit-remaining-requests", "0"), ("x-ratelimit-reset-requests", "20s")];
        let signal = after(&[call(200, 0), call(status_code, 1).headers(&used_up)]).judge(at(2));
        assert_ne!(signal.status, Exhausted, "{status_code}");
        assert_eq!((signal.limits.len(), signal.cooldown_until), (0, cooldown_until), "{status_code}");
    }
}

#[test]
fn an_overloaded_provider_has_failed_as_well() {
    let provider = after(&[call(200, 0), call(503, 1).headers(&[("retry-after", "5")])]);
    let signal = provider.judge(at(2));
    assert_eq!(
        (signal.status, signal.reason, signal.cooldown_until),
        (Degraded, Some(Reason::Busy), Some(at(6)))
    );
    assert_eq!(status(&provider, 100), Degraded, "until the next success");
}

#[test]
fn oversize_changes_nothing() {
    let known = call(200, 0).headers(&[("x-ratelimit-remaining-requests", "7")]);
    let before = after(&[known]).judge(at(2));
    let after_it = after(&[known, call(413, 1).headers(&[("retry-after", "65")])]).judge(at(2));
    assert_eq!(verdict(&after_it), verdict(&before));
    assert_eq!((after_it.cooldown_until, after_it.last_error_at), (None, None));
    assert_eq!(after_it.refusal, Some(RefusalClass::Oversize));
    assert_eq!(status(&after(&[call(413, 1)]), 2), Status::Unknown);
}

#[test]
fn a_model_scoped_refusal_refuses_its_scope_only() {
    let mut provider = after(&[call(200, 0).model("b").headers(&[("x-ratelimit-remaining-requests", "7")])]);
    let opus =
        Limit { remaining: Some(0), resets_at: Some(at(500)), ..Limit::new(limit::Quantity::Other, at(1)) };
    let class = Some(RefusalClass::ModelScoped);
    let reading = Reading { exhausted: true, refusal: class, limits: [opus].into(), ..Reading::default() };
    call(429, 1).model("a").record_reading(&mut provider, reading);
    let signal = provider.judge(at(2));
    assert_eq!((signal.status, signal.quota_remaining, signal.cooldown_until), (Available, Some(7), None));
    let of_a = &signal.cooldowns[0];
    assert_eq!((of_a.scope.model(), of_a.until, Some(of_a.class)), (Some("a"), at(500), class));
}

#[test]
fn a_success_sent_after_the_refusal_was_received_ends_it() {
    let refusal = call(429, 10).headers(&[
        ("retry-after", "3600"),
        ("x-ratelimit-remaining-requests", "0"),
        ("x-ratelimit-reset-requests", "2h"),
    ]);
    let success = call(200, 30).sent(20);
    for calls in [[refusal, success], [success, refusal]] {
        let signal = after(&calls).judge(at(31));
        assert_eq!(verdict(&signal), (Available, None, None));
        assert_eq!((signal.cooldown_until, signal.limits[0].remaining), (None, None));
    }
}

#[test]
fn a_success_that_was_already_in_flight_does_not_end_a_refusal() {
    let hint = call(429, 10).headers(&[("retry-after", "3600")]);
    let last_one = [("x-ratelimit-remaining-requests", "0"), ("x-ratelimit-reset-requests", "1h")];
    let used_up = call(404, 10).headers(&last_one);
    for (refusal, sent) in [(hint, 9), (hint, 10), (used_up, 9), (used_up, 10)] {
        let success = call(200, 30).sent(sent);
        for calls in [[refusal, success], [success, refusal]] {
            let signal = after(&calls).judge(at(31));
            assert_eq!((signal.status, signal.quota_reset_at), (Exhausted, Some(at(3610))), "sent at {sent}");
            assert_eq!(signal.last_success_at, Some(at(30)));
        }
    }
}

#[test]
fn a_call_cannot_have_been_sent_after_it_was_answered() {
    let success = call(200, 5).sent(500);
    let refusal = call(429, 10).headers(&[("retry-after", "3600")]);
    assert_eq!(status(&after(&[success, refusal]), 31), Exhausted);
}

#[test]
fn a_failure_or_an_error_of_the_caller_ends_no_refusal() {
    let refusal = call(429, 0).headers(&[("retry-after", "3600")]);
    for next in [call(500, 10), call(404, 10), call(0, 10).error("timeout")] {
        assert_eq!(status(&after(&[refusal, next]), 11), Exhausted);
    }
}

#[test]
fn a_success_ends_a_shortage_of_capacity_too() {
    let provider = after(&[call(503, 0).headers(&[("retry-after", "3600")]), call(200, 10)]);
    let signal = provider.judge(at(11));
    assert_eq!((signal.status, signal.cooldown_until), (Available, None));
}

#[test]
fn a_limit_at_zero_that_a_success_reports_itself_stands() {
    let last_one = [("x-ratelimit-remaining-requests", "0"), ("x-ratelimit-reset-requests", "20s")];
    let provider = after(&[call(200, 1).sent(0).headers(&last_one)]);
    assert_eq!(status(&provider, 2), Exhausted);
    let provider = after(&[call(200, 1).sent(0).headers(&last_one), call(200, 3)]);
    assert_eq!(status(&provider, 4), Available, "the next one passed all the same");
}

#[test]
fn a_hint_with_an_error_or_on_a_success_is_a_hint() {
    let hint = [("retry-after", "30")];
    for refusal in [call(429, 0).error("too many requests"), call(0, 0).error("rate limited"), call(200, 0)] {
        let provider = after(&[refusal.headers(&hint)]);
        assert_eq!(provider.judge(at(1)).quota_reset_at, Some(at(30)));
    }
    assert_eq!(status(&after(&[call(401, 0).headers(&hint)]), 1), Degraded);
}

#[test]
fn a_hint_of_zero_is_no_hint() {
    let azure = [("retry-after", "0"), ("retry-after-ms", "0")];
    assert_eq!(after(&[call(429, 0).headers(&azure)]).judge(at(1)).quota_reset_at, Some(at(60)));
    assert_eq!(status(&after(&[call(200, 0).headers(&azure)]), 1), Available);
}

#[test]
fn clear_ends_refusals_forgets_limits_and_forgives_failures() {
    let calls = [
        call(200, 0).headers(&[("x-ratelimit-remaining-requests", "7")]),
        call(500, 1),
        call(429, 2).headers(&[("retry-after", "3600")]),
    ];
    let mut provider = after(&calls);
    provider.clear(None);
    let signal = provider.judge(at(3));
    assert_eq!(verdict(&signal), (Available, None, None));
    assert_eq!((signal.limits.len(), signal.cooldowns.len(), signal.last_error_at), (0, 0, Some(at(1))));
}

#[test]
fn what_was_cleared_does_not_come_back_and_what_is_new_does() {
    let refusal = call(429, 2).headers(&[("retry-after", "3600")]);
    let mut provider = after(&[call(500, 1), refusal]);
    let stored = provider.judge(at(3));
    provider.clear(None);
    provider.adopt(&stored, at(9));
    refusal.record(&mut provider);
    assert_eq!(status(&provider, 10), Available);
    call(429, 11).record(&mut provider);
    assert_eq!(status(&provider, 12), Exhausted);
}

#[test]
fn the_class_of_the_last_refusal_is_that_of_the_one_received_last() {
    let rate = call(429, 2);
    let capacity = call(503, 1);
    for calls in [[rate, capacity], [capacity, rate]] {
        assert_eq!(after(&calls).judge(at(3)).refusal, Some(RefusalClass::Rate));
    }
}

#[test]
fn refusals_limits_and_successes_of_ever_new_scopes_stay_bounded() {
    let mut provider = after(&[]);
    for index in 0..1000 {
        let model = alloc::format!("{index}");
        let headers = [("x-ratelimit-remaining-requests", "0"), ("retry-after", "3600")];
        call(200, index).model(&model).record(&mut provider);
        call(429, index).model(&model).headers(&headers).record(&mut provider);
    }
    assert_eq!((provider.cooldowns.len(), provider.limits.len(), provider.successes.len()), (64, 128, 64));
    assert!(provider.successes.iter().all(|(_, sent_at)| *sent_at >= at(936)), "the latest are kept");
}

#[test]
fn a_success_that_arrives_late_does_not_hide_one_that_was_sent_later() {
    let refusal = call(429, 15).headers(&[("retry-after", "3600")]);
    assert_eq!(status(&after(&[call(200, 20), call(200, 30).sent(10), refusal]), 31), Available);
}

#[test]
fn a_limit_at_zero_that_was_repeated_is_ended_by_a_success_sent_after_the_repeat_only() {
    let last_one = [("x-ratelimit-remaining-requests", "0"), ("x-ratelimit-reset-requests", "1768482000")];
    let repeated = [call(404, 0).headers(&last_one), call(404, 20).headers(&last_one)];
    let with = |sent| after(&[repeated[0], repeated[1], call(200, 30).sent(sent)]);
    assert_eq!(with(10).judge(at(31)).quota_reset_at, Some(at(3600)));
    assert_eq!(status(&with(21), 31), Available);
}

#[test]
fn a_limit_at_zero_that_turns_out_to_bind_one_model_spares_the_provider() {
    let used_up = |seconds| Limit {
        remaining: Some(0),
        resets_at: Some(at(500)),
        ..Limit::new(limit::Quantity::Other, at(seconds))
    };
    let mut provider = after(&[]);
    call(404, 0).record_reading(&mut provider, Reading { limits: [used_up(0)].into(), ..Reading::default() });
    assert_eq!(status(&provider, 1), Exhausted);
    let refusal = Some(RefusalClass::ModelScoped);
    let reading = Reading { exhausted: true, refusal, limits: [used_up(2)].into(), ..Reading::default() };
    call(429, 2).record_reading(&mut provider, reading);
    assert_eq!(status(&provider, 3), Available);
}

#[test]
fn of_two_accounts_of_one_used_up_limit_the_later_says_when_it_refuses_no_more() {
    let until_noon_six = ("x-ratelimit-reset-requests", "1768478760");
    let used_up = [("x-ratelimit-remaining-requests", "0"), until_noon_six];
    let hinted = [("x-ratelimit-remaining-requests", "0"), until_noon_six, ("retry-after", "20")];
    let provider = after(&[call(429, 0).headers(&hinted), call(404, 30).headers(&used_up)]);
    assert_eq!(provider.judge(at(31)).quota_reset_at, Some(at(360)));
    let provider = after(&[call(404, 0).headers(&used_up), call(429, 1).headers(&hinted)]);
    assert_eq!(provider.judge(at(2)).quota_reset_at, Some(at(21)));
}
