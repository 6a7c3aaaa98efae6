//! `ingest`: finished calls into signals.
//!
//! The input may be a pipe that never ends: what was read is on disk a moment later, and when the process is
//! interrupted.

use std::collections::BTreeSet;
use std::time::Duration;

use runtime_signals::forms::Call;
use runtime_signals::{CachedSignal, Error, Observation, Service};
use serde::Serialize;
use tokio::runtime::Handle;

use super::context::{Context, block_on, finish, interrupted};
use super::lines::{Input, Line, Tally, for_each_batch};
use super::output::Output;
use super::remote::Remote;
use super::send::Sender;
use super::{Exit, output, tell};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Print the signals that would be stored, and store nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    input: Input,
}

/// Records the calls, batch by batch in the order of the input, here or by a service.
pub(super) fn run(args: &Args, context: &Context) -> anyhow::Result<Exit> {
    if let Some(remote) = context.remote()? {
        if args.dry_run {
            let remedy = "leave it out, or read the cache by --service off";
            tell(format_args!("runtime-signals: --dry-run asks no service; {remedy}"));
            return Ok(Exit::BAD_USAGE);
        }
        return send(args, remote, context);
    }
    let service = context.reading_service()?;
    let recorder = Recorder { service: service.clone(), dry_run: args.dry_run, providers: BTreeSet::new() };
    let input = args.input.clone();
    let end = block_on(async {
        tokio::select! {
            read = tokio::task::spawn_blocking(move || recorder.read(&input)) => Ok(Some(read?)),
            interrupted = interrupted() => interrupted.map(|()| None),
        }
    });
    // What was read before the input broke off is stored all the same.
    finish(&service)?;
    let Some((tally, providers)) = end?? else { return Ok(Exit::INTERRUPTED) };
    let tally = tally?;
    if args.dry_run {
        let signals =
            providers.iter().map(|name| as_of_now(&service, name)).collect::<Result<Vec<_>, _>>()?;
        Output::json().signals(&signals, service.store())?;
    } else {
        summarize(tally, &providers, &context.output)?;
    }
    Ok(tally.exit())
}

fn send(args: &Args, remote: Remote, context: &Context) -> anyhow::Result<Exit> {
    let sender = Sender { remote, providers: BTreeSet::new() };
    let input = args.input.clone();
    let end = block_on(async {
        let runtime = Handle::current();
        tokio::select! {
            read = tokio::task::spawn_blocking(move || sender.read(&input, &runtime)) => Ok(Some(read?)),
            interrupted = interrupted() => interrupted.map(|()| None),
        }
    });
    let Some((tally, providers)) = end?? else { return Ok(Exit::INTERRUPTED) };
    let tally = tally?;
    summarize(tally, &providers, &context.output)?;
    Ok(tally.exit())
}

fn as_of_now(service: &Service, provider: &str) -> Result<CachedSignal, Error> {
    let signal = service.store().recorded(provider)?;
    Ok(CachedSignal { signal, fresh: true, age: Duration::ZERO })
}

/// Records batches, and notes of which providers.
struct Recorder {
    service: Service,
    /// Nothing is to be stored.
    dry_run: bool,
    providers: BTreeSet<String>,
}

impl Recorder {
    /// Reads the input to its end.
    fn read(mut self, input: &Input) -> (anyhow::Result<Tally>, BTreeSet<String>) {
        let tally = for_each_batch(input, Call::read, |batch, tally| Ok(self.record(&batch, tally)?));
        (tally, self.providers)
    }

    fn record(&mut self, batch: &[Line<Call>], tally: &mut Tally) -> Result<(), Error> {
        let calls: Vec<Observation<'_>> = batch.iter().map(|line| line.content.observation()).collect();
        let outcomes = if self.dry_run {
            for call in calls.iter().filter(|call| !self.providers.contains(call.provider)) {
                // Takes in what is stored of the provider, as a batch that is stored would.
                self.service.recorded(call.provider)?;
            }
            self.service.store().record_batch(&calls)
        } else {
            self.service.observe_batch(&calls)
        };
        for (line, outcome) in batch.iter().zip(outcomes) {
            match outcome {
                Ok(()) if self.providers.contains(&line.content.provider) => {}
                Ok(()) => {
                    self.providers.insert(line.content.provider.clone());
                }
                Err(error) => tally.reject(line.number, error),
            }
        }
        Ok(())
    }
}

#[derive(Serialize)]
struct Summary<'a> {
    lines: u64,
    recorded: u64,
    bad: u64,
    providers: &'a BTreeSet<String>,
}

fn summarize(tally: Tally, providers: &BTreeSet<String>, output: &Output) -> anyhow::Result<()> {
    let Tally { lines, bad } = tally;
    let recorded = lines.saturating_sub(bad);
    let mut text = if output.is_json() {
        serde_json::to_string(&Summary { lines, recorded, bad, providers })?
    } else {
        let names: Vec<&str> = providers.iter().map(String::as_str).collect();
        let of = if names.is_empty() { String::new() } else { format!(" of {}", names.join(", ")) };
        format!("{recorded} {}{of} recorded", if recorded == 1 { "call" } else { "calls" })
    };
    text.push('\n');
    Ok(output::write(text.as_bytes())?)
}
