//! The engine in its sandbox: no imports, limits, and an instance that can be lost at any time.

use std::fs;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};
use std::time::Duration;

use runtime_signals::engine::{COMPONENT, CodeCache, EngineError, EngineOptions, Limits};
use runtime_signals::{Error, ModelStatus, Observation, Service, SignalCache, Store, StoreOptions};
use sha2::{Digest, Sha256};

use crate::support::{ManualClock, options, store};

const NO_HEADERS: &[(&str, &str)] = &[];

/// A finished call of `latency_ms`: a success, or with the name of a fault a failure that makes the engine fail as well,
/// which is told at once.
fn call<'a>(provider: &'a str, latency_ms: u64, fault: Option<&'a str>) -> Observation<'a> {
    let status = Some(if fault.is_some() { 503 } else { 200 });
    let latency = Duration::from_millis(latency_ms);
    Observation { status, model: fault, ..Observation::new(provider, "openai", &NO_HEADERS, latency) }
}

/// A store over the engine that fails on demand.
fn faulty() -> Store {
    faulty_within(Duration::from_secs(5))
}

/// The same, with a bound on the processor time of one call.
fn faulty_within(cpu_time: Duration) -> Store {
    let mut options = options(&ManualClock::new());
    options.engine.limits = Limits { cpu_time, ..Limits::default() };
    Store::with_options(StoreOptions { component: Some(faulty_component()), ..options }).unwrap()
}

/// The engine that fails on demand.
pub(crate) fn faulty_component() -> Vec<u8> {
    let component = Path::new(env!("RUNTIME_SIGNALS_ENGINE_WASM")).with_file_name("engine-faults.wasm");
    fs::read(&component)
        .unwrap_or_else(|error| panic!("{}: {error}; run `cargo xtask components`", component.display()))
}

fn samples(store: &Store, provider: &str) -> u32 {
    store.recorded(provider).unwrap().latency.map_or(0, |latency| latency.count)
}

#[test]
fn the_engine_has_no_imports() {
    let engine = wasmtime::Engine::default();
    let component = wasmtime::component::Component::from_binary(&engine, COMPONENT).unwrap();
    let imports: Vec<_> =
        component.component_type().imports(&engine).map(|(name, _)| name.to_owned()).collect();
    assert!(imports.is_empty(), "{imports:?}");
}

#[test]
fn the_engine_is_at_most_288_kib() {
    assert!(COMPONENT.len() <= 288 * 1024, "{} bytes", COMPONENT.len());
}

#[test]
fn an_observation_travels_to_the_disk_and_back() {
    let folder = tempfile::tempdir().unwrap();
    let service = Service::new(store(&ManualClock::new()), SignalCache::new(folder.path()));
    let headers = [("X-RateLimit-Remaining-Requests", "59"), ("x-ratelimit-limit-requests", "60")];
    let mut observation = Observation::new("openai", "openai", &headers, Duration::from_millis(840));
    observation.status = Some(200);
    service.observe_response(&observation).unwrap();
    service.flush().unwrap();
    let stored = fs::read_to_string(folder.path().join("runtime/openai.json")).unwrap();
    assert_eq!(
        stored,
        r#"{"provider":"openai","status":"available","quota_remaining":59,"recent_p50_latency_ns":840000000,"last_success_at":"2026-01-15T12:00:00Z","recorded_at":"2026-01-15T12:00:00Z","limits":[{"quantity":"requests","limit":60,"remaining":59,"captured_at":"2026-01-15T12:00:00Z","refill":"continuous"}],"latency":{"count":1,"p90_ns":840000000,"p99_ns":840000000}}"#,
    );
    let cached = service.read_cached("openai").unwrap().unwrap();
    assert_eq!((cached.signal.status, cached.signal.quota_remaining), (ModelStatus::Available, Some(59)));
}

#[test]
fn a_trap_costs_the_call_that_trapped_and_nothing_else() {
    let store = faulty();
    for latency in 1..=5 {
        store.record(&call("a", latency, None)).unwrap();
        store.record(&call("b", latency, None)).unwrap();
    }
    let trapped = store.record(&call("a", 99, Some("fault:trap"))).unwrap_err();
    assert!(matches!(trapped, Error::Engine(EngineError::Trapped(_))), "{trapped}");
    store.record(&call("a", 6, None)).unwrap();
    assert_eq!((samples(&store, "a"), samples(&store, "b")), (6, 5));
    assert_eq!(store.recorded("a").unwrap().recent_p50_latency, Duration::from_millis(4));
}

#[test]
fn state_is_kept_over_many_replacements_and_exports() {
    let store = faulty();
    for latency in 1..=300 {
        store.record(&call("a", latency, None)).unwrap();
        if latency % 7 == 0 {
            store.record(&call("a", 9999, Some("fault:trap"))).unwrap_err();
        }
    }
    let signal = store.recorded("a").unwrap();
    assert_eq!(signal.latency.unwrap().count, 100);
    assert_eq!(signal.recent_p50_latency, Duration::from_millis(251));
}

#[test]
fn an_endless_loop_ends_with_its_processor_time() {
    let store = faulty_within(Duration::from_millis(30));
    store.record(&call("a", 1, None)).unwrap();
    let error = store.record(&call("a", 2, Some("fault:loop"))).unwrap_err();
    assert!(matches!(error, Error::Engine(EngineError::TimedOut(_))), "{error}");
    store.record(&call("a", 3, None)).unwrap();
    assert_eq!(samples(&store, "a"), 2);
}

#[test]
fn a_memory_bomb_is_stopped_at_the_limit() {
    let store = faulty();
    store.record(&call("a", 1, None)).unwrap();
    let error = store.record(&call("a", 2, Some("fault:memory"))).unwrap_err();
    assert!(matches!(error, Error::Engine(EngineError::OutOfMemory(_))), "{error}");
    store.record(&call("a", 3, None)).unwrap();
    assert_eq!(samples(&store, "a"), 2);
}

#[test]
fn deep_recursion_is_stopped_by_the_stack_limit() {
    let store = faulty();
    let error = store.record(&call("a", 2, Some("fault:stack"))).unwrap_err();
    assert!(matches!(error, Error::Engine(EngineError::Trapped(_))), "{error}");
    store.record(&call("a", 3, None)).unwrap();
    assert_eq!(samples(&store, "a"), 1);
}

#[test]
fn of_a_batch_only_the_observation_at_fault_is_lost() {
    let store = faulty();
    let names = ["a", "b", "c"];
    let batch: Vec<_> =
        (0..30).map(|index| call(names[index % 3], 10, (index == 13).then_some("fault:trap"))).collect();
    let outcomes = store.record_batch(&batch);
    let failed: Vec<_> = (0..30).filter(|index| outcomes[*index].is_err()).collect();
    assert_eq!(failed, [13]);
    assert_eq!(names.map(|name| samples(&store, name)), [10, 9, 10]);
}

#[test]
fn a_success_that_makes_the_engine_fail_is_dropped_when_it_is_told_and_nothing_else() {
    let store = faulty();
    for latency in 1..=9 {
        let fault = (latency == 5).then_some("fault:trap");
        store.record(&Observation { status: Some(200), ..call("a", latency, fault) }).unwrap();
        store.record(&call("b", latency, None)).unwrap();
    }
    assert_eq!((samples(&store, "a"), samples(&store, "b")), (8, 9));
    store.record(&call("a", 10, None)).unwrap();
    assert_eq!(samples(&store, "a"), 9);
}

#[test]
fn of_a_long_batch_nothing_is_put_back_twice() {
    let store = faulty();
    let batch: Vec<_> = (1..=300).map(|latency| call("a", latency, None)).collect();
    assert!(store.record_batch(&batch).iter().all(Result::is_ok));
    store.record(&call("b", 1, Some("fault:trap"))).unwrap_err();
    let every_shard = (0..100).map(|number| format!("other-{number}"));
    every_shard.for_each(|name| drop(store.record(&call(&name, 1, Some("fault:trap")))));
    assert_eq!(store.recorded("a").unwrap().recent_p50_latency, Duration::from_millis(251));
}

#[test]
fn many_threads_and_providers_lose_nothing() {
    let store = store(&ManualClock::new());
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let store = &store;
            scope.spawn(move || {
                for index in 0..400 {
                    let provider = format!("provider-{}", (index + thread) % 40);
                    store.record(&call(&provider, 5, None)).unwrap();
                }
            });
        }
    });
    let total: u32 = store.providers().iter().map(|provider| samples(&store, provider)).sum();
    assert_eq!((store.providers().len(), total), (40, 1600));
}

#[test]
fn an_empty_provider_name_is_a_no_op() {
    let folder = tempfile::tempdir().unwrap();
    let service = Service::new(store(&ManualClock::new()), SignalCache::new(folder.path()));
    let signal = service.observe_response(&call("", 5, None)).unwrap();
    service.flush().unwrap();
    assert_eq!(signal.status, ModelStatus::Unknown);
    assert!(service.store().providers().is_empty());
    assert!(!folder.path().join("runtime").exists());
}

/// A store that keeps its compiled code in a folder of the test's own.
fn store_with_code(folder: &Path) -> Store {
    let engine = EngineOptions { code_cache: CodeCache::Folder(folder.into()), ..EngineOptions::default() };
    Store::with_options(StoreOptions { engine, ..options(&ManualClock::new()) }).unwrap()
}

fn only_file(folder: &Path) -> PathBuf {
    let files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(files.len(), 1, "{files:?}");
    files[0].clone()
}

/// Compiled code that a store has kept: the folder around, its folder, and its file.
fn kept_code() -> (tempfile::TempDir, PathBuf, PathBuf) {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("code");
    store_with_code(&folder);
    let file = only_file(&folder);
    (parent, folder, file)
}

#[test]
fn compiled_code_is_kept_privately_and_used_again() {
    let (_parent, folder, file) = kept_code();
    assert_eq!(folder.metadata().unwrap().mode() & 0o777, 0o700);
    assert_eq!(file.metadata().unwrap().mode() & 0o777, 0o600);
    let written = file.metadata().unwrap().modified().unwrap();
    assert!(store_with_code(&folder).recorded("a").is_ok());
    assert_eq!(only_file(&folder).metadata().unwrap().modified().unwrap(), written);
}

#[test]
fn compiled_code_that_does_not_check_out_is_replaced_silently() {
    let (parent, folder, file) = kept_code();
    let good = fs::read(&file).unwrap();
    let mut flipped = good.clone();
    flipped[good.len() / 2] ^= 1;
    for damaged in [&flipped[..], &good[..good.len() / 2], b"", b"not code"] {
        fs::write(&file, damaged).unwrap();
        assert!(store_with_code(&folder).recorded("a").is_ok());
        assert_eq!(fs::read(&file).unwrap().len(), good.len());
    }
    let elsewhere = parent.path().join("elsewhere");
    fs::rename(&file, &elsewhere).unwrap();
    symlink(&elsewhere, &file).unwrap();
    assert!(store_with_code(&folder).recorded("a").is_ok());
    assert!(file.symlink_metadata().unwrap().is_file(), "the planted link is replaced");
}

#[test]
fn compiled_code_that_others_could_have_written_is_not_loaded() {
    let (_parent, folder, file) = kept_code();
    let mode = |mode: u32| fs::set_permissions(&file, fs::Permissions::from_mode(mode));
    let plants: [&dyn Fn() -> std::io::Result<()>; 3] =
        [&|| mode(0o620), &|| mode(0o602), &|| chown(&file, Some(65_534), None)];
    for plant in plants {
        let number = file.metadata().unwrap().ino();
        // Only root can give a file to another user.
        let Ok(()) = plant() else { continue };
        let held = fs::File::open(&file).unwrap();
        assert!(store_with_code(&folder).recorded("a").is_ok());
        let replaced = file.metadata().unwrap();
        assert_ne!(replaced.ino(), number, "it was loaded: {held:?}");
        assert_eq!((replaced.mode() & 0o777, replaced.uid()), (0o600, folder.metadata().unwrap().uid()));
    }
}

#[test]
fn code_that_no_compiler_of_ours_made_is_not_loaded_whatever_its_hash_says() {
    let (_parent, folder, file) = kept_code();
    let good = fs::read(&file).unwrap();
    let (_, code) = good.split_at(32);
    let elf_alone = code.get(..64).unwrap();
    for forged in [&b"not code"[..], b"", elf_alone] {
        fs::write(&file, [&Sha256::digest(forged)[..], forged].concat()).unwrap();
        assert!(store_with_code(&folder).recorded("a").is_ok());
        assert_eq!(fs::read(&file).unwrap().len(), good.len(), "it is compiled anew");
    }
}

#[test]
fn a_folder_that_others_may_enter_is_not_used_for_code() {
    for mode in [0o777, 0o710, 0o704] {
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(mode)).unwrap();
        assert!(store_with_code(folder.path()).recorded("a").is_ok());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "{mode:o}");
    }
    let folder = tempfile::tempdir().unwrap();
    let (link, behind) = (folder.path().join("link"), folder.path().join("behind"));
    fs::DirBuilder::new().mode(0o700).create(&behind).unwrap();
    symlink(&behind, &link).unwrap();
    assert!(store_with_code(&link).recorded("a").is_ok());
    assert_eq!(fs::read_dir(&behind).unwrap().count(), 0, "a link is no folder");
}

#[test]
fn a_component_of_another_world_is_refused_by_name() {
    let pairs = Path::new(env!("RUNTIME_SIGNALS_ENGINE_WASM")).with_file_name("pairs.wasm");
    for component in [fs::read(pairs).unwrap(), b"\0asm".to_vec(), vec![0; 100], Vec::new()] {
        let options = StoreOptions { component: Some(component), ..options(&ManualClock::new()) };
        let error = Store::with_options(options).err().expect("refused").to_string();
        assert!(error.contains("the engine component cannot be loaded"), "{error}");
    }
}
