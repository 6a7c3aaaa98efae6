//! An example: the provider `acme` has renamed its headers on a Friday night.
//!
//! Until then it sent those of OpenAI. Now `x-acme-calls: 12/60` says that 12 of 60 requests are left, and likewise
//! for tokens.
#![cfg(target_arch = "wasm32")]
#![no_std]

use runtime_signals_parser_sdk::{Header, Limit, ParseError, Parser, Quantity, Reading, Response, number};

const CALLS: Header = Header::exact(16, "x-acme-calls");
const CALLS_RENEW: Header = Header::exact(17, "x-acme-calls-renew");
const TOKENS: Header = Header::exact(18, "x-acme-tokens");
const TOKENS_RENEW: Header = Header::exact(19, "x-acme-tokens-renew");
const COME_BACK: Header = Header::exact(20, "x-acme-come-back");

struct Acme;

impl Parser for Acme {
    const PROVIDER_TYPES: &'static [&'static str] = &["acme"];
    const HEADERS: &'static [Header] = &[CALLS, CALLS_RENEW, TOKENS, TOKENS_RENEW, COME_BACK];

    fn parse(response: &Response<'_>) -> Result<Reading, ParseError> {
        let limits = [(Quantity::Requests, CALLS, CALLS_RENEW), (Quantity::Tokens, TOKENS, TOKENS_RENEW)];
        let limits = limits.map(|(quantity, left_of, renews)| {
            let (remaining, limit) = response.first(left_of, share).unzip();
            Limit { limit, remaining, resets_at: response.reset(renews), ..Limit::new(quantity, response) }
        });
        Ok(Reading::of(response, limits).with_wait(response.wait(COME_BACK)))
    }
}

/// Both numbers of `12/60`.
fn share(text: &[u8]) -> Option<(u64, u64)> {
    let slash = text.iter().position(|byte| *byte == b'/')?;
    let (left, allowed) = text.split_at_checked(slash)?;
    Some((number::count(left)?, number::allowance(allowed.get(1..)?)?))
}

runtime_signals_parser_sdk::export!(Acme, cases = include_str!("../cases.toml"));
