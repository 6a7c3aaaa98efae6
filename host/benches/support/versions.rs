//! Two parser components that come after each other.

use std::path::Path;

/// The version that is built, and the next one.
pub(crate) const VERSIONS: [&str; 2] = ["1.0.0", "1.0.1"];

/// Two versions of the example, which differ in nothing else.
pub(crate) fn versions() -> [Vec<u8>; 2] {
    let file = Path::new(env!("RUNTIME_SIGNALS_ENGINE_WASM")).with_file_name("acme-parser.wasm");
    let first = std::fs::read(file).unwrap();
    let [from, to] = VERSIONS.map(str::as_bytes);
    let mut second = first.clone();
    for at in 0..second.len() - from.len() {
        if second[at..].starts_with(from) {
            second[at..at + to.len()].copy_from_slice(to);
        }
    }
    [first, second]
}
