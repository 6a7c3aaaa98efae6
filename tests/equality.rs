//! The same core, natively and in the sandbox: equal answers to the byte.

use std::time::{Duration, SystemTime};

use proptest::prelude::*;
use runtime_signals::{Observation, Store};
use runtime_signals_core as core_logic;
use runtime_signals_core::evidence::Evidence;
use runtime_signals_core::json;
use runtime_signals_core::profile::{NameMatch, Profiles};
use runtime_signals_core::time::Time;

use crate::support::{ManualClock, store};

const START: i64 = 1_768_478_400;

/// A finished call, drawn at random.
#[derive(Clone, Debug)]
struct Call {
    provider_type: &'static str,
    status: u16,
    headers: Vec<(String, String)>,
    body: Option<&'static str>,
    model: Option<&'static str>,
    error: Option<&'static str>,
    latency_ms: u64,
    after_ms: u64,
}

const TYPES: [&str; 10] = [
    "openai",
    "anthropic",
    "openrouter",
    "something-new",
    "anthropic-oauth",
    "chatgpt-codex",
    "github-copilot",
    "azure-openai",
    "gemini",
    "groq",
];

const BODIES: [&str; 4] = [
    r#"{"error":{"message":"Rate limit reached for m-1 on tokens per min (TPM): Limit 8000, Used 2591, Requested 5863. Please try again in 3.405s.","type":"tokens","code":"rate_limit_exceeded"}}"#,
    r#"{"error":{"type":"usage_limit_reached","resets_at":1768482000,"resets_in_seconds":3600}}"#,
    r#"{"error":{"code":429,"details":[{"violations":[{"quotaId":"GenerateRequestsPerDayPerProjectPerModel-FreeTier","quotaDimensions":{"model":"m-2"},"quotaValue":"20"}]},{"retryDelay":"38s"}]}}"#,
    "quota exceeded\n",
];

/// Names of headers that are read; for a pattern one that fits.
fn header_names(provider_type: &str) -> Vec<String> {
    let mut profiles = Profiles::default();
    let handle = profiles.find(provider_type);
    assert!(profiles.unpack(handle));
    let names = profiles.get(handle).unwrap().headers.iter().map(|header| match header.kind {
        NameMatch::Exact => header.name.clone(),
        NameMatch::Prefix => format!("{}pool", header.name),
        NameMatch::Suffix => format!("x-pool{}", header.name),
    });
    names.collect()
}

fn value() -> impl Strategy<Value = String> {
    prop_oneof![
        (0u64..200).prop_map(|number| number.to_string()),
        (0u64..400).prop_map(|number| format!("{number}ms")),
        (0u64..90).prop_map(|number| format!("{}m{}s", number / 60, number % 60)),
        (START..START + 4000).prop_map(|second| Time::new(second, 0).unwrap().to_string()),
        (START..START + 4000).prop_map(|second| (second * 1000).to_string()),
        Just("-1".to_owned()),
        Just("Thu, 15 Jan 2026 12:10:00 GMT".to_owned()),
        ".{0,12}",
    ]
}

fn call() -> impl Strategy<Value = Call> {
    let provider_type = prop::sample::select(TYPES.to_vec());
    let headers = provider_type.prop_flat_map(|provider_type| {
        let names = header_names(provider_type);
        let header = (prop::sample::select(names), value());
        (Just(provider_type), prop::collection::vec(header, 0..8))
    });
    let status =
        prop::sample::select(vec![0u16, 200, 200, 200, 400, 401, 402, 403, 408, 413, 429, 429, 500, 503]);
    let model = prop::sample::select(vec![None, None, Some("small"), Some("large")]);
    let error =
        prop::sample::select(vec![None, None, None, Some("connection refused"), Some("operation timed out")]);
    let body = prop::option::of(prop::sample::select(BODIES.to_vec()));
    (headers, status, model, error, body, 1u64..5000, 0u64..20_000).prop_map(
        |((provider_type, headers), status, model, error, body, latency_ms, after_ms)| Call {
            provider_type,
            status,
            headers,
            body,
            model,
            error,
            latency_ms,
            after_ms,
        },
    )
}

/// The JSON after all calls, from the component.
fn in_the_sandbox(store: &Store, provider: &str, calls: &[Call], at: impl Fn(u64) -> SystemTime) -> Vec<u8> {
    for call in calls {
        let observation = Observation {
            status: (call.status > 0).then_some(call.status),
            model: call.model,
            error: call.error,
            body: call.body.map(str::as_bytes),
            received_at: Some(at(call.after_ms)),
            ..Observation::new(
                provider,
                call.provider_type,
                &call.headers,
                Duration::from_millis(call.latency_ms),
            )
        };
        store.record(&observation).unwrap();
    }
    store.encode(&store.recorded(provider).unwrap()).unwrap()
}

/// The JSON after all calls, from the core linked natively.
fn natively(provider: &str, calls: &[Call], now: Time) -> Vec<u8> {
    let mut store = core_logic::Store::new(0);
    let handle = store.add_provider(provider);
    for call in calls {
        let finished = core_logic::call::Call {
            status: call.status,
            body: call.body.unwrap_or_default().as_bytes(),
            latency_ns: call.latency_ms * 1_000_000,
            ttfb_ns: None,
            account: None,
            model: call.model,
            error: call.error,
            received_at: Time::new(START, 0).unwrap().saturating_add(Duration::from_millis(call.after_ms)),
        };
        let headers = call.headers.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes()));
        store.record_call(handle, call.provider_type, &finished, headers).unwrap();
    }
    json::encode(&store.collect(handle, &Evidence::None, now).unwrap())
}

#[test]
fn core_and_component_give_equal_bytes_for_random_calls() {
    let clock = ManualClock::new();
    let start = SystemTime::UNIX_EPOCH + Duration::from_secs(START.unsigned_abs());
    clock.advance(Duration::from_secs(10));
    let now = Time::new(START + 10, 0).unwrap();
    let store = store(&clock);
    let counter = std::cell::Cell::new(0);
    let config = ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() };
    proptest!(config, |(calls in prop::collection::vec(call(), 1..20))| {
        counter.set(counter.get() + 1);
        let provider = format!("provider-{}", counter.get());
        let sandboxed = in_the_sandbox(&store, &provider, &calls, |ms| start + Duration::from_millis(ms));
        let native = natively(&provider, &calls, now);
        prop_assert_eq!(String::from_utf8(sandboxed).unwrap(), String::from_utf8(native).unwrap());
    });
}
