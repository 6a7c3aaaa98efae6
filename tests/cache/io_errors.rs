//! Input/output errors at each system call of the cache in turn, and life after them.

use std::time::Instant;

use super::support::{Child, LONG, Root, source, stored};
use crate::io_errors::IoErrors;

/// What the cache asks of the system.
const CALLS: [&str; 9] =
    ["openat", "read", "write", "statx", "fsync", "flock", "linkat", "renameat,renameat2", "unlinkat"];
/// More calls of one kind than any operation makes.
const MOST: u32 = 40;

/// Has the thread do something with an error at each call of each kind in turn. `check` gets the answer, and goes on
/// without errors. Tells at how many calls there was one.
fn at_each_call(
    child: &mut Child,
    ask: impl Fn(u32) -> String,
    mut check: impl FnMut(&mut Child, u32, &str),
) -> u32 {
    let thread = child.ask("thread").parse().unwrap();
    let (mut turns, mut errors) = (0, 0);
    for calls in CALLS {
        for nth in 1..=MOST {
            let failing = IoErrors::in_thread(thread, calls, Some(nth));
            let answer = child.ask(&format!("in-thread {}", ask(turns)));
            let failed = failing.end();
            check(child, turns, &answer);
            turns += 1;
            if failed == 0 {
                break;
            }
            assert!(nth < MOST, "{calls}");
            errors += 1;
        }
    }
    errors
}

/// A lock whose removal failed may stand until it is old.
fn write_at_last(child: &mut Child, version: u32) {
    let began = Instant::now();
    loop {
        let answer = child.ask(&format!("in-thread write studio {version} durable"));
        if answer == "written" {
            return;
        }
        assert!(answer.contains("is held by process") && began.elapsed() < LONG, "{answer}");
    }
}

#[test]
fn an_error_of_the_disk_at_any_call_of_a_commit_is_told_and_changes_nothing_and_the_next_commit_is_as_any() {
    let root = Root::new();
    let cache = root.cache();
    let mut child = root.child().set("FIZ_LOCK_TIMEOUT", "100ms").start();
    assert_eq!(child.ask("write studio 1 durable"), "written");
    let mut failed = 0;
    let errors = at_each_call(
        &mut child,
        |turn| format!("write studio {} durable", turn * 2 + 2),
        |child, turn, answer| {
            let (before, written, after) = (turn * 2 + 1, turn * 2 + 2, turn * 2 + 3);
            if answer == "written" {
                assert_eq!(stored(&cache, &source()), Some(written.into()));
            } else {
                failed += 1;
                assert!(
                    answer.starts_with("error: cannot ") && answer.contains("Input/output error"),
                    "{answer}"
                );
                assert!(answer.contains(root.path().to_str().unwrap()), "it names no file: {answer}");
                assert_eq!(stored(&cache, &source()), Some(before.into()), "{answer}");
            }
            write_at_last(child, after);
        },
    );
    println!("{errors} errors, {failed} commits failed");
    assert!(failed >= 12, "{failed} of {errors}");
    child.kill();
    cache.prune(&["studio"]).unwrap();
    assert_eq!(root.names(), [".guard", "studio.json"]);
}

#[test]
fn an_error_of_the_disk_at_any_call_of_a_read_is_told_and_the_next_read_is_as_any() {
    let root = Root::new();
    let mut child = root.child().start();
    assert_eq!(child.ask("write studio 1 durable"), "written");
    let mut failed = 0;
    at_each_call(
        &mut child,
        |_| "read studio".to_owned(),
        |child, _, answer| {
            if answer != "Some(1)" {
                failed += 1;
                assert!(answer.starts_with("error: cannot ") && answer.contains("studio.json"), "{answer}");
            }
            assert_eq!(child.ask("in-thread read studio"), "Some(1)");
        },
    );
    assert!(failed >= 2, "{failed}");
}

#[test]
fn an_error_of_the_disk_at_any_call_of_a_prune_is_told_and_the_next_prune_removes_what_is_left() {
    let root = Root::new();
    let mut child = root.child().set("FIZ_LOCK_TIMEOUT", "100ms").start();
    assert_eq!(child.ask("write studio 1 visible"), "written");
    let errors = at_each_call(
        &mut child,
        |_| "prune kept".to_owned(),
        |child, _, answer| {
            assert!(answer.starts_with("error: cannot ") || answer.starts_with("pruned "), "{answer}");
            let began = Instant::now();
            while child.ask("in-thread prune kept").ends_with("failed 1") {
                assert!(began.elapsed() < LONG, "it cannot be pruned any more");
            }
            assert!(!root.file("studio.json").exists());
            write_at_last(child, 1);
        },
    );
    assert!(errors >= 10, "{errors}");
    child.kill();
    root.cache().prune::<&str>(&[]).unwrap();
    assert_eq!(root.names(), [".guard"]);
}
