//! Refreshes that many threads ask for at random moments: one at a time of a source, and nobody is left waiting.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use fastrand::Rng;
use runtime_signals::cache::{
    CacheOptions, RefreshError, Refreshed, Refresher, SignalCache, Source, cache_source,
};

use super::support::{LONG, Outcome, Root, patient, version_stored, write};
use crate::support::{rounds, seed};

const THREADS: usize = 8;
const CALLERS: usize = 32;
const SOURCES: [&str; 3] = ["first", "second", "third"];
/// How often each caller asks.
const FEW_ROUNDS: u64 = 40;

/// What becomes of a piece of work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Done,
    Failed,
    Panicked,
}

/// What is seen of the refreshes of one source.
#[derive(Default)]
struct Seen {
    is_under_way: AtomicBool,
    overlapped: AtomicBool,
    /// The newest version that was committed.
    committed: AtomicU64,
    /// The newest version that callers of each refresher were told is stored.
    told: [AtomicU64; 2],
    /// Moments, in the order in which callers ask and are answered.
    moment: AtomicU64,
    /// Of each piece of work whose outcome was given out, when that happened first.
    given_out: Mutex<HashMap<u64, u64>>,
}

impl Seen {
    fn moment(&self) -> u64 {
        self.moment.fetch_add(1, Ordering::SeqCst)
    }

    /// The outcome of this work is given to somebody who asked at that moment. Whoever asks after somebody was given it
    /// must not get it: for them it is old.
    #[track_caller]
    fn give(&self, work: u64, asked_at: u64) {
        let now = self.moment();
        let mut given_out = self.given_out.lock().unwrap();
        let first = *given_out.entry(work).or_insert(now);
        assert!(asked_at < first, "the outcome of work {work} was given out again after it was over");
    }
}

/// Sets that work is under way for as long as it exists.
struct UnderWay(Arc<Seen>);

impl UnderWay {
    fn begin(seen: &Arc<Seen>) -> Self {
        if seen.is_under_way.swap(true, Ordering::SeqCst) {
            seen.overlapped.store(true, Ordering::SeqCst);
        }
        Self(seen.clone())
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.is_under_way.store(false, Ordering::SeqCst);
    }
}

/// All that takes part.
struct Load {
    cache: SignalCache,
    /// As two services on one cache have them.
    refreshers: [Refresher<u64, String>; 2],
    sources: Vec<(Source, Arc<Seen>)>,
    works: AtomicU64,
    counts: Counts,
}

#[derive(Default, Debug)]
struct Counts {
    worked: AtomicUsize,
    joined: AtomicUsize,
    elsewhere: AtomicUsize,
    cooled_down: AtomicUsize,
    went_away: AtomicUsize,
}

fn add(count: &AtomicUsize) {
    count.fetch_add(1, Ordering::SeqCst);
}

/// Lets others go on, a few times.
async fn linger(times: u8) {
    for _ in 0..times {
        tokio::task::yield_now().await;
    }
}

impl Load {
    /// A caller who asks again and again.
    async fn ask(self: Arc<Self>, rounds: u64, mut chance: Rng) {
        for _ in 0..rounds {
            let (source, seen) = chance.choice(&self.sources).unwrap().clone();
            let place = chance.usize(0..self.refreshers.len());
            let (refresher, told) = (self.refreshers[place].clone(), &seen.told[place]);
            let fate =
                *chance.choice(&[Fate::Done, Fate::Done, Fate::Done, Fate::Failed, Fate::Panicked]).unwrap();
            linger(chance.u8(0..20)).await;
            let id = self.works.fetch_add(1, Ordering::SeqCst) + 1;
            let begun = Arc::new(AtomicBool::new(false));
            let work =
                self.clone().work(source.clone(), seen.clone(), id, fate, chance.u8(0..20), begun.clone());
            let told_before = told.load(Ordering::SeqCst);
            let asked_at = seen.moment();
            match chance.u8(0..10) {
                0 => {
                    // It goes away; the work, once begun, goes on.
                    let gone = refresher.refresh(&source, work);
                    tokio::select! { biased; _ = gone => {}, () = linger(chance.u8(0..10)) => add(&self.counts.went_away) }
                }
                1 => drop(refresher.refresh_in_background(&source, work)),
                _ => {
                    let outcome = refresher.refresh(&source, work).await;
                    if let Ok(Refreshed::Elsewhere { stored, .. }) = &outcome {
                        // One who joins may be told what was stored a moment before, but nothing older than others were.
                        let version = version_stored(stored.as_ref()).unwrap_or(0);
                        assert!(
                            version >= told_before,
                            "{version} is stored, where {told_before} was before"
                        );
                        told.fetch_max(version, Ordering::SeqCst);
                    }
                    let is_own = begun.load(Ordering::SeqCst);
                    self.check(&seen, outcome, asked_at, is_own.then_some((id, fate)));
                }
            }
        }
    }

    async fn work(
        self: Arc<Self>,
        source: Source,
        seen: Arc<Seen>,
        id: u64,
        fate: Fate,
        length: u8,
        begun: Arc<AtomicBool>,
    ) -> Result<u64, String> {
        let _under_way = UnderWay::begin(&seen);
        begun.store(true, Ordering::SeqCst);
        linger(length).await;
        match fate {
            Fate::Done => {
                let cache = self.cache.clone();
                let written = tokio::task::spawn_blocking(move || write(&cache, &source, id)).await;
                written.unwrap().map_err(|error| format!("not written: {error}"))?;
                seen.committed.fetch_max(id, Ordering::SeqCst);
                Ok(id)
            }
            Fate::Failed => Err(id.to_string()),
            Fate::Panicked => std::panic::resume_unwind(Box::new("this work is to panic")),
        }
    }

    /// Is the outcome one that may be given? `own` is the caller's work, where that was begun.
    fn check(&self, seen: &Seen, outcome: Outcome, asked_at: u64, own: Option<(u64, Fate)>) {
        let count = if own.is_some() { &self.counts.worked } else { &self.counts.joined };
        match outcome {
            Ok(Refreshed::Here(work)) => {
                assert!(own.is_none_or(|own| own == (work, Fate::Done)), "{own:?} was given that of {work}");
                seen.give(work, asked_at);
                add(count);
            }
            Ok(Refreshed::Elsewhere { finished, .. }) => {
                assert!(finished && own.is_none(), "{own:?}");
                add(&self.counts.elsewhere);
            }
            Err(failure) => match failure.error {
                RefreshError::Work(work) => {
                    let work = work.parse().unwrap();
                    assert!(
                        own.is_none_or(|own| own == (work, Fate::Failed)),
                        "{own:?} was given that of {work}"
                    );
                    seen.give(work, asked_at);
                    add(count);
                }
                RefreshError::Aborted { .. } => {
                    assert!(own.is_none_or(|(_, fate)| fate == Fate::Panicked), "{own:?} was aborted");
                    add(count);
                }
                RefreshError::CoolingDown { .. } => {
                    assert!(own.is_none(), "{own:?} was begun in a cool-down");
                    add(&self.counts.cooled_down);
                }
                error => panic!("{error}"),
            },
        }
    }
}

#[test]
fn at_random_moments_one_at_a_time_works_and_all_who_ask_are_answered_by_it() {
    let seed = seed();
    let rounds = rounds(FEW_ROUNDS);
    let root = Root::in_memory();
    let cache = root.cache_with(CacheOptions { failure_cooldown: Duration::from_millis(2), ..patient() });
    let source = |name: &&str| (cache_source(name).unwrap(), Arc::default());
    let load = Arc::new(Load {
        refreshers: std::array::from_fn(|_| Refresher::new(cache.clone())),
        cache,
        sources: SOURCES.iter().map(source).collect(),
        works: AtomicU64::new(0),
        counts: Counts::default(),
    });
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(THREADS).enable_time().build().unwrap();
    runtime.block_on(async {
        let mut callers = tokio::task::JoinSet::new();
        for caller in 0..CALLERS {
            callers.spawn(load.clone().ask(rounds, Rng::with_seed(seed.wrapping_add(caller as u64))));
        }
        let patience = LONG * u32::try_from(1 + rounds / FEW_ROUNDS).unwrap();
        tokio::time::timeout(patience, callers.join_all()).await.expect("somebody is left waiting");
        // Those behind which nobody waits end as well, and leave nothing.
        let began = tokio::time::Instant::now();
        while root.names().iter().any(|name| name.ends_with(".refreshing")) {
            assert!(began.elapsed() < LONG, "{:?}", root.names());
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    });
    println!("{:?}", load.counts);
    for (source, seen) in &load.sources {
        assert!(!seen.overlapped.load(Ordering::SeqCst), "two refreshes of {source} at the same time");
        assert_eq!(super::support::stored(&load.cache, source), Some(seen.committed.load(Ordering::SeqCst)));
    }
    let Counts { worked, joined, elsewhere, cooled_down, went_away } = &load.counts;
    for count in [worked, joined, elsewhere, cooled_down, went_away] {
        assert!(count.load(Ordering::SeqCst) > 0, "{:?}", load.counts);
    }
}
