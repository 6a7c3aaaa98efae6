//! Refreshes across processes: one at a time, and none that dies, stops or comes late harms another.

use std::time::{Duration, Instant};

use runtime_signals::cache::{CacheOptions, RefreshError, Refreshed};

use super::child::COOL_DOWN;
use super::support::{
    Root, WatchedClock, commit_version, patient, refresh_behind, source, stored, version_stored, write,
};

/// Work that must not be done.
async fn never() -> Result<u64, String> {
    panic!("refreshed twice")
}

#[test]
fn of_two_claimants_one_refreshes_and_the_other_gets_what_it_stored() {
    let root = Root::new();
    let clock = WatchedClock::new(0);
    let cache = root.cache_with(CacheOptions { clock: clock.clone(), ..patient() });
    write(&cache, &source(), 1).unwrap();
    let mut owner = root.child().start();
    assert_eq!(owner.ask("refresh studio"), "working");
    let joined = refresh_behind(&cache, never());
    clock.await_looks(2);
    assert_eq!(owner.ask("finish 2"), "here 2");
    match joined.join().unwrap().unwrap() {
        Refreshed::Elsewhere { stored, finished: true } => {
            assert_eq!(version_stored(stored.as_ref()), Some(2))
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(root.names(), [".guard", "studio.json"]);
}

#[test]
fn a_failure_in_another_process_comes_with_its_message_and_what_is_stored() {
    let root = Root::new();
    let clock = WatchedClock::new(0);
    let cache = root.cache_with(CacheOptions { clock: clock.clone(), ..patient() });
    write(&cache, &source(), 1).unwrap();
    let mut owner = root.child().set(COOL_DOWN, "30000").start();
    assert_eq!(owner.ask("refresh studio"), "working");
    let joined = refresh_behind(&cache, never());
    clock.await_looks(2);
    assert_eq!(owner.ask("fail no route"), "failed: no route");
    // The one that waited, and one that comes during the cool-down.
    for outcome in [joined.join().unwrap(), refresh_behind(&cache, never()).join().unwrap()] {
        let failure = outcome.unwrap_err();
        assert!(matches!(&failure.error, RefreshError::CoolingDown { message, .. } if message == "no route"));
        assert_eq!(version_stored(failure.stored.as_ref()), Some(1));
    }
}

#[test]
fn an_owner_that_dies_in_the_cool_down_of_its_failure_holds_no_one_up() {
    let root = Root::new();
    let cache = root.cache();
    let mut owner = root.child().set(COOL_DOWN, "30000").start();
    assert_eq!(owner.ask("refresh studio"), "working");
    assert_eq!(owner.ask("fail no route"), "failed: no route");
    owner.kill();
    let next = refresh_behind(&cache, commit_version(cache.clone(), 3)).join().unwrap();
    assert_eq!(next.unwrap(), Refreshed::Here(3));
}

#[test]
fn a_refresh_whose_process_was_killed_is_taken_over_at_once() {
    let root = Root::new();
    let cache = root.cache();
    write(&cache, &source(), 1).unwrap();
    let mut owner = root.child().start();
    assert_eq!(owner.ask("refresh studio"), "working");
    owner.kill();
    assert!(root.file("studio.refreshing").exists());
    let began = Instant::now();
    let next = refresh_behind(&cache, commit_version(cache.clone(), 2)).join().unwrap();
    assert_eq!(next.unwrap(), Refreshed::Here(2));
    assert!(began.elapsed() < super::support::LONG / 2, "waited for a dead process");
    assert_eq!(root.names(), [".guard", "studio.json"]);
}

#[test]
fn whoever_waits_for_a_refresh_takes_it_over_when_its_process_is_killed() {
    let root = Root::new();
    let clock = WatchedClock::new(0);
    let cache = root.cache_with(CacheOptions { clock: clock.clone(), ..patient() });
    let mut owner = root.child().start();
    assert_eq!(owner.ask("refresh studio"), "working");
    let waiting = refresh_behind(&cache, commit_version(cache.clone(), 2));
    clock.await_looks(2);
    owner.kill();
    assert_eq!(waiting.join().unwrap().unwrap(), Refreshed::Here(2));
    assert_eq!(stored(&cache, &source()), Some(2));
}

#[test]
fn a_stopped_owner_is_waited_for_one_refresh_deadline_then_the_stored_entry_is_returned() {
    let root = Root::new();
    let deadline = Duration::from_millis(300);
    let cache = root.cache_with(CacheOptions { refresh_deadline: deadline, ..patient() });
    write(&cache, &source(), 1).unwrap();
    let mut owner = root.child().start();
    assert_eq!(owner.ask("refresh studio"), "working");
    owner.stop();
    let began = Instant::now();
    match refresh_behind(&cache, never()).join().unwrap().unwrap() {
        Refreshed::Elsewhere { stored, finished: false } => {
            assert_eq!(version_stored(stored.as_ref()), Some(1))
        }
        other => panic!("{other:?}"),
    }
    assert!(began.elapsed() >= deadline);
    owner.resume();
    assert_eq!(owner.ask("finish 2"), "here 2");
}

#[test]
fn a_refresh_past_its_time_is_taken_over_and_its_late_commit_keeps_what_is_newer() {
    let root = Root::new();
    // By this clock the other's marker is out of date from the start.
    let ahead = WatchedClock::new(3600);
    let cache = root.cache_with(CacheOptions { clock: ahead, ..patient() });
    let mut late = root.child().start();
    assert_eq!(late.ask("refresh studio"), "working");
    late.stop();

    let marker = root.file("studio.refreshing");
    let theirs = std::fs::read(&marker).unwrap();
    let work = {
        let (cache, marker) = (cache.clone(), marker.clone());
        async move {
            assert_ne!(std::fs::read(&marker).unwrap(), theirs, "the marker was not taken over");
            let ours = std::fs::read(&marker).unwrap();
            let version = commit_version(cache.clone(), 2).await?;
            late.resume();
            // It runs to its end while our refresh goes on.
            assert_eq!(late.ask("finish 1"), "here 1");
            assert_eq!(stored(&cache, &source()), Some(2), "a late commit replaced a newer one");
            assert_eq!(std::fs::read(&marker).unwrap(), ours, "a marker that is not its own was removed");
            Ok(version)
        }
    };
    assert_eq!(refresh_behind(&cache, work).join().unwrap().unwrap(), Refreshed::Here(2));
    assert!(!marker.exists());
    assert_eq!(stored(&cache, &source()), Some(2));
}

#[test]
fn a_write_during_another_processes_refresh_waits_for_nothing_and_survives_its_end() {
    let root = Root::new();
    let cache = root.cache();
    let mut owner = root.child().start();
    assert_eq!(owner.ask("refresh studio"), "working");
    write(&cache, &source(), 5).unwrap();
    assert_eq!(stored(&cache, &source()), Some(5));
    assert_eq!(owner.ask("finish 4"), "here 4");
    assert_eq!(stored(&cache, &source()), Some(5));
}

#[test]
fn a_foreign_refresh_is_waited_for_as_ours_is() {
    let root = Root::new();
    let clock = WatchedClock::new(0);
    let cache = root.cache_with(CacheOptions { clock: clock.clone(), ..patient() });
    write(&cache, &source(), 1).unwrap();
    let mut other = root.child().start();
    assert_eq!(other.ask("foreign mark studio"), "done");
    let joined = refresh_behind(&cache, never());
    clock.await_looks(2);
    assert_eq!(other.ask("foreign replace studio 2"), "done");
    assert_eq!(other.ask("foreign unmark studio"), "done");
    match joined.join().unwrap().unwrap() {
        Refreshed::Elsewhere { stored, finished: true } => {
            assert_eq!(version_stored(stored.as_ref()), Some(2))
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn six_processes_that_refresh_at_once_do_it_one_at_a_time_and_all_get_a_result() {
    let root = Root::new();
    let cache = root.cache();
    let mut children: Vec<_> = (0..6).map(|_| root.child().start()).collect();
    for child in &mut children {
        child.say("refresh studio");
    }
    // Whoever works is told to finish; the others wait for it, or come after it and work in turn.
    let mut working = 0;
    while let Some(mut child) = children.pop() {
        match child.try_hear() {
            None => children.insert(0, child),
            Some(said) if said == "working" => {
                working += 1;
                let owner = marker_owner(&root);
                assert_eq!(owner, Some(u64::from(child.id())), "two refresh at once");
                assert_eq!(child.ask(&format!("finish {working}")), format!("here {working}"));
            }
            Some(said) => {
                let version =
                    said.strip_prefix("elsewhere Some(").and_then(|rest| rest.strip_suffix(") true"));
                assert!(version.unwrap_or_else(|| panic!("{said}")).parse::<u64>().unwrap() >= 1);
            }
        }
    }
    assert!(working >= 1);
    assert_eq!(stored(&cache, &source()), Some(working));
}

fn marker_owner(root: &Root) -> Option<u64> {
    let bytes = std::fs::read(root.file("studio.refreshing")).ok()?;
    serde_json::from_slice::<serde_json::Value>(&bytes).ok()?["pid"].as_u64()
}
