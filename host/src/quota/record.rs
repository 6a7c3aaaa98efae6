//! Claude Code's status line, recorded in Claude's snapshot file.
//!
//! The file is shared with other programs. Recording touches the two windows that the status line knows and
//! keeps every other key. Since that makes the file as a whole younger, figures that it leaves alone are
//! marked with the time they were captured at, so that they do not become younger with it.

use std::path::Path;
use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::claude::{self, FIVE_HOUR, Known, WEEKLY};
use super::evidence::staleness;
use super::figure::{Captured, Figure};
use super::{SnapshotError, file, lenient, window};

/// Resets closer together than this are the same: sources round.
const SAME_RESET: Duration = Duration::from_secs(60);

/// The key under which sessions are remembered, and how many are.
const SESSIONS: &str = "statusline_sessions";
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

/// Records what the status line says in the snapshot at `path`; says whether it was news.
///
/// No news is: a session that repeats itself, a window that is over, and less use than another session has
/// seen in the same window a short while ago.
///
/// # Errors
///
/// [`SnapshotError`] when the file cannot be read or replaced; it is then as it was.
pub fn record_claude(path: &Path, usage: &ClaudeUsage, now: SystemTime) -> Result<bool, SnapshotError> {
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
    let mut taken = Vec::new();
    for (known, told) in [(FIVE_HOUR, usage.five_hour), (WEEKLY, usage.seven_day)] {
        let stored = windows.iter().enumerate().find_map(|(index, window)| {
            let figure = Figure::from_json("claude", window.as_object()?, captured_at)?;
            claude::is(&figure, &known).then_some((index, figure))
        });
        let (index, stored) = stored.unzip();
        let told = told.filter(|told| is_news(told, stored.as_ref(), captured_at, now));
        if told.is_none() && (index.is_some() || claude::counts(document, &known).is_none()) {
            continue;
        }
        // Counts that are left alone get a window too: the place for the time they were captured at.
        let index = index.unwrap_or_else(|| {
            windows.push(blank(&known));
            windows.len() - 1
        });
        let window = windows.get_mut(index).and_then(Value::as_object_mut);
        if let (Some(told), Some(window)) = (told, window) {
            take_counts(document, &known, told.used_percent);
            take_window(window, &told);
            taken.push(index);
        }
    }
    if !taken.is_empty() {
        let left_alone = windows.iter_mut().enumerate().filter(|(index, _)| !taken.contains(index));
        for window in left_alone.filter_map(|(_, window)| window.as_object_mut()) {
            window.entry("captured_at").or_insert_with(|| captured_at.and_then(rfc3339).into());
        }
        document.insert("captured_at".to_owned(), rfc3339(now).into());
        document.insert("source".to_owned(), "statusline".into());
    }
    if !windows.is_empty() {
        document.insert("windows".to_owned(), windows.into());
    }
    !taken.is_empty()
}

fn blank(known: &Known) -> Value {
    json!({
        "name": window::name(known.minutes),
        "limit_id": known.limit_id,
        "window_minutes": known.minutes,
        "state": "ok",
    })
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
    let Some(stored) = stored.filter(|stored| !stored.has_ended(now)) else {
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
    !(stored_counts && stored.used_percent.is_some_and(|used| told.used_percent < used))
}

fn take_counts(document: &mut Map<String, Value>, known: &Known, used_percent: f64) {
    let limit =
        lenient::quantity(document.get(known.limit)).filter(|limit| *limit >= 1.0).map_or(100.0, f64::floor);
    // Rounded up, because 0 would be wrong as long as anything is left; less the error of the division.
    let remaining = (limit * (100.0 - used_percent) / 100.0 - 1e-9).ceil().max(0.0);
    document.insert(known.limit.to_owned(), (limit as u64).into());
    document.insert(known.remaining.to_owned(), (remaining as u64).into());
}

fn take_window(window: &mut Map<String, Value>, told: &ClaudeWindow) {
    let used_up = told.used_percent >= 100.0;
    let state = if used_up { "blocked" } else { "ok" };
    let reset = told.resets_at.and_then(|time| Timestamp::try_from(time).ok());
    for (key, value) in [
        ("used_percent", Some(told.used_percent.into())),
        ("state", Some(state.into())),
        ("captured_at", None),
        ("resets_at", reset.map(|time| time.to_string().into())),
        ("resets_at_unix", reset.map(|time| time.as_second().into())),
    ] {
        match value {
            Some(value) => window.insert(key.to_owned(), value),
            None => window.remove(key),
        };
    }
}

fn rfc3339(time: SystemTime) -> Option<String> {
    Some(Timestamp::try_from(time).ok()?.to_string())
}

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
