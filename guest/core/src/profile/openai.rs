//! OpenAI, and the dialect that most others imitate.
//!
//! Resets are Go durations until the allowance is full. Source: developers.openai.com, guide "Rate
//! limits"; `retry-after-ms` is read by OpenAI's own client libraries.

use super::Meaning::{Counter as Of, RetryAfter, RetryAfterMs};
use super::Part::{Limit, Remaining, Reset};
use super::{Counter, Field, Profile, Refill};
use crate::limit::Quantity;

const REQUESTS: usize = 0;
const TOKENS: usize = 1;

pub(super) static PROFILE: Profile = Profile {
    name: "openai",
    fields: &[
        Field { name: "x-ratelimit-limit-requests", meaning: Of(REQUESTS, Limit) },
        Field { name: "x-ratelimit-remaining-requests", meaning: Of(REQUESTS, Remaining) },
        Field { name: "x-ratelimit-reset-requests", meaning: Of(REQUESTS, Reset) },
        Field { name: "x-ratelimit-limit-tokens", meaning: Of(TOKENS, Limit) },
        Field { name: "x-ratelimit-remaining-tokens", meaning: Of(TOKENS, Remaining) },
        Field { name: "x-ratelimit-reset-tokens", meaning: Of(TOKENS, Reset) },
        Field { name: "retry-after", meaning: RetryAfter },
        Field { name: "retry-after-ms", meaning: RetryAfterMs },
    ],
    counters: &[
        Counter { quantity: Quantity::Requests, refill: Refill::Continuous },
        Counter { quantity: Quantity::Tokens, refill: Refill::Continuous },
    ],
};
