//! Quota facts of subscription back ends: how much of the five hours and of the week is used.
//!
//! Nothing here reads a credential, opens a socket or sends a completion: facts come from files that other
//! programs leave behind (snapshots, the session logs of Codex, Claude Code's status line) and from a
//! command that the user names. [`QuotaHarness::quota_status`] reads files only, within bounds;
//! [`QuotaHarness::refresh_quota`] may also run the command, at most one at a time for each name.
//!
//! All sources go through one judgement: evidence older than [`FRESHNESS`], or from the future, is stale; a
//! window with nothing left blocks until its reset; a window whose reset has passed says nothing any more.
//! What is missing, unreadable or beyond its bounds is a status with a reason, never an error.

mod claude;
mod codex_log;
mod command;
mod evidence;
mod figure;
mod file;
mod flight;
mod lenient;
mod paths;
mod record;
mod sources;
mod status;
mod window;

use std::time::{Duration, SystemTime};

use futures_core::future::BoxFuture;

pub use command::{DEFAULT_TIMEOUT as DEFAULT_COMMAND_TIMEOUT, QuotaCommand, QuotaCommandError};
pub use file::SnapshotError;
pub(crate) use lenient::{instant, quantity, text};
pub use paths::QuotaPaths;
pub use record::{ClaudeUsage, ClaudeWindow, SessionMark, record_claude};
pub use sources::{QuotaSources, SUBSCRIPTIONS};
pub use status::{QuotaState, QuotaStatus, QuotaWindow, WindowScope};

/// Evidence older than this is stale: 15 minutes.
pub const FRESHNESS: Duration = Duration::from_secs(15 * 60);

/// Evidence captured further in the future than this is stale: 5 seconds.
pub const CLOCK_SKEW: Duration = Duration::from_secs(5);

/// Source of quota facts for subscription back ends, by name (`claude`, `codex`, `gemini`).
pub trait QuotaHarness: Send + Sync {
    /// What is known already, judged at `now`: bounded file reads, no network, no process.
    fn quota_status(&self, name: &str, now: SystemTime) -> QuotaStatus;

    /// A live look, at most one in flight for each name: callers that come meanwhile share its result.
    fn refresh_quota<'a>(&'a self, name: &'a str, now: SystemTime) -> BoxFuture<'a, QuotaStatus>;
}
