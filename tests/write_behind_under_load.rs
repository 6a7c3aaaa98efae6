//! Writing behind under load by many threads: what was acknowledged reaches the disk, and no file is written without
//! a pause.

use std::collections::HashMap;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::channel;
use std::time::{Duration, Instant, SystemTime};

use fastrand::Rng;
use notify::event::{EventKind, ModifyKind, RenameMode};
use notify::{RecursiveMode, Watcher};
use runtime_signals::cache::CacheOptions;
use runtime_signals::clock::Clock;
use runtime_signals::{Observation, Service, SignalCache, WRITE_BEHIND};
use tempfile::TempDir;

use crate::serve::client::eventually;
use crate::support::{ManualClock, rounds, seed, store};

const THREADS: u64 = 6;
const PROVIDERS: usize = 24;
/// What each thread does.
const FEW_ROUNDS: u64 = 300;
const NO_HEADERS: &[(&str, &str)] = &[];

/// A service, and what it has acknowledged.
struct Load {
    folder: TempDir,
    service: Service,
    names: Vec<String>,
    now: SystemTime,
    /// Numbers of calls, which are the order in which they were received.
    calls: AtomicU64,
    acknowledged: Vec<AtomicU64>,
}

impl Load {
    fn new() -> Self {
        let clock = ManualClock::new();
        let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
        // A busy machine is no reason to give up a lock.
        let lock_timeout = Duration::from_secs(30);
        let options = CacheOptions { clock: clock.clone(), lock_timeout, ..CacheOptions::default() };
        Self {
            service: Service::new(store(&clock), SignalCache::with_options(folder.path(), options)),
            folder,
            names: (0..PROVIDERS).map(|number| format!("provider-{number}")).collect(),
            now: clock.now(),
            calls: AtomicU64::new(1),
            acknowledged: (0..PROVIDERS).map(|_| AtomicU64::new(0)).collect(),
        }
    }

    /// The next call of a provider, and its number.
    fn call(&self, provider: usize) -> (u64, Observation<'_>) {
        let number = self.calls.fetch_add(1, Ordering::SeqCst);
        let call = Observation::new(&self.names[provider], "openai", &NO_HEADERS, Duration::ZERO);
        let received_at = Some(self.now - Duration::from_secs(3600) + Duration::from_millis(number));
        (number, Observation { status: Some(200), received_at, ..call })
    }

    fn acknowledge(&self, provider: usize, number: u64) {
        self.acknowledged[provider].fetch_max(number, Ordering::SeqCst);
    }

    fn acknowledged(&self) -> Vec<u64> {
        self.acknowledged.iter().map(|number| number.load(Ordering::SeqCst)).collect()
    }

    /// The number of the latest call that is on disk.
    fn stored(&self, provider: usize) -> u64 {
        let stored = self.service.read_cached(&self.names[provider]).unwrap();
        let Some(latest) = stored.and_then(|cached| cached.signal.last_success_at) else { return 0 };
        let since = latest.duration_since(self.now - Duration::from_secs(3600)).unwrap();
        u64::try_from(since.as_millis()).unwrap()
    }

    /// Is on disk what had been acknowledged?
    #[track_caller]
    fn is_stored(&self, acknowledged: &[u64], after: &str) {
        for (provider, number) in acknowledged.iter().enumerate() {
            let stored = self.stored(provider);
            assert!(stored >= *number, "{}: {stored} of {number} after {after}", self.names[provider]);
        }
    }

    fn observe(&self, provider: usize) {
        let (number, call) = self.call(provider);
        self.service.observe_response(&call).unwrap();
        self.acknowledge(provider, number);
    }

    fn observe_together(&self, providers: &[usize]) {
        let calls: Vec<_> = providers.iter().map(|provider| self.call(*provider)).collect();
        let observations: Vec<_> = calls.iter().map(|(_, call)| *call).collect();
        let outcomes = self.service.observe_batch(&observations);
        assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
        providers.iter().zip(&calls).for_each(|(provider, (number, _))| self.acknowledge(*provider, *number));
    }

    fn observe_durably(&self, provider: usize) {
        let (number, call) = self.call(provider);
        self.service.observe_response_durably(&call).unwrap();
        let stored = self.stored(provider);
        assert!(stored >= number, "{}: {stored} of {number}", self.names[provider]);
        self.acknowledge(provider, number);
    }

    fn flush_all(&self) {
        let acknowledged = self.acknowledged();
        self.service.flush().unwrap();
        self.is_stored(&acknowledged, "a flush");
    }
}

/// Lets threads do something of their own, each by its own chances.
fn on_threads(work: impl Fn(&mut Rng) + Sync) {
    let seed = seed();
    std::thread::scope(|threads| {
        for thread in 0..THREADS {
            let (work, mut chance) = (&work, Rng::with_seed(seed.wrapping_add(thread)));
            threads.spawn(move || work(&mut chance));
        }
    });
}

#[test]
fn what_was_acknowledged_is_on_disk_after_a_flush_after_a_durable_call_and_in_the_end() {
    let load = Load::new();
    let rounds = rounds(FEW_ROUNDS);
    on_threads(|chance| {
        for _ in 0..rounds {
            let provider = chance.usize(0..PROVIDERS);
            match chance.u8(0..40) {
                0 => load.flush_all(),
                1 => load.observe_durably(provider),
                2 => load.observe_together(&[provider, chance.usize(0..PROVIDERS), provider]),
                _ => load.observe(provider),
            }
            (0..chance.u8(0..8)).for_each(|_| std::thread::yield_now());
        }
    });
    let Load { service, .. } = &load;
    // By itself, without anybody who asks for it.
    (0..PROVIDERS).for_each(|provider| load.observe(provider));
    let acknowledged = load.acknowledged();
    eventually(|| {
        (0..PROVIDERS).all(|provider| load.stored(provider) >= acknowledged[provider]).then_some(())
    });
    // And when the service ends.
    (0..PROVIDERS).for_each(|provider| load.observe(provider));
    let (acknowledged, cache) = (load.acknowledged(), service.cache().clone());
    let Load { folder, service, now, .. } = load;
    drop(service);
    let again = Load { folder, service: Service::new(store(&ManualClock::new()), cache), now, ..Load::new() };
    again.is_stored(&acknowledged, "the end");
}

/// How often each file of a folder was put in place, until the sender is gone.
fn count_writes(folder: &Path, work: impl FnOnce()) -> HashMap<String, u64> {
    let (tell, told) = channel();
    let mut watcher = notify::recommended_watcher(tell).unwrap();
    watcher.watch(folder, RecursiveMode::NonRecursive).unwrap();
    work();
    // What was done is told in order: this comes last.
    std::fs::write(folder.join("done"), "").unwrap();
    let mut writes = HashMap::new();
    loop {
        let event = told.recv_timeout(Duration::from_secs(30)).unwrap().unwrap();
        assert!(!event.need_rescan(), "some were not told");
        let Some(name) = event.paths.first().and_then(|path| path.file_name()?.to_str()) else { continue };
        if name == "done" {
            return writes;
        }
        if event.kind == EventKind::Modify(ModifyKind::Name(RenameMode::To)) {
            *writes.entry(name.to_owned()).or_default() += 1;
        }
    }
}

#[test]
fn no_provider_is_written_more_often_than_once_an_interval_however_often_it_changes() {
    let load = Load::new();
    let folder = load.folder.path().join("runtime");
    // The folder has to be there to be watched.
    load.observe_durably(0);
    let began = Instant::now();
    let writes = count_writes(&folder, || {
        let intervals = WRITE_BEHIND * 4;
        on_threads(|chance| {
            while began.elapsed() < intervals {
                load.observe(chance.usize(0..PROVIDERS));
            }
        });
        let acknowledged = load.acknowledged();
        eventually(|| {
            (0..PROVIDERS).all(|provider| load.stored(provider) >= acknowledged[provider]).then_some(())
        });
    });
    let calls = load.calls.load(Ordering::SeqCst);
    let most = began.elapsed().as_millis() / WRITE_BEHIND.as_millis() + 1;
    println!("{calls} calls, {writes:?}, at most {most} each");
    for name in &load.names {
        let count = writes.get(&format!("{name}.json")).copied().unwrap_or(0);
        assert!(count > 0 && u128::from(count) <= most, "{name}: {count} of {most} at most");
    }
}
