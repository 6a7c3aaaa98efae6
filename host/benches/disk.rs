//! What the cache costs, beside the floor: one fsync.
#![allow(missing_docs, clippy::expect_used, clippy::unwrap_used, clippy::indexing_slicing)]

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use criterion::{Criterion, criterion_group, criterion_main};
use runtime_signals::{Service, SignalCache};

mod support;

use support::{Case, store};

/// A disk and, where there is one, a file system in memory.
fn folders() -> Vec<(&'static str, PathBuf)> {
    let disk = Path::new(env!("CARGO_TARGET_TMPDIR")).to_owned();
    let memory = PathBuf::from("/dev/shm");
    let all = [("disk", disk), ("memory", memory)];
    all.into_iter().filter(|(_, folder)| folder.is_dir()).collect()
}

fn disk(criterion: &mut Criterion) {
    for (name, folder) in folders() {
        let folder = tempfile::tempdir_in(folder).unwrap();
        let service = Service::new(store(), SignalCache::new(folder.path()));
        let [case, ..] = Case::all();
        service.observe_response_durably(&case.observation("p")).unwrap();
        let mut signal = service.recorded("p").unwrap();
        let json = service.store().encode(&signal).unwrap();

        let mut group = criterion.benchmark_group(format!("{name}, one signal"));
        let (new, old) = (folder.path().join("new"), folder.path().join("old"));
        group.bench_function("floor: write, fsync, rename", |bencher| {
            bencher.iter(|| {
                let mut file = File::create(&new).unwrap();
                file.write_all(&json).unwrap();
                file.sync_all().unwrap();
                fs::rename(&new, &old).unwrap();
            });
        });
        group.bench_function("write", |bencher| {
            bencher.iter(|| {
                signal.recorded_at = service.store().now();
                service.write(&signal).unwrap()
            });
        });
        let path = folder.path().join("runtime/p.json");
        group.bench_function("floor: read the file", |bencher| bencher.iter(|| fs::read(&path).unwrap()));
        group.bench_function("read_cached", |bencher| {
            bencher.iter(|| service.read_cached("p").unwrap().unwrap());
        });
        group.finish();
    }
}

criterion_group!(benches, disk);
criterion_main!(benches);
