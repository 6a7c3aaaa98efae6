//! Names, links and directories that are not as they should be.

use std::os::unix::fs::{PermissionsExt, symlink};

use runtime_signals::cache::{Committed, NameError, Refreshed, SignalCache, cache_source};

use super::support::{
    Root, cache_error, commit_version, mode_of, patient_but_for_locks, refresh_behind, source, stored, write,
};

#[test]
fn an_unsafe_name_is_refused_before_anything_is_written() {
    let name = |name: &str| cache_source(name).unwrap_err();
    assert_eq!(name(""), NameError::Empty);
    assert_eq!(name(&"x".repeat(129)), NameError::TooLong { bytes: 129 });
    assert!(matches!(name("../../etc/passwd"), NameError::LeadingDot { .. }));
    assert!(matches!(name("a/b"), NameError::Separator { .. }));
    assert!(matches!(name("a\\b"), NameError::Separator { .. }));
    assert!(matches!(name("a\nb"), NameError::Control { .. }));
    let root = Root::new();
    let longest = cache_source(&"x".repeat(128)).unwrap();
    write(&root.cache(), &longest, 1).unwrap();
    assert_eq!(root.names().len(), 2);
}

#[test]
fn a_planted_link_is_replaced_and_never_followed() {
    let root = Root::new();
    let victim = root.path().join("victim");
    std::fs::write(&victim, "precious").unwrap();
    std::fs::create_dir(root.path().join("runtime")).unwrap();
    for side in ["studio.json", "studio.lock", "studio.refreshing", "studio.json.tmp"] {
        symlink(&victim, root.file(side)).unwrap();
    }
    let cache = root.cache_with(patient_but_for_locks());
    assert_eq!(cache.read(&source()).unwrap(), None);
    assert_eq!(write(&cache, &source(), 1).unwrap(), Committed::Written);
    let refreshed = refresh_behind(&cache, commit_version(cache.clone(), 2)).join().unwrap();
    assert_eq!(refreshed.unwrap(), Refreshed::Here(2));
    assert_eq!(stored(&cache, &source()), Some(2));
    assert_eq!(root.names(), [".guard", "studio.json", "studio.json.tmp"]);
    cache.prune::<&str>(&[]).unwrap();
    assert_eq!(root.names(), [".guard"]);
    assert_eq!(std::fs::read_to_string(&victim).unwrap(), "precious");
}

#[test]
fn missing_directories_are_made_with_their_modes_even_under_an_odd_umask() {
    for prelude in ["umask 0777", "umask 0000", "umask 0077"] {
        let root = Root::new();
        let below = root.path().join("a/b");
        let mut child = root.child().set("FIZEAU_CACHE_DIR", below.to_str().unwrap()).after(prelude).start();
        assert_eq!(child.ask("write studio 1 durable"), "written");
        assert_eq!(child.ask("refresh studio"), "working");
        let tier = below.join("runtime");
        for directory in [&root.path().join("a"), &below, &tier] {
            assert_eq!(mode_of(directory), 0o750, "{prelude}");
        }
        for file in ["studio.json", "studio.refreshing", ".guard"] {
            assert_eq!(mode_of(&tier.join(file)), 0o600, "{prelude}: {file}");
        }
        assert_eq!(child.ask("finish 2"), "here 2");
    }
}

#[test]
fn a_read_only_directory_is_an_error_that_names_it_and_what_to_do() {
    let root = Root::new();
    write(&root.cache(), &source(), 1).unwrap();
    let tier = root.path().join("runtime");
    std::fs::set_permissions(root.path(), PermissionsExt::from_mode(0o755)).unwrap();
    std::fs::set_permissions(&tier, PermissionsExt::from_mode(0o555)).unwrap();
    let mut child = root.child().start();
    assert_eq!(child.ask("drop-rights"), "dropped");
    let answer = child.ask("write other 2 durable");
    assert!(answer.starts_with("error: cannot create a file in "), "{answer}");
    assert!(answer.contains(tier.to_str().unwrap()) && answer.contains("FIZEAU_CACHE_DIR"), "{answer}");
    let answer = child.ask("refresh other");
    assert!(answer.starts_with("failed: cannot ") && answer.contains("FIZEAU_CACHE_DIR"), "{answer}");
    std::fs::set_permissions(&tier, PermissionsExt::from_mode(0o755)).unwrap();
    assert_eq!(stored(&root.cache(), &source()), Some(1));
}

#[test]
fn a_root_that_cannot_be_made_is_an_error_that_names_it() {
    let root = Root::new();
    std::fs::write(root.path().join("file"), "").unwrap();
    let cache = SignalCache::new(root.path().join("file/cache"));
    let error = cache_error(write(&cache, &source(), 1)).to_string();
    assert!(error.contains("file/cache") && error.contains("a part of this path is a file"), "{error}");
    let error = cache.read(&source()).unwrap_err().to_string();
    assert!(error.contains("file/cache"), "{error}");
}

#[test]
fn a_directory_in_the_place_of_an_entry_is_an_error_that_says_to_remove_it() {
    let root = Root::new();
    std::fs::create_dir_all(root.file("studio.json/below")).unwrap();
    let error = cache_error(write(&root.cache(), &source(), 1)).to_string();
    assert!(
        error.contains("studio.json") && error.contains("a directory is in its place: remove it"),
        "{error}"
    );
    assert_eq!(root.names(), [".guard", "studio.json"]);
}

/// The disk fills up in the middle of the file: here by the limit on file sizes, which needs no rights and no mount.
#[test]
fn a_disk_that_fills_up_leaves_the_old_version_and_no_private_file() {
    let root = Root::new();
    let cache = root.cache();
    write(&cache, &source(), 7).unwrap();
    let mut writer = root.child().after("trap '' XFSZ; ulimit -f 1").start();
    for durability in ["visible", "durable"] {
        let answer = writer.ask(&format!("write studio 8 {durability}"));
        assert!(answer.starts_with("error: cannot write "), "{answer}");
        assert!(answer.contains("what was stored is unchanged"), "{answer}");
    }
    assert_eq!(stored(&cache, &source()), Some(7));
    assert_eq!(root.names(), [".guard", "studio.json"]);
    // A value that fits is still stored.
    assert_eq!(writer.ask("write other 7 durable"), "written");
}

#[test]
fn the_settings_of_the_environment_reach_the_cache() {
    let root = Root::new();
    let mut child = root.child().set("FIZ_LOCK_TIMEOUT", "20ms").start();
    let stranger = root.child().start();
    let now = super::support::rfc3339(std::time::SystemTime::now());
    root.plant("studio.lock", format!(r#"{{"pid":{},"started_at":"{now}"}}"#, stranger.id()));
    let answer = child.ask("write studio 1 visible");
    assert!(answer.contains("is held by process") && answer.contains("nothing was changed"), "{answer}");
}
