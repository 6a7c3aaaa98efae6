//! Beside a program that shares the directory but neither the guard nor this code.

use runtime_signals::cache::{CacheOptions, Committed};

use super::support::{LONG, Root, WatchedClock, patient, source, stored, write};

#[test]
fn our_lock_is_complete_names_a_live_process_and_keeps_the_other_out() {
    let root = Root::new();
    write(&root.cache(), &source(), 1).unwrap();
    let mut writer = root.child().start();
    let mut other = root.child().start();
    assert_eq!(writer.ask("hold studio 2"), "held");
    let lock: serde_json::Value =
        serde_json::from_slice(&std::fs::read(root.file("studio.lock")).unwrap()).unwrap();
    assert_eq!(lock["pid"], writer.id());
    let started = lock["started_at"].as_str().unwrap();
    assert!(started.ends_with('Z') && started.parse::<jiff::Timestamp>().is_ok(), "{started}");
    assert!(other.ask("foreign lock studio").contains("exists"));
    assert_eq!(other.ask("foreign steal studio"), "its process lives");
    assert!(!root.names().contains(&"studio.json.tmp".to_owned()));
    assert_eq!(writer.ask("go on"), "written");
}

#[test]
fn a_lock_of_ours_whose_process_was_killed_can_be_taken_over_by_the_other() {
    let root = Root::new();
    write(&root.cache(), &source(), 1).unwrap();
    let mut writer = root.child().start();
    let mut other = root.child().start();
    assert_eq!(writer.ask("hold studio 2"), "held");
    writer.kill();
    assert_eq!(other.ask("foreign steal studio"), "taken over");
}

#[test]
fn a_write_neither_waits_for_the_others_marker_nor_touches_it() {
    let root = Root::new();
    let cache = root.cache();
    write(&cache, &source(), 1).unwrap();
    let mut other = root.child().start();
    assert_eq!(other.ask("foreign mark studio"), "done");
    let marker = std::fs::read(root.file("studio.refreshing")).unwrap();
    assert_eq!(write(&cache, &source(), 2).unwrap(), Committed::Written);
    assert_eq!(std::fs::read(root.file("studio.refreshing")).unwrap(), marker);
}

#[test]
fn a_newer_signal_that_the_others_refresh_replaced_is_put_back_when_its_marker_is_gone() {
    let root = Root::new();
    let cache = root.cache();
    write(&cache, &source(), 1).unwrap();
    let mut other = root.child().start();
    assert_eq!(other.ask("foreign mark studio"), "done");
    write(&cache, &source(), 10).unwrap();
    assert_eq!(other.ask("foreign replace studio 5"), "done");
    assert_eq!(stored(&cache, &source()), Some(5));
    assert_eq!(other.ask("foreign unmark studio"), "done");
    assert!(cache.settle(LONG));
    assert_eq!(stored(&cache, &source()), Some(10));
}

#[test]
fn of_two_commits_beside_the_others_refresh_the_newest_is_put_back() {
    let root = Root::new();
    let cache = root.cache();
    write(&cache, &source(), 1).unwrap();
    let mut other = root.child().start();
    assert_eq!(other.ask("foreign mark studio"), "done");
    write(&cache, &source(), 10).unwrap();
    assert_eq!(other.ask("foreign replace studio 5"), "done");
    assert_eq!(write(&cache, &source(), 9).unwrap(), Committed::Written);
    assert_eq!(other.ask("foreign unmark studio"), "done");
    assert!(cache.settle(LONG));
    assert_eq!(stored(&cache, &source()), Some(10));
}

#[test]
fn a_newer_signal_that_the_others_refresh_left_stays() {
    let root = Root::new();
    let cache = root.cache();
    write(&cache, &source(), 1).unwrap();
    let mut other = root.child().start();
    assert_eq!(other.ask("foreign mark studio"), "done");
    write(&cache, &source(), 10).unwrap();
    assert_eq!(other.ask("foreign replace studio 11"), "done");
    assert_eq!(other.ask("foreign unmark studio"), "done");
    assert!(cache.settle(LONG));
    assert_eq!(stored(&cache, &source()), Some(11));
}

#[test]
fn where_the_other_dies_under_its_marker_the_newer_signal_is_put_back_as_well() {
    let root = Root::new();
    let cache = root.cache();
    write(&cache, &source(), 1).unwrap();
    let mut other = root.child().start();
    assert_eq!(other.ask("foreign mark studio"), "done");
    write(&cache, &source(), 10).unwrap();
    assert_eq!(other.ask("foreign replace studio 5"), "done");
    other.kill();
    assert!(cache.settle(LONG));
    assert_eq!(stored(&cache, &source()), Some(10));
}

#[test]
fn where_the_lock_is_held_when_the_others_refresh_has_ended_the_newer_signal_is_put_back_later() {
    let root = Root::new();
    // By this clock the other's lock stays young.
    let clock = WatchedClock::new(-3600);
    let lock_timeout = std::time::Duration::from_millis(20);
    let cache = root.cache_with(CacheOptions { clock: clock.clone(), lock_timeout, ..patient() });
    write(&cache, &source(), 1).unwrap();
    let mut other = root.child().start();
    assert_eq!(other.ask("foreign mark studio"), "done");
    write(&cache, &source(), 10).unwrap();
    assert_eq!(other.ask("foreign replace studio 5"), "done");
    assert_eq!(other.ask("foreign lock studio"), "done");
    assert_eq!(other.ask("foreign fill studio"), "done");
    assert_eq!(other.ask("foreign unmark studio"), "done");
    // Far more than one attempt makes within the time-out.
    clock.await_looks(200);
    assert_eq!(stored(&cache, &source()), Some(5));
    assert_eq!(other.ask("foreign unlock studio"), "unlocked");
    assert!(cache.settle(LONG));
    assert_eq!(stored(&cache, &source()), Some(10));
}

#[test]
fn an_endless_foreign_marker_is_looked_after_for_three_refresh_deadlines_only() {
    let root = Root::new();
    let short = CacheOptions { refresh_deadline: std::time::Duration::from_millis(50), ..patient() };
    let cache = root.cache_with(short);
    write(&cache, &source(), 1).unwrap();
    let mut other = root.child().start();
    assert_eq!(other.ask("foreign mark studio"), "done");
    write(&cache, &source(), 2).unwrap();
    assert!(cache.settle(LONG));
    assert!(root.file("studio.refreshing").exists());
}

#[test]
fn without_a_foreign_refresh_there_is_nothing_to_settle() {
    let root = Root::new();
    let cache = root.cache();
    write(&cache, &source(), 1).unwrap();
    assert!(cache.settle(std::time::Duration::ZERO));
}
