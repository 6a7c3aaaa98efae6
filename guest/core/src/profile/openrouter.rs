//! OpenRouter: a bare triple, on refusals only.
//!
//! The reset is Unix milliseconds at the end of the UTC day. Source: openrouter.ai/docs, "API Rate Limits".

use super::Meaning::{Counter as Of, RetryAfter, RetryAfterMs};
use super::Part::{Limit, Remaining, Reset};
use super::{Counter, Field, Profile, Refill};
use crate::limit::Quantity;

const REQUESTS: usize = 0;

pub(super) static PROFILE: Profile = Profile {
    name: "openrouter",
    fields: &[
        Field { name: "x-ratelimit-limit", meaning: Of(REQUESTS, Limit) },
        Field { name: "x-ratelimit-remaining", meaning: Of(REQUESTS, Remaining) },
        Field { name: "x-ratelimit-reset", meaning: Of(REQUESTS, Reset) },
        Field { name: "retry-after", meaning: RetryAfter },
        Field { name: "retry-after-ms", meaning: RetryAfterMs },
    ],
    counters: &[Counter { quantity: Quantity::Requests, refill: Refill::WindowEdge }],
};
