//! How long until a request of some size can pass.

use std::time::{Duration, SystemTime};

use crate::signal::{Limit, RefusalClass};

/// What is to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Need {
    /// Requests.
    pub requests: u64,
    /// Tokens, sent and generated; 0 where it is not known.
    pub tokens: u64,
}

impl Need {
    /// Both together.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self {
            requests: self.requests.saturating_add(other.requests),
            tokens: self.tokens.saturating_add(other.tokens),
        }
    }
}

/// One request of unknown size.
impl Default for Need {
    fn default() -> Self {
        Self { requests: 1, tokens: 0 }
    }
}

/// When a request can pass.
#[derive(Clone, Debug, PartialEq)]
pub enum Wait {
    /// Now, as far as is known.
    Go,
    /// Not before that time.
    Until {
        /// The time, by the wall clock.
        at: SystemTime,
        /// What binds until then.
        binding: Binding,
    },
    /// Never: it is larger than the whole allowance of a window.
    TooLarge(Limit),
    /// There is no evidence.
    Unknown,
}

impl Wait {
    /// How long that is from `now`; zero where nothing binds, `None` where waiting does not help or nothing is
    /// known.
    #[must_use]
    pub fn duration(&self, now: SystemTime) -> Option<Duration> {
        match self {
            Self::Go => Some(Duration::ZERO),
            Self::Until { at, .. } => Some(at.duration_since(now).unwrap_or_default()),
            Self::TooLarge(_) | Self::Unknown => None,
        }
    }
}

/// What a wait is for.
#[derive(Clone, Debug, PartialEq)]
pub enum Binding {
    /// A limit.
    Limit(Limit),
    /// A refusal of this class.
    Refusal(RefusalClass),
}
