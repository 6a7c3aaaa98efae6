//! `parser`: components that read the responses of some provider types.

mod add;
mod build;
mod list;
mod look;
mod new;

use super::Exit;
use super::context::Context;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Write the project of a new parser, in Rust
    New(new::Args),
    /// Build the component of a project, or state what one of another tool chain is
    Build(build::Args),
    /// Put components into service, from files or registries; a running service takes them in within a second
    Add(add::Args),
    /// Take a parser out of service, and out of the lock file
    Remove(add::RemoveArgs),
    /// List the parsers that serve, that served before, and that were taken out of service for failing
    List,
    /// Show what a component is, what it asks for, its limits, and what a call costs; signed or not
    Inspect(look::Args),
    /// Go through all checks that a component has to pass; nothing is put into service
    Verify(look::VerifyArgs),
    /// Read the cases of a component, signed or not, and tell which ones fail
    Test(look::Args),
    /// Let what served before serve again; the built-in parser where nothing did
    Rollback(list::RollbackArgs),
}

/// Does what the command says.
pub(super) fn run(command: &Command, context: &Context) -> anyhow::Result<Exit> {
    match command {
        Command::New(args) => new::run(args),
        Command::Build(args) => build::run(args),
        Command::Add(args) => add::run(args, context),
        Command::Remove(args) => add::remove(args, context),
        Command::List => list::run(context),
        Command::Inspect(args) => look::inspect(args, context),
        Command::Verify(args) => look::verify(args, context),
        Command::Test(args) => look::test(args, context),
        Command::Rollback(args) => list::rollback(args, context),
    }
}
