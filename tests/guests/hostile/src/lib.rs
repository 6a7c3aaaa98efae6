//! A parser that does harm on demand: the header `x-hostile` says which. Without it, it reads `x-left` honestly.
//!
//! | `x-hostile` | what `parse` does |
//! | --- | --- |
//! | `loop` | never returns |
//! | `memory` | takes memory until there is none, and touches it |
//! | `recursion` | calls itself until the stack ends |
//! | `trap` | traps |
//! | `third` | traps at the third such call of an instance, and reads honestly before |
//! | `allocation` | returns, and traps in `cabi_realloc` from then on: at the next call that hands something in |
//! | `limits` | tells of a million limits |
//! | `string` | tells of a pool whose name has 3 MiB |
//! | `length` | returns a string that claims 2 GiB, beyond its memory |
//! | `utf8` | tells of a pool whose name is no UTF-8 |
//! | `secret` | puts what it was sent into the name of a pool: in the form of a text that is no name |
//! | `account` | names an account that a header told it |
//! | `malformed` | fails, with a message of 1 MiB |
//! | `share` | tells of a share used that is no number |
//! | `time` | tells of a reset beyond the year 9999, and of nanoseconds beyond a second |
//! | `not-mine` | says that the response is another's |
#![cfg(target_arch = "wasm32")]
#![no_std]
#![allow(unsafe_code, reason = "what a hostile guest does not shy away from")]

extern crate alloc;

mod allocator;
mod deeds;

use runtime_signals_parser_sdk::{Header, Limit, ParseError, Parser, Quantity, Reading, Response};

const HOSTILE: Header = Header::exact(16, "x-hostile");
const LEFT: Header = Header::exact(17, "x-left");
const TEXT: Header = Header::exact(18, "x-text");

struct Hostile;

impl Parser for Hostile {
    const PROVIDER_TYPES: &'static [&'static str] = &["hostile"];
    const HEADERS: &'static [Header] = &[HOSTILE, LEFT, TEXT];
    const WANTS_BODY: bool = true;

    fn parse(response: &Response<'_>) -> Result<Reading, ParseError> {
        match response.values(HOSTILE).next() {
            Some(deed) => deeds::commit(deed, response),
            None => Ok(honest(response)),
        }
    }
}

fn left(response: &Response<'_>) -> Limit {
    Limit { remaining: response.count(LEFT), ..Limit::new(Quantity::Requests, response) }
}

fn honest(response: &Response<'_>) -> Reading {
    Reading::of(response, [left(response)])
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    core::arch::wasm32::unreachable()
}

runtime_signals_parser_sdk::export!(Hostile, cases = include_str!("../cases.toml"));
