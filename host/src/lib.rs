//! Can I send this request to this provider now; if not, when; and who can take it instead?
//!
//! Providers of large language models tell their limits in response headers, in dozens of dialects. This
//! library reads them in a sandboxed WebAssembly component, keeps one answer a provider in memory, and
//! writes it to a small cache on disk that other processes read and write at the same time.
//!
//! - [`Store`]: what is known in memory, and where more evidence comes from.
//! - [`Service`]: a store whose signals go to a [`SignalCache`].
//! - [`record_response`], [`collect`], [`observe`] and their kin: the same on one default service a process.
//!
//! What comes out is a [`Signal`]; what goes in is an [`Observation`].
#![deny(missing_docs)]

pub mod cache;
pub mod capture;
pub mod clock;
pub mod collector;
pub mod config;
pub mod demo;
pub mod engine;
pub mod forms;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
pub mod lease;
pub mod pace;
pub mod parsers;
pub mod probe;
pub mod profiles;
pub mod quota;
pub mod rank;
pub mod server;
pub mod shared;
pub mod statusline;
pub mod time;

mod cause;
mod error;
mod folders;
mod global;
mod loopback;
mod observation;
mod process_group;
mod redact;
mod service;
mod signal;
mod store;
mod wait;
mod write_behind;

pub use cache::{SignalCache, Source, cache_source};
pub use error::Error;
pub use global::{
    collect, default_service, observe, observe_response, read_cached, record_response, warmup, write,
};
pub use observation::{Counts, Headers, Observation};
pub use service::{CachedSignal, DiskTrouble, Service, WRITE_BEHIND, WriteOutcome};
pub use signal::{
    Cooldown, Effect, Latency, Limit, ModelStatus, Quantity, Reading, Reason, Refill, RefusalClass, Scope,
    Signal,
};
pub use store::{CollectInput, Store, StoreOptions};
pub use wait::{Binding, Need, Wait};

/// How long a refresh may take.
pub use cache::RUNTIME_REFRESH_DEADLINE;
/// How long a stored signal is fresh.
pub use cache::RUNTIME_TTL;
