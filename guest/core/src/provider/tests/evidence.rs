//! Evidence of a collect: probes and quota harnesses.

use super::*;
use crate::evidence::{Evidence, ProbeFailure, ProbeOutcome, QuotaState, QuotaStatus, QuotaWindow};
use crate::limit::Quantity;
use crate::signal::Status::{Available, Degraded, Exhausted, Unknown};

fn window(minutes: u64, used_percent: f64, resets_at: i64) -> QuotaWindow {
    QuotaWindow {
        window_minutes: Some(minutes),
        used_percent: Some(used_percent),
        resets_at: Some(at(resets_at)),
        state: if used_percent < 100.0 { QuotaState::Ok } else { QuotaState::Blocked },
    }
}

fn quota(state: QuotaState, seconds: i64, windows: &[QuotaWindow]) -> Evidence {
    let captured_at = Some(at(seconds));
    Evidence::Quota(QuotaStatus {
        captured_at,
        state,
        windows: windows.to_vec(),
        account: Some("max".into()),
    })
}

fn learnt(provider: &mut Provider, evidence: &Evidence, seconds: i64) -> Signal {
    provider.learn(evidence, at(seconds));
    provider.judge(at(seconds))
}

#[test]
fn a_quota_that_is_ok_is_available_and_tells_its_windows() {
    let evidence = quota(QuotaState::Ok, 0, &[window(300, 40.0, 9000), window(10_080, 60.0, 90_000)]);
    let signal = learnt(&mut after(&[]), &evidence, 1);
    assert_eq!(verdict(&signal), (Available, None, Some(at(90_000))));
    let limits: Vec<_> =
        signal.limits.iter().map(|limit| (limit.quantity, limit.window_s, limit.utilization)).collect();
    assert_eq!(
        limits,
        [(Quantity::Other, Some(18_000), Some(0.4)), (Quantity::Other, Some(604_800), Some(0.6)),]
    );
    assert_eq!(signal.limits[0].scope.account(), Some("max"));
}

#[test]
fn a_blocked_quota_is_exhausted_until_the_reset_of_the_blocking_window() {
    let evidence = quota(QuotaState::Blocked, 0, &[window(300, 100.0, 9000), window(10_080, 60.0, 90_000)]);
    let mut provider = after(&[]);
    let signal = learnt(&mut provider, &evidence, 1);
    assert_eq!(verdict(&signal), (Exhausted, Some(0), Some(at(9000))));
    assert_eq!((signal.reason, signal.cooldown_until), (Some(Reason::QuotaExhausted), Some(at(9000))));
    assert_eq!(status(&provider, 8999), Exhausted);
    assert_ne!(status(&provider, 9000), Exhausted);
}

#[test]
fn a_blocked_quota_without_a_reset_ends_after_the_time_to_live() {
    for windows in [&[][..], &[QuotaWindow { resets_at: None, ..window(10_080, 100.0, 0) }]] {
        let signal = learnt(&mut after(&[]), &quota(QuotaState::Blocked, 0, windows), 1);
        assert_eq!(verdict(&signal), (Exhausted, Some(0), Some(at(300))));
    }
}

#[test]
fn a_used_up_window_that_does_not_block_the_account_refuses_nothing() {
    // One model's week, of the same length as the account's, and usage beyond the plan.
    let windows = [
        window(300, 40.0, 9000),
        window(10_080, 60.0, 90_000),
        window(10_080, 100.0, 80_000),
        window(10_080, 80.0, 80_000),
        window(43_200, 100.0, 99_000),
    ];
    let mut provider = after(&[]);
    let signal = learnt(&mut provider, &quota(QuotaState::Ok, 0, &windows), 1);
    assert_eq!((signal.status, signal.limits.len()), (Available, 2));
    assert_eq!(signal.limits[1].utilization, Some(0.6));
    assert_ne!(status(&provider, 1000), Exhausted, "nor does it when the evidence is stale");
}

#[test]
fn a_quota_without_usable_evidence_is_unknown() {
    for state in
        [QuotaState::Stale, QuotaState::Unavailable, QuotaState::Unauthenticated, QuotaState::Unknown]
    {
        let evidence = quota(state, 0, &[window(300, 100.0, 9000)]);
        assert_eq!(verdict(&learnt(&mut after(&[]), &evidence, 1)), (Unknown, None, None), "{state:?}");
        let mut provider = after(&[call(200, 0).headers(&[("x-ratelimit-remaining-requests", "7")])]);
        let signal = learnt(&mut provider, &evidence, 1);
        assert_eq!(signal.quota_remaining, Some(7), "the last recorded reading serves");
    }
}

#[test]
fn what_was_ok_once_is_not_when_the_harness_takes_it_back_or_it_is_a_quarter_of_an_hour_old() {
    let mut provider = after(&[]);
    let ok = quota(QuotaState::Ok, 0, &[]);
    assert_eq!(learnt(&mut provider, &ok, 1).status, Available);
    assert_eq!((status(&provider, 899), status(&provider, 900)), (Available, Unknown));
    assert_eq!(learnt(&mut provider, &quota(QuotaState::Unauthenticated, 2, &[]), 3).status, Unknown);
}

#[test]
fn a_quota_found_ok_after_a_refusal_knows_better_and_one_found_before_does_not() {
    let refusal = call(429, 10).headers(&[
        ("retry-after", "3600"),
        ("x-ratelimit-remaining-requests", "0"),
        ("x-ratelimit-reset-requests", "1h0m0s"),
    ]);
    for (captured, expected) in [(9, Exhausted), (10, Available), (11, Available)] {
        let mut provider = after(&[refusal]);
        let signal = learnt(&mut provider, &quota(QuotaState::Ok, captured, &[]), 20);
        assert_eq!(signal.status, expected, "captured at {captured}");
        if expected == Available {
            assert_eq!((signal.quota_remaining, signal.cooldown_until), (None, None));
            assert_eq!(status(&provider, 1000), Exhausted, "once it is stale the last reading serves again");
        }
    }
}

#[test]
fn a_quota_found_blocked_later_or_ok_later_replaces_what_was_found_before() {
    let ok = quota(QuotaState::Ok, 10, &[window(300, 40.0, 9000)]);
    let blocked = quota(QuotaState::Blocked, 20, &[window(300, 100.0, 9000)]);
    let mut provider = after(&[]);
    assert_eq!(learnt(&mut provider, &ok, 11).status, Available);
    assert_eq!(learnt(&mut provider, &blocked, 21).status, Exhausted);
    assert_eq!(learnt(&mut provider, &ok, 22).status, Exhausted, "what is older than the refusal");
    let freed = quota(QuotaState::Ok, 30, &[window(300, 2.0, 27_000)]);
    assert_eq!(learnt(&mut provider, &freed, 31).status, Available);
}

#[test]
fn looking_at_the_same_quota_again_changes_nothing() {
    let evidence = quota(QuotaState::Blocked, 0, &[window(300, 100.0, 9000)]);
    let mut provider = after(&[]);
    let first = learnt(&mut provider, &evidence, 5);
    assert_eq!(learnt(&mut provider, &evidence, 5), first);
}

#[test]
fn a_failure_is_not_healed_by_a_quota() {
    let mut provider = after(&[call(500, 0)]);
    assert_eq!(learnt(&mut provider, &quota(QuotaState::Ok, 1, &[]), 2).status, Degraded);
}

#[test]
fn a_probe_that_is_answered_is_a_success() {
    let mut provider = after(&[call(500, 0)]);
    let signal = learnt(&mut provider, &Evidence::Probe(ProbeOutcome::Alive), 5);
    assert_eq!(
        (signal.status, signal.last_success_at, signal.last_error_at),
        (Available, Some(at(5)), Some(at(0)))
    );
}

#[test]
fn a_probe_that_fails_makes_degraded_with_its_message() {
    for (kind, reason) in [
        (ProbeFailure::Unreachable, Reason::Unreachable),
        (ProbeFailure::Timeout, Reason::Timeout),
        (ProbeFailure::Loading, Reason::Loading),
        (ProbeFailure::Busy, Reason::Busy),
        (ProbeFailure::Refused, Reason::Error),
    ] {
        let message = "no answer from http://localhost:1234".repeat(40);
        let failed = Evidence::Probe(ProbeOutcome::Failed { kind, message: message.clone() });
        let mut provider = after(&[]);
        let signal = learnt(&mut provider, &failed, 5);
        assert_eq!((signal.status, signal.reason), (Degraded, Some(reason)));
        assert_eq!((signal.last_error_at, signal.last_error_msg.as_str()), (Some(at(5)), &message[..512]));
        assert_eq!(learnt(&mut provider, &Evidence::Probe(ProbeOutcome::Alive), 6).status, Available);
    }
}

#[test]
fn no_address_to_probe_and_no_evidence_say_nothing() {
    for evidence in [Evidence::None, Evidence::Probe(ProbeOutcome::Unusable)] {
        assert_eq!(learnt(&mut after(&[]), &evidence, 5), Signal::unknown("p".into(), at(5)));
        assert_eq!(learnt(&mut after(&[call(200, 0)]), &evidence, 5).status, Available);
    }
}

#[test]
fn an_older_finding_does_not_take_back_a_newer_one() {
    let mut provider = after(&[call(429, 7)]);
    assert_eq!(learnt(&mut provider, &quota(QuotaState::Ok, 10, &[]), 11).status, Available);
    assert_eq!(learnt(&mut provider, &quota(QuotaState::Ok, 5, &[]), 12).status, Available);
}
