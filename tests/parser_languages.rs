//! Parsers in JavaScript and Python, as `cargo xtask parsers` builds them.

use std::path::Path;

use runtime_signals::parsers::{Inspection, Options, ParserError, TrustedKey};
use runtime_signals::{Store, StoreOptions};

use crate::parsers::Signer;
use crate::support::{ManualClock, options};

/// What there is to know of a component whose key has the limits of those that carry an interpreter.
fn inspect(file: &str, allow_wasi: bool) -> Result<Inspection, ParserError> {
    let path = Path::new(env!("RUNTIME_SIGNALS_ENGINE_WASM")).with_file_name("parsers").join(file);
    let signer = Signer::new();
    let candidate = signer.candidate(std::fs::read(path).unwrap(), file);
    let state = tempfile::tempdir().unwrap();
    let own = Options {
        state_dir: Some(state.path().join("state")),
        keys: vec![TrustedKey { large: true, allow_wasi, ..signer.trusted(&["acme"]) }],
        ..Options::default()
    };
    let store =
        Store::with_options(StoreOptions { parsers: Some(own), ..options(&ManualClock::new()) }).unwrap();
    store.parsers().unwrap().inspect(&candidate)
}

#[track_caller]
fn reads_its_cases(file: &str, name: &str, imports_wasi: bool) {
    let found = inspect(file, imports_wasi).unwrap();
    assert_eq!(
        (found.name.as_str(), found.version.as_str(), found.interface.as_str()),
        (name, "1.0.0", "0.1.0")
    );
    assert_eq!((!found.imports.is_empty(), found.cases.len()), (imports_wasi, 3), "{:?}", found.imports);
    assert!(found.passed(), "{:?}", found.cases);
    println!(
        "{file}: {} bytes, {} bytes of memory, {} ns a call",
        found.bytes, found.memory_bytes, found.call_ns
    );
}

#[test]
#[ignore = "built by `cargo xtask parsers`"]
fn a_parser_in_javascript_reads_its_cases_without_any_import() {
    reads_its_cases("acme-js.wasm", "acme-js", false);
}

#[test]
#[ignore = "built by `cargo xtask parsers`"]
fn a_parser_in_python_reads_its_cases_without_any_import() {
    reads_its_cases("acme-python.wasm", "acme-python", false);
}

#[test]
#[ignore = "built by `cargo xtask parsers`"]
fn a_parser_that_imports_wasi_reads_its_cases_where_its_key_allows_it() {
    reads_its_cases("acme-python-wasi.wasm", "acme-python", true);
}

#[test]
#[ignore = "built by `cargo xtask parsers`"]
fn a_parser_that_imports_wasi_is_refused_where_its_key_does_not_allow_it() {
    let refused = inspect("acme-python-wasi.wasm", false).unwrap_err().to_string();
    assert!(refused.contains("mark its key with `allow_wasi`"), "{refused}");
}
