use std::fs;
use std::path::Path;

use crate::TARGETS;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// Checks all files of a folder, and tells how many there are.
fn check_all(folder: &Path, check: fn(&[u8])) -> usize {
    let files = fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap().path());
    files.map(|file| check(&fs::read(file).unwrap())).count()
}

#[test]
fn every_seed_and_everything_that_was_found_before_passes() {
    for (target, check) in TARGETS {
        assert!(check_all(&Path::new(FOLDER).join("corpus").join(target), check) > 0, "{target}");
        check_all(&Path::new(FOLDER).join("regressions").join(target), check);
    }
}

#[test]
fn any_short_bytes_pass() {
    for bytes in [&b""[..], b"\x1e", b"{}", b"[]", b"\n\n", b"\xff\xff\xff\xff\xff", b"\0asm\x0d\0\x01\0"] {
        TARGETS.iter().for_each(|(_, check)| check(bytes));
    }
}
