//! Exclusion among processes that run this code: an exclusive `flock` on `.guard` in the tier's directory.
//!
//! Only its holder creates, replaces or removes a lock or a marker. It is held for microseconds, never while a
//! foreign lock, a callback or the disk is waited for, so one guard serves all sources. The system releases it when
//! its holder dies. A holder that is stopped keeps it: others then wait one lock time-out and fail. The file is never
//! removed by us; if someone else does, the one that stands there counts.

use std::fs::File;
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, OFlags};
use rustix::io::Errno;

use super::dir::TierDir;
use super::error::CacheError;
use super::fault::{self, Point};
use super::file::FileStamp;

const GUARD: &str = ".guard";

const FIRST_PAUSE: Duration = Duration::from_micros(50);
const LONGEST_PAUSE: Duration = Duration::from_millis(1);

/// A bounded wait: short pauses at first, at most 1 ms later on, and one last try at the end.
#[derive(Debug)]
pub(super) struct Wait {
    began: Instant,
    limit: Duration,
    pause: Duration,
    /// Is the time over, and this the last try?
    last: bool,
}

impl Wait {
    pub(super) fn new(limit: Duration) -> Self {
        Self { began: Instant::now(), limit, pause: FIRST_PAUSE, last: false }
    }

    /// Waits `more` from now, where that is longer than what is left.
    pub(super) fn extend(&mut self, more: Duration) {
        self.limit = self.limit.max(self.began.elapsed().saturating_add(more));
        self.last = false;
    }

    /// Pauses before the next try; at the end of the time an error that names `path` and its holder. A try that began
    /// before the end on a busy machine is followed by one after it.
    pub(super) fn pause(&mut self, dir: &TierDir, name: &str, holder: Option<i64>) -> Result<(), CacheError> {
        let waited = self.began.elapsed();
        let Some(left) = self.limit.checked_sub(waited).filter(|left| !left.is_zero()) else {
            if std::mem::replace(&mut self.last, true) {
                return Err(CacheError::LockTimeout { path: dir.path(name), holder, waited });
            }
            return Ok(());
        };
        std::thread::sleep(self.pause.min(left));
        self.pause = self.pause.saturating_mul(2).min(LONGEST_PAUSE);
        Ok(())
    }
}

/// The right to change locks and markers of one directory, until it is dropped.
#[derive(Debug)]
pub(super) struct Guard {
    file: File,
}

impl Guard {
    pub(super) fn acquire(dir: &TierDir, wait: &mut Wait) -> Result<Self, CacheError> {
        loop {
            if let Some(file) = open(dir)? {
                lock(&file, dir, wait)?;
                let locked =
                    FileStamp::of(&file.metadata().map_err(CacheError::io("look at", dir.path(GUARD)))?);
                if dir.stamp(GUARD)?.is_some_and(|standing| standing.is_same_file(&locked)) {
                    fault::pass(Point::GuardTaken);
                    return Ok(Self { file });
                }
                dir.check_in_place()?;
            }
            wait.pause(dir, GUARD, None)?;
        }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        // Closing is not enough where a child that is just being started has a copy of the descriptor.
        if let Err(error) = rustix::fs::flock(&self.file, FlockOperation::Unlock) {
            tracing::warn!(%error, "the guard of the signal cache could not be unlocked");
        }
        fault::pass(Point::GuardGivenBack);
    }
}

fn open(dir: &TierDir) -> Result<Option<File>, CacheError> {
    let open = || dir.open_file(GUARD, OFlags::RDWR).map_err(CacheError::io("open", dir.path(GUARD)));
    if let Some(file) = open()? {
        return Ok(Some(file));
    }
    // Linked when complete, so that no one meets a guard whose mode is not set yet. Who was first does not matter.
    dir.temp_file(b"")?.link_to(GUARD)?;
    fault::pass(Point::GuardMade);
    open()
}

fn lock(file: &File, dir: &TierDir, wait: &mut Wait) -> Result<(), CacheError> {
    loop {
        match rustix::fs::flock(file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(()),
            Err(Errno::WOULDBLOCK | Errno::INTR) => wait.pause(dir, GUARD, None)?,
            Err(error) => return Err(CacheError::io("lock", dir.path(GUARD))(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::test_support::mode_of;

    const TIMEOUT: Duration = Duration::from_millis(30);

    fn acquire(dir: &TierDir) -> Result<Guard, CacheError> {
        Guard::acquire(dir, &mut Wait::new(TIMEOUT))
    }

    #[test]
    fn a_held_guard_is_waited_for_one_time_out_then_an_error_names_it() {
        let root = tempfile::tempdir().unwrap();
        let dir = TierDir::create(root.path()).unwrap();
        let held = acquire(&dir).unwrap();
        let began = Instant::now();
        let error = acquire(&dir).unwrap_err();
        assert!(began.elapsed() >= TIMEOUT);
        assert!(matches!(&error, CacheError::LockTimeout { path, .. } if path.ends_with(GUARD)), "{error}");
        drop(held);
        acquire(&dir).unwrap();
        assert_eq!(mode_of(&root.path().join(GUARD)), 0o600);
    }

    #[test]
    fn a_guard_that_was_removed_excludes_no_one_and_the_new_one_counts() {
        let root = tempfile::tempdir().unwrap();
        let dir = TierDir::create(root.path()).unwrap();
        let stale = dir.temp_file(b"").unwrap().link_to(GUARD).unwrap().unwrap();
        let file = dir.open_file(GUARD, OFlags::RDWR).unwrap().unwrap();
        dir.remove_if(GUARD, stale.stamp()).unwrap();
        lock(&file, &dir, &mut Wait::new(TIMEOUT)).unwrap();
        let _held = acquire(&dir).unwrap();
        assert!(matches!(acquire(&dir), Err(CacheError::LockTimeout { .. })));
    }

    #[test]
    fn a_planted_link_as_guard_is_an_error_that_names_it() {
        let root = tempfile::tempdir().unwrap();
        let dir = TierDir::create(root.path()).unwrap();
        std::os::unix::fs::symlink(root.path().join("elsewhere"), root.path().join(GUARD)).unwrap();
        let error = acquire(&dir).unwrap_err().to_string();
        assert!(error.contains(GUARD) && error.contains("symbolic link"), "{error}");
        assert!(!root.path().join("elsewhere").exists());
    }
}
