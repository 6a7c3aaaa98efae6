//! A status-line command for Claude Code that notes how much of the plan is used.
//!
//! Claude Code hands a status-line command a JSON object on standard input and shows what it prints. The
//! `rate_limits` in it are recorded in Claude's quota snapshot; then one line is printed, or the input is
//! handed on to the user's own command, whose output and status become ours. Nothing that goes wrong with
//! recording stops the status line.

use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::time::SystemTime;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::Value;

use crate::quota::{self, ClaudeUsage, ClaudeWindow, SessionMark, SnapshotError};

/// Largest input, in bytes.
pub const MAX_INPUT: usize = 1024 * 1024;

/// What is printed when Claude Code states no limits: before the first answer of a session, and without a
/// plan.
const NEUTRAL: &str = "5h – · 7d –";

/// Why there is no status line.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StatuslineError {
    /// Standard input cannot be read.
    #[error("the status-line input cannot be read: {0}")]
    Read(#[source] io::Error),
    /// There is more of it than Claude Code sends.
    #[error("the status-line input is larger than {MAX_INPUT} bytes")]
    InputTooLarge,
    /// The user's command cannot be run.
    #[error("the status-line command {} cannot be run: {source}; check the words after `--`", program.display())]
    Delegate {
        /// Its first word.
        program: OsString,
        /// What the system says.
        source: io::Error,
    },
}

/// What came of one run.
#[derive(Debug)]
pub struct Report {
    /// The line to print; none when the user's command has printed its own.
    pub line: Option<String>,
    /// The exit status: that of the user's command, 128 and the signal's number if one killed it, else 0.
    pub exit_code: u8,
    /// Whether there was news to record. An error is for the log: the status line stands.
    pub recorded: Result<bool, SnapshotError>,
}

/// Reads the input to its end.
///
/// # Errors
///
/// [`StatuslineError::Read`], or [`StatuslineError::InputTooLarge`] beyond [`MAX_INPUT`] bytes.
pub fn read_input(reader: impl Read) -> Result<Vec<u8>, StatuslineError> {
    let mut input = Vec::new();
    reader.take(MAX_INPUT as u64 + 1).read_to_end(&mut input).map_err(StatuslineError::Read)?;
    if input.len() > MAX_INPUT {
        return Err(StatuslineError::InputTooLarge);
    }
    Ok(input)
}

/// Records the limits that `input` states in the snapshot, and makes the line or runs the user's command.
///
/// Without a `snapshot` path nothing is recorded. `delegate` is the user's command, word by word; with no
/// words the line is made here, in the time zone of the system.
///
/// # Errors
///
/// [`StatuslineError::Delegate`] when the user's command cannot be run.
pub fn run(
    input: &[u8],
    snapshot: Option<&Path>,
    now: SystemTime,
    delegate: &[OsString],
) -> Result<Report, StatuslineError> {
    let usage = parse(input);
    let recorded = match (snapshot, states_limits(&usage)) {
        (Some(path), true) => quota::record_claude(path, &usage, now),
        _ => Ok(false),
    };
    let (line, exit_code) = match delegate.split_first() {
        None => (Some(line(&usage, now, &TimeZone::system())), 0),
        Some((program, arguments)) => {
            let status = hand_on(program, arguments, input)
                .map_err(|source| StatuslineError::Delegate { program: program.clone(), source })?;
            (None, exit_code(status))
        }
    };
    Ok(Report { line, exit_code, recorded })
}

/// What the input states; nothing where it is not the JSON that Claude Code sends.
fn parse(input: &[u8]) -> ClaudeUsage {
    let input: Value = serde_json::from_slice(input).unwrap_or_default();
    let window = |name: &str| {
        let window = input.get("rate_limits")?.get(name)?;
        Some(ClaudeWindow {
            used_percent: quota::quantity(window.get("used_percentage"))?,
            resets_at: quota::instant(window.get("resets_at")),
        })
    };
    let session = || {
        let cost = input.get("cost")?;
        Some(SessionMark {
            id: quota::text(input.get("session_id"))?,
            api_ms: quota::quantity(cost.get("total_api_duration_ms"))?,
        })
    };
    ClaudeUsage { five_hour: window("five_hour"), seven_day: window("seven_day"), session: session() }
}

fn states_limits(usage: &ClaudeUsage) -> bool {
    usage.five_hour.is_some() || usage.seven_day.is_some()
}

/// `5h 42% resets 14:30 · 7d 13%`. The week's reset is shown when the week is used up.
fn line(usage: &ClaudeUsage, now: SystemTime, zone: &TimeZone) -> String {
    let five_hour = usage.five_hour.map(|window| {
        let reset = reset(&window, now, zone, "%H:%M");
        format!("5h {}%{reset}", percent(&window))
    });
    let seven_day = usage.seven_day.map(|window| {
        let used_up = window.used_percent >= 100.0;
        let reset = used_up.then(|| reset(&window, now, zone, "%a %H:%M"));
        format!("7d {}%{}", percent(&window), reset.unwrap_or_default())
    });
    let parts: Vec<String> = five_hour.into_iter().chain(seven_day).collect();
    if parts.is_empty() {
        return NEUTRAL.to_owned();
    }
    parts.join(" · ")
}

/// Rounded down, so that 100 is shown only when nothing is left.
fn percent(window: &ClaudeWindow) -> u64 {
    window.used_percent as u64
}

fn reset(window: &ClaudeWindow, now: SystemTime, zone: &TimeZone, format: &str) -> String {
    window
        .resets_at
        .filter(|resets_at| *resets_at > now)
        .and_then(|resets_at| Timestamp::try_from(resets_at).ok())
        .map(|time| zone.to_datetime(time).strftime(format).to_string())
        .map(|time| format!(" resets {time}"))
        .unwrap_or_default()
}

/// Runs the user's command with our output for its own.
fn hand_on(program: &OsString, arguments: &[OsString], input: &[u8]) -> io::Result<ExitStatus> {
    let mut child = Command::new(program).args(arguments).stdin(Stdio::piped()).spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        // A command may well end without having read it all.
        let _ = stdin.write_all(input);
    }
    child.wait()
}

fn exit_code(status: ExitStatus) -> u8 {
    let code = status.code().or_else(|| Some(128 + status.signal()?)).unwrap_or(1);
    u8::try_from(code).unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: &str = "2026-05-01T12:00:00Z";

    fn at(text: &str) -> SystemTime {
        text.parse::<Timestamp>().unwrap().try_into().unwrap()
    }

    fn shown(input: &str) -> String {
        line(&parse(input.as_bytes()), at(NOW), &TimeZone::UTC)
    }

    #[test]
    fn the_line_shows_both_windows_and_when_the_short_one_is_reset() {
        let input = r#"{"rate_limits":{
            "five_hour":{"used_percentage":42.9,"resets_at":1777645800},
            "seven_day":{"used_percentage":13,"resets_at":"2026-05-04T09:00:00Z"}}}"#;
        assert_eq!(shown(input), "5h 42% resets 14:30 · 7d 13%");
    }

    #[test]
    fn a_used_up_week_shows_its_day() {
        let input =
            r#"{"rate_limits":{"seven_day":{"used_percentage":100,"resets_at":"2026-05-04T09:00:00Z"}}}"#;
        assert_eq!(shown(input), "7d 100% resets Mon 09:00");
    }

    #[test]
    fn a_reset_that_has_passed_is_not_shown() {
        let input = r#"{"rate_limits":{"five_hour":{"used_percentage":7,"resets_at":1777600000}}}"#;
        assert_eq!(shown(input), "5h 7%");
    }

    #[test]
    fn without_limits_the_line_is_neutral() {
        for input in [
            "",
            "{",
            "null",
            "[]",
            r#"{"session_id":"s"}"#,
            r#"{"rate_limits":null}"#,
            r#"{"rate_limits":{"five_hour":{"used_percentage":"NaN"}}}"#,
        ] {
            assert_eq!(shown(input), NEUTRAL, "{input}");
        }
    }

    #[test]
    fn the_input_is_bounded() {
        assert_eq!(read_input(&b"{}"[..]).unwrap(), b"{}");
        assert!(matches!(read_input(io::repeat(b' ')), Err(StatuslineError::InputTooLarge)));
    }
}
