//! The JSON of a reading.

use std::time::Duration;

use serde::Serialize;

use crate::signal::{Effect, Limit, Reading, Refill};
use crate::time::rfc3339;

/// A reading, as `parse` prints it: what is not known is `null`.
#[derive(Debug, Serialize)]
pub struct ReadingForm<'a> {
    remaining_requests: Option<u64>,
    remaining_tokens: Option<u64>,
    reset_at: Option<String>,
    retry_after_ms: Option<u64>,
    exhausted: bool,
    limits: Vec<LimitForm<'a>>,
    reason: Option<&'a str>,
    refusal: Option<&'a str>,
}

/// A limit, in the form that it has in a signal.
#[derive(Debug, Serialize)]
pub struct LimitForm<'a> {
    quantity: &'a str,
    #[serde(skip_serializing_if = "ScopeForm::is_empty")]
    scope: ScopeForm<'a>,
    #[serde(skip_serializing_if = "str::is_empty")]
    pool: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    window_s: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    limit: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    remaining: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    utilization: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    resets_at: Option<String>,
    captured_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    refill: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    effect: Option<&'a str>,
}

#[derive(Debug, Serialize)]
struct ScopeForm<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    account: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<&'a str>,
}

impl ScopeForm<'_> {
    fn is_empty(&self) -> bool {
        self.account.is_none() && self.model.is_none()
    }
}

/// A wait as JSON tells it: readings have whole milliseconds.
#[must_use]
pub fn milliseconds(wait: Duration) -> u64 {
    u64::try_from(wait.as_millis()).unwrap_or(u64::MAX)
}

impl<'a> From<&'a Reading> for ReadingForm<'a> {
    fn from(reading: &'a Reading) -> Self {
        Self {
            remaining_requests: reading.remaining_requests,
            remaining_tokens: reading.remaining_tokens,
            reset_at: reading.reset_at.map(rfc3339),
            retry_after_ms: reading.retry_after.map(milliseconds),
            exhausted: reading.exhausted,
            limits: reading.limits.iter().map(LimitForm::from).collect(),
            reason: reading.reason.as_ref().map(|reason| reason.as_str()),
            refusal: reading.refusal.as_ref().map(|class| class.as_str()),
        }
    }
}

impl<'a> From<&'a Limit> for LimitForm<'a> {
    fn from(limit: &'a Limit) -> Self {
        let scope = &limit.scope;
        Self {
            quantity: limit.quantity.as_str(),
            scope: ScopeForm { account: scope.account.as_deref(), model: scope.model.as_deref() },
            pool: &limit.pool,
            window_s: limit.window.map(|window| window.as_secs()),
            limit: limit.limit,
            remaining: limit.remaining,
            utilization: limit.utilization,
            resets_at: limit.resets_at.map(rfc3339),
            captured_at: rfc3339(limit.captured_at),
            refill: Some(limit.refill).filter(|refill| *refill != Refill::WindowEdge).map(Refill::as_str),
            effect: Some(limit.effect).filter(|effect| *effect != Effect::Refuses).map(Effect::as_str),
        }
    }
}
