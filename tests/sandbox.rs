//! The engine in its sandbox, through the library.

use std::time::Duration;

use runtime_signals::engine::{CodeCache, EngineOptions};
use runtime_signals::{ModelStatus, Observation, Service, SignalCache, Store, StoreOptions};

fn store() -> Store {
    let engine = EngineOptions { code_cache: CodeCache::Off, ..EngineOptions::default() };
    Store::with_options(StoreOptions { engine, ..StoreOptions::default() }).unwrap()
}

#[test]
fn an_observation_travels_to_the_disk_and_back() {
    let folder = tempfile::tempdir().unwrap();
    let service = Service::new(store(), SignalCache::new(folder.path()));
    let headers = [("X-RateLimit-Remaining-Requests", "59"), ("x-ratelimit-limit-requests", "60")];
    let mut observation = Observation::new("openai", "openai", &headers, Duration::from_millis(840));
    observation.status = Some(200);
    service.observe_response(&observation).unwrap();
    service.flush().unwrap();
    let cached = service.read_cached("openai").unwrap().unwrap();
    assert_eq!(cached.signal.status, ModelStatus::Available);
    assert_eq!(cached.signal.quota_remaining, Some(59));
    eprintln!("{}", String::from_utf8(service.store().encode(&cached.signal).unwrap()).unwrap());
}
