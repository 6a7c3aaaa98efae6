//! Allowances that a profile declares for providers that say nothing: counted here, corrected by refusals.

use alloc::vec;

use super::*;
use crate::reading::Declared;

const MINUTE: Declared = Declared { allowance: 3, window_s: 60, edge: edge::Edge::None };

fn record(provider: &mut Provider, status: u16, seconds: i64, refusal: Option<RefusalClass>) {
    let reading =
        Reading { declared: vec![MINUTE], refusal, exhausted: refusal.is_some(), ..Reading::default() };
    call(status, seconds).record_reading(provider, reading);
}

fn left(provider: &Provider, seconds: i64) -> Option<u64> {
    let signal = provider.judge(at(seconds));
    assert!(signal.limits.iter().all(|limit| limit.pool.as_str() == "declared"));
    signal.limits.first().and_then(|limit| limit.remaining)
}

#[test]
fn calls_are_counted_until_the_window_ends() {
    let mut provider = after(&[]);
    for (second, expected) in [(0, 2), (1, 1), (2, 0)] {
        record(&mut provider, 200, second, None);
        assert_eq!(left(&provider, second), Some(expected));
    }
    assert_eq!(verdict(&provider.judge(at(3))), (Status::Exhausted, Some(0), Some(at(60))));
    assert_eq!(status(&provider, 60), Status::Available);
    record(&mut provider, 200, 61, None);
    assert_eq!(left(&provider, 61), Some(2), "another window has begun");
}

#[test]
fn a_refusal_shows_that_nothing_is_left_and_a_later_success_that_the_count_was_wrong() {
    let mut provider = after(&[]);
    record(&mut provider, 200, 0, None);
    record(&mut provider, 429, 1, Some(RefusalClass::Rate));
    assert_eq!(left(&provider, 2), Some(0));
    assert_eq!(status(&provider, 2), Status::Exhausted);
    record(&mut provider, 200, 5, None);
    assert_eq!((status(&provider, 6), left(&provider, 6)), (Status::Available, None));
}

#[test]
fn calls_of_another_model_and_calls_that_never_arrived_are_not_counted() {
    let mut provider = after(&[]);
    record(&mut provider, 200, 0, None);
    let unsent = Reading { declared: vec![MINUTE], ..Reading::default() };
    call(0, 1).error("connection refused").record_reading(&mut provider, unsent.clone());
    call(200, 2).model("m").record_reading(&mut provider, unsent);
    let counts: Vec<_> = provider.judge(at(3)).limits.iter().map(|limit| limit.remaining).collect();
    assert_eq!(counts, [Some(2), Some(2)]);
}
