//! What holds for any input at all.

use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use proptest::prelude::*;

use crate::evidence::Evidence;
use crate::json;
use crate::limit::Scope;
use crate::merge::Outcome;
use crate::packed::{ACCOUNT, Counts, ERROR, FIRST_HEADER, Frames, MODEL, Observation, push_frame};
use crate::profile::{Profiles, What};
use crate::provider::Provider;
use crate::signal::{Signal, Status};
use crate::store::Store;
use crate::testing::{AHEAD, at};
use crate::time::Time;
use crate::wait::{Need, Wait};

/// A value that a header may have: usual ones, border cases, noise.
fn values() -> impl Strategy<Value = Vec<u8>> {
    let special = vec![
        "",
        "0",
        "1",
        "-1",
        "-2",
        "60",
        "100",
        "0.5",
        "1s",
        "6m0s",
        "100ms",
        "1h",
        "nan",
        "inf",
        "1e9",
        "999999999",
        "1000000000",
        "1768478460",
        "1768478460000",
        "99999999999",
        "253402300799",
        "18446744073709551615",
        "18446744073709551616",
        "9223372036854775807",
        "2026-01-15T12:01:00Z",
        "9999-12-31T23:59:59.999999999Z",
        "0001-01-01T00:00:00Z",
        "Thu, 15 Jan 2026 12:01:00 GMT",
        "Sun Nov  6 08:49:37 1994",
        "99999999999h",
    ];
    prop_oneof![
        4 => prop::sample::select(special).prop_map(|text| text.as_bytes().to_vec()),
        2 => (0u32..200).prop_map(|number| alloc::format!("{number}").into_bytes()),
        1 => prop::collection::vec(any::<u8>(), 0..40),
        1 => "[0-9hms.:TZ+-]{0,30}".prop_map(String::into_bytes),
    ]
}

/// What is in an observation but its times.
#[derive(Clone, Debug)]
struct Answer {
    profile: u16,
    status: u16,
    headers: Vec<(u8, Vec<u8>)>,
    model: Option<bool>,
    error: bool,
}

prop_compose! {
    fn answers()(
        profile in prop::sample::select(vec!["openai", "anthropic", "openrouter"]),
        status in prop::sample::select(vec![0u16, 200, 200, 200, 204, 401, 402, 403, 404, 408, 413, 429, 429, 500, 503, 529]),
        headers in prop::collection::vec((0u8..19, values()), 0..8),
        model in any::<Option<bool>>(),
        error in prop::bool::weighted(0.1),
    ) -> Answer {
        Answer { profile: Profiles::default().find(profile), status, headers, model, error }
    }
}

fn packed(answer: &Answer, sent_at: Time, received_at: Time) -> Vec<u8> {
    let mut frames = Vec::new();
    if let Some(first) = answer.model {
        push_frame(&mut frames, MODEL, if first { b"a" } else { b"b" }).unwrap();
        push_frame(&mut frames, ACCOUNT, b"org").unwrap();
    }
    if answer.error {
        push_frame(&mut frames, ERROR, b"connection reset").unwrap();
    }
    for (id, value) in &answer.headers {
        push_frame(&mut frames, FIRST_HEADER + id, value).unwrap();
    }
    let observation = Observation {
        provider: 0,
        profile: answer.profile,
        status: answer.status,
        received_at,
        sent_at,
        latency_ns: 5,
        ttfb_ns: None,
        counts: Counts::Everything,
        frames: Frames::new(&frames).unwrap(),
        body: b"",
    };
    let mut packed = Vec::new();
    observation.pack(&mut packed).unwrap();
    packed
}

fn new_store() -> Store {
    let mut store = Store::new(10);
    store.add_provider("p");
    store
}

fn judged(store: &mut Store, seconds: i64) -> Signal {
    store.collect(0, &Evidence::None, at(seconds)).unwrap()
}

/// Calls with the times at which they were sent and answered, of which no two are the same.
fn calls(most: usize) -> impl Strategy<Value = Vec<(Answer, Time, Time)>> {
    let calls = prop::collection::vec((answers(), 0i64..100, 0i64..100), 0..most);
    let received = |sent, took, nanosecond| Time::new(at(sent + took).seconds(), nanosecond).unwrap();
    calls.prop_map(move |calls| {
        let calls = (0..).zip(calls);
        calls.map(|(index, (answer, sent, took))| (answer, at(sent), received(sent, took, index))).collect()
    })
}

fn record_all(store: &mut Store, calls: &[(Answer, Time, Time)]) {
    for (answer, sent_at, received_at) in calls {
        store.record(&packed(answer, *sent_at, *received_at)).unwrap();
    }
}

fn without_latency(signal: Signal) -> Signal {
    Signal { recent_p50_latency_ns: 0, latency: None, ..signal }
}

/// To which window an allowance belongs that is told without what is left of it is found out by and by.
fn without_allowances(mut answer: Answer) -> Answer {
    let mut profiles = Profiles::default();
    assert!(profiles.unpack(answer.profile));
    let profile = profiles.get(answer.profile).unwrap();
    answer.headers.retain(|(id, _)| {
        profile.headers.get(usize::from(*id)).is_none_or(|header| header.meaning.what != What::Limit)
    });
    answer
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_packed_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..300), flip in any::<prop::sample::Index>(), byte in any::<u8>(), answer in answers()) {
        let mut store = new_store();
        let _ = store.record(&bytes);
        let _ = store.parse(&bytes);
        let mut damaged = packed(&answer, at(0), at(1));
        let index = flip.index(damaged.len());
        damaged[index] = byte;
        let _ = store.parse(&damaged);
        let _ = store.record(&damaged);
        judged(&mut store, 2);
    }

    #[test]
    fn no_state_bytes_panic(calls in calls(4), flip in any::<prop::sample::Index>(), byte in any::<u8>(), noise in prop::collection::vec(any::<u8>(), 0..100)) {
        let mut store = new_store();
        record_all(&mut store, &calls);
        let mut state = store.export(0).unwrap();
        let index = flip.index(state.len());
        state[index] = byte;
        for state in [state, [&[1], &noise[..]].concat()] {
            let mut store = new_store();
            if store.import(0, &state).is_ok() {
                record_all(&mut store, &calls);
                let signal = judged(&mut store, 50);
                let _ = json::encode(&signal);
                store.clear(0, None).unwrap();
            }
        }
    }

    #[test]
    fn what_is_reported_is_in_range_at_any_time(calls in calls(8), seconds in -100i64..4000) {
        let mut store = new_store();
        record_all(&mut store, &calls);
        let now = at(seconds);
        let signal = judged(&mut store, seconds);
        let resets = [signal.quota_reset_at, signal.cooldown_until].into_iter().flatten();
        let resets = resets.chain(signal.limits.iter().filter_map(|limit| limit.resets_at));
        for reset in resets.chain(signal.cooldowns.iter().map(|held| held.until)) {
            prop_assert!(now < reset && reset <= Time::MAX, "{reset}");
        }
        if signal.status == Status::Exhausted {
            prop_assert_eq!(signal.quota_remaining, Some(0));
            prop_assert!(signal.quota_reset_at.is_some() && signal.reason.is_some());
        } else {
            prop_assert_ne!(signal.quota_remaining, Some(0));
        }
        let told = calls.iter().flat_map(|(answer, _, _)| &answer.headers);
        let told: Vec<_> = told.filter_map(|(_, value)| crate::number::count(value)).collect();
        for left in signal.limits.iter().filter_map(|limit| limit.remaining).chain(signal.quota_remaining) {
            prop_assert!(left == 0 || left == i64::MAX.unsigned_abs() || told.contains(&left), "{left} was never told");
        }
    }

    #[test]
    fn a_packed_signal_is_the_signal_for_as_long_as_it_is_good(
        calls in calls(6),
        times in prop::collection::vec((prop_oneof![-10i64..200, 0i64..4000], 0i64..400), 1..6),
        clears in any::<bool>(),
    ) {
        let mut store = new_store();
        for call in &calls {
            record_all(&mut store, core::slice::from_ref(call));
            for (seconds, later) in &times {
                let judged = store.collect_packed(0, &Evidence::None, at(*seconds)).unwrap();
                prop_assert_eq!(&judged.signal, &store.get(0).unwrap().judge(at(*seconds)).pack());
                let now = at(seconds + later);
                if now < judged.good_until {
                    let signal = Signal { recorded_at: now, ..Signal::unpack(&judged.signal).unwrap() };
                    prop_assert_eq!(signal, store.get(0).unwrap().judge(now));
                }
            }
            if clears {
                store.clear(0, None).unwrap();
            }
        }
    }

    #[test]
    fn recording_a_call_twice_changes_nothing_but_the_latencies(before in calls(4), call in calls(2)) {
        let mut store = new_store();
        record_all(&mut store, &before);
        record_all(&mut store, &call);
        let once = judged(&mut store, 200);
        record_all(&mut store, &call);
        prop_assert_eq!(without_latency(judged(&mut store, 200)), without_latency(once));
    }

    #[test]
    fn an_exported_provider_goes_on_as_if_nothing_had_happened(before in calls(6), later in calls(4), seconds in 0i64..400) {
        let (mut store, mut moved) = (new_store(), new_store());
        record_all(&mut store, &before);
        let state = store.export(0).unwrap();
        moved.import(0, &state).unwrap();
        prop_assert_eq!(moved.export(0).unwrap(), state);
        prop_assert_eq!(judged(&mut moved, seconds), judged(&mut store, seconds));
        record_all(&mut store, &later);
        record_all(&mut moved, &later);
        prop_assert_eq!(judged(&mut moved, seconds + 50), judged(&mut store, seconds + 50));
        prop_assert_eq!(moved.export(0), store.export(0));
    }

    #[test]
    fn adopting_what_one_has_stored_oneself_changes_nothing(calls in calls(6), seconds in 0i64..400) {
        let mut store = new_store();
        record_all(&mut store, &calls);
        let signal = judged(&mut store, 200);
        let later = judged(&mut store, 200 + seconds);
        store.adopt(0, &json::encode(&signal)).unwrap();
        prop_assert_eq!(judged(&mut store, 200), signal);
        prop_assert_eq!(judged(&mut store, 200 + seconds), later);
    }

    #[test]
    fn two_processes_that_share_a_file_judge_as_one_that_makes_all_calls(
        calls in prop::collection::vec((answers(), any::<bool>()), 1..7),
    ) {
        let mut alone = new_store();
        let mut processes = [new_store(), new_store()];
        let mut stored: Option<Vec<u8>> = None;
        for (index, (answer, first)) in (0..).zip(calls) {
            let call = packed(&without_allowances(answer), at(index * 10), at(index * 10));
            alone.record(&call).unwrap();
            let process = &mut processes[usize::from(first)];
            process.record(&call).unwrap();
            let outcome = process.settle(0, stored.as_deref(), at(index * 10 + 1), AHEAD).unwrap();
            if let Outcome::Write(signal) = outcome {
                stored = Some(json::encode(&signal));
                process.share(0).unwrap();
            }
        }
        let expected = without_latency(judged(&mut alone, 70));
        let mut started = new_store();
        if let Some(stored) = &stored {
            started.adopt(0, stored).unwrap();
        }
        for mut process in processes.into_iter().chain([started]) {
            process.settle(0, stored.as_deref(), at(65), AHEAD).unwrap();
            let signal = without_latency(judged(&mut process, 70));
            prop_assert_eq!(
                (signal.status, signal.reason, signal.quota_remaining, signal.cooldown_until),
                (expected.status, expected.reason, expected.quota_remaining, expected.cooldown_until)
            );
            if signal.status == Status::Exhausted {
                prop_assert_eq!(signal.quota_reset_at, expected.quota_reset_at);
            }
            prop_assert_eq!(
                (signal.last_success_at, signal.last_error_at, signal.last_error_msg),
                (expected.last_success_at, expected.last_error_at, expected.last_error_msg.clone())
            );
        }
    }

    #[test]
    fn the_order_in_which_calls_are_recorded_does_not_matter(
        calls in calls(5),
        order in Just((0..5).collect::<Vec<usize>>()).prop_shuffle(),
    ) {
        let calls: Vec<_> = calls
            .into_iter()
            .map(|(answer, sent_at, received_at)| (without_allowances(answer), sent_at, received_at))
            .collect();
        let shuffled: Vec<_> = order.iter().filter_map(|index| calls.get(*index).cloned()).collect();
        let (mut first, mut second) = (new_store(), new_store());
        record_all(&mut first, &calls);
        record_all(&mut second, &shuffled);
        let (first, second) = (judged(&mut first, 2000), judged(&mut second, 2000));
        prop_assert_eq!((first.status, first.reason, first.quota_remaining), (second.status, second.reason, second.quota_remaining));
        if first.status == Status::Exhausted {
            prop_assert_eq!(first.quota_reset_at, second.quota_reset_at);
        }
        prop_assert_eq!((first.last_success_at, first.last_error_at, first.refusal), (second.last_success_at, second.last_error_at, second.refusal));
    }
}

/// Headers by their place in a profile.
type Headers = Vec<(u8, Vec<u8>)>;

/// A response to be read by any of the built-in profiles: the profile, status, headers and body.
fn responses() -> impl Strategy<Value = (u16, u16, Headers, Vec<u8>)> {
    let body = prop_oneof![
        Just(Vec::new()),
        prop::sample::select(BODIES.to_vec()).prop_map(|body| body.as_bytes().to_vec()),
        prop::collection::vec(any::<u8>(), 0..200),
    ];
    let header = (
        any::<u8>(),
        prop_oneof![
            values(),
            prop::sample::select(STRUCTURED.to_vec()).prop_map(|text| text.as_bytes().to_vec())
        ],
    );
    let status = prop::sample::select(vec![
        0u16, 200, 200, 206, 400, 401, 402, 403, 404, 408, 413, 429, 429, 500, 503, 529,
    ]);
    (0u16..59, status, prop::collection::vec(header, 0..12), body)
}

const STRUCTURED: [&str; 6] = [
    r#""default";r=0;t=30, "daily";r=5;t=3000"#,
    "limit=100, remaining=0, reset=30",
    "10, 10;w=1, 50;w=60",
    "ent=300&ov=0.0&rem=0.0&rst=2026-05-01T00%3A00%3A00Z",
    "rejected",
    "five_hour",
];

const BODIES: [&str; 5] = [
    r#"{"error":{"message":"Rate limit reached for m-1 on tokens per min (TPM): Limit 8000, Used 2591, Requested 5863. Please try again in 3.405s.","type":"tokens"}}"#,
    r#"{"error":{"type":"usage_limit_reached","resets_at":1768482000,"resets_in_seconds":3600}}"#,
    r#"{"error":{"code":429,"details":[{"violations":[{"quotaId":"GenerateRequestsPerDayPerProjectPerModel-FreeTier","quotaDimensions":{"model":"m-2"},"quotaValue":"0"}]},{"retryDelay":"38s"}]}}"#,
    r#"{"error":{"code":429,"metadata":{"headers":{"X-RateLimit-Limit":"50","X-RateLimit-Remaining":"0","X-RateLimit-Reset":"1788220800000","Retry-After":"-5"}}}}"#,
    r#"{"five_hour":{"utilization":162.0,"resets_at":"9999-12-31T23:59:59Z"},"rate_limit":{"primary_window":{"used_percent":1e300,"limit_window_seconds":18446744073709551615,"reset_at":1}}}"#,
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_response_is_read_by_any_profile_within_bounds_and_twice_the_same(
        (profile, status, headers, body) in responses(),
        seconds in 0i64..4000,
    ) {
        let mut store = new_store();
        prop_assume!(store.profiles().unpack(profile));
        let mut frames = Vec::new();
        for (id, value) in &headers {
            push_frame(&mut frames, FIRST_HEADER.saturating_add(*id), value).unwrap();
        }
        let observation = Observation {
            provider: 0,
            profile,
            status,
            received_at: at(0),
            sent_at: at(-1),
            latency_ns: 5,
            ttfb_ns: None,
            counts: Counts::Everything,
            frames: Frames::new(&frames).unwrap(),
            body: &body,
        };
        let mut packed = Vec::new();
        observation.pack(&mut packed).unwrap();
        let reading = store.parse(&packed).unwrap();
        prop_assert_eq!(&store.parse(&packed).unwrap(), &reading);
        prop_assert!(reading.limits.len() <= 32);
        let ends = reading.limits.iter().filter_map(|limit| limit.resets_at);
        for end in ends.chain(reading.reset_at).chain(reading.refusal_ends_at) {
            prop_assert!(at(0) < end && end <= Time::MAX, "{end}");
        }
        for used in reading.limits.iter().filter_map(|limit| limit.utilization) {
            prop_assert!((0.0..=1.0).contains(&used), "{used}");
        }
        store.record(&packed).unwrap();
        let signal = judged(&mut store, seconds);
        prop_assert!(signal.limits.iter().all(|limit| limit.resets_at.is_none_or(|end| end > at(seconds))));
        let json = json::encode(&signal);
        prop_assert_eq!(json::encode(&json::decode("p", &json).unwrap()), json);
        let need = Need { requests: 1, tokens: 1000 };
        if let Wait::Until(until, _) = store.wait_for(0, &Scope::EVERYONE, need, at(seconds)).unwrap() {
            prop_assert!(until > at(seconds));
        }
    }
}

#[test]
fn a_new_provider_with_any_window_can_be_judged() {
    for window in [0, 1, usize::MAX] {
        assert_eq!(
            Provider::new("p".into(), window).judge(Time::MAX),
            Signal::unknown("p".into(), Time::MAX)
        );
    }
}
