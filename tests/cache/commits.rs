//! Commits: none that succeeded is lost, and a killed or stopped writer takes nothing with it.

use std::sync::mpsc::channel;
use std::time::Instant;

use runtime_signals::cache::{
    CacheError, CacheOptions, Committed, Decision, Durability, LOCK_TIMEOUT, cache_source,
};

use super::support::{
    LONG, Root, WatchedClock, cache_error, newest, patient, patient_but_for_locks, record, source, stored,
    write,
};

#[test]
fn of_writes_from_two_threads_in_two_processes_each_none_that_succeeded_is_lost() {
    const TIMES: u64 = 40;
    let root = Root::new();
    let mut writers = [root.child().start(), root.child().start()];
    for writer in &mut writers {
        writer.say(&format!("add studio {TIMES}"));
    }
    for writer in &writers {
        assert_eq!(writer.hear(), format!("added {}", 2 * TIMES));
    }
    assert_eq!(stored(&root.cache(), &source()), Some(4 * TIMES));
    assert_eq!(root.names(), [".guard", "studio.json"]);
}

#[test]
fn an_older_version_never_replaces_a_newer_one_of_another_process() {
    let root = Root::new();
    let mut other = root.child().start();
    assert_eq!(other.ask("write studio 7 durable"), "written");
    assert_eq!(write(&root.cache(), &source(), 6).unwrap(), Committed::Kept);
    assert_eq!(other.ask("write studio 5 durable"), "kept");
    assert_eq!(write(&root.cache(), &source(), 7).unwrap(), Committed::Written);
    assert_eq!(stored(&root.cache(), &source()), Some(7));
}

#[test]
fn a_writer_killed_between_its_lock_and_its_write_leaves_the_old_version_and_blocks_no_one() {
    let root = Root::new();
    // By this clock the lock it leaves does not grow old.
    let cache = root.cache_with(CacheOptions { clock: WatchedClock::new(-3600), ..patient() });
    write(&cache, &source(), 1).unwrap();
    let mut writer = root.child().start();
    assert_eq!(writer.ask("hold studio 2"), "held");
    writer.kill();
    assert!(root.file("studio.lock").exists());
    assert_eq!(stored(&cache, &source()), Some(1));

    let began = Instant::now();
    assert_eq!(write(&cache, &source(), 3).unwrap(), Committed::Written);
    assert!(began.elapsed() < LONG / 2, "waited for a dead process");
    assert_eq!(stored(&cache, &source()), Some(3));
    assert!(!root.file("studio.lock").exists());
}

#[test]
fn a_writer_stopped_under_the_lock_blocks_others_for_one_time_out_and_readers_not_at_all() {
    let root = Root::new();
    let cache = root.cache_with(patient_but_for_locks());
    write(&cache, &source(), 1).unwrap();
    let mut writer = root.child().start();
    assert_eq!(writer.ask("hold studio 3"), "held");
    writer.stop();

    let began = Instant::now();
    let error = cache_error(write(&cache, &source(), 2));
    assert!(began.elapsed() >= LOCK_TIMEOUT);
    assert!(matches!(&error, CacheError::LockTimeout { path, .. } if path.ends_with(".guard")), "{error}");
    assert_eq!(stored(&cache, &source()), Some(1));

    writer.resume();
    assert_eq!(writer.ask("go on"), "written");
    assert_eq!(stored(&cache, &source()), Some(3));
    assert_eq!(write(&cache, &source(), 4).unwrap(), Committed::Written);
}

#[test]
fn a_slow_decision_holds_up_no_other_process() {
    let root = Root::new();
    let cache = root.cache();
    let mut other = root.child().start();
    let slow = cache.commit(&source(), Durability::Visible, {
        let mut asked = 0;
        move |stored| {
            asked += 1;
            if asked == 1 {
                // Another process commits while this one still thinks.
                assert_eq!(other.ask("write studio 5 visible"), "written");
            }
            newest(4)(stored)
        }
    });
    assert_eq!(slow.unwrap(), Committed::Kept);
    assert_eq!(stored(&cache, &source()), Some(5));
}

#[test]
fn a_thread_stuck_in_its_decision_holds_up_no_other_thread() {
    let root = Root::new();
    let cache = root.cache_with(patient_but_for_locks());
    let (go_on, told) = channel::<()>();
    let (sender, stuck) = channel();
    std::thread::scope(|scope| {
        let slow = scope.spawn(|| {
            cache.commit(&source(), Durability::Visible, move |stored| {
                sender.send(()).unwrap();
                told.recv().unwrap_or_default();
                newest(1)(stored)
            })
        });
        stuck.recv_timeout(LONG).unwrap();
        assert_eq!(write(&cache, &source(), 2).unwrap(), Committed::Written);
        drop(go_on);
        assert_eq!(slow.join().unwrap().unwrap(), Committed::Kept);
    });
    assert_eq!(stored(&cache, &source()), Some(2));
}

#[test]
fn a_failed_decision_writes_nothing_and_is_handed_back() {
    let root = Root::new();
    let cache = root.cache();
    write(&cache, &source(), 1).unwrap();
    let failed = cache.commit(&source(), Durability::Durable, |_| Err("the engine trapped"));
    let text = failed.unwrap_err().to_string();
    assert!(text.contains("nothing was written") && text.contains("the engine trapped"), "{text}");
    assert_eq!(stored(&cache, &source()), Some(1));
    assert_eq!(root.names(), [".guard", "studio.json"]);
}

#[test]
fn a_value_larger_than_readers_accept_is_refused() {
    let root = Root::new();
    let cache = root.cache();
    let large = cache.commit(&source(), Durability::Visible, |_| {
        Ok::<_, String>(Decision::Write(vec![b'x'; 1024 * 1024 + 1]))
    });
    assert!(matches!(cache_error(large), CacheError::TooLarge { bytes: 1_048_577, .. }));
    assert_eq!(cache.read(&source()).unwrap(), None);
}

#[test]
fn an_entry_that_changes_whenever_it_is_looked_at_is_given_up_with_an_error() {
    let root = Root::new();
    let cache = root.cache();
    let path = cache.path(&source());
    let mut version = 0;
    let contended = cache.commit(&source(), Durability::Visible, move |_| {
        version += 1;
        let temp = path.with_extension("elsewhere");
        std::fs::write(&temp, record(version)).unwrap();
        std::fs::rename(temp, &path).unwrap();
        Ok::<_, String>(Decision::Write(record(99)))
    });
    let error = cache_error(contended);
    assert!(matches!(error, CacheError::Contended { attempts: 8, .. }), "{error}");
    assert_eq!(stored(&cache, &source()), Some(8));
    assert_eq!(root.names(), [".guard", "studio.json"]);
}

#[test]
fn a_cache_directory_removed_between_commits_is_made_again() {
    let root = Root::new();
    let cache = root.cache();
    write(&cache, &source(), 1).unwrap();
    std::fs::remove_dir_all(root.path().join("runtime")).unwrap();
    write(&cache, &source(), 2).unwrap();
    assert_eq!(stored(&cache, &source()), Some(2));
}

#[test]
fn providers_with_similar_names_do_not_meet() {
    let root = Root::new();
    let cache = root.cache();
    let names = ["a", "a.json", "a.lock", "a.refreshing", "a.json.tmp", "A", "ä"];
    for (version, name) in (1..).zip(names) {
        write(&cache, &cache_source(name).unwrap(), version).unwrap();
    }
    for (version, name) in (1..).zip(names) {
        assert_eq!(stored(&cache, &cache_source(name).unwrap()), Some(version), "{name}");
    }
    assert_eq!(cache.list().unwrap().len(), names.len());
}
