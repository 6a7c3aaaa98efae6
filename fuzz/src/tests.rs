use std::fs;
use std::path::Path;

use runtime_signals_core::packed::observations;

use crate::{input, packed, profile_toml, response, signal};

type Check = fn(&[u8]);

const CRATE: &str = env!("CARGO_MANIFEST_DIR");

/// Checks all files of a folder, and tells how many there are.
fn check_all(folder: &Path, check: Check) -> usize {
    let files = fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap().path());
    files.map(|file| check(&fs::read(file).unwrap())).count()
}

#[test]
fn every_seed_and_everything_that_was_found_before_passes() {
    let targets: [(&str, Check); 4] = [
        ("response", response::check),
        ("signal", signal::check),
        ("packed", packed::check),
        ("profile_toml", profile_toml::check),
    ];
    for (target, check) in targets {
        assert!(check_all(&Path::new(CRATE).join("corpus").join(target), check) > 0, "{target}");
        check_all(&Path::new(CRATE).join("regressions").join(target), check);
    }
}

#[test]
fn any_short_bytes_pass() {
    for bytes in [&b""[..], b"\x1e\x1e\x1e\x1e\x1e", b"\n\n", b"generic 429", b"\xff \xff \xff\n\xff"] {
        for check in [response::check, signal::check, packed::check, profile_toml::check] {
            check(bytes);
        }
    }
}

#[test]
fn a_response_is_packed_as_its_text_says() {
    let text = b"openai 429 1768478400.5 350 gpt org\nretry-after: 20\n\n{}\x1eopenai 200";
    let calls = input::calls(text);
    assert_eq!(calls.len(), 2);
    let packed = calls[0].pack();
    let observation = observations(&packed).next().unwrap().unwrap();
    assert_eq!((observation.status, observation.body), (429, &b"{}"[..]));
    assert_eq!(observation.received_at.seconds(), 1_768_478_400);
    assert_eq!(observation.latency_ns, 350_000_000);
    assert_eq!(observation.frames.reserved().account, Some(&b"org"[..]));
    assert_eq!(observation.frames.reserved().model, Some(&b"gpt"[..]));
    assert_eq!(observation.frames.iter().last().unwrap().1, b"20");
    assert_eq!((calls[1].status, calls[1].body), (200, &b""[..]));
}
