//! Putting a new version in place.
//!
//! A commit prepares without the lock: it reads what is stored, asks the caller what to store instead, writes that to
//! a private file and, where it must be durable, syncs it. Then it takes the lock for microseconds, checks that the
//! entry is still the one the caller saw, and renames. If it is not, the commit starts again, and after a few rounds
//! prepares under the lock. So neither a slow callback nor a slow disk blocks anyone else, and no version is
//! replaced by one that was decided without it. On failure what was stored is untouched and nothing is left behind.

use std::collections::HashSet;
use std::fmt;
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

use super::dir::TierDir;
use super::error::{CacheError, CommitError};
use super::fault::{self, Point};
use super::file::FileStamp;
use super::lock::Section;
use super::marker::{self, Marker, MarkerId, MarkerState};
use super::name::Source;
use super::options::CacheOptions;
use super::read::{MAX_BYTES, Stored};

/// Rounds prepared without the lock, before those with it.
const FREE_ROUNDS: u32 = 3;
/// All rounds. Under the lock only a program that does not take it can get between.
const ROUNDS: u32 = 8;

/// What a commit survives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// The end of this process: others see it. A crash of the machine may take it back to the version before.
    Visible,
    /// A crash of the machine too: it is on disk before it is seen.
    Durable,
}

/// What to do with an entry, given what is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// Store these bytes, at most 1 MiB.
    Write(Vec<u8>),
    /// Leave what is stored: it is newer.
    Keep,
}

/// What a commit did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Committed {
    /// The value is stored.
    Written,
    /// What was stored is newer and stays.
    Kept,
}

/// A commit that is done.
#[derive(Debug)]
pub(super) struct Done {
    pub(super) committed: Committed,
    /// The foreign refresh that was under way when this was written.
    pub(super) beside: Option<Beside>,
}

/// A foreign refresh, and the version of ours that its owner may yet replace by an older one.
#[derive(Debug)]
pub(super) struct Beside {
    pub(super) marker: MarkerId,
    pub(super) ours: FileStamp,
}

pub(super) fn commit<E>(
    dir: &TierDir,
    source: &Source,
    options: &CacheOptions,
    durability: Durability,
    turns: &Turns,
    decide: &mut (impl FnMut(Option<&[u8]>) -> Result<Decision, E> + ?Sized),
) -> Result<Done, CommitError<E>> {
    // Whoever is stuck, a thread of this process or another, costs one time-out in all.
    let half = options.lock_timeout / 2;
    let turn = turns.wait(source, half);
    let limit = if turn.is_some() { options.lock_timeout } else { half };
    let data_file = source.data_file();
    let mut section = None;
    for round in 0..ROUNDS {
        if round >= FREE_ROUNDS && section.is_none() {
            section = Some(Section::enter(dir, source, options, limit)?);
        }
        let seen = Seen::now(dir, &data_file)?;
        let bytes = match decide(seen.bytes.as_deref()).map_err(CommitError::Decide)? {
            Decision::Write(bytes) => bytes,
            Decision::Keep => {
                if durability == Durability::Durable {
                    seen.sync(dir, &data_file)?;
                }
                return Ok(Done { committed: Committed::Kept, beside: None });
            }
        };
        if bytes.len() > MAX_BYTES {
            let path = dir.path(&data_file);
            return Err(CacheError::TooLarge { path, bytes: bytes.len(), limit: MAX_BYTES }.into());
        }
        let temp = dir.temp_file(&bytes)?;
        if durability == Durability::Durable {
            temp.sync()?;
        }
        fault::pass(Point::CommitPrepared);
        let _entered = match section {
            Some(_) => None,
            None => Some(Section::enter(dir, source, options, limit)?),
        };
        // First the marker, then the entry: a refresh that ends in between shows in the entry.
        let foreign = foreign_refresh(marker::look(dir, source, options)?);
        if seen.still_stands(dir, &data_file)? {
            fault::pass(Point::CommitDecided);
            let ours = *temp.rename_to(&data_file)?.stamp();
            fault::pass(Point::CommitRenamed);
            let beside = foreign.map(|marker| Beside { marker, ours });
            return Ok(Done { committed: Committed::Written, beside });
        }
    }
    Err(CacheError::Contended { path: dir.path(&data_file), attempts: ROUNDS }.into())
}

fn foreign_refresh(marker: Option<Marker>) -> Option<MarkerId> {
    marker.filter(|marker| marker.foreign && marker.state == MarkerState::Running).map(|marker| marker.id())
}

/// The entry a decision is made on. Held open, so that its stamp cannot become another file's.
struct Seen {
    stored: Stored,
    stamp: Option<FileStamp>,
    bytes: Option<Vec<u8>>,
}

impl Seen {
    fn now(dir: &TierDir, data_file: &str) -> Result<Self, CacheError> {
        let path = dir.path(data_file);
        let stored = Stored::open(dir, data_file, &path)?;
        let stamp = match &stored {
            Stored::Nothing => None,
            Stored::Unusable => dir.stamp(data_file)?,
            Stored::Open(_, meta) => Some(FileStamp::of(meta)),
        };
        let bytes = stored.bytes(&path)?;
        Ok(Self { stored, stamp, bytes })
    }

    fn still_stands(&self, dir: &TierDir, data_file: &str) -> Result<bool, CacheError> {
        Ok(dir.stamp(data_file)? == self.stamp)
    }

    /// Returns when what is kept is on disk.
    fn sync(&self, dir: &TierDir, data_file: &str) -> Result<(), CacheError> {
        match &self.stored {
            Stored::Open(file, _) => file.sync_all().map_err(CacheError::io("sync", dir.path(data_file))),
            Stored::Nothing | Stored::Unusable => Ok(()),
        }
    }
}

/// Lets the threads of this process commit to a source one after another, so that none prepares in vain.
///
/// Only a courtesy: what it spares is checked under the lock anyway. So whoever has waited long enough goes ahead.
#[derive(Default)]
pub(super) struct Turns {
    taken: Mutex<HashSet<Source>>,
    given_back: Condvar,
}

impl Turns {
    pub(super) fn wait(&self, source: &Source, limit: Duration) -> Option<Turn<'_>> {
        let taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut taken, waited) = self
            .given_back
            .wait_timeout_while(taken, limit, |taken| taken.contains(source))
            .unwrap_or_else(PoisonError::into_inner);
        if waited.timed_out() {
            return None;
        }
        taken.insert(source.clone());
        Some(Turn { turns: self, source: source.clone() })
    }
}

impl fmt::Debug for Turns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Turns").finish_non_exhaustive()
    }
}

/// One thread's turn, until it is dropped.
pub(super) struct Turn<'t> {
    turns: &'t Turns,
    source: Source,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.turns.taken.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.source);
        self.turns.given_back.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::name::cache_source;

    #[test]
    fn a_turn_is_waited_for_up_to_the_limit_and_given_back_by_drop() {
        let turns = Turns::default();
        let (x, y) = (cache_source("x").unwrap(), cache_source("y").unwrap());
        let first = turns.wait(&x, Duration::ZERO);
        assert!(first.is_some());
        assert!(turns.wait(&x, Duration::from_millis(5)).is_none());
        assert!(turns.wait(&y, Duration::ZERO).is_some());
        drop(first);
        assert!(turns.wait(&x, Duration::ZERO).is_some());
    }

    #[test]
    fn a_turn_passes_to_a_thread_that_waits_for_it() {
        let turns = Turns::default();
        let x = cache_source("x").unwrap();
        let first = turns.wait(&x, Duration::ZERO);
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| turns.wait(&x, Duration::from_secs(30)).is_some());
            drop(first);
            assert!(waiting.join().unwrap());
        });
    }
}
