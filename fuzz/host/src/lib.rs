//! What must hold for any bytes that the host reads, one module a fuzz target.
//!
//! Each `check` panics where it does not hold. `cargo xtask fuzz` runs them with libFuzzer; the tests here run them on
//! the corpus without.

pub mod component;
pub mod config;
pub mod lines;
pub mod parsers_lock;
pub mod proxy;
pub mod quota;
pub mod shared;
pub mod side_files;
pub mod statusline;
pub mod unpacked;

mod scratch;
#[cfg(test)]
mod tests;

/// Panics where something does not hold for these bytes.
pub type Check = fn(&[u8]);

/// The targets by name: `xtask/src/fuzz.rs` lists them too.
pub const TARGETS: [(&str, Check); 10] = [
    ("component", component::check),
    ("config", config::check),
    ("lines", lines::check),
    ("parsers_lock", parsers_lock::check),
    ("proxy", proxy::check),
    ("quota", quota::check),
    ("shared", shared::check),
    ("side_files", side_files::check),
    ("statusline", statusline::check),
    ("unpacked", unpacked::check),
];

/// Longest message about what was refused, in bytes: a person reads it, and it goes to logs.
const MOST_MESSAGE_BYTES: usize = 2_000;

/// What was refused has a message of a length that can be read.
fn refused(message: &str) {
    assert!(!message.is_empty());
    assert!(message.len() <= MOST_MESSAGE_BYTES, "{} bytes: {message}", message.len());
}
