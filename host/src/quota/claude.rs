//! The snapshot file of Claude: its absolute counts, and how Claude Code's status line is recorded in it.
//!
//! The file is shared with other programs. Recording touches the two windows that the status line knows and
//! keeps every other key. Since that makes the file as a whole younger, figures that it leaves alone are
//! marked with the time they were captured at, so that they do not become younger with it.

use std::path::Path;
use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::evidence::staleness;
use super::figure::{Captured, Figure};
use super::window::{self, Scope};
use super::{SnapshotError, file, lenient};

/// Resets closer together than this are the same: sources round.
const SAME_RESET: Duration = Duration::from_secs(60);

/// How many sessions of Claude Code are remembered.
const MAX_SESSIONS: usize = 16;

/// What Claude Code's status line says about the plan.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ClaudeUsage {
    /// The window of five hours.
    pub five_hour: Option<ClaudeWindow>,
    /// The window of seven days, for all models.
    pub seven_day: Option<ClaudeWindow>,
    /// Where the session stands that says so.
    pub session: Option<SessionMark>,
}

/// One window of the plan.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ClaudeWindow {
    /// Share used in percent, 0 and more.
    pub used_percent: f64,
    /// When it is reset.
    pub resets_at: Option<SystemTime>,
}

/// A session of Claude Code and the API time it has used: it says the same again until that has grown.
#[derive(Clone, Debug, PartialEq)]
pub struct SessionMark {
    /// Identifier of the session.
    pub id: String,
    /// API time used so far, in milliseconds.
    pub api_ms: f64,
}

/// A window that both the counts and the status line know.
struct Known {
    minutes: u64,
    limit_id: &'static str,
    remaining: &'static str,
    limit: &'static str,
}

const FIVE_HOUR: Known = Known {
    minutes: window::FIVE_HOURS,
    limit_id: "session",
    remaining: "five_hour_remaining",
    limit: "five_hour_limit",
};

const WEEKLY: Known = Known {
    minutes: window::WEEK,
    limit_id: "weekly-all",
    remaining: "weekly_remaining",
    limit: "weekly_limit",
};

/// Adds what the absolute counts say. Counts belong to the listed window of the same length, if there is one.
pub(super) fn add_counts(document: &Map<String, Value>, figures: &mut Vec<Figure>) {
    for known in [FIVE_HOUR, WEEKLY] {
        let Some((used_up, used_percent)) = counts(document, &known) else {
            continue;
        };
        if let Some(figure) = figures.iter_mut().find(|figure| is(figure, &known)) {
            figure.used_up |= used_up;
            figure.used_percent = figure.used_percent.or(used_percent);
        } else {
            figures.push(Figure {
                name: window::name(known.minutes),
                limit_id: known.limit_id.to_owned(),
                minutes: Some(known.minutes),
                used_percent,
                resets_at: None,
                used_up,
                scope: Scope::Account,
                captured: Captured::Together,
            });
        }
    }
}

/// Is nothing left, and which share in percent is used? None when the file does not count this window: a
/// limit of 0 is how its other writers say so.
fn counts(document: &Map<String, Value>, known: &Known) -> Option<(bool, Option<f64>)> {
    let remaining = lenient::quantity(document.get(known.remaining))?;
    let limit = lenient::quantity(document.get(known.limit));
    if limit == Some(0.0) {
        return None;
    }
    let used_percent = limit.map(|limit| (100.0 * (limit - remaining) / limit).max(0.0));
    Some((remaining == 0.0, used_percent))
}

fn is(figure: &Figure, known: &Known) -> bool {
    figure.scope == Scope::Account
        && figure
            .minutes
            .is_some_and(|minutes| window::same_length(minutes, known.minutes))
}

/// Records what the status line says in the snapshot at `path`; says whether it was news.
///
/// No news is: a session that repeats itself, a window that is over, and less use than another session has
/// seen in the same window a short while ago.
///
/// # Errors
///
/// [`SnapshotError`] when the file cannot be read or replaced; it is then as it was.
pub fn record(path: &Path, usage: &ClaudeUsage, now: SystemTime) -> Result<bool, SnapshotError> {
    let mut news = false;
    file::update(path, |stored| {
        let mut document = stored
            .and_then(|bytes| serde_json::from_slice::<Map<String, Value>>(&bytes).ok())
            .unwrap_or_default();
        if is_repetition(&document, usage.session.as_ref()) {
            return None;
        }
        news = merge(&mut document, usage, now);
        remember(&mut document, usage.session.as_ref());
        let mut bytes = serde_json::to_vec_pretty(&document).ok()?;
        bytes.push(b'\n');
        Some(bytes)
    })?;
    Ok(news)
}

fn merge(document: &mut Map<String, Value>, usage: &ClaudeUsage, now: SystemTime) -> bool {
    let captured_at = lenient::instant(document.get("captured_at"));
    let mut windows = match document.remove("windows") {
        Some(Value::Array(windows)) => windows,
        _ => Vec::new(),
    };
    let told = [(FIVE_HOUR, usage.five_hour), (WEEKLY, usage.seven_day)];
    let mut taken = Vec::new();
    for (known, told) in &told {
        let index = windows
            .iter()
            .position(|window| figure(window, captured_at).is_some_and(|f| is(&f, known)));
        let index = index.or_else(|| {
            counts(document, known)?;
            windows.push(json!({
                "name": window::name(known.minutes),
                "limit_id": known.limit_id,
                "window_minutes": known.minutes,
                "state": "ok",
            }));
            Some(windows.len() - 1)
        });
        let stored = index.and_then(|index| windows.get(index));
        let stored = stored.and_then(|window| figure(window, captured_at));
        let Some(told) = told.filter(|told| is_news(told, stored.as_ref(), captured_at, now))
        else {
            continue;
        };
        take_counts(document, known, told.used_percent);
        let index = index.unwrap_or_else(|| {
            windows.push(json!({}));
            windows.len() - 1
        });
        if let Some(window) = windows.get_mut(index).and_then(Value::as_object_mut) {
            take_window(window, known, &told);
            taken.push(index);
        }
    }
    if !taken.is_empty() {
        for (index, window) in windows.iter_mut().enumerate() {
            let Some(window) = window.as_object_mut() else {
                continue;
            };
            if !taken.contains(&index) && !window.contains_key("captured_at") {
                let captured_at = captured_at
                    .and_then(rfc3339)
                    .map_or(Value::Null, Value::from);
                window.insert("captured_at".to_owned(), captured_at);
            }
        }
        document.insert("captured_at".to_owned(), rfc3339(now).into());
        document.insert("source".to_owned(), "statusline".into());
    }
    if !windows.is_empty() {
        document.insert("windows".to_owned(), windows.into());
    }
    !taken.is_empty()
}

fn figure(window: &Value, captured_at: Option<SystemTime>) -> Option<Figure> {
    Figure::from_json("claude", window.as_object()?, captured_at)
}

fn is_news(
    told: &ClaudeWindow,
    stored: Option<&Figure>,
    captured_at: Option<SystemTime>,
    now: SystemTime,
) -> bool {
    if told.resets_at.is_some_and(|resets_at| resets_at <= now) {
        return false;
    }
    let Some(stored) = stored else {
        return true;
    };
    let later = |a: Option<SystemTime>, b: Option<SystemTime>| match (a, b) {
        (Some(a), Some(b)) => a.duration_since(b).is_ok_and(|by| by > SAME_RESET),
        _ => false,
    };
    if later(told.resets_at, stored.resets_at) {
        return true;
    }
    if later(stored.resets_at, told.resets_at) {
        return false;
    }
    let captured_at = match stored.captured {
        Captured::Together => captured_at,
        Captured::Apart(captured_at) => captured_at,
    };
    let stored_counts = staleness(captured_at, now).is_none();
    !(stored_counts
        && stored
            .used_percent
            .is_some_and(|used| told.used_percent < used))
}

fn take_counts(document: &mut Map<String, Value>, known: &Known, used_percent: f64) {
    let limit = lenient::quantity(document.get(known.limit))
        .filter(|limit| *limit >= 1.0)
        .map_or(100.0, f64::floor);
    // Rounded up, because 0 would be wrong as long as anything is left; less the error of the division.
    let remaining = (limit * (100.0 - used_percent) / 100.0 - 1e-9)
        .ceil()
        .max(0.0);
    document.insert(known.limit.to_owned(), (limit as u64).into());
    document.insert(known.remaining.to_owned(), (remaining as u64).into());
}

fn take_window(window: &mut Map<String, Value>, known: &Known, told: &ClaudeWindow) {
    for (key, value) in [
        ("name", Value::from(window::name(known.minutes))),
        ("limit_id", known.limit_id.into()),
    ] {
        window.entry(key).or_insert(value);
    }
    let used_up = told.used_percent >= 100.0;
    window.insert("window_minutes".to_owned(), known.minutes.into());
    window.insert("used_percent".to_owned(), told.used_percent.into());
    window.insert(
        "state".to_owned(),
        if used_up { "blocked" } else { "ok" }.into(),
    );
    window.remove("captured_at");
    let reset = told
        .resets_at
        .and_then(|time| Timestamp::try_from(time).ok());
    match reset {
        Some(time) => {
            window.insert("resets_at".to_owned(), time.to_string().into());
            window.insert("resets_at_unix".to_owned(), time.as_second().into());
        }
        None => {
            window.remove("resets_at");
            window.remove("resets_at_unix");
        }
    }
}

fn rfc3339(time: SystemTime) -> Option<String> {
    Some(Timestamp::try_from(time).ok()?.to_string())
}

const SESSIONS: &str = "statusline_sessions";

fn is_repetition(document: &Map<String, Value>, session: Option<&SessionMark>) -> bool {
    let sessions = document.get(SESSIONS).and_then(Value::as_array);
    session.is_some_and(|session| {
        sessions.into_iter().flatten().any(|known| {
            known.get("id") == Some(&session.id.as_str().into())
                && lenient::number(known.get("api_ms")) == Some(session.api_ms)
        })
    })
}

fn remember(document: &mut Map<String, Value>, session: Option<&SessionMark>) {
    let Some(session) = session else {
        return;
    };
    let mut sessions = match document.remove(SESSIONS) {
        Some(Value::Array(sessions)) => sessions,
        _ => Vec::new(),
    };
    sessions.retain(|known| known.get("id") != Some(&session.id.as_str().into()));
    sessions.push(json!({ "id": session.id, "api_ms": session.api_ms }));
    let surplus = sessions.len().saturating_sub(MAX_SESSIONS);
    sessions.drain(..surplus);
    document.insert(SESSIONS.to_owned(), sessions.into());
}
