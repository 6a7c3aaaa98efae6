//! `parser add` and `parser remove`: components from files and registries, into service and out of it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::anyhow;
use runtime_signals::parsers::source::{Fetched, Reference, read_file};
use runtime_signals::parsers::{Candidate, Digest, Install, Installed, ParserState, ParserStatus, Parsers};
use serde::Serialize;

use crate::cli::context::{Context, block_on};
use crate::cli::output::Output;
use crate::cli::{Exit, output, printable, tell};

#[derive(Debug, clap::Args)]
pub(in super::super) struct Args {
    /// Files, each with its `.minisig` beside it, or components of registries as `ghcr.io/owner/name:tag`; without
    /// any, all that the lock file has
    #[arg(value_name = "FILE|REFERENCE")]
    sources: Vec<String>,
    /// Take what tags name now, and not what the lock file has of them
    #[arg(long)]
    update: bool,
    /// Accept a version older than the one in service
    #[arg(long)]
    allow_downgrade: bool,
}

#[derive(Debug, clap::Args)]
pub(in super::super) struct RemoveArgs {
    /// The name of a parser
    #[arg(value_name = "NAME")]
    name: String,
}

/// What a component was added from.
enum Source {
    File(PathBuf),
    Registry(Reference),
}

impl Source {
    /// What looks like a path, or is one, is a file.
    fn read(text: &str) -> anyhow::Result<Self> {
        let path = Path::new(text);
        if text.starts_with(['.', '/']) || text.ends_with(".wasm") || path.exists() {
            return Ok(Self::File(std::path::absolute(path)?));
        }
        Ok(Self::Registry(text.parse()?))
    }
}

/// What came of one source, as JSON.
#[derive(Serialize)]
struct Added<'a> {
    source: &'a str,
    /// Of the manifest, where it is from a registry.
    #[serde(skip_serializing_if = "Option::is_none")]
    locked: Option<Digest>,
    #[serde(flatten)]
    installed: &'a Installed,
}

pub(super) fn run(args: &Args, context: &Context) -> anyhow::Result<Exit> {
    let parsers = context.parsers()?;
    let mut sources = args.sources.clone();
    if sources.is_empty() {
        let locked = parsers.options().pinned()?.locked()?;
        sources.extend(locked.into_iter().map(|entry| entry.reference.to_string()));
        if sources.is_empty() {
            return Err(anyhow!("name a file or a component of a registry: the lock file has none"));
        }
    }
    let mut exit = Exit::DONE;
    for source in &sources {
        match add(source, args, &parsers) {
            Ok((installed, locked)) => {
                let text = told(&Added { source, locked, installed: &installed }, &context.output)?;
                output::write(text.as_bytes())?;
            }
            Err(error) => {
                tell(format_args!("{}", printable(&error.to_string())));
                exit = Exit::FAILED;
            }
        }
    }
    Ok(exit)
}

fn add(source: &str, args: &Args, parsers: &Parsers) -> anyhow::Result<(Installed, Option<Digest>)> {
    let how = Install { allow_downgrade: args.allow_downgrade, retry_withdrawn: true };
    let reference = match Source::read(source)? {
        Source::File(file) => {
            let candidate: Candidate = read_file(&file, parsers.options().most_component_bytes() as u64)?;
            return Ok((parsers.install(&candidate, how)?, None));
        }
        Source::Registry(reference) => reference,
    };
    let pinned = parsers.options().pinned()?;
    let Fetched { candidate, digest, moved } = block_on(pinned.fetch(&reference, args.update))??;
    if let Some(now) = moved {
        tell(format_args!(
            "{reference}: the tag was moved and names {now} now; {digest} is taken, as the lock file has it, and \
             `--update` takes what the tag names"
        ));
    }
    let installed = parsers.install(&candidate, how)?;
    pinned.note(&installed.name, &reference, digest)?;
    Ok((installed, Some(digest)))
}

fn told(added: &Added<'_>, output: &Output) -> anyhow::Result<String> {
    if output.is_json() {
        return Ok(serde_json::to_string(added)? + "\n");
    }
    let Installed { name, version, provider_types, signer, cases, differences, unchanged, .. } =
        added.installed;
    let (types, source) = (provider_types.join(", "), added.source);
    if *unchanged {
        return Ok(printable(&format!("{source}: {name} {version} reads {types} already")) + "\n");
    }
    let signed = signer.as_ref().map_or_else(|| "unsigned".to_owned(), |key| format!("signed by {key}"));
    let cases = if *cases == 1 { "1 case".to_owned() } else { format!("{cases} cases") };
    let mut text =
        printable(&format!("{source}: {name} {version} reads {types} now, {signed}, passed {cases}")) + "\n";
    for difference in differences {
        let differs = difference.differs.join(", ");
        text += &printable(&format!(
            "  of {} at {} it reads otherwise: {differs}",
            difference.provider_type, difference.received_at
        ));
        text.push('\n');
    }
    Ok(text)
}

pub(super) fn remove(args: &RemoveArgs, context: &Context) -> anyhow::Result<Exit> {
    let parsers = context.parsers()?;
    let is_named = |status: &ParserStatus| {
        status.state == ParserState::Current && status.name.as_ref() == Some(&args.name)
    };
    let named: Vec<ParserStatus> = parsers.list().into_iter().filter(is_named).collect();
    let watched = parsers.options().directory.as_deref();
    let files = named.iter().filter_map(|status| status.origin.as_deref().map(Path::new));
    if let Some(file) = files.into_iter().find(|file| watched.is_some() && file.parent() == watched) {
        return Err(anyhow!("{} is in service from {}: remove the file", args.name, file.display()));
    }
    if named.is_empty() {
        return Err(anyhow!(
            "no parser {} is in service; `runtime-signals parser list` names them",
            args.name
        ));
    }
    let digests: BTreeSet<Digest> = named.iter().map(|status| status.digest).collect();
    for digest in digests {
        for provider_type in parsers.remove(digest)? {
            let text = match context.output.is_json() {
                true => serde_json::json!({ "type": provider_type, "removed": args.name }).to_string(),
                false => printable(&format!("{provider_type}: no longer read by {}", args.name)),
            };
            output::write(format!("{text}\n").as_bytes())?;
        }
    }
    parsers.options().pinned()?.forget(&args.name)?;
    Ok(Exit::DONE)
}
