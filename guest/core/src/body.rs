//! Bodies: what the body of a response says about limits, in words that are independent of any provider.
//!
//! JSON, a stream of server-sent events, JSON lines or plain text, whole or cut off: read in one pass,
//! without a tree ([`walk`]). Keys are understood at any depth ([`key`]), objects with figures are limits
//! ([`facts`]), and texts for people are read for figures and waits ([`sentence`]). What a model has
//! generated is passed over.

mod facts;
mod key;
mod kind;
mod scan;
mod sentence;
mod span;
mod table;
mod term;
#[cfg(test)]
mod tests;
mod walk;

use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use crate::limit::Quantity;
use crate::time::Time;

/// Most of a body that is read, in bytes.
pub const BODY_BYTES: usize = 64 * 1024;
/// Most words kept.
pub const MOST_WORDS: usize = 24;
/// Most words kept before an error is met: a stream has many names of events.
const MOST_CALM_WORDS: usize = 16;
/// Longest word, pool or name of an upstream, in bytes.
pub const WORD_BYTES: usize = 64;
/// Most text kept, in bytes.
pub const TEXT_BYTES: usize = 2048;
/// Most limits kept.
pub const MOST_LIMITS: usize = 32;
/// Most headers kept.
pub const MOST_HEADERS: usize = 16;
/// Longest value of a header that is kept, in bytes.
pub const HEADER_BYTES: usize = 256;

/// The pool of calls at the same time.
const CONCURRENCY: &str = "concurrency";

/// What a body says about limits.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Body {
    /// The wait that it states, by the most exact of its fields, else by a sentence.
    pub wait: Option<Duration>,
    /// When it says that the refusal ends. A reset of one of the `limits` is there.
    pub resets_at: Option<Time>,
    /// Codes, types, statuses and reasons, in lower case, each once, numbers as text.
    pub words: Vec<String>,
    /// The texts for people, in lower case, one a line.
    pub text: String,
    /// The limits that it states.
    pub limits: Vec<StatedLimit>,
    /// Headers inside the body: names in lower case, and values.
    pub headers: Vec<(String, String)>,
    /// The provider behind a gateway whose answer this is, in lower case.
    pub upstream: Option<String>,
    /// Is it, or contains it, an error?
    pub is_error: bool,
}

/// A limit as a body states it.
#[derive(Clone, Debug, PartialEq)]
pub struct StatedLimit {
    /// What it counts.
    pub quantity: Quantity,
    /// Which allowance, in lower case, where it is not the general one: `opus`, `concurrency`.
    pub pool: String,
    /// The model to which it applies.
    pub model: Option<String>,
    /// Length of the window in seconds.
    pub window_s: Option<u64>,
    /// The allowance of one window.
    pub limit: Option<u64>,
    /// How much of it was used before this request.
    pub used: Option<u64>,
    /// How much this request asked for.
    pub requested: Option<u64>,
    /// What is left, as stated or as what was not used.
    pub remaining: Option<u64>,
    /// Share used, 1 for all of it; more where it is overdrawn.
    pub utilization: Option<f64>,
    /// When it resets.
    pub resets_at: Option<Time>,
    /// Is it stated as reached or exceeded? What is left may still be more than nothing.
    pub used_up: bool,
    /// Was it read from a text for people?
    pub from_sentence: bool,
}

/// Reads a body that was received at `now`.
#[must_use]
pub fn read(body: &[u8], now: Time) -> Body {
    let excerpt = body.get(..BODY_BYTES).unwrap_or(body);
    let mut walk = walk::Walk::new(now);
    walk.document(excerpt);
    walk.finish()
}
