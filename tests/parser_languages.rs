//! Parsers in JavaScript and Python, as `cargo xtask parsers` builds them.

use std::path::Path;

use runtime_signals::StoreOptions;
use runtime_signals::parsers::{Candidate, Inspection, Options, ParserLimits};
use runtime_signals::{Store, parsers};

use crate::support::{ManualClock, options};

/// What there is to know of a component that is given the limits of one that carries an interpreter.
fn inspect(file: &str) -> Result<Inspection, parsers::ParserError> {
    let path = Path::new(env!("RUNTIME_SIGNALS_ENGINE_WASM")).with_file_name("parsers").join(file);
    let bytes = std::fs::read(path).unwrap();
    let state = tempfile::tempdir().unwrap();
    let own = Options {
        state_dir: Some(state.path().join("state")),
        allow_unsigned: true,
        limits: ParserLimits::large(),
        ..Options::default()
    };
    let store =
        Store::with_options(StoreOptions { parsers: Some(own), ..options(&ManualClock::new()) }).unwrap();
    store.parsers().unwrap().inspect(&Candidate::new(bytes, None, file))
}

#[track_caller]
fn reads_without_imports(file: &str, name: &str) {
    let found = inspect(file).unwrap();
    assert_eq!(
        (found.name.as_str(), found.version.as_str(), found.interface.as_str()),
        (name, "1.0.0", "0.1.0")
    );
    assert_eq!((found.imports.as_slice(), found.cases.len()), (&[][..], 3));
    assert!(found.passed(), "{:?}", found.cases);
    println!(
        "{file}: {} bytes, {} bytes of memory, {} ns a call",
        found.bytes, found.memory_bytes, found.call_ns
    );
}

#[test]
#[ignore = "built by `cargo xtask parsers`"]
fn a_parser_in_javascript_reads_its_cases_without_any_import() {
    reads_without_imports("acme-js.wasm", "acme-js");
}

#[test]
#[ignore = "built by `cargo xtask parsers`"]
fn a_parser_in_python_reads_its_cases_without_any_import() {
    reads_without_imports("acme-python.wasm", "acme-python");
}

#[test]
#[ignore = "built by `cargo xtask parsers`"]
fn a_parser_that_imports_wasi_is_refused_unless_its_key_allows_it() {
    let refused = inspect("acme-python-wasi.wasm").unwrap_err().to_string();
    assert!(refused.to_lowercase().contains("wasi"), "{refused}");
}
