//! `wait` and `guard`: can a request pass, and when.
//!
//! The answer is by the wall clock and by what is stored at the time: a clock that is set, a machine that has
//! slept and another process's news all count, since nothing is slept through for long.

use std::thread;
use std::time::{Duration, SystemTime};

use clap::ValueEnum;
use jiff::fmt::friendly::SpanParser;
use runtime_signals::forms::WaitForm;
use runtime_signals::{Binding, Limit, Service, Wait};

use super::context::{Context, provider_name};
use super::size::Size;
use super::{Exit, human, output};

/// The longest nap before the clock and the cache are looked at again.
const NAP: Duration = Duration::from_secs(1);

/// What is to be sent, and to whom.
#[derive(Debug, clap::Args)]
struct Request {
    /// The provider's name
    #[arg(value_parser = provider_name)]
    name: String,
    #[command(flatten)]
    size: Size,
}

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    request: Request,
    /// Wait no longer than this, such as 90s or 5m: a longer wait is told at once
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    max: Option<Duration>,
}

#[derive(Debug, clap::Args)]
pub(super) struct GuardArgs {
    #[command(flatten)]
    request: Request,
    /// What to say where nothing is known
    #[arg(long, value_enum, default_value_t = OnUnknown::Deny)]
    on_unknown: OnUnknown,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum OnUnknown {
    Allow,
    Deny,
}

/// Sleeps until the request can pass.
pub(super) fn run(args: &Args, context: &Context) -> anyhow::Result<Exit> {
    let service = context.service()?;
    let give_up_at = args.max.and_then(|max| SystemTime::now().checked_add(max));
    loop {
        let wait = args.request.ask(&service)?;
        let now = SystemTime::now();
        let Wait::Until { at, .. } = &wait else {
            return args.request.tell(&wait, now, Exit::UNKNOWN, context);
        };
        if give_up_at.is_some_and(|give_up_at| *at > give_up_at) {
            return args.request.tell(&wait, now, Exit::UNKNOWN, context);
        }
        thread::sleep(wait.duration(now).unwrap_or_default().min(NAP));
    }
}

/// Tells whether the request can pass now.
pub(super) fn guard(args: &GuardArgs, context: &Context) -> anyhow::Result<Exit> {
    let wait = args.request.ask(&context.service()?)?;
    let unknown = if args.on_unknown == OnUnknown::Allow { Exit::DONE } else { Exit::UNKNOWN };
    args.request.tell(&wait, SystemTime::now(), unknown, context)
}

impl Request {
    fn ask(&self, service: &Service) -> Result<Wait, runtime_signals::Error> {
        service.wait_for(&self.name, &self.size.scope(), self.size.need())
    }

    /// Prints the answer and gives the exit status.
    fn tell(&self, wait: &Wait, now: SystemTime, unknown: Exit, context: &Context) -> anyhow::Result<Exit> {
        let exit = match wait {
            Wait::Go => Exit::DONE,
            Wait::Until { .. } | Wait::TooLarge(_) => Exit::NOT_YET,
            Wait::Unknown => unknown,
        };
        if context.output.is_json() {
            let mut line = serde_json::to_vec(&WaitForm::new(&self.name, wait, now))?;
            line.push(b'\n');
            output::write(&line)?;
        } else {
            output::write(format!("{}: {}\n", self.name, in_words(wait, now)).as_bytes())?;
        }
        Ok(exit)
    }
}

fn in_words(wait: &Wait, now: SystemTime) -> String {
    let limit = |limit: &Limit| {
        let window = limit.window.map(|window| format!(" a window of {}", human::span(window)));
        format!("{}{}", limit.quantity, window.unwrap_or_default())
    };
    let binding = |binding: &Binding| match binding {
        Binding::Limit(bound) => format!("the limit of {}", limit(bound)),
        Binding::Refusal(class) => format!("a refusal ({class})"),
    };
    match wait {
        Wait::Go => "go".into(),
        Wait::Until { binding: what, .. } => {
            format!("not before {}: {}", human::wait(wait.duration(now).unwrap_or_default()), binding(what))
        }
        Wait::TooLarge(what) => format!("larger than all {} allow; send less", limit(what)),
        Wait::Unknown => {
            "nothing is known; call it, or `runtime-signals warmup` it, and record what it answers".into()
        }
    }
}

/// Reads a Go duration on the command line.
fn duration(text: &str) -> Result<Duration, String> {
    let duration = SpanParser::new().parse_unsigned_duration(text);
    duration.map_err(|error| format!("{error}; give a number and a unit, such as 500ms, 90s, 5m or 1h30m"))
}
