//! What observing costs when each response is to reach the disk: beside an fsync a response, with so many providers
//! that their files take turns, and with ten to a hundred thousand of them.
#![allow(missing_docs, clippy::expect_used, clippy::unwrap_used, clippy::indexing_slicing)]

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use runtime_signals::engine::{CodeCache, EngineOptions};
use runtime_signals::{Service, SignalCache, Store, StoreOptions};
use rustix::time::{ClockId, clock_gettime};

#[path = "support/process.rs"]
mod process;
mod support;

use process::kib_of;
use support::Case;

/// How long each row is observed for.
const LASTS: Duration = Duration::from_secs(5);
/// Responses between two looks at the clock.
const STEP: usize = 1000;

/// Processor time, by the clock of the process or of the calling thread.
fn processor_time(clock: ClockId) -> Duration {
    let time = clock_gettime(clock);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap())
}

/// What the original does for each response: the signal to a file, forced to the disk, in place of the old one.
fn floor(folder: &Path, service: &Service, case: &Case) -> Duration {
    service.observe_response(&case.observation("p")).unwrap();
    let json = service.store().encode(&service.recorded("p").unwrap()).unwrap();
    let (new, old) = (folder.join("new"), folder.join("old"));
    let (started, mut count) = (Instant::now(), 0);
    while started.elapsed() < LASTS {
        let mut file = File::create(&new).unwrap();
        file.write_all(&json).unwrap();
        file.sync_all().unwrap();
        fs::rename(&new, &old).unwrap();
        count += 1;
    }
    started.elapsed() / count
}

fn service(folder: &Path, providers: usize) -> Service {
    let engine = EngineOptions { code_cache: CodeCache::User, providers, ..EngineOptions::default() };
    let store = Store::with_options(StoreOptions { engine, ..StoreOptions::default() }).unwrap();
    Service::new(store, SignalCache::new(folder))
}

fn main() {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let [case, ..] = Case::all();
    let floor = floor(folder.path(), &service(folder.path(), 0), &case);
    println!("a file and an fsync a response: {floor:.1?}");
    for providers in [10_usize, 1_000, 10_000, 100_000] {
        let folder = tempfile::tempdir_in(folder.path()).unwrap();
        let service = service(folder.path(), providers);
        let names: Vec<String> = (0..providers).map(|index| format!("provider-{index}")).collect();
        for name in &names {
            service.observe_response(&case.observation(name)).unwrap();
        }
        let (whole, own, started) =
            (processor_time(ClockId::ProcessCPUTime), processor_time(ClockId::ThreadCPUTime), Instant::now());
        let (mut count, mut longest) = (0, Duration::ZERO);
        while started.elapsed() < LASTS {
            let began = Instant::now();
            for _ in 0..STEP {
                service.observe_response(&case.observation(&names[count * 7 % providers])).unwrap();
                count += 1;
            }
            longest = longest.max(began.elapsed());
        }
        let lasted = started.elapsed();
        let own = processor_time(ClockId::ThreadCPUTime) - own;
        let others = processor_time(ClockId::ProcessCPUTime) - whole - own;
        let each = lasted / u32::try_from(count).unwrap();
        println!(
            "{providers} providers: {each:.2?} an observe, {:.0} times as many as with an fsync; writing takes {:.1} % of a \
             core; the slowest {STEP} took {longest:.1?}; forgotten {}; resident {:.0} MiB",
            floor.as_secs_f64() / each.as_secs_f64(),
            100.0 * others.as_secs_f64() / lasted.as_secs_f64(),
            service.store().forgotten(),
            kib_of("self", "VmRSS:") / 1024.0,
        );
        let flushing = Instant::now();
        service.flush().unwrap();
        println!("    flushed in {:.1?}", flushing.elapsed());
    }
}
