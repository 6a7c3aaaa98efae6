//! Anthropic's API.
//!
//! Resets are RFC 3339, the time at which the allowance is full; of the token figures the smallest
//! binds, which is not always the combined one. Source: docs.anthropic.com, "Rate limits".

use super::Meaning::{Counter as Of, Legacy, RetryAfter};
use super::Part::{Limit, Remaining, Reset};
use super::{Counter, Field, Profile, Refill};
use crate::limit::Quantity;

const REQUESTS: usize = 0;
const TOKENS: usize = 1;
const INPUT: usize = 2;
const OUTPUT: usize = 3;

pub(super) static PROFILE: Profile = Profile {
    name: "anthropic",
    fields: &[
        Field { name: "anthropic-ratelimit-requests-limit", meaning: Of(REQUESTS, Limit) },
        Field { name: "anthropic-ratelimit-requests-remaining", meaning: Of(REQUESTS, Remaining) },
        Field { name: "anthropic-ratelimit-requests-reset", meaning: Of(REQUESTS, Reset) },
        Field { name: "anthropic-ratelimit-tokens-limit", meaning: Of(TOKENS, Limit) },
        Field { name: "anthropic-ratelimit-tokens-remaining", meaning: Of(TOKENS, Remaining) },
        Field { name: "anthropic-ratelimit-tokens-reset", meaning: Of(TOKENS, Reset) },
        Field { name: "anthropic-ratelimit-input-tokens-limit", meaning: Of(INPUT, Limit) },
        Field { name: "anthropic-ratelimit-input-tokens-remaining", meaning: Of(INPUT, Remaining) },
        Field { name: "anthropic-ratelimit-input-tokens-reset", meaning: Of(INPUT, Reset) },
        Field { name: "anthropic-ratelimit-output-tokens-limit", meaning: Of(OUTPUT, Limit) },
        Field { name: "anthropic-ratelimit-output-tokens-remaining", meaning: Of(OUTPUT, Remaining) },
        Field { name: "anthropic-ratelimit-output-tokens-reset", meaning: Of(OUTPUT, Reset) },
        Field { name: "x-ratelimit-limit-requests", meaning: Legacy(REQUESTS, Limit) },
        Field { name: "x-ratelimit-remaining-requests", meaning: Legacy(REQUESTS, Remaining) },
        Field { name: "x-ratelimit-reset-requests", meaning: Legacy(REQUESTS, Reset) },
        Field { name: "x-ratelimit-limit-tokens", meaning: Legacy(TOKENS, Limit) },
        Field { name: "x-ratelimit-remaining-tokens", meaning: Legacy(TOKENS, Remaining) },
        Field { name: "x-ratelimit-reset-tokens", meaning: Legacy(TOKENS, Reset) },
        Field { name: "retry-after", meaning: RetryAfter },
    ],
    counters: &[
        Counter { quantity: Quantity::Requests, refill: Refill::Continuous },
        Counter { quantity: Quantity::Tokens, refill: Refill::Continuous },
        Counter { quantity: Quantity::InputTokens, refill: Refill::Continuous },
        Counter { quantity: Quantity::OutputTokens, refill: Refill::Continuous },
    ],
};
