//! Lock files that others left, or hold.

use std::sync::mpsc::channel;
use std::time::{Duration, Instant, SystemTime};

use runtime_signals::cache::{CacheError, CacheOptions, Committed, Decision, Durability, LOCK_TIMEOUT};

use super::support::{
    LONG, Root, WatchedClock, cache_error, dead_pid, patient, patient_but_for_locks, record, rfc3339, source,
    stored, write,
};

/// By a clock so far behind, no lock grows old while a test runs, however slow the machine is.
const STAYS_YOUNG: i64 = -3600;

fn lock_of(pid: u32, started: SystemTime) -> String {
    format!(r#"{{"pid":{pid},"started_at":"{}"}}"#, rfc3339(started))
}

/// Writes beside such a lock, by a clock so many seconds ahead and with time to wait that no one should need.
fn written_at_once_beside(lock: &str, ahead: i64) {
    let root = Root::new();
    let cache = root.cache_with(CacheOptions { clock: WatchedClock::new(ahead), ..patient() });
    let path = root.plant("studio.lock", lock);
    let began = Instant::now();
    assert_eq!(write(&cache, &source(), 1).unwrap(), Committed::Written);
    assert!(began.elapsed() < LONG / 2, "{lock}");
    assert!(!path.exists());
}

#[test]
fn a_dead_owners_lock_is_replaced_at_once() {
    written_at_once_beside(&lock_of(dead_pid(), SystemTime::now()), STAYS_YOUNG);
}

#[test]
fn an_old_lock_whose_process_number_is_used_again_is_replaced_at_once() {
    let root = Root::new();
    let stranger = root.child().start();
    written_at_once_beside(&lock_of(stranger.id(), SystemTime::now() - Duration::from_millis(2_100)), 0);
}

#[test]
fn a_young_lock_of_ours_whose_process_number_is_used_again_is_replaced_at_once() {
    if !cfg!(target_os = "linux") {
        return;
    }
    let root = Root::new();
    let stranger = root.child().start();
    let now = rfc3339(SystemTime::now());
    let started_with_the_machine = 1;
    written_at_once_beside(
        &format!(
            r#"{{"pid":{},"started_at":"{now}","nonce":"n","start":{started_with_the_machine}}}"#,
            stranger.id()
        ),
        STAYS_YOUNG,
    );
}

#[test]
fn an_empty_or_unreadable_lock_is_replaced_after_one_time_out() {
    for content in ["", "{\"pid\":", "not json"] {
        let root = Root::new();
        let cache = root.cache_with(patient_but_for_locks());
        let planted = SystemTime::now();
        root.plant("studio.lock", content);
        assert_eq!(write(&cache, &source(), 1).unwrap(), Committed::Written, "{content:?}");
        // The file's own time comes from a coarser clock.
        assert!(planted.elapsed().unwrap() >= LOCK_TIMEOUT - Duration::from_millis(15), "{content:?}");
    }
}

#[test]
fn a_live_owners_lock_is_waited_for_then_an_error_names_the_owner_and_the_lock_stays() {
    let root = Root::new();
    let owner = root.child().start();
    let cache = root.cache_with(patient_but_for_locks());
    let lock = lock_of(owner.id(), SystemTime::now());
    let path = root.plant("studio.lock", &lock);
    let began = Instant::now();
    let error = cache_error(write(&cache, &source(), 1));
    assert!(began.elapsed() >= LOCK_TIMEOUT);
    assert!(
        matches!(error, CacheError::LockTimeout { holder: Some(pid), .. } if pid == i64::from(owner.id())),
        "{error}"
    );
    assert_eq!(std::fs::read_to_string(path).unwrap(), lock);
    assert_eq!(cache.read(&source()).unwrap(), None);
    assert_eq!(root.names(), [".guard", "studio.lock"]);
}

#[test]
fn a_lock_that_its_owner_fills_after_making_it_is_waited_for_and_never_taken() {
    let root = Root::new();
    let cache = root.cache_with(CacheOptions { clock: WatchedClock::new(STAYS_YOUNG), ..patient() });
    write(&cache, &source(), 1).unwrap();
    let mut owner = root.child().start();
    assert_eq!(owner.ask("foreign lock studio"), "done");
    let (sender, asked) = channel();
    let commit = std::thread::spawn(move || {
        cache.commit(&source(), Durability::Visible, move |_| {
            sender.send(()).unwrap();
            Ok::<_, String>(Decision::Write(record(2)))
        })
    });
    asked.recv_timeout(LONG).unwrap();
    assert_eq!(owner.ask("foreign fill studio"), "done");
    assert_eq!(owner.ask("foreign unlock studio"), "unlocked");
    assert_eq!(commit.join().unwrap().unwrap(), Committed::Written);
    assert_eq!(stored(&root.cache(), &source()), Some(2));
}

#[test]
fn of_four_contenders_for_a_dead_owners_lock_never_two_hold_it() {
    const ROUNDS: u64 = 2_000;
    let root = Root::in_memory();
    let dead = lock_of(dead_pid(), SystemTime::now());
    for round in 0..ROUNDS {
        root.plant(&format!("contested-{round}.json"), record(0));
        root.plant(&format!("contested-{round}.lock"), &dead);
    }
    let mut contenders: Vec<_> = (0..4).map(|_| root.child().start()).collect();
    for contender in &mut contenders {
        contender.say(&format!("race {ROUNDS}"));
    }
    for contender in &contenders {
        assert_eq!(contender.hear(), format!("held {ROUNDS}"));
    }
    let cache = root.cache();
    let sources = cache.list().unwrap();
    assert_eq!(sources.len(), usize::try_from(ROUNDS).unwrap());
    assert!(sources.iter().all(|source| stored(&cache, source) == Some(4)), "a write was lost");
}
