//! `wait` and `guard`: can a request pass, and when.
//!
//! The answer is by the wall clock and by what is stored, or what a service knows, at the time: a clock that is set, a machine that has
//! slept and another process's news all count, since nothing is slept through for long.

use std::thread;
use std::time::{Duration, SystemTime};

use clap::ValueEnum;
use jiff::fmt::friendly::SpanParser;
use runtime_signals::forms::{Verdict, WaitAnswer, WaitForm};
use runtime_signals::{Service, Wait};

use super::context::{Context, block_on, provider_name};
use super::remote::Remote;
use super::size::Size;
use super::{Exit, human, output, printable};

/// The longest nap before the clock and the evidence are looked at again.
const NAP: Duration = Duration::from_secs(1);
/// The longest that a service holds its answer back: proxies in between break off what takes a minute.
const LONGEST_HELD: Duration = Duration::from_secs(50);

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
    let give_up_at = args.max.and_then(|max| SystemTime::now().checked_add(max));
    let told = match context.remote()? {
        Some(remote) => block_on(args.request.held(&remote, give_up_at))??,
        None => args.request.slept(&context.service()?, give_up_at)?,
    };
    args.request.tell(&told, Exit::UNKNOWN, context)
}

/// Tells whether the request can pass now.
pub(super) fn guard(args: &GuardArgs, context: &Context) -> anyhow::Result<Exit> {
    let told = match context.remote()? {
        Some(remote) => block_on(args.request.ask_service(&remote, Duration::ZERO))??,
        None => Told::new(&args.request.name, &args.request.ask(&context.service()?)?)?,
    };
    let unknown = if args.on_unknown == OnUnknown::Allow { Exit::DONE } else { Exit::UNKNOWN };
    args.request.tell(&told, unknown, context)
}

/// An answer, wherever it is from.
struct Told {
    /// The JSON and a line end.
    line: Vec<u8>,
    seen: WaitAnswer,
}

impl Told {
    fn new(name: &str, wait: &Wait) -> anyhow::Result<Self> {
        let mut line = serde_json::to_vec(&WaitForm::new(name, wait, SystemTime::now()))?;
        line.push(b'\n');
        Ok(Self { seen: serde_json::from_slice(&line)?, line })
    }
}

impl Request {
    fn ask(&self, service: &Service) -> Result<Wait, runtime_signals::Error> {
        service.wait_for(&self.name, &self.size.scope(), self.size.need())
    }

    /// By the cache: looks at it again and again.
    fn slept(&self, service: &Service, give_up_at: Option<SystemTime>) -> anyhow::Result<Told> {
        loop {
            let wait = self.ask(service)?;
            match &wait {
                Wait::Until { at, .. } if give_up_at.is_none_or(|give_up_at| *at <= give_up_at) => {
                    thread::sleep(wait.duration(SystemTime::now()).unwrap_or_default().min(NAP));
                }
                _ => return Told::new(&self.name, &wait),
            }
        }
    }

    /// By a service, which holds its answer back.
    async fn held(&self, remote: &Remote, give_up_at: Option<SystemTime>) -> anyhow::Result<Told> {
        loop {
            let left = give_up_at.map(|at| at.duration_since(SystemTime::now()).unwrap_or_default());
            let told =
                self.ask_service(remote, left.map_or(LONGEST_HELD, |left| left.min(LONGEST_HELD))).await?;
            let wait = told.seen.wait();
            if told.seen.answer != Verdict::Wait || left.is_some_and(|left| wait > left) {
                return Ok(told);
            }
            tokio::time::sleep(wait.min(NAP)).await;
        }
    }

    async fn ask_service(&self, remote: &Remote, held: Duration) -> anyhow::Result<Told> {
        let mut query = self.size.query();
        query.push(("provider", self.name.clone()));
        query.push(("max_wait_ms", held.as_millis().to_string()));
        let answer = remote.get_held("v1/wait", &query, held).await?;
        match (answer.read()?, answer.line()) {
            (Some(seen), Some(line)) => Ok(Told { line, seen }),
            _ => Told::new(&self.name, &Wait::Unknown),
        }
    }

    /// Prints the answer and gives the exit status.
    fn tell(&self, told: &Told, unknown: Exit, context: &Context) -> anyhow::Result<Exit> {
        if context.output.is_json() {
            output::write(&told.line)?;
        } else {
            output::write(format!("{}: {}\n", self.name, in_words(&told.seen)).as_bytes())?;
        }
        Ok(match told.seen.answer {
            Verdict::Go => Exit::DONE,
            Verdict::Wait | Verdict::TooLarge => Exit::NOT_YET,
            Verdict::Unknown => unknown,
        })
    }
}

fn in_words(answer: &WaitAnswer) -> String {
    let limit = answer.limit.as_ref().map(|limit| {
        let window = limit.window_s.map(Duration::from_secs);
        let window = window.map(|window| format!(" a window of {}", human::span(window)));
        format!("{}{}", printable(&limit.quantity), window.unwrap_or_default())
    });
    match answer.answer {
        Verdict::Go => "go".into(),
        Verdict::Wait => {
            let class = answer.refusal.as_deref().map(|class| format!("a refusal ({})", printable(class)));
            let binding = limit.map(|limit| format!("the limit of {limit}")).or(class);
            let binding = binding.map(|binding| format!(": {binding}")).unwrap_or_default();
            format!("not before {}{binding}", human::wait(answer.wait()))
        }
        Verdict::TooLarge => format!("larger than all {} allow; send less", limit.unwrap_or_default()),
        Verdict::Unknown => {
            "nothing is known; call it, or `runtime-signals warmup` it, and record what it answers".into()
        }
    }
}

/// Reads a Go duration on the command line.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let duration = SpanParser::new().parse_unsigned_duration(text);
    duration.map_err(|error| format!("{error}; give a number and a unit, such as 500ms, 90s, 5m or 1h30m"))
}
