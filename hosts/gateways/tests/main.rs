//! The plugins inside the real programs, one file a gateway.
#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

mod envoy;
mod envoy_faults;
mod envoy_reports;
mod sglang;
mod smg;
