//! The signal cache among processes: real ones, that are killed and stopped where it hurts.
//!
//! This binary starts itself as a child ([`child::act_as_a_child`]) and talks to it line by line. Nothing is timed by
//! sleeping: a child says where it stands, and a clock tells when it was looked at.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod child;
mod clocks;
mod commits;
mod directories;
mod disk;
mod foreign;
mod foreign_at_large;
mod foreign_program;
mod io_errors;
#[cfg(feature = "fault-points")]
mod kills;
mod locks;
mod prune;
mod reads;
mod refreshes;
mod refreshes_across_processes;
mod refreshes_under_load;
mod support;
mod worker;
