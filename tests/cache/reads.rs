//! Reads take no lock and never see a torn file.

use super::support::{Root, record, source, stored, version_of, write};
use runtime_signals::cache::{Committed, Decision, Durability};

#[test]
fn a_hundred_readers_never_see_a_torn_version_while_a_hundred_are_written() {
    let root = Root::new();
    write(&root.cache(), &source(), 0).unwrap();
    let mut readers: Vec<_> = (0..10).map(|_| root.child().start()).collect();
    let mut writer = root.child().start();
    for reader in &mut readers {
        assert_eq!(reader.ask("read-until studio 100"), "reading");
    }
    assert_eq!(writer.ask("versions studio 100"), "done");
    for reader in &readers {
        let heard = reader.hear();
        let changes: u64 = heard.strip_prefix("whole ").unwrap_or_else(|| panic!("{heard}")).parse().unwrap();
        // Each of its ten threads saw the last version at least.
        assert!(changes >= 10, "{changes}");
    }
}

#[test]
fn a_broken_or_foreign_file_is_handed_over_as_it_is_and_replaced() {
    let whole = record(3);
    for content in [b"".as_slice(), b"{}", b"null", b"\xff\x00", &whole[..whole.len() - 1]] {
        let root = Root::new();
        let cache = root.cache();
        root.plant("studio.json", content);
        assert_eq!(cache.read(&source()).unwrap().unwrap().bytes, content);
        let expected = content.to_owned();
        let committed = cache.commit(&source(), Durability::Visible, move |stored| {
            assert_eq!(stored, Some(expected.as_slice()));
            assert_eq!(version_of(stored.unwrap()), None);
            Ok::<_, String>(Decision::Write(record(4)))
        });
        assert_eq!(committed.unwrap(), Committed::Written);
        assert_eq!(stored(&cache, &source()), Some(4));
    }
}

#[test]
fn a_file_too_large_for_a_signal_is_never_read_and_is_replaced() {
    let root = Root::new();
    let cache = root.cache();
    root.plant("studio.json", vec![b' '; 1024 * 1024 + 1]);
    assert_eq!(cache.read(&source()).unwrap(), None);
    let committed = cache.commit(&source(), Durability::Visible, |stored| {
        assert_eq!(stored, None);
        Ok::<_, String>(Decision::Write(record(1)))
    });
    assert_eq!(committed.unwrap(), Committed::Written);
    assert_eq!(stored(&cache, &source()), Some(1));
}

#[test]
fn a_missing_cache_has_no_entry_and_reading_makes_nothing() {
    let root = Root::new();
    let cache = root.cache();
    assert_eq!(cache.read(&source()).unwrap(), None);
    assert_eq!(cache.list().unwrap(), []);
    assert!(!root.path().join("runtime").exists());
}
