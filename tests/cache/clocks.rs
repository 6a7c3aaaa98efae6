//! Processes whose clocks disagree.

use std::time::{Duration, SystemTime};

use runtime_signals::cache::{CacheOptions, Freshness, Refreshed, SignalCache};

use super::child::CLOCK_AHEAD;
use super::support::{
    Root, WatchedClock, commit_version, patient, refresh_behind, source, stored, version_stored,
};

const HOUR: Duration = Duration::from_secs(3600);

/// Judges what a child wrote that took the time from a clock so many seconds ahead.
fn judged_from_a_writer_ahead(seconds: &str) -> Freshness {
    let root = Root::new();
    let mut writer = root.child().set(CLOCK_AHEAD, seconds).start();
    assert_eq!(writer.ask("write-now studio"), "written");
    let cache = SignalCache::new(root.path());
    let recorded_at = SystemTime::UNIX_EPOCH + Duration::from_nanos(stored(&cache, &source()).unwrap());
    cache.freshness(cache.read(&source()).unwrap().unwrap().modified, recorded_at)
}

#[test]
fn a_signal_from_a_clock_an_hour_ahead_is_stale() {
    assert!(!judged_from_a_writer_ahead("3600").fresh);
}

#[test]
fn a_signal_from_a_clock_a_little_ahead_is_fresh_and_its_age_is_not_negative() {
    let judged = judged_from_a_writer_ahead("2");
    assert!(judged.fresh);
    assert!(judged.age < HOUR);
}

#[test]
fn a_signal_from_a_clock_an_hour_behind_is_an_hour_old() {
    let judged = judged_from_a_writer_ahead("-3600");
    assert!(!judged.fresh && judged.age >= HOUR);
}

#[test]
fn an_entry_whose_file_is_from_the_future_is_stale() {
    let root = Root::new();
    let behind = WatchedClock::new(-3600);
    let cache = root.cache_with(CacheOptions { clock: behind, ..patient() });
    super::support::write(&cache, &source(), 1).unwrap();
    let modified = cache.read(&source()).unwrap().unwrap().modified;
    let short = SignalCache::with_options(
        root.path(),
        CacheOptions { clock: WatchedClock::new(-3600), ..CacheOptions::default() },
    );
    assert!(!short.freshness(modified, SystemTime::now() - HOUR).fresh);
}

#[test]
fn a_refresh_by_a_clock_an_hour_ahead_is_joined_all_the_same() {
    let root = Root::new();
    let mut owner = root.child().set(CLOCK_AHEAD, "3600").start();
    assert_eq!(owner.ask("refresh studio"), "working");
    let clock = WatchedClock::new(0);
    let cache = root.cache_with(CacheOptions { clock: clock.clone(), ..patient() });
    let joined = refresh_behind(&cache, async { panic!("refreshed twice") });
    clock.await_looks(2);
    assert_eq!(owner.ask("finish 8"), "here 8");
    match joined.join().unwrap().unwrap() {
        Refreshed::Elsewhere { stored, finished: true } => {
            assert_eq!(version_stored(stored.as_ref()), Some(8))
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_marker_from_a_clock_an_hour_behind_keeps_no_one_waiting() {
    let root = Root::new();
    let mut owner = root.child().set(CLOCK_AHEAD, "-3600").start();
    assert_eq!(owner.ask("refresh studio"), "working");
    let cache = root.cache();
    let taken_over = refresh_behind(&cache, commit_version(cache.clone(), 9));
    assert_eq!(taken_over.join().unwrap().unwrap(), Refreshed::Here(9));
    assert_eq!(owner.ask("finish 8"), "here 8");
    assert_eq!(stored(&cache, &source()), Some(9));
}
