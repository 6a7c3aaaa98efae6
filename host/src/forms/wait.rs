//! The JSON of a wait.

use std::time::{Duration, SystemTime};

use serde::Serialize;

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

/// A wait in milliseconds, rounded up: who waits so long does not come too early.
pub(crate) fn whole_milliseconds(wait: Duration) -> u64 {
    u64::try_from(wait.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX)
}
