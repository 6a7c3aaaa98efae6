//! The pure logic of runtime-signals: what provider responses say, what follows from it, how it is written.
//!
//! Sans-I/O: no clock, no network, no disk. Every time, response and outcome comes in as a value. The same
//! core runs natively in tests and inside the sandboxed component in production, with equal answers.
//!
//! The way of one observation: packed bytes ([`packed`]) → the fields its [`profile`] names → what the
//! response says ([`reading`]) → the state of its provider ([`provider`]) → a judgement at a given time
//! ([`signal`]) → JSON ([`json`]), merged with what other processes stored ([`merge`]).
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod body;
pub mod call;
pub mod edge;
pub mod evidence;
pub mod json;
pub mod latency;
pub mod limit;
pub mod merge;
pub mod packed;
pub mod profile;
#[cfg(test)]
mod properties;
pub mod provider;
pub mod reading;
pub mod refusal;
mod scope;
pub mod signal;
mod state;
pub mod store;
pub mod tag;
#[cfg(test)]
mod testing;
pub mod text;
pub mod wait;
pub mod window;

pub use latency::LatencyWindow;
pub use runtime_signals_values::{Time, number, time};
pub use signal::Signal;
pub use store::Store;
