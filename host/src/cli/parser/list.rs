//! `parser list` and `parser rollback`: what serves.

use runtime_signals::parsers::{ParserState, ParserStatus};

use crate::cli::context::Context;
use crate::cli::{Exit, output, printable, table};

#[derive(Debug, clap::Args)]
pub(in super::super) struct RollbackArgs {
    /// A provider type, or the name of a parser for all types that it serves
    #[arg(value_name = "NAME")]
    name: String,
}

pub(super) fn run(context: &Context) -> anyhow::Result<Exit> {
    let parsers = context.parsers()?;
    let statuses = parsers.list();
    let mut text = String::new();
    if context.output.is_json() {
        for status in &statuses {
            text += &serde_json::to_string(status)?;
            text.push('\n');
        }
    } else if statuses.is_empty() {
        text.push_str("no parsers: the built-in one reads all responses\n");
    } else {
        let heading = ["STATE", "NAME", "VERSION", "TYPES", "SIGNED BY", "FROM", "PROBLEM"];
        text = table::texts(heading, statuses.into_iter().map(row), context.output.colours);
    }
    output::write(text.as_bytes())?;
    Ok(Exit::DONE)
}

fn row(status: ParserStatus) -> [String; 7] {
    let state = match status.state {
        ParserState::Current => "current",
        ParserState::Previous => "previous",
        ParserState::Withdrawn => "withdrawn",
    };
    let name = status.name.unwrap_or_else(|| status.digest.to_string());
    let text = Option::unwrap_or_default;
    [
        state.to_owned(),
        name,
        text(status.version),
        status.provider_types.join(", "),
        text(status.signer),
        text(status.origin),
        text(status.problem),
    ]
}

pub(super) fn rollback(args: &RollbackArgs, context: &Context) -> anyhow::Result<Exit> {
    let parsers = context.parsers()?;
    let types = parsers.rollback(&args.name)?;
    let statuses = parsers.list();
    let current = |provider_type: &String| {
        let is_current = |status: &&ParserStatus| {
            status.state == ParserState::Current && status.provider_types.contains(provider_type)
        };
        let parser = |status: &ParserStatus| {
            let digest = || status.digest.to_string();
            [status.name.clone().unwrap_or_else(digest), status.version.clone().unwrap_or_default()].join(" ")
        };
        statuses.iter().find(is_current).map_or_else(|| "the built-in parser".to_owned(), parser)
    };
    let mut text = String::new();
    for provider_type in &types {
        text += &match context.output.is_json() {
            true => {
                serde_json::json!({ "type": provider_type, "parser": current(provider_type) }).to_string()
            }
            false => printable(&format!("{provider_type}: read by {} now", current(provider_type))),
        };
        text.push('\n');
    }
    output::write(text.as_bytes())?;
    Ok(Exit::DONE)
}
