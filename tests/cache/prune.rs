//! What is listed, and what prune removes.

use runtime_signals::cache::{CacheError, cache_source};

use super::child::CLOCK_AHEAD;
use super::support::{LONG, Root, dead_pid, rfc3339, source, stored, write};

fn names(sources: &[runtime_signals::cache::Source]) -> Vec<&str> {
    sources.iter().map(|source| source.name()).collect()
}

#[test]
fn prune_removes_what_is_not_listed_with_all_its_side_files_and_nothing_else() {
    let root = Root::new();
    let cache = root.cache();
    for name in ["active", "gone", "gone.json"] {
        write(&cache, &cache_source(name).unwrap(), 1).unwrap();
    }
    let dead = format!(r#"{{"pid":{}}}"#, dead_pid());
    for side in ["gone.lock", "gone.refreshing", "orphan.lock", "orphan.refreshing", "active.refreshing"] {
        root.plant(side, &dead);
    }
    root.plant("gone.json.tmp", "half a signal");
    root.plant("notes.txt", "not ours");
    root.plant(&format!(".{}-1f.tmp", dead_pid()), "abandoned");
    root.plant(&format!(".{}-1f.tmp", std::process::id()), "being written");

    assert_eq!(names(&cache.list().unwrap()), ["active", "gone", "gone.json"]);
    let report = cache.prune(&["active"]).unwrap();
    assert_eq!(names(&report.removed), ["gone", "gone.json", "orphan"]);
    assert_eq!((report.temp_files, report.failed.len(), report.refreshing.len()), (1, 0, 0));
    let own_temp = format!(".{}-1f.tmp", std::process::id());
    let mut left = vec![own_temp.as_str(), ".guard", "active.json", "active.refreshing", "notes.txt"];
    left.sort_unstable();
    assert_eq!(root.names(), left);
    assert_eq!(stored(&cache, &cache_source("active").unwrap()), Some(1));
}

#[test]
fn prune_leaves_a_source_alone_that_another_process_is_refreshing() {
    let root = Root::new();
    let cache = root.cache();
    write(&cache, &source(), 1).unwrap();
    let mut owner = root.child().start();
    assert_eq!(owner.ask("refresh studio"), "working");
    let report = cache.prune::<&str>(&[]).unwrap();
    assert_eq!((names(&report.refreshing), report.removed.len()), (vec!["studio"], 0));
    assert_eq!(stored(&cache, &source()), Some(1));
    assert_eq!(owner.ask("finish 2"), "here 2");
    assert_eq!(stored(&cache, &source()), Some(2));
    let report = cache.prune::<&str>(&[]).unwrap();
    assert_eq!(names(&report.removed), ["studio"]);
    assert_eq!(root.names(), [".guard"]);
}

#[test]
fn prune_reports_a_source_whose_lock_is_held_and_goes_on_with_the_others() {
    let root = Root::new();
    let cache = root.cache_with(super::support::patient_but_for_locks());
    let owner = root.child().start();
    for name in ["a", "held", "z"] {
        write(&cache, &cache_source(name).unwrap(), 1).unwrap();
    }
    let now = rfc3339(std::time::SystemTime::now());
    root.plant("held.lock", format!(r#"{{"pid":{},"started_at":"{now}"}}"#, owner.id()));
    let report = cache.prune::<&str>(&[]).unwrap();
    assert_eq!(names(&report.removed), ["a", "z"]);
    assert_eq!(report.failed[0].0.name(), "held");
    assert!(matches!(report.failed[0].1, CacheError::LockTimeout { .. }));
    assert_eq!(names(&cache.list().unwrap()), ["held"]);
}

#[test]
fn the_private_files_of_a_killed_writer_are_removed() {
    let root = Root::new();
    let cache = root.cache();
    write(&cache, &source(), 1).unwrap();
    let mut other = root.child().start();
    assert_eq!(other.ask("foreign lock studio"), "done");
    assert_eq!(other.ask("foreign fill studio"), "done");
    // It waits for the lock with its value and its own lock written; by its clock the other's stays young.
    let mut writer = root.child().set(CLOCK_AHEAD, "-3600").start();
    writer.say("write studio 2 visible");
    let began = std::time::Instant::now();
    let is_temp = |name: &String| name.starts_with('.') && name.ends_with(".tmp");
    while root.names().into_iter().filter(is_temp).count() < 2 {
        assert!(began.elapsed() < LONG, "the private files do not appear");
        std::thread::yield_now();
    }
    writer.kill();
    assert_eq!(other.ask("foreign unlock studio"), "unlocked");
    assert_eq!(cache.prune(&["studio"]).unwrap().temp_files, 2);
    assert_eq!(root.names(), [".guard", "studio.json"]);
    assert_eq!(stored(&cache, &source()), Some(1));
}

#[test]
fn prune_with_a_name_that_cannot_be_a_source_removes_nothing() {
    let root = Root::new();
    let cache = root.cache();
    write(&cache, &source(), 1).unwrap();
    assert!(matches!(cache.prune(&["studio", "../x"]), Err(CacheError::Name(_))));
    assert!(matches!(cache.prune(&["../x"]), Err(CacheError::Name(_))));
    assert_eq!(stored(&cache, &source()), Some(1));
}

#[test]
fn a_missing_cache_has_nothing_to_prune() {
    let root = Root::new();
    let report = root.cache().prune::<&str>(&[]).unwrap();
    assert!(report.removed.is_empty() && report.failed.is_empty() && report.temp_files == 0);
    assert!(!root.path().join("runtime").exists());
}
