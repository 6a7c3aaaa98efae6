//! `collect` and `warmup`: a look at providers now.

use std::sync::Arc;
use std::time::Duration;

use runtime_signals::{CachedSignal, CollectInput, Error, Service, Signal};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::context::{Context, block_on, finish, provider_name};
use super::{Exit, tell};

/// Providers that are looked at at the same time.
const AT_ONCE: usize = 16;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The provider's name
    #[arg(value_parser = provider_name)]
    name: String,
    /// Provider type: selects where evidence comes from
    #[arg(long = "type", value_name = "TYPE")]
    provider_type: String,
    /// Where the provider is reached, for types that are probed
    #[arg(long, value_name = "URL", default_value = "", hide_default_value = true)]
    base_url: String,
    /// Ask a local server that is up a second question: does it load a model, is it busy?
    #[arg(long)]
    readiness: bool,
}

#[derive(Debug, clap::Args)]
pub(super) struct WarmupArgs {
    /// The provider's name; all that are cached if not given
    #[arg(value_parser = provider_name)]
    name: Option<String>,
    /// Provider type: selects where evidence comes from; the provider's name if not given
    #[arg(long = "type", value_name = "TYPE", requires = "name")]
    provider_type: Option<String>,
    /// Where the provider is reached, for types that are probed
    #[arg(long, value_name = "URL", default_value = "", hide_default_value = true, requires = "name")]
    base_url: String,
    /// Ask a local server that is up a second question: does it load a model, is it busy?
    #[arg(long)]
    readiness: bool,
}

/// Prints the signal as of now; nothing is stored.
pub(super) fn run(args: Args, context: &Context) -> anyhow::Result<Exit> {
    let service = context.service_with(args.readiness)?;
    let input = CollectInput { provider_type: args.provider_type, base_url: args.base_url };
    let signal = block_on(service.collect(&args.name, &input))??;
    context.output.signals(&[now(signal)], service.store())?;
    Ok(Exit::DONE)
}

/// Refreshes one provider, or all that are cached, and prints what is stored then.
pub(super) fn warmup(args: WarmupArgs, context: &Context) -> anyhow::Result<Exit> {
    let service = context.service_with(args.readiness)?;
    let names = match args.name {
        Some(name) => vec![name],
        None => service.cache().list()?.iter().map(|source| source.name().to_owned()).collect(),
    };
    // What is cached does not tell its type; most providers are named for it.
    let inputs = names.into_iter().map(|name| {
        let provider_type = args.provider_type.clone().unwrap_or_else(|| name.clone());
        (name, CollectInput { provider_type, base_url: args.base_url.clone() })
    });
    let outcomes = block_on(warm_all(&service, inputs.collect()))?;
    let mut exit = Exit::DONE;
    let mut signals = Vec::new();
    for outcome in outcomes {
        match outcome {
            Ok(signal) => signals.push(now(signal)),
            Err(error) => {
                tell(format_args!("runtime-signals: {error}"));
                exit = Exit::FAILED;
                if let Error::Refresh { stored: Some(stored), .. } = error {
                    signals.push(*stored);
                }
            }
        }
    }
    finish(&service)?;
    context.output.signals(&signals, service.store())?;
    Ok(exit)
}

/// Refreshes providers, several at the same time; the outcomes are in order.
async fn warm_all(service: &Service, inputs: Vec<(String, CollectInput)>) -> Vec<Result<Signal, Error>> {
    let turns = Arc::new(Semaphore::new(AT_ONCE));
    let mut refreshes = JoinSet::new();
    for (position, (name, input)) in inputs.into_iter().enumerate() {
        let (service, turns) = (service.clone(), turns.clone());
        refreshes.spawn(async move {
            let _turn = turns.acquire().await;
            (position, service.warmup(&name, &input).await)
        });
    }
    let mut outcomes = refreshes.join_all().await;
    outcomes.sort_by_key(|(position, _)| *position);
    outcomes.into_iter().map(|(_, outcome)| outcome).collect()
}

fn now(signal: Signal) -> CachedSignal {
    CachedSignal { signal, fresh: true, age: Duration::ZERO }
}
