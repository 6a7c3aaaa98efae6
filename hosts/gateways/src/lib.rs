//! Starts real gateways with mock providers behind them. `cargo xtask test --gateways` installs the programs and says
//! by the environment where they are.
#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

pub mod client;
pub mod envoy;
pub mod mock;
pub mod program;
