//! `clear`: refusals and limits forgotten.

use std::time::Duration;

use runtime_signals::{CachedSignal, cache_source};

use super::context::{Context, finish, provider_name};
use super::{Exit, tell};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The provider's name
    #[arg(value_parser = provider_name)]
    name: String,
    /// Forget what refuses this model only
    #[arg(long)]
    model: Option<String>,
}

/// Clears a provider that is stored, and prints its signal.
pub(super) fn run(args: &Args, context: &Context) -> anyhow::Result<Exit> {
    let service = context.service()?;
    if service.read_cached(&args.name)?.is_none() {
        let path = service.cache().path(&cache_source(&args.name)?);
        let (name, path) = (&args.name, path.display());
        tell(format_args!("runtime-signals: no signal of {name} is stored in {path}; nothing to clear"));
        return Ok(Exit::NOTHING_STORED);
    }
    let signal = service.clear(&args.name, args.model.as_deref())?;
    finish(&service)?;
    let cleared = CachedSignal { signal, fresh: true, age: Duration::ZERO };
    context.output.signals(&[cleared], service.store())?;
    Ok(Exit::DONE)
}
