//! Stored signals: the same rules across processes, and signals of programs that know the plain keys only.

use super::*;
use core::time::Duration;

use crate::json;
use crate::merge;
use crate::signal::Status::{Available, Degraded, Exhausted, Unknown};
use crate::testing::Disk;

const HINT: [(&str, &str); 1] = [("retry-after", "3600")];
const USED_UP: [(&str, &str); 4] = [
    ("retry-after", "20"),
    ("x-ratelimit-limit-requests", "60"),
    ("x-ratelimit-remaining-requests", "0"),
    ("x-ratelimit-reset-requests", "6m0s"),
];

/// What a program that knows the plain keys only has stored.
fn foreign(keys: &str) -> Disk {
    let json = alloc::format!(r#"{{"provider":"p",{keys},"recorded_at":"2026-01-15T12:00:00Z"}}"#);
    Disk(Some(json.into_bytes()))
}

#[test]
fn a_process_that_has_just_started_judges_as_the_one_that_stored() {
    for calls in [
        &[call(200, 0).took(7).headers(&[("x-ratelimit-remaining-requests", "9")])][..],
        &[call(429, 0).headers(&USED_UP)],
        &[call(429, 0).headers(&USED_UP[1..])],
        &[call(402, 0)],
        &[call(200, 0), call(500, 1)],
        &[call(200, 0), call(503, 1).headers(&HINT)],
        &[call(500, 0), call(429, 1).headers(&USED_UP)],
        &[call(429, 0).model("a").headers(&HINT), call(200, 1).model("b")],
        &[call(413, 0), call(200, 1)],
        &[call(401, 0).headers(&USED_UP)],
        &[call(429, 0).headers(&USED_UP), call(429, 1)],
        // Refused twice until the same reset, and told to come back at another time.
        &[
            call(429, 0).headers(&USED_UP),
            call(429, 1).headers(&[
                ("retry-after", "25"),
                ("x-ratelimit-limit-requests", "60"),
                ("x-ratelimit-remaining-requests", "0"),
                ("x-ratelimit-reset-requests", "5m59s"),
            ]),
        ],
    ] {
        let mut disk = Disk::default();
        let mut provider = after(calls);
        disk.settle(&mut provider, 2);
        let mut started = disk.start();
        for seconds in [2, 19, 20, 21, 59, 60, 61, 299, 300, 301, 359, 360, 3599, 3600, 3601] {
            assert_eq!(started.judge(at(seconds)), provider.judge(at(seconds)), "at {seconds}: {calls:?}");
        }
        [call(200, 5000), call(429, 5001)].iter().for_each(|call| {
            call.record(&mut provider);
            call.record(&mut started);
        });
        assert_eq!(verdict(&started.judge(at(5002))), verdict(&provider.judge(at(5002))));
    }
}

#[test]
fn a_refusal_that_another_process_stored_is_in_force_here_too() {
    let mut disk = Disk::default();
    disk.settle(&mut after(&[call(429, 0).headers(&HINT)]), 1);
    let mut other = after(&[call(200, 0).sent(-1)]);
    assert_eq!(verdict(&disk.settle(&mut other, 2)), (Exhausted, Some(0), Some(at(3600))));
    assert_eq!(status(&other, 3), Exhausted, "memory and disk agree");
}

#[test]
fn a_success_of_one_process_ends_a_refusal_that_another_one_holds() {
    let mut disk = Disk::default();
    let mut refused = after(&[call(429, 0).headers(&USED_UP), call(429, 0).headers(&HINT)]);
    disk.settle(&mut refused, 1);
    let mut other = disk.start();
    call(200, 10).record(&mut other);
    assert_eq!(disk.settle(&mut other, 11).status, Available);
    assert_eq!(verdict(&disk.settle(&mut refused, 12)), (Available, None, None));
    assert_eq!(status(&disk.start(), 13), Available);
}

#[test]
fn a_success_of_another_process_in_another_scope_ends_nothing() {
    let mut disk = Disk::default();
    let mut refused = after(&[call(429, 0).model("a").headers(&HINT)]);
    disk.settle(&mut refused, 1);
    let mut other = disk.start();
    call(200, 10).model("b").record(&mut other);
    assert_eq!(disk.settle(&mut other, 11).status, Exhausted);
    assert_eq!(disk.settle(&mut refused, 12).status, Exhausted);
}

#[test]
fn a_refusal_that_nobody_else_was_told_of_outlasts_the_others_successes() {
    for refusal in [call(429, 2).headers(&HINT), call(404, 2).headers(&USED_UP[1..])] {
        let mut disk = Disk::default();
        disk.settle(&mut after(&[call(200, 0).took(5)]), 1);
        let mut refused = disk.start();
        refusal.model("a").record(&mut refused);
        let mut other = disk.start();
        call(200, 3).model("b").record(&mut other);
        disk.settle(&mut other, 4);
        assert_eq!(disk.settle(&mut refused, 5).status, Exhausted);
    }
}

#[test]
fn a_commit_that_another_process_was_faster_than_has_told_nobody() {
    let mut disk = Disk::default();
    let mut slow = after(&[call(429, 0).model("a").headers(&HINT)]);
    let prepared = merge::settle(&mut slow, None, at(1), Duration::from_secs(5));
    assert!(matches!(prepared, merge::Outcome::Write(_)));
    disk.settle(&mut after(&[call(200, 1).model("b")]), 1);
    assert_eq!(disk.settle(&mut slow, 1).status, Exhausted);
}

#[test]
fn what_was_learnt_after_a_commit_was_decided_on_has_been_told_to_nobody() {
    let mut disk = Disk::default();
    let mut refused = after(&[call(200, 0).model("b")]);
    let merge::Outcome::Write(signal) = merge::settle(&mut refused, None, at(1), Duration::from_secs(5))
    else {
        panic!("there is nothing on disk")
    };
    call(429, 1).model("a").headers(&HINT).record(&mut refused);
    disk.0 = Some(json::encode(&signal));
    refused.share();
    disk.settle(&mut after(&[call(200, 2).model("b")]), 2);
    assert_eq!(disk.settle(&mut refused, 3).status, Exhausted);
}

#[test]
fn what_one_process_was_told_to_forget_another_one_forgets() {
    let mut disk = Disk::default();
    let left = [("x-ratelimit-remaining-tokens", "7")];
    let mut refused = after(&[call(200, 0).headers(&left), call(429, 0).headers(&USED_UP), call(402, 0)]);
    disk.settle(&mut refused, 1);
    let mut clearing = disk.start();
    clearing.clear(None);
    disk.0 = Some(json::encode(&clearing.judge(at(2))));
    let signal = disk.settle(&mut refused, 3);
    assert_eq!((signal.status, signal.limits.len()), (Available, 0));
}

#[test]
fn a_program_that_leaves_the_refusals_out_does_not_end_them() {
    let mut disk = Disk::default();
    let mut refused = after(&[call(429, 0).headers(&HINT)]);
    disk.settle(&mut refused, 1);
    let mut disk = foreign(r#""status":"available","recent_p50_latency_ns":0"#);
    let later = String::from_utf8(disk.0.unwrap()).unwrap().replace("12:00:00Z", "12:00:02Z");
    disk.0 = Some(later.into_bytes());
    assert_eq!(disk.settle(&mut refused, 3).status, Exhausted);
}

#[test]
fn what_was_stored_before_or_by_a_wrong_clock_does_not_end_a_refusal() {
    for recorded_at in [0, 1_000_000] {
        let mut disk = Disk::default();
        let mut refused = disk.start();
        call(429, 0).headers(&HINT).record(&mut refused);
        disk.settle(&mut refused, 1);
        // As if the commit had failed.
        let other = Signal { recorded_at: at(recorded_at), ..after(&[call(200, -5).took(9)]).judge(at(0)) };
        disk.0 = Some(json::encode(&other));
        assert_eq!(disk.settle(&mut refused, 2).status, Exhausted, "{recorded_at}");
    }
}

#[test]
fn a_shortage_of_capacity_that_was_stored_ends_with_its_time() {
    let mut provider = after(&[call(200, 0)]);
    let refusal = Some(RefusalClass::Capacity);
    call(429, 1).record_reading(&mut provider, Reading { refusal, ..Reading::default() });
    let mut disk = Disk::default();
    assert_eq!(disk.settle(&mut provider, 2).status, Degraded);
    let started = disk.start();
    assert_eq!((status(&started, 60), status(&started, 61)), (Degraded, Available));
}

#[test]
fn an_older_refusal_that_was_stored_is_not_the_last_one() {
    let mut disk = Disk::default();
    disk.settle(&mut after(&[call(429, 0)]), 1);
    assert_eq!(disk.settle(&mut after(&[call(503, 2)]), 3).refusal, Some(RefusalClass::Capacity));
    assert_eq!(disk.settle(&mut after(&[call(402, -9)]), 4).refusal, Some(RefusalClass::Capacity));
}

#[test]
fn of_two_accounts_of_one_window_the_higher_use_counts_whoever_stores_it_last() {
    let told = |received, remaining| {
        let headers = [
            ("x-ratelimit-limit-requests", "100"),
            ("x-ratelimit-remaining-requests", remaining),
            ("x-ratelimit-reset-requests", "10m0s"),
        ];
        after(&[call(200, received).headers(&headers)])
    };
    let (mut earlier, mut later) = (told(10, "60"), told(11, "40"));
    let mut disk = Disk::default();
    disk.settle(&mut later, 20);
    assert_eq!(disk.settle(&mut earlier, 30).quota_remaining, Some(40), "not merely the last to store");
    let mut disk = Disk::default();
    disk.settle(&mut told(10, "60"), 20);
    assert_eq!(disk.settle(&mut told(10, "40"), 20).quota_remaining, Some(40));
    assert_eq!(disk.settle(&mut told(10, "60"), 20).quota_remaining, Some(40), "sent at the same time");
}

#[test]
fn evidence_that_goes_round_by_the_disk_does_not_grow_younger() {
    let mut provider = after(&[call(200, 0).headers(&[("x-ratelimit-remaining-requests", "9")])]);
    let mut disk = Disk::default();
    for seconds in [1, 100, 200, 299] {
        assert_eq!(disk.settle(&mut provider, seconds).limits[0].captured_at, at(0));
        provider = disk.start();
        call(404, seconds).record(&mut provider);
    }
    assert_eq!(provider.judge(at(300)).quota_remaining, None);
}

#[test]
fn outcomes_survive_whatever_another_process_stores() {
    let mut disk = Disk::default();
    disk.settle(&mut after(&[call(200, 5), call(0, 6).error("broken pipe")]), 7);
    let signal = disk.settle(&mut after(&[call(404, 8), call(429, 8)]), 9);
    assert_eq!((signal.last_success_at, signal.last_error_at), (Some(at(5)), Some(at(6))));
    assert_eq!(signal.last_error_msg, "broken pipe");
    let signal = disk.settle(&mut after(&[call(200, 3), call(500, 2)]), 10);
    assert_eq!((signal.last_success_at, signal.last_error_at), (Some(at(5)), Some(at(6))), "the later ones");
}

#[test]
fn a_failure_that_was_stored_makes_degraded_until_a_later_success() {
    let mut disk = Disk::default();
    disk.settle(&mut after(&[call(200, 0), call(0, 5).error("no certificate, timeout")]), 6);
    let mut before = after(&[call(200, 4)]);
    let signal = disk.settle(&mut before, 7);
    assert_eq!((signal.status, signal.reason), (Degraded, Some(Reason::Busy)), "others came through");
    call(200, 8).record(&mut before);
    assert_eq!(disk.settle(&mut before, 9).status, Available);
}

#[test]
fn a_failure_behind_a_refusal_shows_when_the_refusal_is_over() {
    let mut disk = Disk::default();
    disk.settle(&mut after(&[call(504, 0), call(429, 1).headers(&[("retry-after", "5")])]), 2);
    let signal = disk.start().judge(at(10));
    assert_eq!((signal.status, signal.reason), (Degraded, Some(Reason::Timeout)));
}

#[test]
fn latencies_of_others_serve_until_there_are_own_ones() {
    let mut disk = Disk::default();
    disk.settle(&mut after(&[call(200, 0).took(70)]), 1);
    let mut started = disk.start();
    let signal = disk.settle(&mut started, 2);
    assert_eq!((signal.recent_p50_latency_ns, signal.latency.map(|latency| latency.p99_ns)), (70, Some(70)));
    call(200, 3).took(20).record(&mut started);
    assert_eq!(disk.settle(&mut started, 4).recent_p50_latency_ns, 20);
}

#[test]
fn unknown_never_replaces_a_signal_that_has_evidence() {
    let mut disk = Disk::default();
    disk.settle(&mut after(&[call(200, 0)]), 1);
    let before = disk.0.clone();
    let mut nothing = after(&[]);
    disk.settle(&mut nothing, 100);
    assert_eq!(disk.0, before, "reading it did not make it younger");
    assert_eq!(status(&nothing, 101), Available);
    assert!(!disk.write(Signal::unknown("p".into(), at(200)), 200));
    assert_eq!(disk.0, before);
}

#[test]
fn unknown_replaces_unknown() {
    let mut disk = Disk::default();
    assert_eq!(disk.settle(&mut after(&[]), 1).recorded_at, at(1));
    assert_eq!(disk.settle(&mut after(&[]), 2).recorded_at, at(2));
    assert!(disk.write(Signal::unknown("p".into(), at(3)), 3));
}

#[test]
fn bytes_that_are_no_signal_of_the_provider_are_replaced() {
    for bytes in [&b""[..], b"{}", b"null", b"{\"provider\":\"p\"", br#"{"provider":"q","status":"unknown"}"#]
    {
        let mut disk = Disk(Some(bytes.to_vec()));
        assert_eq!(disk.settle(&mut after(&[call(200, 0)]), 1).status, Available);
    }
}

#[test]
fn a_stored_time_a_little_ahead_is_kept_and_one_far_ahead_is_replaced() {
    let stored_at = |seconds| {
        let mut disk = Disk::default();
        disk.settle(&mut after(&[call(200, 0)]), seconds);
        disk
    };
    assert_eq!(stored_at(5).settle(&mut after(&[call(200, 1)]), 1).recorded_at, at(5));
    assert_eq!(stored_at(7).settle(&mut after(&[call(200, 1)]), 1).recorded_at, at(1));
    assert_eq!(stored_at(7).settle(&mut after(&[]), 1).recorded_at, at(1), "its evidence stays");
}

#[test]
fn evidence_from_the_future_can_be_replaced() {
    let far = 1_000_000;
    let mut disk = Disk::default();
    disk.settle(
        &mut after(&[
            call(429, far)
                .headers(&[("x-ratelimit-limit-requests", "0"), ("x-ratelimit-remaining-requests", "0")]),
            call(500, far + 1),
        ]),
        far + 2,
    );
    let mut provider = after(&[call(200, 0)]);
    assert_eq!(disk.settle(&mut provider, 1).status, Exhausted);
    call(200, 20).record(&mut provider);
    let signal = disk.settle(&mut provider, 21);
    assert_eq!((signal.status, signal.recorded_at), (Available, at(21)));
    assert_eq!(signal.last_error_at, Some(at(1)), "when it was read");
}

#[test]
fn a_stored_signal_full_of_names_is_taken_in_within_bounds() {
    let mut stored = after(&[call(429, 0)]).judge(at(0));
    let long = "n".repeat(4000);
    let scope = |index: usize| Scope::new(Some(&long), Some(&alloc::format!("{index}")));
    let limit = |index| Limit {
        scope: scope(index),
        remaining: Some(1),
        ..Limit::new(limit::Quantity::Requests, at(0))
    };
    stored.limits = (0..1000).map(limit).collect();
    let cooldown = |index| Cooldown { scope: scope(index), ..stored.cooldowns[0].clone() };
    stored.cooldowns = (0..1000).map(cooldown).collect();
    stored.last_error_at = Some(at(0));
    stored.last_error_msg = "é".repeat(1000);
    let mut provider = after(&[]);
    provider.adopt(&stored, at(1));
    assert_eq!((provider.limits.len(), provider.cooldowns.len()), (128, 64));
    let bounded = |scope: &Scope| scope.account().is_some_and(|name| name.len() == 128);
    assert!(provider.limits.iter().all(|held| bounded(&held.limit.scope)));
    assert!(provider.cooldowns.iter().all(|held| bounded(&held.cooldown.scope)));
    assert_eq!(provider.last_error_msg.len(), 512);
}

#[test]
fn a_plain_exhausted_signal_refuses_until_its_reset() {
    let disk = foreign(
        r#""status":"exhausted","quota_remaining":0,"quota_reset_at":"2026-01-15T12:10:00Z","recent_p50_latency_ns":5"#,
    );
    let mut provider = disk.start();
    assert_eq!(verdict(&provider.judge(at(599))), (Exhausted, Some(0), Some(at(600))));
    assert_eq!(verdict(&provider.judge(at(600))), (Available, None, None));
    call(200, 1).record(&mut provider);
    assert_eq!(status(&provider, 2), Available, "or until a success");
}

#[test]
fn a_plain_exhausted_signal_without_a_reset_ends_after_a_minute() {
    let provider = foreign(r#""status":"exhausted","recent_p50_latency_ns":5"#).start();
    assert_eq!((status(&provider, 59), status(&provider, 60)), (Exhausted, Available));
}

#[test]
fn an_exhausted_signal_whose_limits_explain_only_a_part_of_it_refuses_all_the_same() {
    let disk = foreign(concat!(
        r#""status":"exhausted","quota_reset_at":"2026-01-15T12:10:00Z","recent_p50_latency_ns":0,"limits":["#,
        r#"{"quantity":"tokens","remaining":0,"resets_at":"2026-01-15T12:00:05Z","captured_at":"2026-01-15T12:00:00Z"}]"#
    ));
    assert_eq!(disk.start().judge(at(6)).quota_reset_at, Some(at(600)));
}

#[test]
fn a_plain_count_serves_until_its_reset_or_the_time_to_live() {
    let disk = foreign(
        r#""status":"available","quota_remaining":9,"quota_reset_at":"2026-01-15T12:10:00Z","recent_p50_latency_ns":5"#,
    );
    let provider = disk.start();
    assert_eq!(verdict(&provider.judge(at(599))), (Available, Some(9), Some(at(600))));
    assert_eq!(verdict(&provider.judge(at(600))), (Available, None, None));
    let provider = foreign(r#""status":"available","quota_remaining":9,"recent_p50_latency_ns":5"#).start();
    assert_eq!(provider.judge(at(299)).quota_remaining, Some(9));
    assert_eq!(provider.judge(at(300)).quota_remaining, None);
}

#[test]
fn a_plain_count_does_not_grow_younger_by_being_stored_again() {
    let mut disk = foreign(r#""status":"available","quota_remaining":9,"recent_p50_latency_ns":5"#);
    for seconds in [100, 200, 299] {
        let mut started = disk.start();
        call(404, seconds).record(&mut started);
        assert_eq!(disk.settle(&mut started, seconds).quota_remaining, Some(9));
    }
    assert_eq!(disk.start().judge(at(300)).quota_remaining, None);
}

#[test]
fn a_plain_count_gives_way_to_an_own_one() {
    let mut provider =
        foreign(r#""status":"available","quota_remaining":9,"recent_p50_latency_ns":5"#).start();
    call(200, 1).headers(&[("x-ratelimit-remaining-requests", "40")]).record(&mut provider);
    let signal = provider.judge(at(2));
    assert_eq!((signal.quota_remaining, signal.limits.len()), (Some(40), 1));
}

#[test]
fn a_plain_degraded_signal_is_degraded_until_a_later_success() {
    for (keys, since) in [
        (
            r#""status":"degraded","recent_p50_latency_ns":0,"last_error_at":"2026-01-15T11:59:00Z","last_error_msg":"x""#,
            -60,
        ),
        (r#""status":"degraded","recent_p50_latency_ns":0"#, 0),
    ] {
        let mut provider = foreign(keys).start();
        call(200, since - 1).record(&mut provider);
        assert_eq!(status(&provider, 1), Degraded);
        call(200, since + 1).record(&mut provider);
        assert_eq!(status(&provider, 2), Available);
    }
}

#[test]
fn a_plain_available_signal_with_an_old_error_is_available() {
    let keys = r#""status":"available","recent_p50_latency_ns":0,"last_error_at":"2026-01-15T11:59:00Z","last_error_msg":"x""#;
    let signal = foreign(keys).start().judge(at(1));
    assert_eq!((signal.status, signal.last_error_at), (Available, Some(at(-60))));
}

#[test]
fn a_plain_unknown_signal_leaves_its_outcomes_and_nothing_else() {
    let keys = r#""status":"unknown","recent_p50_latency_ns":8,"last_success_at":"2026-01-15T11:59:00Z""#;
    let provider = foreign(keys).start();
    let signal = provider.judge(at(1));
    assert_eq!((signal.status, signal.last_success_at), (Unknown, Some(at(-60))));
    assert_eq!((signal.recent_p50_latency_ns, provider.is_known()), (8, false));
}

#[test]
fn a_plain_degraded_signal_does_not_put_an_own_failure_back() {
    let mut provider = foreign(r#""status":"degraded","recent_p50_latency_ns":0"#).start();
    let stored = foreign(r#""status":"degraded","recent_p50_latency_ns":0"#).read();
    call(500, 10).record(&mut provider);
    provider.adopt(&stored, at(20));
    call(200, 5).record(&mut provider);
    assert_eq!(status(&provider, 21), Degraded);
}

#[test]
fn a_plain_degraded_signal_means_it_whenever_its_last_error_was() {
    let keys = concat!(
        r#""status":"degraded","recent_p50_latency_ns":0,"last_error_at":"2026-01-15T11:59:00Z","#,
        r#""last_success_at":"2026-01-15T11:59:30Z","reason":"loading""#
    );
    let signal = foreign(keys).start().judge(at(1));
    assert_eq!((signal.status, signal.reason), (Degraded, Some(Reason::Loading)));
}

#[test]
fn a_wrong_clock_does_not_spoil_what_is_stored_after_it() {
    let mut disk = Disk::default();
    disk.settle(&mut after(&[call(200, 0).took(5)]), 1_000_000);
    let mut refused = after(&[call(429, 0).headers(&HINT)]);
    disk.settle(&mut refused, 1);
    let mut other = disk.start();
    call(200, 10).record(&mut other);
    disk.settle(&mut other, 11);
    assert_eq!(disk.settle(&mut refused, 12).status, Available);
}
