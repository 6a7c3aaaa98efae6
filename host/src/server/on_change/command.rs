//! Running the user's command: without a shell, with the change on its standard input, not for longer than it may.

use std::io;
use std::process::{ExitStatus, Stdio};

use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use super::Job;
use crate::config::Argv;
use crate::process_group::ProcessGroup;

/// What is ours alone.
const SECRETS: [&str; 2] = ["RUNTIME_SIGNALS_TOKEN", "RUNTIME_SIGNALS_SHARED_URL"];

/// Why a command did not do its work.
#[derive(Debug, thiserror::Error)]
pub(super) enum CommandError {
    #[error("it cannot be started: {0}")]
    Start(io::Error),
    #[error("it cannot be waited for: {0}")]
    Wait(io::Error),
    #[error("it did not end in time, and was killed")]
    Timeout,
    #[error("it failed with {0}")]
    Failed(ExitStatus),
}

/// Runs it once. When this is dropped, or time runs out, its whole process group is killed.
pub(super) async fn run(argv: &Argv, job: &Job) -> Result<(), CommandError> {
    let mut command = Command::new(argv.program());
    command
        .args(argv.arguments())
        .env("RUNTIME_SIGNALS_PROVIDER", &job.provider)
        .env("RUNTIME_SIGNALS_STATUS", job.status.as_str())
        .env("RUNTIME_SIGNALS_PREVIOUS", job.previous.as_str())
        .stdin(Stdio::piped())
        // What it says might repeat a secret of its arguments.
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0);
    for secret in SECRETS {
        command.env_remove(secret);
    }
    let mut group = ProcessGroup(command.spawn().map_err(CommandError::Start)?);
    let stdin = group.0.stdin.take();
    let write = async {
        if let Some(mut stdin) = stdin {
            // One that does not read it does not want it.
            let _ = stdin.write_all(&job.json).await;
        }
    };
    let ended = async {
        tokio::pin!(write);
        tokio::select! {
            status = group.0.wait() => status,
            () = &mut write => group.0.wait().await,
        }
    };
    let status = tokio::time::timeout(job.rule.timeout, ended).await;
    let status = status.map_err(|_| CommandError::Timeout)?.map_err(CommandError::Wait)?;
    if status.success() { Ok(()) } else { Err(CommandError::Failed(status)) }
}
