//! A command of the user's that prints a quota status as JSON.
//!
//! It is run without a shell, with our environment and nothing on its standard input, in a process group of
//! its own that is killed when time runs out, when it prints too much, or when nobody waits for it any more.
//! What it writes to standard error is dropped: it might repeat a secret.

use std::ffi::OsString;
use std::fmt;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, SystemTime};

use serde_json::{Map, Value};
use tokio::io::AsyncReadExt;
use tokio::process::Command;

use super::QuotaState;
use super::evidence::Evidence;
use crate::process_group::ProcessGroup;

/// How long a command may take unless it is told otherwise: 5 seconds.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(5);

/// Most that a command may print, in bytes.
const MAX_OUTPUT: u64 = 64 * 1024;

/// Why a command cannot be a quota source.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum QuotaCommandError {
    /// It has no words.
    #[error("the quota command is empty: give the program and its arguments, one by one")]
    Empty,
}

/// A command that prints a quota status as JSON: an object with any of the keys of [`super::QuotaStatus`]. Without
/// `captured_at` it was captured when the command ran.
#[derive(Clone)]
pub struct QuotaCommand {
    program: OsString,
    arguments: Vec<OsString>,
    timeout: Duration,
}

impl fmt::Debug for QuotaCommand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Its arguments may hold secrets.
        f.debug_struct("QuotaCommand").field("program", &self.program).finish_non_exhaustive()
    }
}

/// Why a run gave no status.
#[derive(Debug, thiserror::Error)]
enum RunError {
    #[error("cannot be started: {0}")]
    Start(std::io::Error),
    #[error("cannot be read from: {0}")]
    Read(std::io::Error),
    #[error("did not finish within {0:?}")]
    Timeout(Duration),
    #[error("printed more than {MAX_OUTPUT} bytes")]
    TooMuch,
    #[error("failed with {0}")]
    Failed(std::process::ExitStatus),
    #[error("did not print a JSON object")]
    NotAStatus,
}

impl QuotaCommand {
    /// The program and its arguments, and how long it may take.
    ///
    /// # Errors
    ///
    /// [`QuotaCommandError::Empty`] without a program.
    pub fn new(
        argv: impl IntoIterator<Item = impl Into<OsString>>,
        timeout: Duration,
    ) -> Result<Self, QuotaCommandError> {
        let mut words = argv.into_iter().map(Into::into);
        let program: OsString =
            words.next().filter(|program: &OsString| !program.is_empty()).ok_or(QuotaCommandError::Empty)?;
        Ok(Self { program, arguments: words.collect(), timeout })
    }

    /// Runs it once. A run that fails is evidence too: that there is none.
    pub(super) async fn run(&self, harness: &str, now: SystemTime) -> Evidence {
        let printed = match tokio::time::timeout(self.timeout, self.output()).await {
            Ok(printed) => printed,
            Err(_) => Err(RunError::Timeout(self.timeout)),
        };
        let mut evidence = match printed {
            Ok(document) => Evidence::from_json(harness, &document),
            Err(error) => {
                // Its arguments and its path may hold secrets, its name does not.
                let program = Path::new(&self.program).file_name().unwrap_or_default();
                let reason = format!("the quota command {} {error}", program.display());
                tracing::warn!(harness, reason, "no quota status");
                Evidence {
                    stated: Some(QuotaState::Unavailable),
                    reason: Some(reason),
                    ..Evidence::default()
                }
            }
        };
        evidence.source = "command".to_owned();
        evidence.captured_at = evidence.captured_at.or(Some(now));
        evidence
    }

    async fn output(&self) -> Result<Map<String, Value>, RunError> {
        let child = Command::new(&self.program)
            .args(&self.arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .map_err(RunError::Start)?;
        let mut group = ProcessGroup(child);
        let mut printed = Vec::new();
        if let Some(stdout) = group.0.stdout.take() {
            let mut bounded = stdout.take(MAX_OUTPUT + 1);
            bounded.read_to_end(&mut printed).await.map_err(RunError::Read)?;
        }
        if printed.len() as u64 > MAX_OUTPUT {
            return Err(RunError::TooMuch);
        }
        let status = group.0.wait().await.map_err(RunError::Read)?;
        if !status.success() {
            return Err(RunError::Failed(status));
        }
        serde_json::from_slice(&printed).map_err(|_| RunError::NotAStatus)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_needs_a_program() {
        assert!(QuotaCommand::new(Vec::<OsString>::new(), DEFAULT_TIMEOUT).is_err());
        assert!(QuotaCommand::new(["", "x"], DEFAULT_TIMEOUT).is_err());
        assert!(QuotaCommand::new(["true"], DEFAULT_TIMEOUT).is_ok());
    }

    #[test]
    fn the_arguments_of_a_command_are_not_shown() {
        let command = QuotaCommand::new(["curl", "--token", "hunter2"], DEFAULT_TIMEOUT).unwrap();
        let shown = format!("{command:?}");
        assert!(shown.contains("curl") && !shown.contains("hunter2"), "{shown}");
    }
}
