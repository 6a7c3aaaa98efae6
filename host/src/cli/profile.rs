//! `profile`: how provider types are read, and files of the user's own that say it.

use std::path::{Path, PathBuf};

use anyhow::anyhow;
use runtime_signals::profiles::{ProfileFile, ProfileFileError, ProfileProblem};
use runtime_signals::{Store, StoreOptions};
use runtime_signals_profile::toml;
use serde::Serialize;

use super::context::Context;
use super::output::Output;
use super::{Exit, output, printable, table, tell};

/// Not a provider type: the parts that all profiles have.
const COMMON: &str = "common";
/// Files that one store checks: it keeps what it was given.
const AT_ONCE: usize = 25;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Check files strictly, and read their cases; nothing is put into service
    Check {
        /// A profile's file
        #[arg(value_name = "FILE", required = true)]
        files: Vec<PathBuf>,
    },
    /// List the provider types that profiles name, and where each profile is from
    List,
    /// Print the built-in profile of a type: a file of your own can begin with it
    Show {
        /// The provider type, or another name of it
        #[arg(value_name = "TYPE")]
        provider_type: String,
    },
}

/// Checks, lists or shows profiles.
pub(super) fn run(command: &Command, context: &Context) -> anyhow::Result<Exit> {
    match command {
        Command::Check { files } => check(files, &context.output),
        Command::List => list(&context.output),
        Command::Show { provider_type } => show(provider_type),
    }
}

fn check(files: &[PathBuf], output: &Output) -> anyhow::Result<Exit> {
    let mut exit = Exit::DONE;
    for files in files.chunks(AT_ONCE) {
        let store = Store::with_options(StoreOptions::default())?;
        for file in files {
            match store.check_profile(file) {
                Ok(checked) => output::write(passed(&checked, output)?.as_bytes())?,
                Err(error) => {
                    tell_all(&error);
                    exit = Exit::FAILED;
                }
            }
        }
    }
    Ok(exit)
}

/// A file that passed, as JSON.
#[derive(Serialize)]
struct Checked<'a> {
    file: &'a Path,
    #[serde(rename = "type")]
    provider_type: &'a str,
    cases: usize,
}

fn passed(
    ProfileFile { path, provider_type, cases, .. }: &ProfileFile,
    output: &Output,
) -> anyhow::Result<String> {
    if output.is_json() {
        let checked = Checked { file: path, provider_type, cases: *cases };
        return Ok(serde_json::to_string(&checked)? + "\n");
    }
    let cases = match cases {
        0 => "no case: add one, so that it is noticed when the profile no longer fits".to_owned(),
        1 => "1 case".to_owned(),
        cases => format!("{cases} cases"),
    };
    Ok(printable(&format!("{}: reads {provider_type}, passed {cases}", path.display())) + "\n")
}

/// A line for each thing that is wrong.
fn tell_all(error: &ProfileFileError) {
    let ProfileFileError { path, problem } = error;
    let ProfileProblem::Cases(cases) = problem else {
        return tell(format_args!("{}", printable(&error.to_string())));
    };
    for case in cases {
        let line = case.line.map(|line| format!(":{line}")).unwrap_or_default();
        tell(format_args!("{}", printable(&format!("{}{line}: {case}", path.display()))));
    }
}

/// A profile in the list, as JSON.
#[derive(Serialize)]
struct Listed {
    #[serde(rename = "type")]
    provider_type: String,
    aliases: Vec<String>,
    /// `None` for a built-in one.
    file: Option<PathBuf>,
    source: Vec<String>,
    verified: Option<String>,
}

fn list(output: &Output) -> anyhow::Result<Exit> {
    let profiles = Store::new()?.profiles();
    let own = profiles.loaded.iter().map(|profile| Listed {
        provider_type: profile.provider_type.clone(),
        aliases: profile.aliases.clone(),
        file: Some(profile.path.clone()),
        source: profile.source.clone(),
        verified: Some(profile.verified.clone()).filter(|day| !day.is_empty()),
    });
    let mut listed: Vec<Listed> = own.collect();
    let is_own = |name: &str, own: &[Listed]| {
        own.iter().any(|one| one.provider_type == name || one.aliases.iter().any(|alias| alias == name))
    };
    for built_in in toml::compile_builtin()? {
        let (name, mut aliases) = (built_in.profile.name, built_in.profile.aliases);
        aliases.retain(|alias| !is_own(alias, &listed));
        if name == COMMON || is_own(&name, &listed) && aliases.is_empty() {
            continue;
        }
        listed.push(Listed {
            provider_type: name,
            aliases,
            file: None,
            source: built_in.source,
            verified: Some(built_in.verified).filter(|day| !day.is_empty()),
        });
    }
    listed.sort_by(|a, b| a.provider_type.cmp(&b.provider_type));
    let mut text = String::new();
    if output.is_json() {
        for profile in &listed {
            text += &serde_json::to_string(profile)?;
            text.push('\n');
        }
    } else {
        let rows = listed.into_iter().map(|profile| {
            let from = profile.file.map_or_else(|| "built-in".to_owned(), |file| file.display().to_string());
            let verified = profile.verified.unwrap_or_default();
            [profile.provider_type, profile.aliases.join(", "), from, verified, profile.source.join(" ")]
        });
        text = table::texts(["TYPE", "ALSO", "FROM", "VERIFIED", "SOURCE"], rows, output.colours);
    }
    output::write(text.as_bytes())?;
    Ok(Exit::DONE)
}

fn show(provider_type: &str) -> anyhow::Result<Exit> {
    let named = |(name, text): &&(&str, &str)| {
        *name == provider_type
            || toml::parse(text)
                .is_ok_and(|source| source.profile.aliases.iter().any(|alias| alias == provider_type))
    };
    let Some((_, text)) = toml::builtin().iter().find(named) else {
        return Err(anyhow!(
            "no built-in profile is named {provider_type:?}; `runtime-signals profile list` names them, and types \
             that are not named are read by `generic`"
        ));
    };
    output::write(text.as_bytes())?;
    Ok(Exit::DONE)
}
