use alloc::vec;

use super::*;
use crate::limit::{Limit, Quantity};
use crate::refusal::{Cooldown, RefusalClass};
use crate::signal::Status::{Available, Degraded, Exhausted};
use crate::testing::{AHEAD, Disk, after, at, call};

/// A signal of which only the plain keys are known.
fn plain(status: Status, seconds: i64) -> Signal {
    Signal { status, ..Signal::unknown("p".into(), at(seconds)) }
}

fn scope(model: &str) -> Scope {
    Scope::new(None, Some(model))
}

fn cooldown(scope: Scope, class: RefusalClass, refused_at: i64, until: i64) -> Cooldown {
    Cooldown { scope, class, refused_at: at(refused_at), until: at(until) }
}

fn limit(scope: Scope, remaining: u64, captured_at: i64) -> Limit {
    let resets_at = Some(at(1000));
    Limit { scope, remaining: Some(remaining), resets_at, ..Limit::new(Quantity::Requests, at(captured_at)) }
}

/// A signal of a refusal in this scope, received at 0.
fn refused(scope: Scope) -> Signal {
    Signal {
        quota_remaining: Some(0),
        quota_reset_at: Some(at(600)),
        cooldown_until: Some(at(600)),
        refusal: Some(RefusalClass::Rate),
        cooldowns: vec![cooldown(scope, RefusalClass::Rate, 0, 600)],
        ..plain(Exhausted, 1)
    }
}

fn succeeded(sent_and_received: i64, recorded_at: i64) -> Signal {
    Signal { last_success_at: Some(at(sent_and_received)), ..plain(Available, recorded_at) }
}

/// What is stored after both were committed.
fn committed(first: Signal, second: Signal, seconds: i64) -> (bool, Signal) {
    let mut disk = Disk::default();
    assert!(disk.write(first, seconds));
    (disk.write(second, seconds), disk.read())
}

#[test]
fn where_nothing_is_stored_or_nothing_readable_the_signal_is_written_as_it_is() {
    let signal = refused(Scope::default());
    for stored in [None, Some(&b""[..]), Some(b"{}"), Some(b"null"), Some(br#"{"provider":"q"}"#)] {
        assert_eq!(commit(stored, signal.clone(), at(2), AHEAD), Outcome::Write(Box::new(signal.clone())));
    }
}

#[test]
fn the_newer_signal_stays_and_of_two_of_one_time_the_later_commit() {
    let (written, stored) = committed(plain(Available, 5), plain(Degraded, 4), 6);
    assert_eq!((written, stored), (false, plain(Available, 5)));
    let (written, stored) = committed(plain(Available, 5), plain(Degraded, 5), 6);
    assert_eq!((written, stored), (true, plain(Degraded, 5)));
    let (written, stored) = committed(plain(Available, 5), plain(Degraded, 6), 6);
    assert_eq!((written, stored), (true, plain(Degraded, 6)));
    let used_up = Signal { quota_remaining: Some(0), quota_reset_at: Some(at(600)), ..plain(Exhausted, 4) };
    assert_eq!(committed(used_up, plain(Available, 5), 6), (true, plain(Available, 5)));
}

#[test]
fn a_stored_time_further_ahead_than_clocks_may_be_is_replaced() {
    let at_most = committed(plain(Available, 105), plain(Degraded, 100), 100);
    assert_eq!(at_most, (false, plain(Available, 105)));
    let further = committed(plain(Available, 106), plain(Degraded, 100), 100);
    assert_eq!(further, (true, plain(Degraded, 100)));
}

#[test]
fn last_success_and_last_error_that_the_new_signal_lacks_are_taken_over() {
    let first = Signal { last_error_at: Some(at(1)), last_error_msg: "x".into(), ..succeeded(0, 2) };
    let (_, stored) = committed(first.clone(), plain(Available, 3), 4);
    assert_eq!(stored, Signal { recorded_at: at(3), ..first.clone() });
    let own = Signal { last_error_at: Some(at(2)), last_error_msg: "y".into(), ..succeeded(3, 3) };
    assert_eq!(committed(first.clone(), own.clone(), 4).1, own);
    let older = Signal { last_error_at: Some(at(-2)), last_error_msg: "z".into(), ..succeeded(-3, 3) };
    assert_eq!(committed(first.clone(), older, 4).1, Signal { recorded_at: at(3), ..first });
}

#[test]
fn a_stored_refusal_in_force_stays() {
    let (_, stored) = committed(refused(Scope::default()), plain(Available, 5), 6);
    assert_eq!(
        stored,
        Signal { recorded_at: at(5), reason: Some(Reason::RateLimited), ..refused(Scope::default()) }
    );
}

#[test]
fn a_stored_refusal_that_is_over_is_not_taken_over() {
    let (_, stored) = committed(refused(Scope::default()), plain(Available, 601), 601);
    assert_eq!((stored.status, stored.cooldowns.len(), stored.cooldown_until), (Available, 0, None));
}

#[test]
fn a_later_success_ends_a_stored_refusal_and_an_earlier_one_does_not() {
    for (received, expected) in [(-5, Exhausted), (0, Exhausted), (4, Available)] {
        let (_, stored) = committed(refused(Scope::default()), succeeded(received, 5), 6);
        assert_eq!(stored.status, expected, "received at {received}");
    }
}

#[test]
fn a_success_in_another_scope_does_not_end_a_stored_refusal() {
    let unsaid = succeeded(4, 5);
    assert_eq!(committed(refused(scope("a")), unsaid.clone(), 6).1.status, Exhausted);
    let of_b = Signal { limits: vec![limit(scope("b"), 9, 4)], ..unsaid.clone() };
    assert_eq!(committed(refused(scope("a")), of_b, 6).1.status, Exhausted);
    let before = Signal { limits: vec![limit(scope("a"), 9, -1)], ..unsaid.clone() };
    assert_eq!(committed(refused(scope("a")), before, 6).1.status, Exhausted);
    let of_a = Signal { limits: vec![limit(scope("a"), 9, 4)], ..unsaid };
    assert_eq!(committed(refused(scope("a")), of_a, 6).1.status, Available);
}

#[test]
fn the_later_of_two_refusals_ends_it() {
    let longer = Signal {
        quota_reset_at: Some(at(900)),
        cooldowns: vec![cooldown(Scope::default(), RefusalClass::Quota, 2, 900)],
        ..refused(Scope::default())
    };
    for (first, second) in [(refused(Scope::default()), longer.clone()), (longer, refused(Scope::default()))]
    {
        let (_, stored) = committed(first, second, 6);
        assert_eq!(
            (stored.status, stored.quota_reset_at, stored.cooldowns.len()),
            (Exhausted, Some(at(900)), 2)
        );
    }
}

#[test]
fn a_stored_shortage_of_capacity_makes_degraded() {
    let short = Signal {
        cooldowns: vec![cooldown(Scope::default(), RefusalClass::Capacity, 0, 60)],
        ..plain(Degraded, 1)
    };
    let (_, stored) = committed(short.clone(), plain(Available, 5), 6);
    assert_eq!(
        (stored.status, stored.reason, stored.cooldown_until),
        (Degraded, Some(Reason::Busy), Some(at(60)))
    );
    assert_eq!(stored.quota_remaining, None);
    let failed = Signal { reason: Some(Reason::Timeout), ..plain(Degraded, 5) };
    assert_eq!(committed(short, failed, 6).1.reason, Some(Reason::Timeout));
}

#[test]
fn a_stored_refusal_of_one_model_is_listed_and_no_more() {
    let of_model = Signal {
        cooldowns: vec![cooldown(scope("a"), RefusalClass::ModelScoped, 0, 600)],
        limits: vec![limit(scope("a"), 0, 0)],
        ..plain(Available, 1)
    };
    let (_, stored) = committed(of_model, plain(Available, 5), 6);
    assert_eq!((stored.status, stored.cooldown_until), (Available, None));
    assert_eq!((stored.cooldowns.len(), stored.limits.len()), (1, 1));
}

#[test]
fn a_count_of_its_own_that_no_limit_explains_is_written_as_it_is() {
    let told = Signal { limits: vec![limit(scope("a"), 40, 0)], ..plain(Available, 1) };
    for remaining in [None, Some(50)] {
        let own = Signal { quota_remaining: remaining, ..plain(Available, 5) };
        let (_, stored) = committed(told.clone(), own, 6);
        assert_eq!((stored.quota_remaining, stored.limits.len()), (remaining, 1));
    }
}

#[test]
fn limits_merge_by_what_was_captured_later_and_not_by_what_was_stored_later() {
    let told = |remaining, captured_at, recorded_at| Signal {
        quota_remaining: Some(remaining),
        quota_reset_at: Some(at(1000)),
        limits: vec![limit(Scope::default(), remaining, captured_at)],
        ..plain(Available, recorded_at)
    };
    let (_, stored) = committed(told(40, 10, 11), told(60, 5, 12), 13);
    assert_eq!((stored.quota_remaining, stored.limits), (Some(40), vec![limit(Scope::default(), 40, 10)]));
    let (_, stored) = committed(told(40, 10, 11), told(60, 11, 12), 13);
    assert_eq!(stored.quota_remaining, Some(60));
    let (_, stored) = committed(told(40, 10, 11), told(60, 10, 12), 13);
    assert_eq!(stored.quota_remaining, Some(40), "at the same time the higher use");
}

#[test]
fn a_stored_limit_at_zero_refuses_until_its_reset_or_a_newer_account() {
    let used_up = Signal { limits: vec![limit(Scope::default(), 0, 0)], ..plain(Exhausted, 1) };
    let (_, stored) = committed(used_up.clone(), plain(Available, 5), 6);
    assert_eq!((stored.status, stored.quota_reset_at), (Exhausted, Some(at(1000))));
    let refilled = Signal { limits: vec![limit(Scope::default(), 9, 4)], ..plain(Available, 5) };
    let (_, stored) = committed(used_up.clone(), refilled, 6);
    assert_eq!((stored.status, stored.quota_remaining), (Available, Some(9)));
    let older = Signal { limits: vec![limit(Scope::default(), 9, -4)], ..plain(Available, 5) };
    assert_eq!(committed(used_up.clone(), older, 6).1.status, Exhausted);
    assert_eq!(committed(used_up, succeeded(4, 5), 6).1.status, Available);
}

#[test]
fn a_limit_past_its_reset_is_not_written() {
    let told = Signal { limits: vec![limit(Scope::default(), 5, 0)], ..plain(Available, 1) };
    assert_eq!(committed(told, plain(Available, 1000), 1000).1.limits, []);
}

#[test]
fn a_refusal_that_comes_late_is_not_lost() {
    let newer = Signal { limits: vec![limit(Scope::default(), 5, 4)], ..plain(Available, 5) };
    let (written, stored) = committed(newer.clone(), refused(Scope::default()), 6);
    assert_eq!((written, stored.status, stored.recorded_at), (true, Exhausted, at(5)));
    let (written, stored) = committed(stored.clone(), refused(Scope::default()), 6);
    assert_eq!((written, stored.status), (false, Exhausted), "once it is known there is nothing to write");
    let (written, stored) =
        committed(Signal { last_success_at: Some(at(4)), ..newer }, refused(Scope::default()), 6);
    assert_eq!((written, stored.status), (false, Available), "a success since has ended it");
}

#[test]
fn what_was_judged_with_a_refusal_known_is_not_judged_again() {
    // A quota harness knows better than a refusal: the signal lists it, and is available.
    let overruled = Signal {
        status: Available,
        cooldown_until: None,
        quota_remaining: None,
        quota_reset_at: None,
        recorded_at: at(5),
        ..refused(Scope::default())
    };
    let (_, stored) = committed(refused(Scope::default()), overruled.clone(), 6);
    assert_eq!(stored, overruled);
}

#[test]
fn evidence_from_the_future_is_not_taken_over_as_such() {
    let far = 1_000_000;
    let mut ahead = refused(Scope::default());
    ahead.recorded_at = at(far);
    ahead.last_error_at = Some(at(far));
    ahead.cooldowns = vec![cooldown(Scope::default(), RefusalClass::Rate, far, far + 60)];
    let (_, stored) = committed(ahead, plain(Available, 10), 10);
    assert_eq!((stored.cooldowns[0].refused_at, stored.last_error_at), (at(10), Some(at(10))));
    assert_eq!(committed(stored, succeeded(20, 21), 21).1.status, Available);
}

#[test]
fn a_signal_committed_twice_is_as_good_as_once() {
    for signal in [
        after(&[call(200, 0).headers(&[("x-ratelimit-remaining-requests", "9")])]).judge(at(1)),
        after(&[call(429, 0).headers(&[("retry-after", "9"), ("x-ratelimit-remaining-requests", "0")])])
            .judge(at(1)),
        after(&[call(503, 0)]).judge(at(1)),
    ] {
        let (written, stored) = committed(signal.clone(), signal.clone(), 1);
        assert_eq!((written, stored), (true, signal));
    }
}
