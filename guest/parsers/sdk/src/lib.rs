//! What a parser component is made of.
//!
//! A parser turns one response of a provider into a reading: which limits it tells of, what is left of them, and when
//! to come back. It gets the headers that it asks for, and no other part of the world.
//!
//! ```
//! #![cfg_attr(target_arch = "wasm32", no_std)]
//!
//! use runtime_signals_parser_sdk::{Header, Limit, ParseError, Parser, Quantity, Reading, Response};
//!
//! const ALLOWED: Header = Header::exact(16, "x-acme-calls");
//! const LEFT: Header = Header::exact(17, "x-acme-calls-left");
//! const RENEWS: Header = Header::exact(18, "x-acme-renews");
//!
//! struct Acme;
//!
//! impl Parser for Acme {
//!     const PROVIDER_TYPES: &'static [&'static str] = &["acme"];
//!     const HEADERS: &'static [Header] = &[ALLOWED, LEFT, RENEWS];
//!
//!     fn parse(response: &Response<'_>) -> Result<Reading, ParseError> {
//!         let calls = Limit {
//!             limit: response.allowance(ALLOWED),
//!             remaining: response.count(LEFT),
//!             resets_at: response.reset(RENEWS),
//!             ..Limit::new(Quantity::Requests, response)
//!         };
//!         Ok(Reading::of(response, [calls]))
//!     }
//! }
//!
//! runtime_signals_parser_sdk::export!(Acme, cases = "");
//! # fn main() {}
//! ```
//!
//! Name and version are those of the crate. `cases` are responses with what is to be read from them, as TOML; the
//! host reads them before it puts the parser into service.
#![no_std]

extern crate alloc;

mod export;
mod header;
mod reading;
mod response;
#[cfg(all(target_arch = "wasm32", feature = "runtime"))]
mod runtime;

#[doc(hidden)]
#[allow(
    clippy::all,
    missing_docs,
    unreachable_pub,
    unsafe_code,
    reason = "generated from the documented WIT"
)]
pub mod bindings {
    wit_bindgen::generate!({
        world: "header-parser",
        path: "wit",
        pub_export_macro: true,
    });
}

pub use bindings::exports::runtime_signals::signals::header_parsing::ParseError;
pub use bindings::exports::runtime_signals::signals::types::{
    Effect, Instant, Limit, Quantity, Reading, Reason, Refill, RefusalClass, Scope,
};
#[doc(hidden)]
pub use export::{bytes, describe, parse};
pub use header::Header;
pub use response::Response;
pub use runtime_signals_values::{Time, number};

/// A parser of responses. It has no state: each call gets all that there is to know.
pub trait Parser {
    /// The provider types that it serves, 1 to 32.
    const PROVIDER_TYPES: &'static [&'static str];
    /// The headers that it wants, at most 64. The host sends no other.
    const HEADERS: &'static [Header];
    /// Whether it wants the body of error responses.
    const WANTS_BODY: bool = false;

    /// Reads one response.
    ///
    /// # Errors
    /// A response that is of another provider type, or contradicts what the parser knows. The parser that is built
    /// into the engine reads it then.
    fn parse(response: &Response<'_>) -> Result<Reading, ParseError>;
}
