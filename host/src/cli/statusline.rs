//! `statusline`: Claude Code's status line.

use std::ffi::OsString;
use std::io;
use std::time::SystemTime;

use runtime_signals::quota::QuotaPaths;
use runtime_signals::statusline;

use super::{Exit, output};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Your own status-line command: it gets the input, and its output is shown
    #[arg(last = true, value_name = "CMD")]
    command: Vec<OsString>,
}

/// Notes the limits that standard input states, and prints the line.
pub(super) fn run(args: &Args) -> anyhow::Result<Exit> {
    let input = statusline::read_input(io::stdin().lock())?;
    let snapshot = QuotaPaths::from_env().claude;
    let report = statusline::run(&input, snapshot.as_deref(), SystemTime::now(), &args.command)?;
    if let Err(error) = &report.recorded {
        tracing::warn!(%error, "the limits of the status line are not recorded");
    }
    if let Some(line) = report.line {
        output::write(format!("{line}\n").as_bytes())?;
    }
    Ok(Exit(report.exit_code))
}
