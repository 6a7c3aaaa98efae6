//! The critical section of one source: the guard, and the `<name>.lock` that programs not ours look at.
//!
//! The lock file appears complete, names this process and is removed when the section ends. A lock that another
//! program left is replaced when its process is dead, when it cannot be read and stays unchanged for one lock
//! time-out, or when it is older than two seconds. One that is alive is waited for, without the guard, so that only
//! this source waits; after one lock time-out the caller gets an error and nothing is changed.

use std::time::{Duration, Instant, SystemTime};

use serde::{Deserialize, Serialize};

use super::dir::TierDir;
use super::error::CacheError;
use super::fault::{self, Point};
use super::file::{FileStamp, SideFile, TempFile};
use super::guard::{Guard, Wait};
use super::name::Source;
use super::options::CacheOptions;
use super::process;
use super::time::{Rfc3339, age};

/// A lock is held for microseconds; one as old as this has lost its owner.
const OLDEST_LOCK: Duration = Duration::from_secs(2);

#[derive(Debug, Serialize, Deserialize)]
struct LockFile {
    pid: i64,
    started_at: Option<Rfc3339>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    nonce: Option<String>,
    /// See [`process::own_start`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    start: Option<u64>,
}

/// The right to change the files of one source, until it is dropped.
#[derive(Debug)]
pub(super) struct Section<'d> {
    dir: &'d TierDir,
    lock_file: String,
    /// Given back after our lock is removed, before its private name is.
    _guard: Guard,
    lock: TempFile<'d>,
}

impl<'d> Section<'d> {
    /// Waits at most `limit` for the guard and the lock.
    pub(super) fn enter(
        dir: &'d TierDir,
        source: &Source,
        options: &CacheOptions,
        limit: Duration,
    ) -> Result<Self, CacheError> {
        let lock_file = source.lock_file();
        // Written before the guard is taken, which keeps that short.
        let lock = prepare(dir, &lock_file, options.clock.now())?;
        fault::pass(Point::LockPrepared);
        let mut wait = Wait::new(limit);
        let mut unreadable = Unreadable::default();
        loop {
            let guard = Guard::acquire(dir, &mut wait)?;
            let now = options.clock.now();
            let mut holder = None;
            let free = match dir.side_file(&lock_file)? {
                None => true,
                Some(found) => match judge(&found, now) {
                    State::Abandoned => take_over(dir, &lock_file, &found)?,
                    State::Held(pid) => {
                        holder = Some(pid);
                        false
                    }
                    State::Unreadable if unreadable.is_old(&found, now, options.lock_timeout, &mut wait) => {
                        take_over(dir, &lock_file, &found)?
                    }
                    State::Unreadable => false,
                },
            };
            if free && lock.link(&lock_file)? {
                fault::pass(Point::LockHeld);
                return Ok(Self { dir, lock_file, _guard: guard, lock });
            }
            drop(guard);
            wait.pause(dir, &lock_file, holder)?;
        }
    }
}

impl Drop for Section<'_> {
    fn drop(&mut self) {
        if let Err(error) = self.dir.remove_if(&self.lock_file, self.lock.stamp()) {
            tracing::warn!(%error, "a lock of the signal cache stays behind");
        }
        fault::pass(Point::LockRemoved);
    }
}

/// Removes an abandoned lock. Whether it still was the one that stood there.
fn take_over(dir: &TierDir, lock_file: &str, found: &SideFile) -> Result<bool, CacheError> {
    let removed = dir.remove_if(lock_file, &found.stamp)?;
    fault::pass(Point::LockTakenOver);
    Ok(removed)
}

fn prepare<'d>(dir: &'d TierDir, lock_file: &str, now: SystemTime) -> Result<TempFile<'d>, CacheError> {
    let lock = LockFile {
        pid: process::own_pid(),
        started_at: Some(Rfc3339(now)),
        nonce: Some(process::nonce()),
        start: process::own_start(),
    };
    let bytes = serde_json::to_vec(&lock).map_err(CacheError::io("write", dir.path(lock_file)))?;
    dir.temp_file(&bytes)
}

#[derive(Debug, PartialEq, Eq)]
enum State {
    Held(i64),
    Abandoned,
    Unreadable,
}

fn judge(found: &SideFile, now: SystemTime) -> State {
    let Ok(lock) = serde_json::from_slice::<LockFile>(&found.bytes) else {
        return State::Unreadable;
    };
    let started = lock.started_at.map_or(found.modified, |started| started.0);
    let age = age(started, now).max(age(found.modified, now));
    if age > OLDEST_LOCK || !process::is_alive(lock.pid, lock.start) {
        State::Abandoned
    } else {
        State::Held(lock.pid)
    }
}

/// A lock that another program may be about to fill, and since when it is seen unchanged.
#[derive(Debug, Default)]
struct Unreadable {
    seen: Option<(FileStamp, Instant)>,
}

impl Unreadable {
    /// Whether it is unchanged for `timeout`, by the file's time or, where the clocks differ, by our watch. It is
    /// watched that long even if little is left of the wait.
    fn is_old(&mut self, found: &SideFile, now: SystemTime, timeout: Duration, wait: &mut Wait) -> bool {
        if age(found.modified, now) >= timeout {
            return true;
        }
        match self.seen {
            Some((stamp, since)) if stamp == found.stamp => since.elapsed() >= timeout,
            _ => {
                self.seen = Some((found.stamp, Instant::now()));
                wait.extend(timeout);
                false
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

    use super::*;
    use crate::cache::name::cache_source;
    use crate::cache::test_support::{DEAD_PID, manual_options, rfc3339, set_modified};

    const TIMEOUT: Duration = Duration::from_millis(40);

    fn options() -> CacheOptions {
        CacheOptions { lock_timeout: TIMEOUT, ..CacheOptions::default() }
    }

    fn plant(root: &Path, content: &str) {
        std::fs::write(root.join("x.lock"), content).unwrap();
    }

    fn enter(dir: &TierDir) -> Result<Section<'_>, CacheError> {
        Section::enter(dir, &cache_source("x").unwrap(), &options(), TIMEOUT)
    }

    /// Enters at the first look, without any wait, by a clock on which nothing grows older.
    fn enter_at_once(dir: &TierDir) {
        let (options, _) = manual_options();
        Section::enter(dir, &cache_source("x").unwrap(), &options, Duration::ZERO).unwrap();
    }

    #[test]
    fn the_lock_is_complete_names_this_process_and_goes_with_the_section() {
        let root = tempfile::tempdir().unwrap();
        let dir = TierDir::create(root.path()).unwrap();
        let section = enter(&dir).unwrap();
        let lock: serde_json::Value =
            serde_json::from_slice(&std::fs::read(root.path().join("x.lock")).unwrap()).unwrap();
        assert_eq!(lock["pid"], process::own_pid());
        assert!(lock["started_at"].is_string() && lock["nonce"].is_string());
        drop(section);
        assert!(!root.path().join("x.lock").exists());
    }

    #[test]
    fn a_dead_owners_lock_is_replaced_at_once() {
        let root = tempfile::tempdir().unwrap();
        let dir = TierDir::create(root.path()).unwrap();
        let now = rfc3339(SystemTime::now());
        let reused = process::own_start().map(|start| {
            format!(
                r#"{{"pid":{},"started_at":"{now}","nonce":"n","start":{}}}"#,
                process::own_pid(),
                start + 1
            )
        });
        let dead = format!(r#"{{"pid":{DEAD_PID},"started_at":"{now}"}}"#);
        for lock in [Some(dead), reused].into_iter().flatten() {
            plant(root.path(), &lock);
            enter_at_once(&dir);
        }
    }

    #[test]
    fn a_live_owners_lock_is_waited_for_then_an_error_names_the_owner() {
        let root = tempfile::tempdir().unwrap();
        let dir = TierDir::create(root.path()).unwrap();
        let lock = format!(r#"{{"pid":1,"started_at":"{}"}}"#, rfc3339(SystemTime::now()));
        plant(root.path(), &lock);
        let error = enter(&dir).unwrap_err();
        assert!(matches!(error, CacheError::LockTimeout { holder: Some(1), .. }), "{error}");
        assert_eq!(std::fs::read_to_string(root.path().join("x.lock")).unwrap(), lock);
        // The guard was not kept meanwhile: another source is free.
        Section::enter(&dir, &cache_source("y").unwrap(), &options(), TIMEOUT).unwrap();
    }

    #[test]
    fn a_lock_older_than_two_seconds_is_replaced_though_its_process_number_lives() {
        let root = tempfile::tempdir().unwrap();
        let dir = TierDir::create(root.path()).unwrap();
        let old = SystemTime::now() - Duration::from_millis(2_100);
        plant(root.path(), &format!(r#"{{"pid":1,"started_at":"{}"}}"#, rfc3339(old)));
        enter_at_once(&dir);
        plant(root.path(), r#"{"pid":1,"started_at":"2999-01-01T00:00:00Z"}"#);
        set_modified(&root.path().join("x.lock"), old);
        enter_at_once(&dir);
    }

    #[test]
    fn an_unreadable_lock_is_replaced_after_one_unchanged_time_out() {
        let root = tempfile::tempdir().unwrap();
        let dir = TierDir::create(root.path()).unwrap();
        for content in
            ["", "{", "[]", "{}", r#"{"pid":"1"}"#, r#"{"pid":1,"started_at":"soon"}"#, &"x".repeat(99_999)]
        {
            plant(root.path(), content);
            // Ahead of our clock: only the watch can tell that it stays unchanged.
            set_modified(&root.path().join("x.lock"), SystemTime::now() + Duration::from_secs(60));
            let began = Instant::now();
            enter(&dir).unwrap();
            assert!(began.elapsed() >= TIMEOUT, "{content:.20}");
            plant(root.path(), content);
            set_modified(&root.path().join("x.lock"), SystemTime::now() - Duration::from_secs(1));
            enter(&dir).unwrap();
        }
    }

    #[test]
    fn an_unreadable_lock_that_changes_starts_its_time_anew() {
        let root = tempfile::tempdir().unwrap();
        let dir = TierDir::create(root.path()).unwrap();
        let mut watch = Unreadable::default();
        let mut wait = Wait::new(TIMEOUT);
        let mut look = |size: usize| {
            plant(root.path(), &"x".repeat(size));
            set_modified(&root.path().join("x.lock"), SystemTime::now() + Duration::from_secs(60));
            let found = dir.side_file("x.lock").unwrap().unwrap();
            watch.is_old(&found, SystemTime::now(), TIMEOUT, &mut wait);
            watch.seen.unwrap()
        };
        let (first, second) = (look(1), look(2));
        assert_ne!(first.0, second.0);
        assert!(second.1 >= first.1);
    }

    #[test]
    fn of_many_contenders_for_a_dead_owners_lock_never_two_hold_it() {
        const ROUNDS: usize = 500;
        let root = tempfile::tempdir().unwrap();
        let options = CacheOptions::default();
        let (held, entered) = (AtomicBool::new(false), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    // Each has its own descriptors, as another process would.
                    let dir = TierDir::create(root.path()).unwrap();
                    for round in 0..ROUNDS {
                        let source = cache_source(&format!("s{round}")).unwrap();
                        let lock = dir.temp_file(format!(r#"{{"pid":{DEAD_PID}}}"#).as_bytes()).unwrap();
                        lock.link_to(&source.lock_file()).unwrap();
                        let section =
                            Section::enter(&dir, &source, &options, Duration::from_secs(20)).unwrap();
                        assert!(!held.swap(true, Ordering::SeqCst), "two hold the lock");
                        entered.fetch_add(1, Ordering::SeqCst);
                        held.store(false, Ordering::SeqCst);
                        drop(section);
                    }
                });
            }
        });
        assert_eq!(entered.into_inner(), 4 * ROUNDS);
    }
}
