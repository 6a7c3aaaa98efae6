//! How the responses of a provider type are read, as data.
//!
//! A profile names the headers that a provider sends and what each means, and the marks by which its
//! refusals are told apart. It is written as a small TOML file, the built-in ones as well as a user's own
//! ([`toml`], with the feature of that name), and carried into the sandbox in a compact form ([`carry`] for
//! one, [`set`] for all that are built in).
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

#[doc(hidden)]
pub use alloc::vec::Vec;
#[cfg(any(test, feature = "toml"))]
extern crate std;

pub mod bounds;
pub mod carry;
mod model;
pub mod set;
#[cfg(feature = "toml")]
pub mod toml;
mod words;

pub use model::{
    BodyUse, Edge, Effect, Header, LimitRule, Meaning, NameMatch, Profile, Quantity, Refill, RefusalClass,
    RefusalRule, What,
};
