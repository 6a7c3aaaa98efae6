//! `collect` and `warmup`: a look at providers now.

use std::sync::Arc;
use std::time::Duration;

use runtime_signals::config::Config;
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
    /// Provider type: selects where evidence comes from; that of the configuration if not given
    #[arg(long = "type", value_name = "TYPE")]
    provider_type: Option<String>,
    /// Where the provider is reached, for types that are probed; as configured if not given
    #[arg(long, value_name = "URL")]
    base_url: Option<String>,
    /// Ask a local server that is up a second question: does it load a model, is it busy?
    #[arg(long)]
    readiness: bool,
}

#[derive(Debug, clap::Args)]
pub(super) struct WarmupArgs {
    /// The provider's name; all that are cached or configured if not given
    #[arg(value_parser = provider_name)]
    name: Option<String>,
    /// Provider type: selects where evidence comes from; as configured, or the provider's name, if not given
    #[arg(long = "type", value_name = "TYPE", requires = "name")]
    provider_type: Option<String>,
    /// Where the provider is reached, for types that are probed; as configured if not given
    #[arg(long, value_name = "URL", requires = "name")]
    base_url: Option<String>,
    /// Ask a local server that is up a second question: does it load a model, is it busy?
    #[arg(long)]
    readiness: bool,
}

/// Prints the signal as of now; nothing is stored.
pub(super) fn run(args: Args, context: &Context) -> anyhow::Result<Exit> {
    let service = context.service_with(args.readiness)?;
    let config = context.config()?;
    if args.provider_type.is_none() && config.provider(&args.name).is_none() {
        let name = &args.name;
        tell(format_args!(
            "runtime-signals: the type of {name} is not known: name it by --type, or configure it"
        ));
        return Ok(Exit::BAD_USAGE);
    }
    let input = input(config, &args.name, args.provider_type, args.base_url);
    let signal = block_on(service.collect(&args.name, &input))??;
    context.output.signals(&[now(signal)], service.store())?;
    Ok(Exit::DONE)
}

/// Refreshes one provider, or all that are cached or configured, and prints what is stored then.
pub(super) fn warmup(args: WarmupArgs, context: &Context) -> anyhow::Result<Exit> {
    let service = context.service_with(args.readiness)?;
    let names = match args.name {
        Some(name) => vec![name],
        None => context.known(&service)?.iter().map(|source| source.name().to_owned()).collect(),
    };
    let config = context.config()?;
    let inputs = names.into_iter().map(|name| {
        let input = input(config, &name, args.provider_type.clone(), args.base_url.clone());
        (name, input)
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

/// What the command line says, else the configuration. What is cached does not tell its type; most providers are
/// named for it.
fn input(
    config: &Config,
    name: &str,
    provider_type: Option<String>,
    base_url: Option<String>,
) -> CollectInput {
    let configured = config.input(name);
    CollectInput {
        provider_type: provider_type.unwrap_or(configured.provider_type),
        base_url: base_url.unwrap_or(configured.base_url),
    }
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
