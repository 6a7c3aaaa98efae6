//! Any bytes in place of locks and refresh markers, which programs that are not ours write too.

use std::fs;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use runtime_signals::cache::{CacheOptions, cache_source};
use runtime_signals::clock::Clock;
use runtime_signals::fuzzing::{Marker, lock, marker};
use serde::de::IgnoredAny;

use crate::scratch;

/// 2026-01-15T12:00:00Z, when the file was changed last.
const WRITTEN: Duration = Duration::from_secs(1_768_478_400);
/// A lock is held for microseconds; no owner keeps it longer than this.
const OLDEST_LOCK: Duration = Duration::from_secs(2);
const LEAST: Duration = Duration::from_millis(1);

struct At(SystemTime);

impl Clock for At {
    fn now(&self) -> SystemTime {
        self.0
    }
}

/// Takes the bytes for a marker, and for a lock.
///
/// # Panics
/// When something does not hold.
pub fn check(data: &[u8]) {
    markers(data);
    locks(data);
}

/// A marker is heeded for three refresh deadlines at most, and one that says nothing for one lock time-out.
fn markers(data: &[u8]) {
    let written = SystemTime::UNIX_EPOCH + WRITTEN;
    let source = cache_source("m").expect("it is a name");
    let path = scratch::file("tier/m.refreshing", data, written);
    let look = |after: Duration| {
        let options = options(written + after);
        marker(scratch::parent(&path), &source, &options)
            .expect("the folder can be read")
            .expect("it is there")
    };
    let CacheOptions { refresh_deadline, lock_timeout, .. } = CacheOptions::default();
    let first = look(Duration::ZERO);
    assert_eq!(look(Duration::ZERO), first, "seen again, a marker says something else");
    assert_eq!(look(refresh_deadline * 3 + LEAST), Marker::Stale);
    if serde_json::from_slice::<IgnoredAny>(data).is_err() {
        assert_eq!((first, look(lock_timeout)), (Marker::Running, Marker::Stale));
    } else if let Marker::Failed(message) = first {
        assert!(!message.is_empty() && message.len() <= data.len());
    }
    fs::remove_file(path).expect("it is there still");
}

/// A lock that has lost its owner is replaced, and what replaces it goes away with the section.
fn locks(data: &[u8]) {
    let written = SystemTime::UNIX_EPOCH + WRITTEN;
    let source = cache_source("l").expect("it is a name");
    let path = scratch::file("tier/l.lock", data, written);
    // A lock may state a start of its own in the future: its file's age counts.
    let entered = lock(scratch::parent(&path), &source, &options(written + OLDEST_LOCK + LEAST));
    assert!(entered.is_ok(), "{entered:?}");
    assert!(!path.exists(), "the lock stays behind");
}

fn options(now: SystemTime) -> CacheOptions {
    CacheOptions { clock: Arc::new(At(now)), ..CacheOptions::default() }
}
