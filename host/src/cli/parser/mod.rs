//! `parser`: components that read the responses of some provider types.

mod build;
mod new;

use super::Exit;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Write the project of a new parser, in Rust
    New(new::Args),
    /// Build the component of a project, or state what one of another tool chain is
    Build(build::Args),
}

/// Does what the command says.
pub(super) fn run(command: &Command) -> anyhow::Result<Exit> {
    match command {
        Command::New(args) => new::run(args),
        Command::Build(args) => build::run(args),
    }
}
