//! What a start costs, and the replacement of an instance.
#![allow(missing_docs, clippy::expect_used, clippy::unwrap_used, clippy::indexing_slicing)]

use std::path::Path;
use std::process::{Command, Stdio};

use criterion::{Criterion, criterion_group, criterion_main};
use runtime_signals::engine::{CodeCache, EngineOptions};
use runtime_signals::{Observation, Store, StoreOptions};

mod support;

use support::Case;

fn store_with(code_cache: CodeCache) -> Store {
    let engine = EngineOptions { code_cache, ..EngineOptions::default() };
    Store::with_options(StoreOptions { engine, ..StoreOptions::default() }).unwrap()
}

fn engine(criterion: &mut Criterion) {
    let folder = tempfile::tempdir().unwrap();
    let code = folder.path().join("code");
    let [case, ..] = Case::all();
    let first_signal = |code: CodeCache| {
        let store = store_with(code);
        store.record(&case.observation("p")).unwrap();
        store.recorded("p").unwrap()
    };
    let mut group = criterion.benchmark_group("engine to first signal");
    group.sample_size(20);
    group.bench_function("compiling", |bencher| bencher.iter(|| first_signal(CodeCache::Off)));
    first_signal(CodeCache::Folder(code.clone()));
    group.bench_function("compiled code kept", |bencher| {
        bencher.iter(|| first_signal(CodeCache::Folder(code.clone())));
    });
    group.finish();
}

fn process(criterion: &mut Criterion) {
    let home = tempfile::tempdir().unwrap();
    let program = || {
        let mut program = Command::new(env!("CARGO_BIN_EXE_runtime-signals"));
        program.env_clear().env("HOME", home.path()).stdout(Stdio::null()).stderr(Stdio::null());
        program
    };
    let line = r#"{"provider":"p","type":"openai","status":200,"headers":{},"latency_ms":5}"#;
    let input = home.path().join("line.ndjson");
    std::fs::write(&input, line).unwrap();
    assert!(program().arg("ingest").arg(&input).status().unwrap().success());

    let mut group = criterion.benchmark_group("process");
    group.sample_size(20);
    group.bench_function("floor: --version", |bencher| {
        bencher.iter(|| program().arg("--version").status().unwrap());
    });
    group.bench_function("read p --json, compiled code kept", |bencher| {
        bencher.iter(|| assert!(program().args(["read", "p", "--json"]).status().unwrap().success()));
    });
    group.finish();
}

fn replacement(criterion: &mut Criterion) {
    let faulty = Path::new(env!("RUNTIME_SIGNALS_ENGINE_WASM")).with_file_name("engine-faults.wasm");
    let component = Some(std::fs::read(faulty).unwrap());
    let engine = EngineOptions { shards: 1, ..EngineOptions::default() };
    let store = Store::with_options(StoreOptions { component, engine, ..StoreOptions::default() }).unwrap();
    let [case, ..] = Case::all();
    (0..100).for_each(|_| store.record(&case.observation("p")).unwrap());
    let trap = Observation { model: Some("fault:trap"), status: Some(503), ..case.observation("p") };

    let mut group = criterion.benchmark_group("replacement of an instance");
    group.bench_function("a trap, and the next call with the state put back", |bencher| {
        bencher.iter(|| {
            store.record(&trap).unwrap_err();
            store.record(&case.observation("p")).unwrap();
        });
    });
    group.finish();
}

criterion_group!(benches, engine, process, replacement);
criterion_main!(benches);
