//! The signal cache: the last known signal of each provider, on disk, shared with other processes.
//!
//! `<root>/runtime/<name>.json` holds one signal as bytes; what they mean, and which of two is newer, the caller
//! decides. Beside it stand, for moments, `<name>.lock` while it is replaced and `<name>.refreshing` while it is
//! refreshed. Both are read by programs that are not ours, and may be theirs.
//!
//! - **Reads** take no lock and see one whole version or another.
//! - **Commits** are exclusive, across threads and processes: no version replaces one it was not decided on. A commit
//!   that returns without error left its value, or the newer one it was decided to keep.
//! - **Refreshes** are single-flight, within a process and across processes.
//! - **Nobody** waits longer than one lock time-out (100 ms) for an owner that is dead or stuck. A dead one is
//!   replaced. One that is stopped while it holds the guard cannot be: operations that need it then fail with
//!   [`CacheError::LockTimeout`] and change nothing, while reads go on.
//! - **Failures** leave what was stored, name the file, and say what to do.
//!
//! Beside a program that replaces files without our guard there are still no torn reads and nobody is blocked by our
//! files, but it may replace a newer signal by an older one. Where its refresh was under way at a commit, the cache
//! looks again when that has ended, behind the caller's back, and puts the newer one back; [`SignalCache::settle`]
//! waits for that.
//!
//! All operations block on the file system, save those of [`Refresher`].

mod claim;
mod commit;
mod dir;
mod error;
mod fault;
mod file;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;
mod guard;
mod lock;
mod marker;
mod name;
mod options;
mod outcome;
mod process;
mod prune;
mod read;
mod recheck;
mod refresh;
#[cfg(test)]
mod test_support;
mod time;

use std::collections::BTreeSet;
use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

pub use self::commit::{Committed, Decision, Durability};
pub use self::error::{CacheError, CommitError};
#[cfg(feature = "fault-points")]
pub use self::fault::{FAULT_POINTS, die_at};
pub use self::name::{NameError, Source, cache_source};
pub use self::options::{
    CacheOptions, FAILURE_COOLDOWN, LOCK_TIMEOUT, RUNTIME_REFRESH_DEADLINE, RUNTIME_TTL, default_root,
};
pub use self::outcome::{RefreshError, RefreshFailure, Refreshed};
pub use self::prune::PruneReport;
pub use self::read::{Freshness, Raw};
pub use self::refresh::Refresher;

use self::commit::{Done, Turns};
use self::dir::TierDir;
use self::recheck::{Recheck, Rechecks};

/// The on-disk cache under one root. Clones share it; so do all processes that name the same root.
#[derive(Debug, Clone)]
pub struct SignalCache {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    root: PathBuf,
    tier: PathBuf,
    options: CacheOptions,
    turns: Turns,
    rechecks: Rechecks,
}

impl SignalCache {
    /// The cache under `root` with the default options. Nothing is made or opened yet.
    #[must_use]
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self::with_options(root, CacheOptions::default())
    }

    /// The cache under `root` with these options. Nothing is made or opened yet.
    #[must_use]
    pub fn with_options(root: impl Into<PathBuf>, options: CacheOptions) -> Self {
        let root = root.into();
        // Later changes of the working directory must not move the cache.
        let root = std::path::absolute(&root).unwrap_or(root);
        let tier = root.join(name::TIER);
        Self {
            inner: Arc::new(Inner {
                root,
                tier,
                options,
                turns: Turns::default(),
                rechecks: Rechecks::default(),
            }),
        }
    }

    /// The cache that the environment names: [`default_root`] and [`CacheOptions::override_from_env`].
    ///
    /// # Errors
    /// [`CacheError::NoCacheDirectory`] and [`CacheError::Setting`] name the variable to set or to mend.
    pub fn from_env() -> Result<Self, CacheError> {
        Ok(Self::with_options(default_root()?, CacheOptions::default().override_from_env()?))
    }

    /// The root directory, absolute.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.inner.root
    }

    /// The options in force.
    #[must_use]
    pub fn options(&self) -> &CacheOptions {
        &self.inner.options
    }

    /// Where the entry of a source lies.
    #[must_use]
    pub fn path(&self, source: &Source) -> PathBuf {
        self.inner.tier.join(source.data_file())
    }

    fn tier(&self) -> &Path {
        &self.inner.tier
    }

    /// Reads the entry of a source, without a lock and as one whole version. `None` when there is none, or only what
    /// cannot be a signal: no regular file, or one of more than 1 MiB.
    ///
    /// # Errors
    /// [`CacheError::Io`] when the file system refuses.
    pub fn read(&self, source: &Source) -> Result<Option<Raw>, CacheError> {
        read::read(&self.path(source))
    }

    /// Judges the age of an entry now: see [`Freshness::judge`].
    #[must_use]
    pub fn freshness(&self, modified: SystemTime, recorded_at: SystemTime) -> Freshness {
        let CacheOptions { ttl, refresh_deadline, clock, .. } = self.options();
        Freshness::judge(modified, recorded_at, clock.now(), *ttl, *refresh_deadline)
    }

    /// Replaces the entry of a source by what `decide` makes of the stored bytes (`None`: nothing there that can be a
    /// signal), atomically against every other commit.
    ///
    /// `decide` must depend on its argument alone: it is asked again whenever the entry has changed meanwhile, mostly
    /// not under the lock, and, where a foreign refresh was under way, once more on another thread when that has
    /// ended. It should answer [`Decision::Keep`] where the stored signal is newer than its own.
    ///
    /// Returns when the value is in place, and with [`Durability::Durable`] on disk. A thread or process that is stuck is
    /// waited for at most one lock time-out.
    ///
    /// # Errors
    /// [`CommitError`]; what was stored is unchanged.
    pub fn commit<E, F>(
        &self,
        source: &Source,
        durability: Durability,
        mut decide: F,
    ) -> Result<Committed, CommitError<E>>
    where
        F: FnMut(Option<&[u8]>) -> Result<Decision, E> + Send + 'static,
        E: Display + 'static,
    {
        let done = self.inner.commit(source, durability, &mut decide)?;
        if let Some(beside) = done.beside {
            let decide =
                Box::new(move |stored: Option<&[u8]>| decide(stored).map_err(|error| error.to_string()));
            let recheck = Recheck::new(source.clone(), beside, durability, decide, self.options());
            Rechecks::add(&self.inner, recheck);
        }
        Ok(done.committed)
    }

    /// Waits until no commit is left to be looked after beside a foreign refresh, at most `limit`. Whether that is so.
    /// Without such a refresh it returns at once. For the end of a program.
    #[must_use]
    pub fn settle(&self, limit: Duration) -> bool {
        self.inner.rechecks.settle(limit)
    }

    /// The sources that have an entry, sorted by name.
    ///
    /// # Errors
    /// [`CacheError::Io`] when the directory cannot be listed; a missing one is empty.
    pub fn list(&self) -> Result<Vec<Source>, CacheError> {
        prune::list(self.tier())
    }

    /// Removes every source that is not `active`, with all its side files, and the private files that dead processes
    /// left. Sources that are being refreshed stay, as do files that are none of the cache's.
    ///
    /// # Errors
    /// [`CacheError::Name`] when an active name cannot be a source's: nothing is removed then. [`CacheError::Io`] when
    /// the directory cannot be listed. What fails for one source is in the report.
    pub fn prune<N: AsRef<str>>(&self, active: &[N]) -> Result<PruneReport, CacheError> {
        let active =
            active.iter().map(|name| cache_source(name.as_ref())).collect::<Result<BTreeSet<_>, _>>()?;
        prune::prune(self.tier(), &active, self.options())
    }
}

impl Inner {
    fn commit<E>(
        &self,
        source: &Source,
        durability: Durability,
        decide: &mut (impl FnMut(Option<&[u8]>) -> Result<Decision, E> + ?Sized),
    ) -> Result<Done, CommitError<E>> {
        let dir = TierDir::create(&self.tier)?;
        commit::commit(&dir, source, &self.options, durability, &self.turns, decide)
    }
}
