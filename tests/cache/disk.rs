//! Disks that fill up, turn read-only, lose permissions or directories, and clocks that jump, under a process that
//! goes on: what it says, and that it recovers by itself.

use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::Path;
use std::time::{Duration, Instant};

use runtime_signals::cache::{CacheOptions, CommitError, Committed, Durability, Refreshed, cache_source};

use super::support::{
    Child, LONG, Root, cache_error, commit_version, newest, patient, record, refresh_behind, source, stored,
    version_of, version_stored, write,
};
use crate::small_disk::{self, SmallDisk};
use crate::support::ManualClock;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// A child on a small disk, on which version 7 is stored.
fn on_small_disk(root: &Root) -> (Child, SmallDisk) {
    let mut child = root.child().on_small_disk(root).set("FIZ_REFRESH_DEADLINE_RUNTIME", "200ms").start();
    assert_eq!(child.ask("write studio 7 durable"), "written");
    let disk = SmallDisk::of(child.id(), root.path());
    (child, disk)
}

fn version_on(disk: &SmallDisk) -> Option<u64> {
    version_of(&std::fs::read(disk.path("runtime/studio.json")).unwrap())
}

/// A marker that could not be removed is stale after three refresh deadlines.
fn refresh_at_last(child: &mut Child) {
    let began = Instant::now();
    while child.ask("refresh studio") != "working" {
        assert!(began.elapsed() < LONG, "it does not refresh any more");
    }
    assert_eq!(child.ask("finish 20"), "here 20");
}

#[test]
fn a_full_disk_refuses_commits_and_refreshes_and_both_work_again_when_there_is_space() {
    if !small_disk::can_be_had() {
        return;
    }
    let root = Root::new();
    let (mut child, disk) = on_small_disk(&root);
    disk.fill();
    for command in
        ["write studio 8 visible", "write studio 8 durable", "write other 8 visible", "refresh studio"]
    {
        let answer = child.ask(command);
        assert!(answer.contains("cannot write ") && answer.contains("free some space"), "{answer}");
        assert_eq!(version_on(&disk), Some(7));
        assert_eq!(child.ask("read studio"), "Some(7)");
        assert_eq!(disk.names("runtime"), [".guard", "studio.json"], "after {command}");
    }
    disk.free();
    assert_eq!(child.ask("write studio 9 durable"), "written");
    assert_eq!(version_on(&disk), Some(9));
    refresh_at_last(&mut child);
}

#[test]
fn a_disk_that_fills_up_during_a_refresh_leaves_no_refresh_behind_that_blocks_for_good() {
    if !small_disk::can_be_had() {
        return;
    }
    let root = Root::new();
    let (mut child, disk) = on_small_disk(&root);
    assert_eq!(child.ask("refresh studio"), "working");
    disk.fill();
    let answer = child.ask("finish 8");
    assert!(answer.starts_with("failed: ") && answer.contains("free some space"), "{answer}");
    assert_eq!(version_on(&disk), Some(7));
    disk.free();
    refresh_at_last(&mut child);
    assert_eq!(version_on(&disk), Some(20));
}

#[test]
fn a_disk_that_turns_read_only_refuses_what_would_change_it_is_read_on_and_recovers() {
    if !small_disk::can_be_had() {
        return;
    }
    let root = Root::new();
    let (mut child, disk) = on_small_disk(&root);
    disk.turn_read_only();
    for command in ["write studio 8 durable", "write other 8 visible", "refresh studio"] {
        let answer = child.ask(command);
        assert!(answer.contains("cannot ") && answer.contains("on a writable file system"), "{answer}");
        assert_eq!(child.ask("read studio"), "Some(7)");
    }
    assert_eq!(child.ask("prune kept"), "pruned 0 failed 1");
    disk.turn_writable();
    assert_eq!(child.ask("write studio 9 durable"), "written");
    refresh_at_last(&mut child);
    assert_eq!(disk.names("runtime"), [".guard", "studio.json"]);
}

#[test]
fn permissions_that_are_lost_and_given_back_need_no_restart() {
    let root = Root::new();
    let tier = root.path().join("runtime");
    std::fs::create_dir(&tier).unwrap();
    let mode = |path: &Path, mode| std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
    mode(root.path(), 0o755);
    if rustix::process::geteuid().is_root() {
        chown(&tier, Some(65_534), Some(65_534)).unwrap();
    }
    let mut child = root.child().start();
    assert_eq!(child.ask("drop-rights"), "dropped");
    assert_eq!(child.ask("write studio 7 durable"), "written");

    mode(&tier, 0o555);
    let answer = child.ask("write studio 8 durable");
    assert!(
        answer.starts_with("error: cannot create a file in ") && answer.contains("accessible"),
        "{answer}"
    );
    assert_eq!(child.ask("read studio"), "Some(7)");
    mode(&tier, 0o000);
    for command in ["read studio", "write studio 8 visible", "refresh studio", "prune kept"] {
        let answer = child.ask(command);
        assert!(answer.contains("cannot ") && answer.contains("make it accessible to this user"), "{answer}");
    }
    mode(&tier, 0o750);
    assert_eq!(child.ask("read studio"), "Some(7)");
    assert_eq!(child.ask("write studio 9 durable"), "written");
    refresh_at_last(&mut child);
}

#[test]
fn a_directory_that_is_removed_or_replaced_in_the_middle_of_a_commit_is_told_and_the_next_commit_is_as_any() {
    for replaced in [false, true] {
        let root = Root::new();
        let cache = root.cache();
        write(&cache, &source(), 1).unwrap();
        let tier = root.path().join("runtime");
        let moved = root.path().join("moved");
        let mut once = Some((tier.clone(), moved.clone()));
        let committed = cache.commit(&source(), Durability::Durable, move |stored| {
            if let Some((tier, moved)) = once.take() {
                if replaced {
                    std::fs::rename(&tier, moved).unwrap();
                    std::fs::create_dir(&tier).unwrap();
                    std::fs::write(tier.join("studio.json"), record(5)).unwrap();
                } else {
                    std::fs::remove_dir_all(tier).unwrap();
                }
            }
            newest(2)(stored)
        });
        // Never success for what nobody can find.
        let error = cache_error(committed);
        assert!(
            error.to_string().contains("the cache directory was removed meanwhile: try again"),
            "{error}"
        );
        assert_eq!(stored(&cache, &source()), replaced.then_some(5));
        assert_eq!(write(&cache, &source(), 6).unwrap(), Committed::Written);
        assert_eq!(stored(&cache, &source()), Some(6));
        if replaced {
            assert_eq!(version_of(&std::fs::read(moved.join("studio.json")).unwrap()), Some(1));
        }
    }
}

#[test]
fn a_directory_that_is_removed_during_a_refresh_is_made_again_by_its_commit() {
    let root = Root::new();
    let cache = root.cache();
    let mut child = root.child().start();
    assert_eq!(child.ask("refresh studio"), "working");
    std::fs::remove_dir_all(root.path().join("runtime")).unwrap();
    assert_eq!(child.ask("finish 8"), "here 8");
    assert_eq!(stored(&cache, &source()), Some(8));
    assert_eq!(root.names(), [".guard", "studio.json"]);
}

#[test]
fn a_link_in_the_place_of_the_guard_is_an_error_and_is_not_followed() {
    let root = Root::new();
    let cache = root.cache();
    write(&cache, &source(), 1).unwrap();
    let victim = root.path().join("victim");
    std::fs::write(&victim, "precious").unwrap();
    std::fs::remove_file(root.file(".guard")).unwrap();
    symlink(&victim, root.file(".guard")).unwrap();
    let error = cache_error(write(&cache, &source(), 2)).to_string();
    assert!(error.contains(".guard") && error.contains("a symbolic link is in its place"), "{error}");
    let refused = refresh_behind(&cache, commit_version(cache.clone(), 2)).join().unwrap().unwrap_err();
    assert!(refused.error.to_string().contains("a symbolic link is in its place"), "{refused}");
    assert_eq!(version_stored(refused.stored.as_ref()), Some(1));
    assert_eq!(std::fs::read_to_string(&victim).unwrap(), "precious");
    std::fs::remove_file(root.file(".guard")).unwrap();
    assert_eq!(write(&cache, &source(), 2).unwrap(), Committed::Written);
}

#[test]
fn a_link_in_the_place_of_the_directory_is_followed_and_one_that_leads_nowhere_is_an_error() {
    let root = Root::new();
    let cache = root.cache();
    let elsewhere = root.path().join("elsewhere");
    symlink(&elsewhere, root.path().join("runtime")).unwrap();
    let error = cache_error(write(&cache, &source(), 1)).to_string();
    assert!(error.contains("runtime") && error.contains("a symbolic link that leads nowhere"), "{error}");
    assert!(!elsewhere.exists());
    std::fs::create_dir(&elsewhere).unwrap();
    assert_eq!(write(&cache, &source(), 1).unwrap(), Committed::Written);
    assert_eq!(version_of(&std::fs::read(elsewhere.join("studio.json")).unwrap()), Some(1));
}

#[test]
fn a_clock_that_jumps_a_day_either_way_blocks_no_commit_and_no_refresh() {
    for forward in [true, false] {
        let root = Root::new();
        let clock = ManualClock::at_present();
        let jump = |by: Duration, back: bool| {
            let now = runtime_signals::clock::Clock::now(&*clock);
            clock.set(if back { now - by } else { now + by });
        };
        let options = CacheOptions { clock: clock.clone(), ..patient() };
        let cache = root.cache_with(options);
        write(&cache, &source(), 1).unwrap();
        let modified = cache.read(&source()).unwrap().unwrap().modified;
        assert!(cache.freshness(modified, modified).fresh);
        jump(DAY, !forward);
        // It is there, and told to be stale: by its age, or for being from the future.
        assert!(!cache.freshness(modified, modified).fresh);
        assert_eq!(stored(&cache, &source()), Some(1));
        assert_eq!(write(&cache, &source(), 2).unwrap(), Committed::Written);
        let refreshed = refresh_behind(&cache, commit_version(cache.clone(), 3)).join().unwrap();
        assert_eq!(refreshed.unwrap(), Refreshed::Here(3));
        jump(DAY, forward);
        let modified = cache.read(&source()).unwrap().unwrap().modified;
        assert!(cache.freshness(modified, modified).fresh);
        assert_eq!(write(&cache, &source(), 4).unwrap(), Committed::Written);
        assert_eq!(root.names(), [".guard", "studio.json"]);
    }
}

#[test]
fn a_clock_that_jumps_a_day_in_the_middle_of_a_commit_or_a_refresh_harms_neither() {
    for back in [true, false] {
        let root = Root::new();
        let clock = ManualClock::at_present();
        let cache = root.cache_with(CacheOptions { clock: clock.clone(), ..patient() });
        let jumps = clock.clone();
        let jump = move || {
            let now = runtime_signals::clock::Clock::now(&*jumps);
            jumps.set(if back { now - DAY } else { now + DAY });
        };
        let in_commit = jump.clone();
        let committed = cache.commit(&source(), Durability::Visible, move |stored| {
            in_commit();
            newest(2)(stored)
        });
        assert_eq!(committed.unwrap(), Committed::Written);

        // By the new time the marker is a day old, or from tomorrow: it goes with its refresh all the same.
        let (work, other) = (cache.clone(), cache_source("other").unwrap());
        let refreshed = refresh_behind(&cache, async move {
            jump();
            write(&work, &other, 1).map_err(|error: CommitError<String>| error.to_string())?;
            commit_version(work, 3).await
        });
        assert_eq!(refreshed.join().unwrap().unwrap(), Refreshed::Here(3));
        assert_eq!(stored(&cache, &source()), Some(3));
        assert_eq!(root.names(), [".guard", "other.json", "studio.json"]);
    }
}
