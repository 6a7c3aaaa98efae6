//! Numbers, spans and points in time, as providers write them in headers.
//!
//! The engine and parser components read by the same code. Nothing here allocates.
#![no_std]
#![forbid(unsafe_code)]

#[cfg(test)]
extern crate alloc;

pub mod number;
pub mod time;
mod word;

pub use time::Time;
pub use word::Text;
