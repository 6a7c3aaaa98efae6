//! Evidence: where a collect gets it from, and what the host's effects found.

use alloc::string::String;
use alloc::vec::Vec;

use crate::time::Time;

/// Where evidence for a provider type comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The last recorded response.
    Recorded,
    /// A liveness check.
    Probe,
    /// The quota harness of the type's name.
    Quota,
}

/// Where evidence for this provider type comes from.
#[must_use]
pub fn plan(provider_type: &str) -> Source {
    match provider_type {
        "claude" | "codex" | "gemini" => Source::Quota,
        "ds4" | "llama-server" | "omlx" | "lmstudio" | "lucebox" | "vllm" | "rapid-mlx" | "ollama" => {
            Source::Probe
        }
        _ => Source::Recorded,
    }
}

/// What a liveness check found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProbeOutcome {
    /// It answered with 2xx.
    Alive,
    /// It did not.
    Failed {
        /// How.
        kind: ProbeFailure,
        /// What happened.
        message: String,
    },
    /// There was no address to ask, which is no evidence.
    Unusable,
}

/// How a liveness check failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProbeFailure {
    /// No connection.
    Unreachable,
    /// No answer in time.
    Timeout,
    /// An answer that the model is not loaded yet.
    Loading,
    /// An answer that no slot is free, or that requests wait.
    Busy,
    /// An answer, but not 2xx.
    Refused,
}

/// The state of a quota.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QuotaState {
    /// Requests can be sent.
    Ok,
    /// The evidence is too old.
    Stale,
    /// A window is used up.
    Blocked,
    /// There is no evidence.
    Unavailable,
    /// Nobody is signed in.
    Unauthenticated,
    /// The evidence says nothing.
    Unknown,
}

/// One window of a quota.
#[derive(Clone, Debug, PartialEq)]
pub struct QuotaWindow {
    /// Its length in minutes.
    pub window_minutes: Option<u64>,
    /// Share used, 0 to 100.
    pub used_percent: Option<f64>,
    /// When it resets.
    pub resets_at: Option<Time>,
    /// Its own state.
    pub state: QuotaState,
}

/// What a quota harness knows.
#[derive(Clone, Debug, PartialEq)]
pub struct QuotaStatus {
    /// When it was found out.
    pub captured_at: Option<Time>,
    /// The verdict.
    pub state: QuotaState,
    /// The windows it rests on.
    pub windows: Vec<QuotaWindow>,
    /// Whose quota it is.
    pub account: Option<String>,
}

/// What a collect may use beside what was recorded.
#[derive(Clone, Debug, PartialEq)]
pub enum Evidence {
    /// Nothing.
    None,
    /// A liveness check.
    Probe(ProbeOutcome),
    /// A quota.
    Quota(QuotaStatus),
}
