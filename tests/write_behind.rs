//! Writing behind, and the bound on providers that are known in memory.

use std::collections::{HashMap, HashSet};
use std::os::unix::fs::MetadataExt;
use std::time::{Duration, Instant};

use runtime_signals::engine::EngineOptions;
use runtime_signals::{ModelStatus, Observation, Service, SignalCache, Store, StoreOptions, WRITE_BEHIND};

use crate::support::{ManualClock, options};

const NO_HEADERS: &[(&str, &str)] = &[];

/// A store that knows so many providers, all in one instance.
fn store_of(providers: usize) -> Store {
    let options = StoreOptions { clock: None, ..options(&ManualClock::new()) };
    let engine = EngineOptions { shards: 1, providers, ..options.engine };
    Store::with_options(StoreOptions { engine, ..options }).unwrap()
}

fn remaining(store: &Store, provider: &str, count: u64) {
    let headers = [("x-ratelimit-remaining-requests", count.to_string())];
    store.record_response(provider, &headers, Duration::from_millis(840), "openai").unwrap();
}

#[test]
fn for_a_new_provider_that_is_forgotten_which_nobody_asked_about_for_the_longest_time() {
    let store = store_of(2);
    remaining(&store, "a", 1);
    remaining(&store, "b", 2);
    assert_eq!(store.recorded("a").unwrap().quota_remaining, Some(1));
    assert_eq!(store.forgotten(), 0);
    remaining(&store, "c", 3);
    assert_eq!(store.forgotten(), 1);
    assert_eq!(store.recorded("a").unwrap().quota_remaining, Some(1));
    assert_eq!(store.recorded("c").unwrap().quota_remaining, Some(3));
    assert_eq!(store.recorded("b").unwrap().status, ModelStatus::Unknown);
}

#[test]
fn whoever_is_forgotten_in_between_those_that_stay_keep_their_own() {
    let store = store_of(40);
    let mut random = fastrand::Rng::with_seed(7);
    let mut latest = HashMap::new();
    for count in 0..4_000 {
        let name = format!("p{}", random.u8(..100));
        remaining(&store, &name, count);
        latest.insert(name, count);
    }
    assert!(store.forgotten() > 100, "{}", store.forgotten());
    let known: Vec<_> = latest
        .iter()
        .filter_map(|(name, count)| {
            let signal = store.recorded(name).unwrap();
            (signal.status != ModelStatus::Unknown).then_some((signal.quota_remaining, Some(*count)))
        })
        .collect();
    assert!(!known.is_empty());
    assert!(known.iter().all(|(known, latest)| known == latest), "{known:?}");
}

#[test]
fn what_is_forgotten_in_memory_was_written_before_and_comes_back_from_the_disk() {
    let folder = tempfile::tempdir().unwrap();
    let service = Service::new(store_of(8), SignalCache::new(folder.path()));
    let names: Vec<_> = (0..64).map(|index| format!("p{index}")).collect();
    for (name, count) in names.iter().zip(1..) {
        let headers = [("x-ratelimit-remaining-requests", count.to_string())];
        let mut response = Observation::new(name, "openai", &headers, Duration::from_millis(840));
        response.status = Some(200);
        service.observe_response(&response).unwrap();
    }
    assert!(service.store().forgotten() >= 56, "{}", service.store().forgotten());
    for (name, count) in names.iter().zip(1..) {
        assert_eq!(service.recorded(name).unwrap().quota_remaining, Some(count), "{name}");
    }
}

#[test]
fn a_provider_is_written_at_most_once_an_interval_however_often_it_is_observed() {
    let folder = tempfile::tempdir().unwrap();
    let service = Service::new(store_of(0), SignalCache::new(folder.path()));
    let path = folder.path().join("runtime/p.json");
    let mut versions = HashSet::new();
    let started = Instant::now();
    while started.elapsed() < 5 * WRITE_BEHIND {
        // A refusal is urgent, and no more than once an interval either.
        for status in [200, 429] {
            let mut response = Observation::new("p", "openai", &NO_HEADERS, Duration::from_millis(840));
            response.status = Some(status);
            service.observe_response(&response).unwrap();
        }
        let file = std::fs::metadata(&path);
        versions.extend(file.map(|file| (file.ino(), file.mtime_nsec())).ok());
    }
    let intervals = started.elapsed().as_millis() / WRITE_BEHIND.as_millis();
    assert!(!versions.is_empty());
    assert!(versions.len() as u128 <= intervals, "{} versions in {intervals} intervals", versions.len());
}

#[test]
fn all_that_was_observed_is_on_disk_after_a_flush_even_while_others_write() {
    let folder = tempfile::tempdir().unwrap();
    let service = Service::new(store_of(0), SignalCache::new(folder.path()));
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let service = &service;
            scope.spawn(move || {
                let name = format!("p{thread}");
                // Each call was under way when the one before was written.
                for count in (0..200_u64).rev() {
                    let headers = [("x-ratelimit-remaining-requests", count.to_string())];
                    let mut response =
                        Observation::new(&name, "openai", &headers, Duration::from_millis(840));
                    response.status = Some(200);
                    service.observe_response(&response).unwrap();
                    if count % 20 == 0 {
                        service.flush().unwrap();
                        let stored = service.read_cached(&name).unwrap().unwrap();
                        assert_eq!(stored.signal.quota_remaining, Some(count));
                    }
                }
            });
        }
    });
}
