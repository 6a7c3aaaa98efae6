//! The service, through the real binary and real sockets.

mod bad_input;
pub(crate) mod client;
mod clock_jumps;
mod decisions;
mod disk_faults;
mod events;
mod grafana;
mod leases;
mod metrics;
mod observations;
mod on_change;
mod providers;
mod proxy;
mod proxy_bad_input;
mod refresh;
mod reload;
mod security;
mod signals;
mod start;
pub(crate) mod upstream;

pub(crate) use client::{ALONE, Service, configure};
