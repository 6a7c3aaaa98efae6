//! `completions`: for shells.

use clap::CommandFactory;
use clap_complete::Shell;

use super::{Cli, Exit, output};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The shell
    shell: Shell,
}

/// Prints the completion script.
pub(super) fn run(args: &Args) -> anyhow::Result<Exit> {
    // Into memory first: the generator would panic where standard output is closed.
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "runtime-signals", &mut script);
    output::write(&script)?;
    Ok(Exit::DONE)
}
