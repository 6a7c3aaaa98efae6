//! What must hold for any bytes at all, one module a fuzz target.
//!
//! Each `check` panics where it does not hold. `cargo xtask fuzz` runs them with libFuzzer; the tests here run
//! them on the corpus without.

pub mod input;
pub mod invariants;
pub mod packed;
pub mod profile_toml;
pub mod response;
pub mod seeds;
pub mod signal;
#[cfg(test)]
mod tests;
