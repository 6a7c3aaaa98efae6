//! Writing behind: what has changed in memory reaches the disk a little later, newest first wins.
//!
//! A thread writes each provider that was marked, at most once an interval. It starts with the first mark
//! and ends with the service, which flushes. A write that fails is tried again an interval later.

use std::collections::HashMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::thread;
use std::time::{Duration, Instant};

use crate::cache::{Durability, Source, cache_source};
use crate::error::Error;
use crate::service::Disk;

/// From a change in memory to its file.
pub const WRITE_BEHIND: Duration = Duration::from_millis(250);

/// Marked providers, and the thread that writes them.
pub(crate) struct WriteBehind {
    shared: Arc<Shared>,
}

struct Shared {
    disk: Disk,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    providers: HashMap<Box<str>, Entry>,
    /// Has the thread been started?
    running: bool,
    ended: bool,
}

struct Entry {
    source: Source,
    /// When it is to be written, if it has changed.
    due: Option<Instant>,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the mark off all providers that are due at `now`.
    fn take_due(state: &mut State, now: Option<Instant>) -> Vec<Source> {
        let due = |entry: &&mut Entry| entry.due.is_some_and(|due| now.is_none_or(|now| due <= now));
        let entries = state.providers.values_mut().filter(due);
        entries.map(|entry| (entry.due = None, entry.source.clone()).1).collect()
    }

    fn mark_at(&self, source: &Source, due: Instant) {
        let mut state = self.lock();
        let entry = state.providers.entry(source.name().into());
        let entry = entry.or_insert_with(|| Entry { source: source.clone(), due: None });
        if entry.due.is_none() {
            entry.due = Some(due);
            self.changed.notify_one();
        }
    }

    fn write(&self, source: &Source, durability: Durability) -> Result<(), Error> {
        self.disk.settle(source, durability).map(drop).inspect_err(|error| {
            tracing::warn!(provider = source.name(), %error, "a signal could not be written; trying again");
            self.mark_at(source, Instant::now() + WRITE_BEHIND);
        })
    }
}

impl WriteBehind {
    pub(crate) fn new(disk: Disk) -> Self {
        Self { shared: Arc::new(Shared { disk, state: Mutex::default(), changed: Condvar::new() }) }
    }

    /// Calls `adopt` for a provider that was not asked about before. The empty name is nobody's.
    pub(crate) fn first_time(
        &self,
        provider: &str,
        adopt: impl FnOnce(&Source) -> Result<(), Error>,
    ) -> Result<(), Error> {
        if provider.is_empty() || self.shared.lock().providers.contains_key(provider) {
            return Ok(());
        }
        let source = cache_source(provider)?;
        adopt(&source)?;
        let entry = Entry { source, due: None };
        self.shared.lock().providers.entry(provider.into()).or_insert(entry);
        Ok(())
    }

    /// Has a provider written within the interval.
    pub(crate) fn mark(&self, source: &Source) -> Result<(), Error> {
        self.start()?;
        self.shared.mark_at(source, Instant::now() + WRITE_BEHIND);
        Ok(())
    }

    fn start(&self) -> Result<(), Error> {
        let mut state = self.shared.lock();
        if !state.running {
            let shared = Arc::downgrade(&self.shared);
            let thread = thread::Builder::new().name("runtime-signals-write-behind".into());
            thread
                .spawn(move || run(&shared))
                .map_err(|error| Error::Thread { task: "writing signals", error })?;
            state.running = true;
        }
        Ok(())
    }

    /// Writes one provider now.
    pub(crate) fn write_now(&self, source: &Source, durability: Durability) -> Result<(), Error> {
        if let Some(entry) = self.shared.lock().providers.get_mut(source.name()) {
            entry.due = None;
        }
        self.shared.write(source, durability)
    }

    /// Writes all marked providers durably.
    pub(crate) fn flush(&self) -> Result<(), Error> {
        let due = Shared::take_due(&mut self.shared.lock(), None);
        let writes: Vec<_> =
            due.iter().map(|source| self.shared.write(source, Durability::Durable)).collect();
        writes.into_iter().collect()
    }
}

impl Drop for WriteBehind {
    fn drop(&mut self) {
        // Failures are logged where they occur; there is nobody left to tell.
        let _ = self.flush();
        self.shared.lock().ended = true;
        self.shared.changed.notify_all();
    }
}

/// Writes what is due until the service ends.
fn run(shared: &Weak<Shared>) {
    while let Some(shared) = shared.upgrade() {
        let mut state = shared.lock();
        if state.ended {
            return;
        }
        let now = Instant::now();
        let due = Shared::take_due(&mut state, Some(now));
        if due.is_empty() {
            let next = state.providers.values().filter_map(|entry| entry.due).min();
            let wait = next.map_or(Duration::MAX, |next| next.saturating_duration_since(now));
            let wait = wait.min(Duration::from_secs(3600));
            drop(shared.changed.wait_timeout(state, wait));
            continue;
        }
        drop(state);
        for source in due {
            // A failure is logged and marked for another try.
            let _ = shared.write(&source, Durability::Visible);
        }
    }
}
