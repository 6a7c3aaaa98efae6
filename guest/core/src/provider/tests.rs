//! What follows from calls, evidence and what others have stored, by theme.

use super::*;
use crate::signal::{Signal, Status};
use crate::testing::{after, at, call};

mod declared;
mod evidence;
mod readings;
mod refusals;
mod scopes;
mod status;
mod stored;

const RATE_LIMITED: (Status, Option<u64>) = (Status::Exhausted, Some(0));

fn status(provider: &Provider, seconds: i64) -> Status {
    provider.judge(at(seconds)).status
}

fn verdict(signal: &Signal) -> (Status, Option<u64>, Option<Time>) {
    (signal.status, signal.quota_remaining, signal.quota_reset_at)
}
