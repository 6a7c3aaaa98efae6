//! `read`: what is stored, or what a service knows.

use runtime_signals::{CachedSignal, Store, cache_source};

use super::context::{Context, block_on, provider_name};
use super::remote::Remote;
use super::{Exit, remote, tell};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The provider's name; all that are stored or configured if not given
    #[arg(value_parser = provider_name)]
    name: Option<String>,
}

/// Prints the stored signals, as they were judged when they were stored; those of a service as of now.
pub(super) fn run(args: &Args, context: &Context) -> anyhow::Result<Exit> {
    let name = args.name.as_deref();
    let (entries, store) = match context.remote()? {
        Some(remote) => {
            let store = context.judge()?;
            (block_on(known(&remote, name, &store))??, store)
        }
        None => stored(name, context)?,
    };
    if name.is_some() && entries.is_empty() {
        return Ok(Exit::NOTHING_STORED);
    }
    context.output.entries(&entries, &store)?;
    Ok(Exit::DONE)
}

/// What lies in the cache.
fn stored(name: Option<&str>, context: &Context) -> anyhow::Result<(Vec<CachedSignal>, Store)> {
    let service = context.service()?;
    let sources = match name {
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
    Ok((entries, service.store().clone()))
}

/// What the service knows. Where there was never any news of a provider, nothing is known of it.
async fn known(remote: &Remote, name: Option<&str>, store: &Store) -> anyhow::Result<Vec<CachedSignal>> {
    let seen = match name {
        Some(name) => remote::signal(remote, name).await?.into_iter().collect(),
        None => remote::signals(remote).await?,
    };
    let nothing_known = |name: &str| {
        tell(format_args!("runtime-signals: the service at {} knows nothing of {name}", remote.address()));
    };
    if let (Some(name), true) = (name, seen.is_empty()) {
        nothing_known(name);
    }
    let mut entries = Vec::new();
    for seen in seen {
        match seen.cached(store)? {
            Some(entry) => entries.push(entry),
            None => nothing_known(seen.provider()),
        }
    }
    Ok(entries)
}
