//! `cache`: where signals lie, and the removal of those that nobody needs.

use std::os::unix::ffi::OsStrExt;

use runtime_signals::cache::PruneReport;
use serde::Serialize;

use super::context::{Context, provider_name};
use super::output::Output;
use super::{Exit, output, tell};

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Print the root of the signal cache
    Path,
    /// Remove what is stored of all providers but the named ones, and everything left over
    Prune {
        /// A provider to keep
        #[arg(long, value_name = "NAME", num_args = 1.., value_parser = provider_name)]
        keep: Vec<String>,
    },
}

/// Prints where the cache is, or tidies it.
pub(super) fn run(command: &Command, context: &Context) -> anyhow::Result<Exit> {
    let cache = context.cache()?;
    match command {
        Command::Path => {
            output::write(&[cache.root().as_os_str().as_bytes(), b"\n"].concat())?;
            Ok(Exit::DONE)
        }
        Command::Prune { keep } => {
            let report = cache.prune(keep)?;
            print(&report, &context.output)?;
            for (source, error) in &report.failed {
                tell(format_args!("runtime-signals: {source} is not removed: {error}"));
            }
            Ok(if report.failed.is_empty() { Exit::DONE } else { Exit::FAILED })
        }
    }
}

#[derive(Serialize)]
struct Pruned<'a> {
    removed: Vec<&'a str>,
    refreshing: Vec<&'a str>,
    failed: Vec<&'a str>,
    temp_files: usize,
}

fn print(report: &PruneReport, output: &Output) -> anyhow::Result<()> {
    let pruned = Pruned {
        removed: report.removed.iter().map(|source| source.name()).collect(),
        refreshing: report.refreshing.iter().map(|source| source.name()).collect(),
        failed: report.failed.iter().map(|(source, _)| source.name()).collect(),
        temp_files: report.temp_files,
    };
    let mut text = if output.is_json() {
        serde_json::to_string(&pruned)?
    } else {
        let Pruned { removed, refreshing, .. } = &pruned;
        let mut text = format!("{} removed", names(removed));
        if !refreshing.is_empty() {
            text.push_str(&format!(", {} left alone while being refreshed", names(refreshing)));
        }
        text
    };
    text.push('\n');
    Ok(output::write(text.as_bytes())?)
}

fn names(names: &[&str]) -> String {
    if names.is_empty() { "nothing".to_owned() } else { names.join(", ") }
}
