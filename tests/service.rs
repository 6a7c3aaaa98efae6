//! The service: what several processes make of one provider together.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use futures_core::future::BoxFuture;
use runtime_signals::cache::CacheOptions;
use runtime_signals::probe::{Probe, ProbeFailureKind, ProbeOutcome};
use runtime_signals::quota::{QuotaHarness, QuotaState, QuotaStatus};
use runtime_signals::{
    CollectInput, Error, ModelStatus, Observation, Reason, Service, SignalCache, Store, StoreOptions,
    WriteOutcome,
};

use crate::support::{ManualClock, options};

const NO_HEADERS: &[(&str, &str)] = &[];
const BASE_URL: &str = "http://127.0.0.1:1";

/// A probe that answers as it is told, and counts.
struct FixedProbe {
    outcome: ProbeOutcome,
    asked: AtomicUsize,
}

impl Probe for FixedProbe {
    fn check_alive<'a>(&'a self, _: &'a str, _: &'a str) -> BoxFuture<'a, ProbeOutcome> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        Box::pin(async { self.outcome.clone() })
    }
}

/// A harness that knows one thing.
struct FixedQuota(QuotaState);

impl QuotaHarness for FixedQuota {
    fn quota_status(&self, name: &str, now: SystemTime) -> QuotaStatus {
        QuotaStatus {
            source: name.into(),
            captured_at: Some(now),
            fresh: true,
            age: Some(Duration::ZERO),
            state: self.0,
            windows: Vec::new(),
            account: None,
            reason: None,
        }
    }

    fn refresh_quota<'a>(&'a self, name: &'a str, now: SystemTime) -> BoxFuture<'a, QuotaStatus> {
        Box::pin(async move { self.quota_status(name, now) })
    }
}

/// One process among several that share a folder and a clock.
fn process(folder: &tempfile::TempDir, clock: &Arc<ManualClock>, options: StoreOptions) -> Service {
    let cache = CacheOptions { clock: clock.clone(), ..CacheOptions::default() };
    Service::new(Store::with_options(options).unwrap(), SignalCache::with_options(folder.path(), cache))
}

struct Fixture {
    folder: tempfile::TempDir,
    clock: Arc<ManualClock>,
}

impl Fixture {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), clock: ManualClock::new() }
    }

    fn process(&self) -> Service {
        process(&self.folder, &self.clock, options(&self.clock))
    }

    fn probing(&self, outcome: ProbeOutcome) -> (Service, Arc<FixedProbe>) {
        let probe = Arc::new(FixedProbe { outcome, asked: AtomicUsize::new(0) });
        let options = StoreOptions { probe: Some(probe.clone()), ..options(&self.clock) };
        (process(&self.folder, &self.clock, options), probe)
    }

    fn with_quota(&self, state: QuotaState) -> Service {
        let options = StoreOptions { quota: Some(Arc::new(FixedQuota(state))), ..options(&self.clock) };
        process(&self.folder, &self.clock, options)
    }

    fn stored(&self, provider: &str) -> runtime_signals::Signal {
        self.process().read_cached(provider).unwrap().unwrap().signal
    }
}

fn response(status: u16, headers: &'static [(&'static str, &'static str)]) -> Observation<'static> {
    // The slices are static, and so are references to them.
    let headers: &'static &'static [(&str, &str)] = Box::leak(Box::new(headers));
    Observation {
        status: Some(status),
        ..Observation::new("p", "openai", headers, Duration::from_millis(10))
    }
}

fn input(provider_type: &str) -> CollectInput {
    CollectInput { provider_type: provider_type.into(), base_url: BASE_URL.into() }
}

#[test]
fn a_call_error_is_kept_and_turns_unknown_into_degraded() {
    let fixture = Fixture::new();
    let service = fixture.process();
    let signal = service
        .observe("p", "openai", BASE_URL, &NO_HEADERS, Duration::from_secs(1), Some("connection refused"))
        .unwrap();
    assert_eq!(signal.status, ModelStatus::Degraded);
    assert_eq!(signal.reason, Some(Reason::Unreachable));
    assert_eq!(signal.last_error_msg, "connection refused");
    assert!(signal.last_error_at.is_some());
}

#[test]
fn what_observe_is_handed_of_the_response_is_not_recorded_again() {
    let service = Fixture::new().process();
    let headers = [("x-ratelimit-remaining-requests", "0"), ("retry-after", "60")];
    let latency = Duration::from_secs(1);
    let signal = service.observe("p", "openai", BASE_URL, &headers, latency, None).unwrap();
    assert_eq!((signal.status, signal.latency), (ModelStatus::Unknown, None));

    service.record_response("p", &headers, latency, "openai").unwrap();
    let signal = service.observe("p", "openai", BASE_URL, &headers, latency, Some("reset by peer")).unwrap();
    assert_eq!((signal.status, signal.last_error_msg.as_str()), (ModelStatus::Exhausted, "reset by peer"));
    assert_eq!(signal.latency.unwrap().count, 1);
}

#[test]
fn the_durable_form_of_observe_returns_when_the_signal_is_on_disk() {
    let fixture = Fixture::new();
    let service = fixture.process();
    let headers = [("retry-after", "60")];
    service.record_response("p", &headers, Duration::ZERO, "openai").unwrap();
    service.observe_durably("p", "openai", BASE_URL, &headers, Duration::ZERO, None).unwrap();
    assert_eq!(fixture.stored("p").status, ModelStatus::Exhausted);
    service.observe_durably("", "openai", BASE_URL, &headers, Duration::ZERO, Some("lost")).unwrap();
    assert_eq!(
        std::fs::read_dir(fixture.folder.path().join("runtime"))
            .unwrap()
            .filter(|entry| {
                entry.as_ref().unwrap().path().extension().is_some_and(|extension| extension == "json")
            })
            .count(),
        1
    );
}

#[test]
fn a_failed_call_makes_available_degraded_until_the_next_success() {
    let fixture = Fixture::new();
    let service = fixture.process();
    let status = |observation: &Observation<'_>| {
        fixture.clock.advance(Duration::from_secs(1));
        service.observe_response(observation).unwrap().status
    };
    assert_eq!(status(&response(200, NO_HEADERS)), ModelStatus::Available);
    assert_eq!(status(&response(500, NO_HEADERS)), ModelStatus::Degraded);
    assert_eq!(status(&response(404, NO_HEADERS)), ModelStatus::Degraded);
    assert_eq!(status(&response(200, NO_HEADERS)), ModelStatus::Available);
    let signal = service.recorded("p").unwrap();
    assert!(signal.last_error_at.is_some() && signal.last_success_at > signal.last_error_at);
}

#[test]
fn a_refusal_that_one_process_met_holds_in_all_of_them() {
    let fixture = Fixture::new();
    let (one, other) = (fixture.process(), fixture.process());
    other.observe_response_durably(&response(200, NO_HEADERS)).unwrap();
    fixture.clock.advance(Duration::from_secs(1));
    one.observe_response_durably(&response(429, &[("retry-after", "60")])).unwrap();
    assert_eq!(fixture.stored("p").status, ModelStatus::Exhausted);

    // A call that was in flight when the refusal came does not end it, in whichever process.
    let mut in_flight = response(200, NO_HEADERS);
    in_flight.latency = Duration::from_secs(5);
    fixture.clock.advance(Duration::from_secs(1));
    other.observe_response_durably(&in_flight).unwrap();
    assert_eq!(fixture.stored("p").status, ModelStatus::Exhausted);

    // One that was sent later does.
    fixture.clock.advance(Duration::from_secs(5));
    other.observe_response_durably(&response(200, NO_HEADERS)).unwrap();
    assert_eq!(fixture.stored("p").status, ModelStatus::Available);
}

#[test]
fn a_refusal_ends_by_its_own_time_in_a_process_that_only_read_of_it() {
    let fixture = Fixture::new();
    fixture.process().observe_response_durably(&response(429, &[("retry-after", "60")])).unwrap();
    let later = fixture.process();
    assert_eq!(later.recorded("p").unwrap().status, ModelStatus::Exhausted);
    fixture.clock.advance(Duration::from_secs(61));
    assert_eq!(later.recorded("p").unwrap().status, ModelStatus::Available);
}

#[test]
fn two_models_behind_one_name_keep_their_own_limits() {
    let fixture = Fixture::new();
    let service = fixture.process();
    let with_model = |model, left| Observation { model: Some(model), ..response(200, left) };
    service.observe_response(&with_model("small", &[("x-ratelimit-remaining-requests", "7")])).unwrap();
    let large = with_model("large", &[("x-ratelimit-remaining-requests", "900")]);
    let signal = service.observe_response(&large).unwrap();
    let mut left: Vec<_> =
        signal.limits.iter().map(|limit| (limit.scope.model.clone().unwrap(), limit.remaining)).collect();
    left.sort();
    assert_eq!(left, [("large".into(), Some(900)), ("small".into(), Some(7))]);
    assert_eq!(signal.quota_remaining, Some(7));
}

#[test]
fn secrets_in_an_error_text_reach_neither_signal_nor_disk() {
    let fixture = Fixture::new();
    let error = "error sending request for url (https://u:SECRET@api.example/v1?key=SECRET): Bearer SECRET";
    let service = fixture.process();
    service.observe("p", "openai", BASE_URL, &NO_HEADERS, Duration::ZERO, Some(error)).unwrap();
    service.flush().unwrap();
    let file = std::fs::read_to_string(fixture.folder.path().join("runtime/p.json")).unwrap();
    assert!(file.contains("https://api.example") && !file.contains("SECRET"), "{file}");
}

#[test]
fn clear_forgets_a_refusal_here_and_on_disk() {
    let fixture = Fixture::new();
    let service = fixture.process();
    service.observe_response_durably(&response(429, &[("retry-after", "600")])).unwrap();
    assert_eq!(service.clear("p", None).unwrap().status, ModelStatus::Available);
    assert_eq!(fixture.stored("p").status, ModelStatus::Available);
    assert_eq!(fixture.process().recorded("p").unwrap().status, ModelStatus::Available);
}

#[test]
fn an_older_signal_does_not_replace_a_newer_one() {
    let fixture = Fixture::new();
    let service = fixture.process();
    let mut signal = service.recorded("p").unwrap();
    signal.status = ModelStatus::Available;
    let older = signal.clone();
    signal.recorded_at += Duration::from_secs(1);
    signal.quota_remaining = Some(5);
    assert_eq!(service.write(&signal).unwrap(), WriteOutcome::Written);
    assert_eq!(service.write(&older).unwrap(), WriteOutcome::Superseded);
    assert_eq!(fixture.stored("p").quota_remaining, Some(5));
}

#[test]
fn errors_and_successes_survive_later_writes_that_lack_them() {
    let fixture = Fixture::new();
    fixture
        .process()
        .observe("p", "openai", BASE_URL, &NO_HEADERS, Duration::ZERO, Some("reset by peer"))
        .unwrap();
    fixture.clock.advance(Duration::from_secs(1));
    let service = fixture.process();
    let mut signal = runtime_signals::Signal::unknown("p".into(), service.store().now());
    signal.status = ModelStatus::Available;
    service.write(&signal).unwrap();
    assert_eq!(fixture.stored("p").last_error_msg, "reset by peer");
}

#[test]
fn an_unknown_signal_never_replaces_one_with_evidence() {
    let fixture = Fixture::new();
    let service = fixture.process();
    service.observe_response_durably(&response(200, NO_HEADERS)).unwrap();
    fixture.clock.advance(Duration::from_secs(1));
    let unknown = runtime_signals::Signal::unknown("p".into(), service.store().now());
    assert_eq!(service.write(&unknown).unwrap(), WriteOutcome::Superseded);
    assert_eq!(fixture.stored("p").status, ModelStatus::Available);
}

#[tokio::test]
async fn local_servers_are_probed_by_collect_and_never_by_observe() {
    let fixture = Fixture::new();
    let (service, probe) = fixture.probing(ProbeOutcome::Alive);
    service.observe("p", "ollama", BASE_URL, &NO_HEADERS, Duration::from_millis(3), None).unwrap();
    assert_eq!(probe.asked.load(Ordering::SeqCst), 0);
    let signal = service.collect("p", &input("ollama")).await.unwrap();
    assert_eq!((signal.status, probe.asked.load(Ordering::SeqCst)), (ModelStatus::Available, 1));
    assert!(signal.last_success_at.is_some());
}

#[tokio::test]
async fn a_dead_server_is_degraded_and_says_why() {
    let fixture = Fixture::new();
    let failed = ProbeOutcome::Failed {
        kind: ProbeFailureKind::Unreachable,
        message: "http://127.0.0.1:1: connection refused".into(),
    };
    let (service, _) = fixture.probing(failed);
    let signal = service.warmup("p", &input("vllm")).await.unwrap();
    assert_eq!((signal.status, signal.reason), (ModelStatus::Degraded, Some(Reason::Unreachable)));
    assert_eq!(fixture.stored("p").last_error_msg, "http://127.0.0.1:1: connection refused");
}

#[tokio::test]
async fn without_a_usable_address_the_status_is_unknown() {
    let fixture = Fixture::new();
    let (service, _) = fixture.probing(ProbeOutcome::Unusable("it is empty".into()));
    assert_eq!(service.collect("p", &input("ollama")).await.unwrap().status, ModelStatus::Unknown);
    service.warmup("p", &input("ollama")).await.unwrap();
    assert!(
        fixture
            .process()
            .read_cached("p")
            .unwrap()
            .is_none_or(|cached| { cached.signal.status == ModelStatus::Unknown })
    );
}

#[tokio::test]
async fn the_quota_harness_decides_for_subscriptions() {
    for (state, status) in [
        (QuotaState::Ok, ModelStatus::Available),
        (QuotaState::Blocked, ModelStatus::Exhausted),
        (QuotaState::Stale, ModelStatus::Unknown),
        (QuotaState::Unavailable, ModelStatus::Unknown),
        (QuotaState::Unauthenticated, ModelStatus::Unknown),
        (QuotaState::Unknown, ModelStatus::Unknown),
    ] {
        let service = Fixture::new().with_quota(state);
        let signal = service.collect("claude", &input("claude")).await.unwrap();
        assert_eq!(signal.status, status, "{state:?}");
        assert_eq!(signal.quota_remaining, (state == QuotaState::Blocked).then_some(0), "{state:?}");
    }
}

#[tokio::test]
async fn where_the_harness_knows_nothing_the_last_recorded_reading_serves() {
    let fixture = Fixture::new();
    let service = fixture.with_quota(QuotaState::Unavailable);
    service.observe_response(&response(429, &[("retry-after", "60")])).unwrap();
    let signal = service.collect("p", &input("claude")).await.unwrap();
    assert_eq!(signal.status, ModelStatus::Exhausted);
}

#[tokio::test]
async fn a_stale_entry_is_returned_at_once_and_refreshed_behind() {
    let fixture = Fixture { clock: ManualClock::at_present(), ..Fixture::new() };
    let (service, probe) = fixture.probing(ProbeOutcome::Alive);
    assert_eq!(service.maybe_refresh("p", &input("ollama")).unwrap(), None);
    // The refresh is in flight or done: whoever asks now gets its result.
    service.warmup("p", &input("ollama")).await.unwrap();
    let cached = service.maybe_refresh("p", &input("ollama")).unwrap().unwrap();
    assert!(cached.fresh);
    let asked = probe.asked.load(Ordering::SeqCst);
    fixture.clock.advance(Duration::from_secs(301));
    let cached = service.maybe_refresh("p", &input("ollama")).unwrap().unwrap();
    assert!(!cached.fresh && cached.age >= Duration::from_secs(301));
    service.warmup("p", &input("ollama")).await.unwrap();
    assert!(probe.asked.load(Ordering::SeqCst) > asked);
}

#[tokio::test]
async fn unsafe_names_are_errors_that_name_the_rule_and_nothing_is_written() {
    let fixture = Fixture::new();
    let service = fixture.process();
    for name in ["../evil", "a/b", ".hidden", "a\nb", &"x".repeat(129)] {
        let observed = service.observe_response(&Observation { provider: name, ..response(200, NO_HEADERS) });
        assert!(matches!(observed, Err(Error::Name(_))), "{name:?}");
        assert!(service.read_cached(name).is_err(), "{name:?}");
        assert!(service.warmup(name, &input("openai")).await.is_err(), "{name:?}");
    }
    service.flush().unwrap();
    assert!(!fixture.folder.path().join("runtime").exists());
}

#[test]
fn foreign_and_broken_files_are_a_miss_and_are_replaced() {
    let fixture = Fixture::new();
    let folder = fixture.folder.path().join("runtime");
    std::fs::create_dir_all(&folder).unwrap();
    let other = r#"{"provider":"q","status":"available","recent_p50_latency_ns":0,"recorded_at":"2026-01-15T12:00:00Z"}"#;
    for text in ["", "{}", "null", "[]", other, &other[..other.len() - 2], "\u{0}\u{1}"] {
        std::fs::write(folder.join("p.json"), text).unwrap();
        let service = fixture.process();
        assert_eq!(service.read_cached("p").unwrap(), None, "{text}");
        service.observe_response_durably(&response(200, NO_HEADERS)).unwrap();
        assert_eq!(fixture.stored("p").status, ModelStatus::Available);
    }
}
