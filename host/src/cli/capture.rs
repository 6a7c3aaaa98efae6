//! `capture`: a response that was seen, without anything secret or personal, as a vector for the tests.

use std::time::SystemTime;

use anyhow::anyhow;
use runtime_signals::capture::{self, Cleaned, Response as Seen};
use runtime_signals::forms::{Response, milliseconds};
use runtime_signals::time::rfc3339;
use runtime_signals::{Reading, Store};
use serde::Serialize;
use serde_json::ser::{PrettyFormatter, Serializer};

use super::lines::Input;
use super::{Exit, output, raw, tell};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Provider type, where the response names none
    #[arg(long = "type", value_name = "TYPE")]
    provider_type: Option<String>,
    #[command(flatten)]
    input: Input,
}

/// A response in the form of `tests/vectors/`.
#[derive(Serialize)]
struct Vector<'a> {
    id: String,
    provider_type: &'a str,
    source: String,
    status: u16,
    headers: &'a [(String, String)],
    body: Option<&'a str>,
    now: String,
    expect: Expected,
    note: &'static str,
}

/// What `parse` reads from the cleaned response.
#[derive(Serialize)]
struct Expected {
    remaining_requests: Option<u64>,
    remaining_tokens: Option<u64>,
    reset_at: Option<String>,
    retry_after_ms: Option<u64>,
    exhausted: bool,
}

/// Prints the cleaned response, and tells what was left out.
pub(super) fn run(args: &Args) -> anyhow::Result<Exit> {
    let input = args.input.read_whole()?;
    let read = if raw::is_http(&input) { raw::read } else { Response::read };
    let Response { seen, now } = read(&input, args.provider_type.as_deref()).map_err(|why| {
        anyhow!("no response can be read: {why}; give one as `parse` takes it, or `curl -i` prints it")
    })?;
    let (now, clock) = match (now, date(&seen)) {
        (Some(now), _) => (now, "now as given"),
        (None, Some(date)) => (date, "now is its date"),
        (None, None) => (SystemTime::now(), "now is when it was captured"),
    };
    let Cleaned { response, body_left_out, headers_left_out } = capture::clean(&seen);
    let cleaned = Response { seen: response, now: Some(now) };
    let reading = Store::new()?.parse(&cleaned.observation())?;
    output::write(&vector(&cleaned.seen, now, clock, &reading)?)?;
    if headers_left_out > 0 {
        tell(format_args!(
            "headers left out: {headers_left_out}; they say nothing of limits, or may be secret"
        ));
    }
    if let Some(why) = body_left_out {
        tell(format_args!("body left out: {why}"));
    }
    tell(format_args!("an x stands for what may be secret or personal: look at the rest before you send it"));
    Ok(Exit::DONE)
}

fn vector(seen: &Seen, now: SystemTime, clock: &str, reading: &Reading) -> anyhow::Result<Vec<u8>> {
    let vector = Vector {
        id: format!("{}-{}-captured", seen.provider_type, seen.status),
        provider_type: &seen.provider_type,
        source: format!("seen: captured by runtime-signals {}; {clock}", env!("CARGO_PKG_VERSION")),
        status: seen.status,
        headers: &seen.headers,
        body: seen.body.as_deref(),
        now: rfc3339(now),
        expect: Expected::from(reading),
        note: "",
    };
    let mut json = Vec::new();
    // The indentation of the vectors' own file.
    let form = PrettyFormatter::with_indent(b" ");
    vector.serialize(&mut Serializer::with_formatter(&mut json, form))?;
    json.push(b'\n');
    Ok(json)
}

impl From<&Reading> for Expected {
    fn from(reading: &Reading) -> Self {
        Self {
            remaining_requests: reading.remaining_requests,
            remaining_tokens: reading.remaining_tokens,
            reset_at: reading.reset_at.map(rfc3339),
            retry_after_ms: reading.retry_after.map(milliseconds),
            exhausted: reading.exhausted,
        }
    }
}

/// When the response was sent, by its own `Date`.
fn date(seen: &Seen) -> Option<SystemTime> {
    let (_, date) = seen.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("date"))?;
    SystemTime::try_from(jiff::fmt::rfc2822::parse(date).ok()?.timestamp()).ok()
}
