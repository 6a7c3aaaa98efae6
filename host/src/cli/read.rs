//! `read`: what is stored.

use runtime_signals::cache_source;

use super::context::{Context, provider_name};
use super::{Exit, tell};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The provider's name; all that are stored or configured if not given
    #[arg(value_parser = provider_name)]
    name: Option<String>,
}

/// Prints the stored signals, as they were judged when they were stored.
pub(super) fn run(args: &Args, context: &Context) -> anyhow::Result<Exit> {
    let service = context.service()?;
    let sources = match &args.name {
        Some(name) => vec![cache_source(name)?],
        None => context.known(&service)?,
    };
    let mut entries = Vec::new();
    for source in sources {
        match service.read_cached(source.name())? {
            Some(entry) => entries.push(entry),
            None => {
                let path = service.cache().path(&source);
                tell(format_args!("runtime-signals: no signal of {source} is stored in {}", path.display()));
            }
        }
    }
    if args.name.is_some() && entries.is_empty() {
        return Ok(Exit::NOTHING_STORED);
    }
    context.output.entries(&entries, service.store())?;
    Ok(Exit::DONE)
}
