//! The JSON of a wait.

use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use super::reading::LimitForm;
use crate::time::rfc3339;
use crate::wait::{Binding, Wait};

/// The answer as JSON: when a request can pass, and what binds until then.
#[derive(Debug, Serialize)]
pub struct WaitForm<'a> {
    provider: &'a str,
    answer: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    wait_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    limit: Option<LimitForm<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refusal: Option<&'static str>,
}

impl<'a> WaitForm<'a> {
    /// The answer at `now`.
    #[must_use]
    pub fn new(provider: &'a str, wait: &'a Wait, now: SystemTime) -> Self {
        let (answer, limit, refusal) = match wait {
            Wait::Go => ("go", None, None),
            Wait::Until { binding: Binding::Limit(limit), .. } => ("wait", Some(limit), None),
            Wait::Until { binding: Binding::Refusal(class), .. } => ("wait", None, Some(class.as_str())),
            Wait::TooLarge(limit) => ("too_large", Some(limit), None),
            Wait::Unknown => ("unknown", None, None),
        };
        let until = if let Wait::Until { at, .. } = wait { Some(rfc3339(*at)) } else { None };
        let wait_ms = wait.duration(now).map(whole_milliseconds);
        Self { provider, answer, wait_ms, until, limit: limit.map(LimitForm::from), refusal }
    }
}

/// The same as somebody reads it: what is needed to act by it, and to tell of it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct WaitAnswer {
    /// Can the request pass?
    pub answer: Verdict,
    /// How long it cannot, in milliseconds.
    pub wait_ms: Option<u64>,
    /// The limit that binds, or that is smaller than the request.
    pub limit: Option<BindingLimit>,
    /// The class of the refusal that binds.
    pub refusal: Option<String>,
}

/// Can a request pass?
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Now, as far as is known.
    Go,
    /// Later.
    Wait,
    /// Never: it is larger than the whole allowance of a window.
    TooLarge,
    /// Nothing is known.
    Unknown,
}

/// What is told of a limit that binds.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct BindingLimit {
    /// What it counts.
    pub quantity: String,
    /// The length of its window, in seconds.
    pub window_s: Option<u64>,
}

impl WaitAnswer {
    /// How long the request cannot pass; zero where that is not said.
    #[must_use]
    pub fn wait(&self) -> Duration {
        Duration::from_millis(self.wait_ms.unwrap_or(0))
    }
}

/// A wait in milliseconds, rounded up: who waits so long does not come too early.
pub(crate) fn whole_milliseconds(wait: Duration) -> u64 {
    u64::try_from(wait.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX)
}
