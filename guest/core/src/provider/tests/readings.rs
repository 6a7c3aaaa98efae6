//! Readings of parser components, which are foreign and may be simple, partial or wrong.

use super::*;
use crate::limit::Quantity;

fn recorded(status: u16, reading: Reading) -> Signal {
    let mut provider = after(&[]);
    call(status, 0).account("x").model("m").record_reading(&mut provider, reading);
    provider.judge(at(1))
}

#[test]
fn counts_without_a_list_of_limits_are_limits() {
    let signal = recorded(
        200,
        Reading {
            remaining_requests: Some(9),
            remaining_tokens: Some(500),
            reset_at: Some(at(30)),
            ..Reading::default()
        },
    );
    assert_eq!(verdict(&signal), (Status::Available, Some(9), Some(at(30))));
    assert_eq!(
        signal.limits.iter().map(|limit| limit.quantity).collect::<Vec<_>>(),
        [Quantity::Requests, Quantity::Tokens]
    );
}

#[test]
fn the_reset_of_a_simple_reading_is_that_of_the_count_at_zero() {
    let signal = recorded(
        429,
        Reading {
            remaining_requests: Some(9),
            remaining_tokens: Some(0),
            reset_at: Some(at(30)),
            exhausted: true,
            ..Reading::default()
        },
    );
    assert_eq!(verdict(&signal), (Status::Exhausted, Some(0), Some(at(30))));
    assert_eq!(signal.limits[0].resets_at, None);
    assert_eq!((signal.refusal, signal.cooldowns.len()), (None, 0), "the limit says it all");
}

#[test]
fn a_reading_that_says_exhausted_without_a_class_refuses() {
    for (reason, until) in [
        (None, 60),
        (Some(Reason::RateLimited), 60),
        (Some(Reason::QuotaExhausted), 300),
        (Some(Reason::NoCredit), 3600),
    ] {
        let signal = recorded(429, Reading { exhausted: true, reason, ..Reading::default() });
        assert_eq!(verdict(&signal), (Status::Exhausted, Some(0), Some(at(until))), "{reason:?}");
    }
    let hinted = Reading {
        exhausted: true,
        remaining_requests: Some(0),
        reset_at: Some(at(360)),
        retry_after: Some(Duration::from_secs(20)),
        ..Reading::default()
    };
    assert_eq!(recorded(429, hinted).quota_reset_at, Some(at(20)), "the hint ends the refusal");
}

#[test]
fn the_scope_that_a_limit_lacks_is_that_of_the_call() {
    let limit = |account: Option<&str>, model: Option<&str>| Limit {
        scope: Scope::new(account, model),
        remaining: Some(5),
        ..Limit::new(Quantity::Requests, at(0))
    };
    let limits =
        [limit(None, None), limit(None, Some("family")), limit(Some("org"), None), limit(Some(""), Some(""))];
    let signal = recorded(200, Reading { limits: limits.into(), ..Reading::default() });
    let scopes: Vec<_> =
        signal.limits.iter().map(|limit| (limit.scope.account(), limit.scope.model())).collect();
    assert_eq!(scopes, [(Some("x"), Some("m")), (Some("x"), Some("family")), (Some("org"), None)]);
}

#[test]
fn figures_out_of_range_are_brought_into_it() {
    let limit = |utilization, resets_at, captured_at| Limit {
        window_s: Some(captured_at),
        utilization: Some(utilization),
        resets_at: Some(resets_at),
        ..Limit::new(Quantity::Other, Time::MAX)
    };
    let limits = [
        limit(f64::NAN, at(9), 1),
        limit(-3.0, at(9), 2),
        limit(0.25, at(0), 3),
        limit(f64::INFINITY, Time::MAX, 4),
    ];
    let signal = recorded(200, Reading { limits: limits.into(), ..Reading::default() });
    let figures: Vec<_> = signal.limits.iter().map(|limit| (limit.utilization, limit.resets_at)).collect();
    assert_eq!(
        figures,
        [(None, Some(at(9))), (Some(0.0), Some(at(9))), (Some(0.25), None), (Some(1.0), Some(Time::MAX)),]
    );
    assert!(
        signal.limits.iter().all(|limit| limit.captured_at == at(0)),
        "when it was received is known here"
    );
}

#[test]
fn more_limits_than_any_provider_has_are_not_kept() {
    let limits = (0..5000).map(|window| Limit {
        window_s: Some(window),
        remaining: Some(1),
        resets_at: Some(at(99)),
        ..Limit::new(Quantity::Requests, at(0))
    });
    let signal = recorded(200, Reading { limits: limits.collect(), ..Reading::default() });
    assert_eq!(signal.limits.len(), 128);
    assert_eq!(signal.limits[127].window_s, Some(127), "the first are");
}
