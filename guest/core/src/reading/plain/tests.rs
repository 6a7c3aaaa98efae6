use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use core::cell::Cell;

use proptest::prelude::*;
use proptest::test_runner::{RngAlgorithm, TestRng, TestRunner};

use super::*;
use crate::packed::{Counts, Frames, MODEL, push_frame};
use crate::profile::{Header, Profile, Profiles};
use crate::provider::Provider;
use crate::reading::{Reader, Reading};
use crate::state::State;
use crate::testing::at;

/// A response to be.
#[derive(Clone, Debug)]
struct Answer {
    status: u16,
    /// Of a limit, by its place among the profile's: what is left, the limit, the reset.
    limits: Vec<(usize, [Option<String>; 3])>,
    /// Other headers, by their place.
    headers: Vec<(usize, String)>,
    model: bool,
    error: bool,
    body: bool,
    counts: Counts,
    sent: i64,
    took: i64,
}

fn counts() -> impl Strategy<Value = Option<String>> {
    prop_oneof![
        8 => (0u32..300).prop_map(|count| Some(format!("{count}"))),
        2 => any::<u64>().prop_map(|count| Some(format!("{count}"))),
        1 => Just(None),
    ]
}

fn resets() -> impl Strategy<Value = Option<String>> {
    prop_oneof![
        2 => (0u32..100_000).prop_map(|millis| Some(format!("{}.{:03}s", millis / 1000, millis % 1000))),
        2 => (0u32..90).prop_map(|seconds| Some(format!("{}m{}s", seconds / 3, seconds % 60))),
        2 => (0u32..2000).prop_map(|millis| Some(format!("{millis}ms"))),
        4 => (0u32..240).prop_map(|s| Some(format!("2026-01-15T12:{:02}:{:02}Z", s / 60, s % 60))),
        1 => (0u64..400).prop_map(|s| Some(format!("{}", 1_768_478_400 + s))),
        1 => Just(None),
    ]
}

/// Values of any header: dates, and what is not plain.
fn others() -> impl Strategy<Value = String> {
    const ODD: [&str; 9] = ["", "-1", "-7", " 5 ", "0", "soon", "1e9", "9999-12-31T23:59:59Z", "100.0"];
    prop_oneof![
        (0u32..240).prop_map(|s| format!("Thu, 15 Jan 2026 12:{:02}:{:02} GMT", s / 60, s % 60)),
        prop::sample::select(ODD.as_slice()).prop_map(String::from),
    ]
}

prop_compose! {
    fn answers()(
        status in prop::sample::select([200u16, 200, 200, 200, 204, 0, 299, 300, 429].as_slice()),
        limits in prop::collection::vec(
            (0usize..8, (counts(), counts(), resets())).prop_map(|(rule, (left, limit, reset))| (rule, [left, limit, reset])),
            0..5,
        ),
        headers in prop::collection::vec((any::<usize>(), others()), 0..2),
        (model, error, body) in (any::<bool>(), prop::bool::weighted(0.05), prop::bool::weighted(0.05)),
        counts in prop::sample::select(
            [Counts::Everything, Counts::Everything, Counts::AllButLatency, Counts::LatencyOnly].as_slice(),
        ),
        sent in 0i64..200,
        took in -2i64..20,
    ) -> Answer {
        Answer { status, limits, headers, model, error, body, counts, sent, took }
    }
}

/// Both ways of a provider.
struct Ways {
    short: Provider,
    long: Provider,
    plain: Plain,
    reader: Reader,
    /// Responses that took the short way.
    plain_ones: usize,
}

impl Ways {
    fn new() -> Self {
        let provider = || Provider::new("p".into(), 10);
        let (plain, reader) = (Plain::default(), Reader::default());
        Self { short: provider(), long: provider(), plain, reader, plain_ones: 0 }
    }

    fn record(&mut self, profile: &Profile, response: &Observation<'_>) {
        let mut reading = Reading::default();
        self.reader.read(profile, None, response, &mut reading);
        self.long.record(response, &reading);
        match self.plain.read(profile, response) {
            Some(()) => {
                self.short.record_plain(response, profile, &self.plain);
                self.plain_ones += 1;
            }
            None => self.short.record(response, &reading),
        }
    }

    fn states(&self) -> [Vec<u8>; 2] {
        [&self.short, &self.long].map(|provider| {
            let mut state = Vec::new();
            provider.save(&mut state);
            state
        })
    }
}

fn record(ways: &mut Ways, profile: &Profile, answer: &Answer) {
    let mut frames = Vec::new();
    if answer.error {
        push_frame(&mut frames, ERROR, b"connection reset").unwrap();
    }
    if answer.model {
        push_frame(&mut frames, MODEL, b"m").unwrap();
    }
    let mut push = |place: usize, value: &str| {
        push_frame(&mut frames, FIRST_HEADER + u8::try_from(place).unwrap(), value.as_bytes()).unwrap();
    };
    for (place, values) in &answer.limits {
        let place = place % profile.limits.len().max(1);
        for (what, value) in [What::Remaining, What::Limit, What::Reset].into_iter().zip(values) {
            let tells =
                |header: &Header| header.meaning.what == what && usize::from(header.meaning.limit) == place;
            if let (Some(place), Some(value)) = (profile.headers.iter().position(tells), value) {
                push(place, value);
            }
        }
    }
    for (place, value) in &answer.headers {
        push(place % (profile.headers.len() + 1), value);
    }
    let response = Observation {
        provider: 0,
        profile: 0,
        status: answer.status,
        received_at: at(answer.sent + answer.took),
        sent_at: at(answer.sent),
        latency_ns: 5,
        ttfb_ns: answer.model.then_some(3),
        counts: answer.counts,
        frames: Frames::new(&frames).unwrap(),
        body: if answer.body { b"{}" } else { b"" },
    };
    ways.record(profile, &response);
}

#[test]
fn both_ways_lead_to_the_same_state() {
    let cases = 3_000;
    let mut runner = TestRunner::new_with_rng(
        ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() },
        TestRng::deterministic_rng(RngAlgorithm::ChaCha),
    );
    let plain_ones = Cell::new(0);
    let ways = runner.run(&(0u16..59, prop::collection::vec(answers(), 1..6)), |(handle, answers)| {
        let mut profiles = Profiles::default();
        prop_assume!(profiles.unpack(handle));
        let mut ways = Ways::new();
        for answer in &answers {
            record(&mut ways, profiles.get(handle).unwrap(), answer);
            let [short, long] = ways.states();
            prop_assert_eq!(short, long, "after {:?}", answer);
        }
        plain_ones.set(plain_ones.get() + ways.plain_ones);
        Ok(())
    });
    ways.unwrap();
    assert!(plain_ones.get() > cases as usize / 2, "only {} took the short way", plain_ones.get());
}

#[test]
fn what_providers_send_with_a_success_is_plain() {
    let cases: [(&str, &[(&str, &str)]); 4] = [
        ("openai", &[]),
        (
            "openai",
            &[
                ("x-ratelimit-limit-requests", "10000"),
                ("x-ratelimit-remaining-requests", "9999"),
                ("x-ratelimit-reset-requests", "8.64s"),
                ("date", "Thu, 15 Jan 2026 12:00:00 GMT"),
            ],
        ),
        (
            "anthropic",
            &[
                ("anthropic-ratelimit-output-tokens-limit", "16000"),
                ("anthropic-ratelimit-output-tokens-remaining", "16000"),
                ("anthropic-ratelimit-output-tokens-reset", "2026-01-15T12:00:00Z"),
                ("anthropic-ratelimit-requests-remaining", "999"),
            ],
        ),
        ("groq", &[("x-ratelimit-remaining-tokens", "5000"), ("x-ratelimit-reset-tokens", "7.66s")]),
    ];
    for (provider_type, headers) in cases {
        let mut profiles = Profiles::default();
        let (_, profile) = profiles.ready(provider_type);
        let profile = profile.unwrap();
        let place = |name: &str| profile.headers.iter().position(|header| header.name == name).unwrap();
        let headers = headers.iter().map(|(name, value)| (place(name), String::from(*value))).collect();
        let answer = Answer {
            status: 200,
            limits: Vec::new(),
            headers,
            model: true,
            error: false,
            body: false,
            counts: Counts::Everything,
            sent: 0,
            took: 1,
        };
        let mut ways = Ways::new();
        record(&mut ways, profile, &answer);
        assert_eq!(ways.plain_ones, 1, "{provider_type}: {answer:?}");
    }
}
