//! What a parser component costs: a call, coming into service, and the replacement of an instance that trapped.
#![allow(missing_docs, clippy::expect_used, clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use std::hint::black_box;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group, criterion_main};
use runtime_signals::engine::{CodeCache, EngineOptions};
use runtime_signals::parsers::{Candidate, Install, Options};
use runtime_signals::{Observation, Service, SignalCache, Store, StoreOptions};
use tempfile::TempDir;

#[allow(dead_code)]
#[path = "../../tests/parsers/guests.rs"]
mod guests;
#[allow(dead_code, unreachable_pub)]
#[path = "support/headers.rs"]
mod headers;
#[path = "support/versions.rs"]
mod versions;

use guests::Guest;
use headers::ACME;
use versions::versions;

fn observation() -> Observation<'static> {
    let mut observation = Observation::new("acme", "acme", &ACME, Duration::from_millis(840));
    observation.status = Some(200);
    observation
}

/// A store with parsers that need no signature.
struct Scene {
    folder: TempDir,
    store: Store,
}

impl Scene {
    fn new(code_cache: Option<&str>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let code_cache = match code_cache {
            Some(name) => CodeCache::Folder(folder.path().join(name)),
            None => CodeCache::Off,
        };
        let parsers = Options {
            state_dir: Some(folder.path().join("parsers")),
            allow_unsigned: true,
            most_faults: u32::MAX,
            ..Options::default()
        };
        let engine = EngineOptions { code_cache, ..EngineOptions::default() };
        let options = StoreOptions { engine, parsers: Some(parsers), ..StoreOptions::default() };
        Self { folder, store: Store::with_options(options).unwrap() }
    }

    fn install(&self, bytes: &[u8]) {
        let how = Install { allow_downgrade: true, ..Install::default() };
        let candidate = Candidate::new(bytes.to_vec(), None, "bench");
        let installed = self.store.parsers().unwrap().install(&candidate, how).unwrap();
        assert!(!installed.unchanged);
    }
}

fn calls(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("parser");
    let built_in = Scene::new(Some("code"));
    group.bench_function("parse, 20 headers, by the built-in parser", |bencher| {
        let mut response = observation();
        response.provider_type = "openai";
        bencher.iter(|| built_in.store.parse(black_box(&response)).unwrap());
    });
    let served = Scene::new(Some("code"));
    served.install(&versions()[0]);
    let response = observation();
    assert_eq!(served.store.parse(&response).unwrap().remaining_requests, Some(12));
    group.bench_function("parse, 20 headers, 6 wanted, by a component", |bencher| {
        bencher.iter(|| served.store.parse(black_box(&response)).unwrap());
    });
    group.bench_function("record, 20 headers, 6 wanted, by a component", |bencher| {
        bencher.iter(|| served.store.record(black_box(&response)).unwrap());
    });
    let trapping = Scene::new(Some("code"));
    trapping.install(&Guest::new("1.0.0").parse("unreachable").build());
    group.bench_function(
        "a call that traps, in an instance made for it, then the built-in parser",
        |bencher| {
            bencher.iter(|| trapping.store.parse(black_box(&response)).unwrap());
        },
    );
    group.finish();
}

fn coming_into_service(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("parser");
    group.sample_size(20);
    let versions = versions();
    for (name, code_cache) in
        [("from bytes to serving, compiled", None), ("from bytes to serving, compiled before", Some("code"))]
    {
        let scene = Scene::new(code_cache);
        versions.iter().for_each(|version| scene.install(version));
        let mut number = 0;
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                scene.install(&versions[number % 2]);
                number += 1;
            });
        });
        drop(scene.folder);
    }
    group.finish();
}

/// Threads that observe while a parser is swapped.
const THREADS: usize = 8;
/// Between two observations of a thread.
const PACE: Duration = Duration::from_millis(1);
/// Before and after a swap.
const MARGIN: Duration = Duration::from_millis(20);
/// What a swap takes, about; as long is observed where there is none.
const SWAP: Duration = Duration::from_millis(30);

/// The longest of the observations that all threads make while `work` is done.
fn longest_observation(service: &Service, work: impl FnOnce()) -> Duration {
    let ended = AtomicBool::new(false);
    let observe = |name: &str| {
        let mut longest = Duration::ZERO;
        while !ended.load(Ordering::Acquire) {
            let observation = Observation { provider: name, ..observation() };
            let began = Instant::now();
            service.observe_response(&observation).unwrap();
            longest = longest.max(began.elapsed());
            std::thread::sleep(PACE);
        }
        longest
    };
    std::thread::scope(|threads| {
        let observe = &observe;
        let running: Vec<_> =
            (0..THREADS).map(|thread| threads.spawn(move || observe(&format!("acme-{thread}")))).collect();
        std::thread::sleep(MARGIN);
        work();
        std::thread::sleep(MARGIN);
        ended.store(true, Ordering::Release);
        running.into_iter().map(|thread| thread.join().unwrap()).max().unwrap_or_default()
    })
}

/// The same time with a swap and without: what is longer is the price of the swap.
fn around_a_swap(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("longest observation of 8 threads");
    group.sample_size(20);
    let versions = versions();
    let scene = Scene::new(None);
    let service = Service::new(scene.store.clone(), SignalCache::new(scene.folder.path()));
    versions.iter().for_each(|version| scene.install(version));
    let mut number = 0;
    group.bench_function("no swap", |bencher| {
        bencher.iter_custom(|rounds| {
            (0..rounds).map(|_| longest_observation(&service, || std::thread::sleep(SWAP))).sum()
        });
    });
    group.bench_function("around a swap, compilation included", |bencher| {
        bencher.iter_custom(|rounds| {
            let mut swap = || {
                scene.install(&versions[number % 2]);
                number += 1;
            };
            (0..rounds).map(|_| longest_observation(&service, &mut swap)).sum()
        });
    });
    group.finish();
}

criterion_group!(benches, calls, coming_into_service, around_a_swap);
criterion_main!(benches);
