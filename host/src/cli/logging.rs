//! The log: to standard error, from warnings on unless `RUNTIME_SIGNALS_LOG` says otherwise.

use std::io::{self, IsTerminal};
use std::sync::atomic::{AtomicBool, Ordering};

use anstream::{AutoStream, ColorChoice};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

/// A command draws on the whole terminal: a line of the log would spoil it.
static SCREEN_IS_TAKEN: AtomicBool = AtomicBool::new(false);

/// Holds the log back while a command draws on the terminal that it goes to.
pub(super) fn leave_the_screen(taken: bool) {
    SCREEN_IS_TAKEN.store(taken && io::stderr().is_terminal(), Ordering::Relaxed);
}

fn writer() -> Box<dyn io::Write> {
    if SCREEN_IS_TAKEN.load(Ordering::Relaxed) { Box::new(io::sink()) } else { Box::new(io::stderr()) }
}

/// Starts the log of this process.
pub(super) fn start() {
    let filter = EnvFilter::builder()
        .with_default_directive(LevelFilter::WARN.into())
        .with_env_var("RUNTIME_SIGNALS_LOG")
        .from_env_lossy();
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(writer)
        .with_ansi(AutoStream::choice(&io::stderr()) != ColorChoice::Never)
        .init();
}
