//! A child that works by itself: at random it commits, refreshes, reads, prunes, and tells what came of it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use runtime_signals::cache::{
    CacheError, CommitError, Durability, RefreshError, Refreshed, Refresher, SignalCache, Source,
    cache_source,
};
use rustix::time::{ClockId, clock_gettime};
use tokio::runtime::Runtime;

use super::child::say;
use super::support::{newest, version_of};

pub(super) struct Worker {
    cache: SignalCache,
    refresher: Refresher<u64, String>,
    /// Goes on by itself with what refreshes leave to be cleared away.
    runtime: Arc<Runtime>,
    /// Of each source the newest version this process has seen.
    seen: HashMap<Source, u64>,
    /// Others may put older versions in place of newer ones.
    beside_others: bool,
    reads: u64,
}

/// A word that two processes give at different times is larger where it is given later: the next version.
pub(super) fn next_version() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    u64::try_from(now.tv_sec).unwrap() * 1_000_000_000 + u64::try_from(now.tv_nsec).unwrap()
}

impl Worker {
    pub(super) fn new(cache: SignalCache) -> Self {
        let refresher = Refresher::new(cache.clone());
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_time().build();
        let runtime = Arc::new(runtime.unwrap());
        Self { cache, refresher, runtime, seen: HashMap::new(), beside_others: false, reads: 0 }
    }

    /// Obeys `<seed> <operations> <alone|beside> <source>…`; says `rested <reads>` at the end.
    pub(super) fn work(&mut self, words: &[&str]) -> String {
        let mut random = fastrand::Rng::with_seed(words[0].parse().unwrap());
        let operations: u64 = words[1].parse().unwrap();
        self.beside_others = words[2] == "beside";
        let sources: Vec<_> = words[3..].iter().map(|name| cache_source(name).unwrap()).collect();
        let runtime = Arc::clone(&self.runtime);
        self.reads = 0;
        for _ in 0..operations {
            let source = &sources[random.usize(..sources.len())];
            match random.u8(..100) {
                0..40 => self.commit(source, Durability::Visible),
                40..50 => self.commit(source, Durability::Durable),
                50..70 => runtime.block_on(self.refresh(source, true)),
                70..75 => runtime.block_on(self.refresh(source, false)),
                75..80 if !self.beside_others => self.prune(&sources),
                _ => (0..5).for_each(|_| self.read(source)),
            }
        }
        if self.beside_others && !self.cache.settle(Duration::from_secs(60)) {
            return "broken: commits beside refreshes of others are not settled".to_owned();
        }
        format!("rested {}", self.reads)
    }

    fn commit(&mut self, source: &Source, durability: Durability) {
        let (began, version) = (Instant::now(), next_version());
        let done = self.cache.commit(source, durability, newest(version));
        match done {
            Ok(_) => acknowledged(source, version, began),
            Err(CommitError::Cache(error)) => refused(source, &error, began),
            Err(error) => say(&format!("broken: {error}")),
        }
        self.read(source);
    }

    async fn refresh(&self, source: &Source, succeeds: bool) {
        let began = Instant::now();
        let (cache, named) = (self.cache.clone(), source.clone());
        let work = async move {
            let version = next_version();
            let store = move || cache.commit(&named, Durability::Visible, newest(version));
            match tokio::task::spawn_blocking(store).await.unwrap() {
                Err(error) => Err(error.to_string()),
                Ok(_) if succeeds => Ok(version),
                Ok(_) => Err("told to fail".to_owned()),
            }
        };
        match self.refresher.refresh(source, work).await {
            Ok(Refreshed::Here(version)) => acknowledged(source, version, began),
            Ok(Refreshed::Elsewhere { stored, .. }) => {
                if stored.is_some_and(|raw| version_of(&raw.bytes).is_none()) {
                    say(&format!("broken: a refresh elsewhere left {source} torn"));
                }
                say(&format!("joined {source} {}", began.elapsed().as_micros()));
            }
            Err(failure) => match failure.error {
                RefreshError::Cache(error) => refused(source, &error, began),
                RefreshError::Work(_) | RefreshError::CoolingDown { .. } => {
                    say(&format!("failed {source} {}", began.elapsed().as_micros()));
                }
                error => say(&format!("broken: {error}")),
            },
        }
    }

    /// Writes what nobody wants, and prunes it, with all that others have left of that kind.
    fn prune(&self, active: &[Source]) {
        let scratch = cache_source(&format!("scratch-{}", std::process::id())).unwrap();
        let began = Instant::now();
        // As a process that died left it long ago; 0 is no process.
        let tier = self.cache.root().join("runtime");
        std::fs::write(tier.join(format!("{scratch}.refreshing")), r#"{"pid":0}"#).unwrap();
        std::fs::write(tier.join(format!(".0-{scratch}.tmp")), "half").unwrap();
        let pruned = self.cache.commit(&scratch, Durability::Visible, newest(next_version())).map(|_| {
            let names: Vec<_> = active.iter().map(Source::name).collect();
            self.cache.prune(&names)
        });
        match pruned {
            Ok(Ok(report)) => {
                for (source, error) in report.failed {
                    refused(&source, &error, began);
                }
            }
            Ok(Err(error)) | Err(CommitError::Cache(error)) => refused(&scratch, &error, began),
            Err(error) => say(&format!("broken: {error}")),
        }
    }

    fn read(&mut self, source: &Source) {
        self.reads += 1;
        let Some(raw) = self.cache.read(source).unwrap() else { return };
        let Some(version) = version_of(&raw.bytes) else {
            return say(&format!("broken: {source} is torn"));
        };
        let seen = self.seen.entry(source.clone()).or_default();
        if version < *seen && !self.beside_others {
            say(&format!("broken: version {version} of {source} after {seen}"));
        }
        *seen = version;
    }
}

fn acknowledged(source: &Source, version: u64, began: Instant) {
    say(&format!("stored {source} {version} {}", began.elapsed().as_micros()));
}

/// Only somebody else's lock is a reason to refuse.
fn refused(source: &Source, error: &CacheError, began: Instant) {
    match error {
        CacheError::LockTimeout { .. } => {
            say(&format!("refused {source} {}", began.elapsed().as_micros()));
        }
        error => say(&format!("broken: {error}")),
    }
}

/// What a worker says of one operation.
pub(super) enum Told {
    /// This version, or a newer one, is stored.
    Stored { source: Source, version: u64 },
    /// A lock time-out was over.
    Refused,
    /// Another refreshed, or a refresh failed as it was told to.
    Other,
    /// The worker has done all it was told; how often it read.
    Rested(u64),
}

/// Understands a worker's line, with how long the operation took. Panics where it tells of a broken promise.
pub(super) fn understand(line: &str) -> (Told, Duration) {
    let words: Vec<_> = line.split(' ').collect();
    let took = || Duration::from_micros(words.last().unwrap().parse().unwrap());
    match words[0] {
        "stored" => {
            let (source, version) = (cache_source(words[1]).unwrap(), words[2].parse().unwrap());
            (Told::Stored { source, version }, took())
        }
        "refused" => (Told::Refused, took()),
        "joined" | "failed" => (Told::Other, took()),
        "rested" => (Told::Rested(words[1].parse().unwrap()), Duration::ZERO),
        _ => panic!("{line}"),
    }
}

/// What was acknowledged and seen, so far.
#[derive(Default)]
pub(super) struct Ledger {
    pub(super) stored: u64,
    pub(super) refused: u64,
    pub(super) reads: u64,
    pub(super) slowest: Duration,
    newest: HashMap<Source, u64>,
}

impl Ledger {
    /// Enters a worker's line. Whether the worker rests now.
    pub(super) fn enter(&mut self, line: &str) -> bool {
        let (told, took) = understand(line);
        self.slowest = self.slowest.max(took);
        match told {
            Told::Stored { source, version } => {
                self.stored += 1;
                let newest = self.newest.entry(source).or_default();
                *newest = version.max(*newest);
            }
            Told::Refused => self.refused += 1,
            Told::Other => {}
            Told::Rested(reads) => {
                self.reads += reads;
                return true;
            }
        }
        false
    }

    /// Holds what is stored against what was acknowledged.
    pub(super) fn compare(&mut self, cache: &SignalCache, sources: &[Source]) {
        for source in sources {
            let acknowledged = self.newest.get(source).copied().unwrap_or(0);
            let version = self.whole(cache, source).unwrap_or(0);
            assert!(
                version >= acknowledged,
                "{source}: {version} is stored, {acknowledged} was acknowledged"
            );
        }
    }

    /// The version that is stored.
    pub(super) fn whole(&mut self, cache: &SignalCache, source: &Source) -> Option<u64> {
        self.reads += 1;
        let raw = cache.read(source).unwrap()?;
        Some(version_of(&raw.bytes).unwrap_or_else(|| panic!("{source} is torn")))
    }
}
