//! A second look, beside programs that do not take our guard.
//!
//! A foreign refresh that was under way at our commit may put an older version in place of ours when it ends. So each
//! such commit leaves its decision behind; a small thread waits until the foreign marker is gone, replaced or stale,
//! at most three refresh deadlines, and asks the decision once more. The thread ends when nothing is left to look
//! after; what is left when the process ends is not looked after.

use std::fmt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::Inner;
use super::commit::{Beside, Committed, Decision, Done, Durability};
use super::dir::TierDir;
use super::marker::{self, MarkerState};
use super::name::Source;
use super::options::CacheOptions;

const PAUSE: Duration = Duration::from_millis(5);
/// More than any cache has; the oldest gives way.
const MOST: usize = 1024;

/// What to store, asked again.
pub(super) type Decide = Box<dyn FnMut(Option<&[u8]>) -> Result<Decision, String> + Send>;

/// A commit to look after.
pub(super) struct Recheck {
    source: Source,
    beside: Beside,
    durability: Durability,
    decide: Decide,
    ends: Instant,
}

impl Recheck {
    pub(super) fn new(
        source: Source,
        beside: Beside,
        durability: Durability,
        decide: Decide,
        options: &CacheOptions,
    ) -> Self {
        let now = Instant::now();
        Self {
            source,
            beside,
            durability,
            decide,
            ends: now.checked_add(options.longest_marker()).unwrap_or(now),
        }
    }

    /// Whether the foreign refresh is over. One that cannot be looked at is taken as over: the commit will tell.
    fn is_due(&self, dir: Option<&TierDir>, options: &CacheOptions) -> bool {
        let standing = dir.and_then(|dir| marker::look(dir, &self.source, options).ok().flatten());
        Instant::now() >= self.ends
            || !standing
                .is_some_and(|found| found.state == MarkerState::Running && found.is(&self.beside.marker))
    }

    /// Whether the version we wrote is the one that stands.
    fn still_stands(&self, dir: &TierDir) -> bool {
        matches!(dir.stamp(&self.source.data_file()), Ok(Some(stamp)) if stamp == self.beside.ours)
    }
}

/// The commits of one cache that are looked after.
#[derive(Default)]
pub(super) struct Rechecks {
    state: Mutex<State>,
    ended: Condvar,
}

#[derive(Default)]
struct State {
    /// In the order of the commits. All of them: the foreign program may act between any two.
    waiting: Vec<Recheck>,
    running: bool,
}

impl State {
    fn push(&mut self, recheck: Recheck) {
        if self.waiting.len() >= MOST {
            let oldest = self.waiting.remove(0);
            tracing::warn!(provider = %oldest.source, "too many commits beside foreign refreshes; one is not looked after");
        }
        self.waiting.push(recheck);
    }
}

impl Rechecks {
    pub(super) fn add(cache: &Arc<Inner>, recheck: Recheck) {
        let mut state = cache.rechecks.lock();
        state.push(recheck);
        if state.running {
            return;
        }
        let shared = Arc::clone(cache);
        let thread = std::thread::Builder::new().name("signal-cache-recheck".to_owned());
        match thread.spawn(move || run(&shared)) {
            Ok(_) => state.running = true,
            Err(error) => {
                state.waiting.clear();
                tracing::warn!(%error, "cannot look again after a foreign refresh: no thread");
            }
        }
    }

    /// Waits until nothing is left to look after, at most `limit`. Whether that is so.
    pub(super) fn settle(&self, limit: Duration) -> bool {
        let waited = self.ended.wait_timeout_while(self.lock(), limit, |state| state.running);
        !waited.unwrap_or_else(PoisonError::into_inner).1.timed_out()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Rechecks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rechecks").field("running", &self.lock().running).finish_non_exhaustive()
    }
}

fn run(cache: &Arc<Inner>) {
    let _ended = Ended(&cache.rechecks);
    loop {
        std::thread::sleep(PAUSE);
        let dir = TierDir::open(&cache.tier).ok().flatten();
        let mut state = cache.rechecks.lock();
        let due: Vec<_> =
            state.waiting.extract_if(.., |recheck| recheck.is_due(dir.as_ref(), &cache.options)).collect();
        if due.is_empty() && state.waiting.is_empty() {
            state.running = false;
            return;
        }
        drop(state);
        for recheck in due {
            if !dir.as_ref().is_some_and(|dir| recheck.still_stands(dir)) {
                again(cache, recheck);
            }
        }
    }
}

fn again(cache: &Arc<Inner>, mut recheck: Recheck) {
    let provider = &recheck.source;
    match cache.commit(provider, recheck.durability, &mut *recheck.decide) {
        Ok(Done { committed, beside }) => {
            if committed == Committed::Written {
                tracing::debug!(%provider, "a foreign refresh had replaced a newer signal; it is put back");
            }
            if let Some(beside) = beside {
                let Recheck { source, durability, decide, .. } = recheck;
                cache.rechecks.lock().push(Recheck::new(source, beside, durability, decide, &cache.options));
            }
        }
        // A lock that is held or a disk that is full may be free a little later.
        Err(error) if Instant::now() < recheck.ends => {
            tracing::debug!(%provider, %error, "cannot look again after a foreign refresh yet");
            cache.rechecks.lock().push(recheck);
        }
        Err(error) => tracing::warn!(%provider, %error, "cannot look again after a foreign refresh"),
    }
}

/// Tells those who wait that the thread has ended, by a panic in a callback too.
struct Ended<'r>(&'r Rechecks);

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        if std::thread::panicking() {
            state.running = false;
            state.waiting.clear();
        }
        drop(state);
        self.0.ended.notify_all();
    }
}
