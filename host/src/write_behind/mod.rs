//! Writing behind: what has changed in memory reaches the disk a little later, newest first wins.
//!
//! A thread writes each provider that was marked, at most once an interval. It starts with the first mark
//! and ends with the service, which flushes. A write that fails is tried again an interval later, for as long as
//! it takes: what was observed meanwhile is in memory. Where so many providers change that their files would take
//! more than 5 % of a core, each waits its turn for longer.

mod budget;
mod queue;
mod trouble;

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, RwLock, Weak};
use std::thread;
use std::time::{Duration, Instant};

use hashbrown::DefaultHashBuilder;

use crate::cache::{Durability, Source, cache_source};
use crate::engine::{Keeper, thread_cpu_time};
use crate::error::Error;
use crate::service::Disk;

use budget::Budget;
use queue::{Queue, Ticket};

pub(crate) use queue::Urgency;
pub use trouble::DiskTrouble;

/// From a change in memory to its file, unless the files would take more than 5 % of a core: then as much longer as
/// that takes.
pub const WRITE_BEHIND: Duration = Duration::from_millis(250);
/// Files that a flush forces to the disk at the same time: what waits together goes there together.
const FORCED_AT_ONCE: usize = 8;

/// Marked providers, and the thread that writes them.
pub(crate) struct WriteBehind {
    shared: Arc<Shared>,
}

struct Shared {
    disk: Disk,
    known: RwLock<HashMap<Box<str>, Arc<Known>, DefaultHashBuilder>>,
    queue: Mutex<Queue>,
    changed: Condvar,
}

/// A provider of which has been taken in what was stored.
pub(crate) struct Known {
    source: Source,
    marks: Mutex<Marks>,
}

/// What is to be done for a provider.
#[derive(Default)]
struct Marks {
    /// Where it stands in the queue, if it has changed: until what has changed is written, so that a flush does not
    /// pass over what another thread is writing.
    queued: Option<(Ticket, Urgency)>,
    /// How often it has changed.
    changes: u64,
    /// Has it been written without being forced to the disk?
    unforced: bool,
    /// Why it could not be written or taken in the last time.
    failure: Option<String>,
}

impl Known {
    /// Is everything forced to the disk that was told?
    fn is_on_disk(&self) -> bool {
        let marks = self.marks();
        marks.queued.is_none() && !marks.unforced
    }

    fn marks(&self) -> MutexGuard<'_, Marks> {
        self.marks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shared {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn find(&self, provider: &str) -> Option<Arc<Known>> {
        self.known.read().unwrap_or_else(PoisonError::into_inner).get(provider).cloned()
    }

    fn all_known(&self) -> Vec<Arc<Known>> {
        self.known.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    /// Queues a provider that is not queued, or only as a less urgent one.
    fn mark(
        &self,
        known: &Arc<Known>,
        urgency: Urgency,
        start: impl FnOnce(&mut Queue) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let mut marks = known.marks();
        marks.changes = marks.changes.wrapping_add(1);
        if marks.queued.is_some_and(|(_, queued)| queued <= urgency) {
            return Ok(());
        }
        let mut queue = self.queue();
        start(&mut queue)?;
        let due = marks.queued.map_or_else(|| Instant::now() + WRITE_BEHIND, |(ticket, _)| ticket.due);
        queue.put(&mut marks.queued, due, urgency, known);
        drop(queue);
        self.changed.notify_one();
        Ok(())
    }

    /// Writes a provider, and takes its mark off unless it has changed meanwhile.
    fn write(&self, known: &Arc<Known>, durability: Durability) -> Result<(), Error> {
        let mut marks = known.marks();
        let changes = marks.changes;
        // Before a forced write and after one that is not: so of two at once, none is taken for forced that is not.
        let unforced = match durability {
            Durability::Durable => std::mem::take(&mut marks.unforced),
            Durability::Visible => true,
        };
        drop(marks);
        let settled = self.disk.settle(&known.source, durability);
        let mut marks = known.marks();
        if settled.is_err() || durability == Durability::Visible {
            marks.unforced |= unforced;
        }
        let again = match (&settled, marks.queued) {
            // The thread has been started, or will be by the next mark.
            (Err(_), _) => Some(Urgency::Urgent),
            (Ok(_), Some((_, urgency))) if marks.changes != changes => Some(urgency),
            (Ok(_), _) => None,
        };
        let mut queue = self.queue();
        match again {
            Some(urgency) => queue.put(&mut marks.queued, Instant::now() + WRITE_BEHIND, urgency, known),
            None => queue.take(&mut marks.queued),
        }
        drop((queue, marks));
        self.changed.notify_one();
        settled.map(|_| known.succeed()).inspect_err(|error| known.fail(error))
    }

    /// Writes the provider whose turn it is.
    fn write_due(&self, now: Instant) {
        let due = self.queue().first_due_at(now);
        if let Some(known) = due {
            // A failure is logged and marked for another try.
            let _ = self.write(&known, Durability::Visible);
        }
    }
}

impl Keeper for Shared {
    fn release(&self, provider: &str) -> bool {
        let Some(known) = self.find(provider) else { return true };
        let is_marked = known.marks().queued.is_some();
        if is_marked && self.write(&known, Durability::Visible).is_err() {
            return false;
        }
        let mut all = self.known.write().unwrap_or_else(PoisonError::into_inner);
        let changed = known.marks().queued.is_some();
        if !changed {
            all.remove(provider);
        }
        !changed
    }
}

impl WriteBehind {
    pub(crate) fn new(disk: Disk) -> Self {
        let shared = Arc::new(Shared {
            disk,
            known: RwLock::default(),
            queue: Mutex::default(),
            changed: Condvar::new(),
        });
        let keeper = Arc::downgrade(&shared);
        shared.disk.store().keep(keeper);
        Self { shared }
    }

    /// Looks up a provider. One that was not asked about before is adopted first.
    ///
    /// # Errors
    /// The name cannot be a file name, or what `adopt` says.
    pub(crate) fn known(
        &self,
        provider: &str,
        adopt: impl FnOnce(&Source) -> Result<(), Error>,
    ) -> Result<Arc<Known>, Error> {
        if let Some(known) = self.shared.find(provider) {
            return Ok(known);
        }
        let source = cache_source(provider)?;
        adopt(&source)?;
        let mut all = self.shared.known.write().unwrap_or_else(PoisonError::into_inner);
        let known = || Arc::new(Known { source, marks: Mutex::default() });
        Ok(all.entry(provider.into()).or_insert_with(known).clone())
    }

    /// Looks up a provider of which could not be taken in what is stored. That is made up for when it is written.
    ///
    /// # Errors
    /// The name cannot be a file name, or there can be no thread.
    pub(crate) fn not_taken_in(&self, provider: &str, error: &Error) -> Result<Arc<Known>, Error> {
        let known = self.known(provider, |_| Ok(()))?;
        known.fail(error);
        self.mark(&known, Urgency::Urgent)?;
        Ok(known)
    }

    /// What cannot be brought to the disk now, if there is anything.
    pub(crate) fn trouble(&self) -> Option<DiskTrouble> {
        let known = self.shared.all_known();
        let mut failures = known.iter().filter_map(|known| known.failure());
        let error = failures.next()?;
        Some(DiskTrouble { unwritten: failures.count().saturating_add(1), error })
    }

    /// Has a provider written within the interval.
    ///
    /// # Errors
    /// There can be no thread.
    pub(crate) fn mark(&self, known: &Arc<Known>, urgency: Urgency) -> Result<(), Error> {
        self.shared.mark(known, urgency, |queue| self.start(queue))
    }

    fn start(&self, queue: &mut Queue) -> Result<(), Error> {
        if !queue.running {
            let shared = Arc::downgrade(&self.shared);
            let thread = thread::Builder::new().name("runtime-signals-write-behind".into());
            thread
                .spawn(move || run(&shared))
                .map_err(|error| Error::Thread { task: "writing signals", error })?;
            queue.running = true;
        }
        Ok(())
    }

    /// Writes one provider now.
    pub(crate) fn write_now(&self, known: &Arc<Known>, durability: Durability) -> Result<(), Error> {
        self.shared.write(known, durability)
    }

    /// Has everything on disk that was told before: writes all marked providers, and those once more that were
    /// written without being forced to the disk.
    pub(crate) fn flush(&self) -> Result<(), Error> {
        let mut all = self.shared.all_known();
        // Beside those that are known, some may still be queued that were forgotten meanwhile.
        all.extend(self.shared.queue().all());
        let next = AtomicUsize::new(0);
        let work = || {
            while let Some(known) = all.get(next.fetch_add(1, Ordering::Relaxed)) {
                // What fails stays marked.
                let _ = self.force(known);
            }
        };
        thread::scope(|scope| {
            for _ in 1..FORCED_AT_ONCE.min(all.len()) {
                if thread::Builder::new().spawn_scoped(scope, work).is_err() {
                    break;
                }
            }
            work();
        });
        // What stood in the way of each other.
        let mut outcome = Ok(());
        for known in &all {
            outcome = outcome.and(self.force(known));
        }
        outcome
    }

    /// Forces a provider to the disk, unless it is there.
    fn force(&self, known: &Arc<Known>) -> Result<(), Error> {
        if known.is_on_disk() { Ok(()) } else { self.shared.write(known, Durability::Durable) }
    }
}

impl Drop for WriteBehind {
    fn drop(&mut self) {
        // Failures are logged where they occur; there is nobody left to tell.
        let _ = self.flush();
        self.shared.queue().ended = true;
        self.shared.changed.notify_all();
    }
}

/// Writes what is due until the service ends.
fn run(shared: &Weak<Shared>) {
    let mut budget = Budget::default();
    while let Some(shared) = shared.upgrade() {
        let queue = shared.queue();
        if queue.ended {
            return;
        }
        let now = Instant::now();
        let next = queue.first_due().map(|due| due.max(budget.ready_at(now)));
        let wait = next.map_or(Duration::MAX, |next| next.saturating_duration_since(now));
        if !wait.is_zero() {
            drop(shared.changed.wait_timeout(queue, wait.min(Duration::from_secs(3600))));
            continue;
        }
        drop(queue);
        let began = thread_cpu_time();
        shared.write_due(now);
        budget.spend(now, thread_cpu_time().saturating_sub(began));
    }
}
