//! The commands, one file each.
//!
//! Results go to standard output: a table on a terminal, JSON to a pipe. Everything else goes to standard
//! error: what is wrong with an input, by its line, and the log. A reader that goes away ends a command
//! quietly. Times come from the system's clock.

mod cache;
mod capture;
mod clear;
mod collect;
mod completions;
mod context;
mod demo;
mod doctor;
mod human;
mod ingest;
mod lines;
mod logging;
mod output;
mod pace;
mod parse;
mod parser;
mod profile;
mod rank;
mod raw;
mod read;
mod remote;
mod send;
mod serve;
mod size;
mod status;
mod statusline;
mod table;
mod wait;
mod watch;

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use runtime_signals::config::ServiceAddress;

use self::context::Context;
use self::output::{Format, Output, OutputError};

/// What the process tells by its exit status.
const EXIT_STATUS: &str = "\
Exit status:
    0  done; also where a provider is degraded or exhausted
    1  failed, or some input lines were bad; `doctor`: something is wrong
    2  bad usage
    3  nothing that is a signal is stored of the provider
   69  `wait`, `guard`: nothing is known of the provider
   75  `wait`: not within the bound; `guard`: not now; `rank`: nobody can now
  130  `ingest` was interrupted; what it had read is stored
`statusline` exits as the user's own command does.

Environment:
  FIZEAU_CACHE_DIR              root of the signal cache
  FIZ_TTL_RUNTIME               how long a stored signal is fresh (5m)
  FIZ_REFRESH_DEADLINE_RUNTIME  how long a refresh may take (5s)
  FIZ_LOCK_TIMEOUT              how long to wait for a lock of the cache (100ms)
  RUNTIME_SIGNALS_CONFIG        the configuration (~/.config/runtime-signals/runtime-signals.toml)
  RUNTIME_SIGNALS_PROFILES      directory of your own profiles (~/.config/runtime-signals/profiles)
  RUNTIME_SIGNALS_LISTEN        where the service listens (127.0.0.1:7433)
  RUNTIME_SIGNALS_SERVICE       the service that commands ask in place of the cache (none)
  RUNTIME_SIGNALS_TOKEN         the token that requests to the service have to carry
  RUNTIME_SIGNALS_LOG           what is logged: error, warn, info, debug, trace (warn)
  NO_COLOR                      no colours";

/// Can I send this request to this LLM provider now; if not, when; and who can take it instead?
///
/// Without a command: the status of all providers that are cached or found, most urgent first.
#[derive(Debug, Parser)]
#[command(name = "runtime-signals", version, after_help = EXIT_STATUS)]
struct Cli {
    /// Print JSON, one value a line, to a terminal too
    #[arg(long, global = true)]
    json: bool,
    /// What to print: a table to a terminal and JSON to a pipe if not given
    #[arg(long, global = true, value_enum, conflicts_with = "json")]
    format: Option<Format>,
    /// Root of the signal cache, instead of FIZEAU_CACHE_DIR
    #[arg(long, global = true, value_name = "DIR")]
    cache_dir: Option<PathBuf>,
    /// Ask this service instead of the cache: http://127.0.0.1:7433, unix:/path/to/socket, or off
    #[arg(long, global = true, value_name = "URL", conflicts_with = "cache_dir")]
    service: Option<ServiceAddress>,
    /// The configuration, instead of ~/.config/runtime-signals/runtime-signals.toml
    #[arg(long, global = true, value_name = "FILE", env = runtime_signals::config::VARIABLE)]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Call simulated providers on this machine and show their signals
    Demo(demo::Args),
    /// Record finished calls, one JSON object a line, and store the signals
    Ingest(ingest::Args),
    /// Read responses, one JSON object a line, and print what each says about limits
    Parse(parse::Args),
    /// Print a response that you saw without anything secret or personal, to be sent with a report
    Capture(capture::Args),
    /// Look at a provider now and print its signal; nothing is stored
    Collect(collect::Args),
    /// Look at a provider, or at all that are cached or configured, and store the signals
    Warmup(collect::WarmupArgs),
    /// Run the service: keep providers fresh, take observations and show signals over HTTP
    Serve(serve::Args),
    /// Print what is stored of a provider, or of all
    Read(read::Args),
    /// Show providers as they change: on the whole terminal, or each change as a line of JSON to a pipe
    Watch,
    /// Sleep until a request can pass; at once if it can
    Wait(wait::Args),
    /// Tell whether a request can pass now, by the exit status
    Guard(wait::GuardArgs),
    /// Tell who can take a request, best first; where nobody can, who can the earliest
    Rank(rank::Args),
    /// Tell when allowances will be used up at the present pace, and which pace would last
    Pace(pace::Args),
    /// Forget refusals and limits of a provider, or of one of its models
    Clear(clear::Args),
    /// Be Claude Code's status line, and note how much of the plan is used
    Statusline(statusline::Args),
    /// Show or tidy the signal cache
    #[command(subcommand)]
    Cache(cache::Command),
    /// Check, list or show how provider types are read
    #[command(subcommand)]
    Profile(profile::Command),
    /// Make, check, list and roll back parsers of provider types
    #[command(subcommand)]
    Parser(parser::Command),
    /// Tell what is found, what is missing and what to do about it; nothing is changed
    Doctor,
    /// Print completions for a shell
    Completions(completions::Args),
}

impl Command {
    /// Can it ask a service in place of the cache?
    fn asks_services(&self) -> bool {
        matches!(
            self,
            Self::Ingest(_)
                | Self::Read(_)
                | Self::Watch
                | Self::Wait(_)
                | Self::Guard(_)
                | Self::Rank(_)
                | Self::Doctor
                | Self::Pace(_)
        )
    }
}

/// The exit status of a command that did what it could.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Exit(u8);

impl Exit {
    const DONE: Self = Self(0);
    const FAILED: Self = Self(1);
    const BAD_USAGE: Self = Self(2);
    const NOTHING_STORED: Self = Self(3);
    /// `EX_UNAVAILABLE` of sysexits.h.
    const UNKNOWN: Self = Self(69);
    /// `EX_TEMPFAIL` of sysexits.h.
    const NOT_YET: Self = Self(75);
    const INTERRUPTED: Self = Self(130);
}

/// Runs the command that the arguments name.
pub(crate) fn main() -> ExitCode {
    let Cli { json, format, cache_dir, service, config, command } = Cli::parse();
    logging::start();
    if service.is_some() && !command.as_ref().is_none_or(Command::asks_services) {
        tell(format_args!("runtime-signals: this command asks no service; leave out --service"));
        return Exit::BAD_USAGE.0.into();
    }
    let format = if json { Some(Format::Json) } else { format };
    let context = Context::new(cache_dir, service, config, Output::new(format));
    match run(command, &context) {
        Ok(Exit(status)) => status.into(),
        Err(error) if error.downcast_ref().is_some_and(OutputError::is_broken_pipe) => ExitCode::SUCCESS,
        Err(error) => {
            tell(format_args!("runtime-signals: {error}"));
            Exit::FAILED.0.into()
        }
    }
}

fn run(command: Option<Command>, context: &Context) -> anyhow::Result<Exit> {
    match command {
        None => status::run(context),
        Some(Command::Demo(args)) => demo::run(&args, context),
        Some(Command::Ingest(args)) => ingest::run(&args, context),
        Some(Command::Parse(args)) => parse::run(&args, context),
        Some(Command::Capture(args)) => capture::run(&args),
        Some(Command::Collect(args)) => collect::run(args, context),
        Some(Command::Warmup(args)) => collect::warmup(args, context),
        Some(Command::Serve(args)) => serve::run(&args, context),
        Some(Command::Read(args)) => read::run(&args, context),
        Some(Command::Watch) => watch::run(context),
        Some(Command::Wait(args)) => wait::run(&args, context),
        Some(Command::Guard(args)) => wait::guard(&args, context),
        Some(Command::Rank(args)) => rank::run(&args, context),
        Some(Command::Pace(args)) => pace::run(&args, context),
        Some(Command::Clear(args)) => clear::run(&args, context),
        Some(Command::Statusline(args)) => statusline::run(&args),
        Some(Command::Cache(command)) => cache::run(&command, context),
        Some(Command::Profile(command)) => profile::run(&command, context),
        Some(Command::Parser(command)) => parser::run(&command, context),
        Some(Command::Doctor) => doctor::run(context),
        Some(Command::Completions(args)) => completions::run(&args),
    }
}

/// Texts of a file or a component must not steer the terminal.
fn printable(text: &str) -> String {
    text.replace(char::is_control, " ")
}

/// Writes a line to standard error. If nobody reads it, nobody misses it.
fn tell(line: std::fmt::Arguments<'_>) {
    let _ = writeln!(io::stderr(), "{line}");
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_arguments_are_consistent() {
        Cli::command().debug_assert();
    }
}
