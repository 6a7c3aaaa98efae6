//! `demo`: the whole path at work on simulated providers.

use std::time::Duration;

use anyhow::anyhow;
use runtime_signals::demo::Demo;
use runtime_signals::{CachedSignal, Service, SignalCache, Store, StoreOptions};
use tokio::time::MissedTickBehavior;

use super::context::{Context, block_on, finish, interrupted};
use super::output::{Output, OutputError};
use super::{Exit, output, table};

/// From one round of calls to the next.
const PERIOD: Duration = Duration::from_secs(1);
/// Calls of the only round to each provider: enough to use up the smallest quota.
const CALLS_ONCE: u32 = 5;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Make one round of calls, print the signals and end
    #[arg(long)]
    once: bool,
}

/// Shows the signals of simulated providers, until it is interrupted.
pub(super) fn run(args: &Args, context: &Context) -> anyhow::Result<Exit> {
    // Without a cache of its own choice, the demo leaves the user's alone.
    let folder;
    let cache = if context.names_cache() {
        context.cache()?
    } else {
        let made = tempfile::Builder::new().prefix("runtime-signals-demo-").tempdir();
        folder = made.map_err(|error| anyhow!("no folder for the demo: {error}; give one by --cache-dir"))?;
        SignalCache::new(folder.path())
    };
    // The simulated providers speak as the built-in profiles say, whatever the user's own ones do.
    let service = Service::new(Store::with_options(StoreOptions::default())?, cache);
    block_on(show(service.clone(), args.once, &context.output))??;
    finish(&service)?;
    Ok(Exit::DONE)
}

async fn show(service: Service, once: bool, output: &Output) -> anyhow::Result<()> {
    let demo = Demo::start(service.clone()).await?;
    if once {
        let signals = demo.round(CALLS_ONCE).await?;
        return output.signals(&signals, service.store());
    }
    tokio::select! {
        interrupted = interrupted() => interrupted,
        failed = rounds(&demo, service.store(), output) => failed,
    }
}

/// Makes round after round.
async fn rounds(demo: &Demo, store: &Store, output: &Output) -> anyhow::Result<()> {
    let mut screen = Screen { lines_shown: 0 };
    let mut rounds = tokio::time::interval(PERIOD);
    rounds.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        rounds.tick().await;
        let signals = demo.round(1).await?;
        if output.is_json() {
            output.signals(&signals, store)?;
        } else {
            screen.show(&signals, store, output)?;
        }
    }
}

/// The place on a terminal where the table is drawn again and again.
struct Screen {
    lines_shown: usize,
}

impl Screen {
    fn show(&mut self, signals: &[CachedSignal], store: &Store, output: &Output) -> Result<(), OutputError> {
        let mut table = table::signals(signals, store.now(), output.colours);
        let lines = table.lines().count();
        if output.is_terminal {
            table.push_str("Simulated providers on this machine; Ctrl-C ends the demo.\n");
            table.insert_str(0, &self.back_to_start());
            self.lines_shown = lines + 1;
        } else {
            table.push('\n');
        }
        output::write(table.as_bytes())
    }

    /// Moves the cursor to where the last table began, and clears from there.
    fn back_to_start(&self) -> String {
        match self.lines_shown {
            0 => String::new(),
            lines => format!("\u{1b}[{lines}F\u{1b}[J"),
        }
    }
}
