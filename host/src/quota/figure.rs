//! What a source states about one window.

use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::evidence::staleness;
use super::{QuotaState, QuotaWindow, WindowScope, lenient, window};

/// Longest window that is believed, in minutes: ten years.
const MAX_MINUTES: f64 = 10.0 * 366.0 * 1440.0;

/// What a source states about one window.
#[derive(Clone, Debug)]
pub(super) struct Figure {
    pub(super) name: String,
    pub(super) limit_id: String,
    pub(super) minutes: Option<u64>,
    pub(super) used_percent: Option<f64>,
    pub(super) resets_at: Option<SystemTime>,
    /// Nothing is left of it.
    pub(super) used_up: bool,
    pub(super) scope: WindowScope,
    pub(super) captured: Captured,
}

/// When a window was measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Captured {
    /// With the rest of the evidence.
    Together,
    /// At a time of its own; none when the time it gives is unreadable.
    Apart(Option<SystemTime>),
}

impl Figure {
    /// Reads one window; none when it says nothing. `captured_at` anchors a reset given in seconds from then.
    pub(super) fn from_json(
        harness: &str,
        window: &Map<String, Value>,
        captured_at: Option<SystemTime>,
    ) -> Option<Self> {
        let get = |key: &str| window.get(key);
        let minutes = lenient::number(get("window_minutes"))
            .filter(|minutes| (1.0..MAX_MINUTES).contains(minutes))
            .map(|minutes| minutes as u64);
        let used_percent = lenient::quantity(get("used_percent"));
        let resets_at = lenient::instant(get("resets_at"))
            .or_else(|| lenient::instant(get("resets_at_unix")))
            .or_else(|| seconds_after(captured_at?, lenient::quantity(get("resets_in_seconds"))?));
        let used_up = used_percent.is_some_and(|used| used >= 100.0)
            || lenient::text(get("state")).and_then(|state| stated(&state)) == Some(QuotaState::Blocked);
        let says_nothing = used_percent.unwrap_or(0.0) == 0.0 && minutes.is_none() && resets_at.is_none();
        if says_nothing && !used_up {
            return None;
        }
        let limit_id = lenient::text(get("limit_id")).unwrap_or_default();
        let name = lenient::text(get("name"))
            .or_else(|| minutes.map(window::name))
            .or_else(|| Some(limit_id.clone()).filter(|id| !id.is_empty()))
            .unwrap_or_else(|| "unnamed".to_owned());
        let limit_name = lenient::text(get("limit_name")).unwrap_or_default();
        Some(Self {
            scope: get("scope")
                .and_then(|scope| WindowScope::deserialize(scope).ok())
                .unwrap_or_else(|| window::scope(harness, &limit_id, [&name, &limit_name])),
            captured: match get("captured_at") {
                None => Captured::Together,
                given => Captured::Apart(lenient::instant(given)),
            },
            name,
            limit_id,
            minutes,
            used_percent,
            resets_at,
            used_up,
        })
    }

    pub(super) fn is_fresh(&self, now: SystemTime) -> bool {
        match self.captured {
            Captured::Together => true,
            Captured::Apart(captured_at) => staleness(captured_at, now).is_none(),
        }
    }

    pub(super) fn has_ended(&self, now: SystemTime) -> bool {
        self.resets_at.is_some_and(|resets_at| resets_at <= now)
    }

    /// A window that has ended is full again, and the figures are about the one that is over.
    pub(super) fn clear(&mut self) {
        self.used_up = false;
        self.used_percent = None;
        self.resets_at = None;
    }

    pub(super) fn blocks_account(&self) -> bool {
        self.used_up && self.scope == WindowScope::Account
    }

    pub(super) fn limits(&self) -> bool {
        self.scope != WindowScope::Extra
    }

    pub(super) fn window(self, fresh: bool) -> QuotaWindow {
        QuotaWindow {
            name: self.name,
            limit_id: self.limit_id,
            window_minutes: self.minutes,
            used_percent: self.used_percent,
            resets_at: self.resets_at,
            scope: self.scope,
            state: match (fresh, self.used_up) {
                (false, _) => QuotaState::Stale,
                (true, true) => QuotaState::Blocked,
                (true, false) => QuotaState::Ok,
            },
        }
    }
}

fn seconds_after(start: SystemTime, seconds: f64) -> Option<SystemTime> {
    let end = start.checked_add(Duration::try_from_secs_f64(seconds).ok()?)?;
    Timestamp::try_from(end).is_ok().then_some(end)
}

/// A state as a source writes it.
pub(super) fn stated(word: &str) -> Option<QuotaState> {
    match word.to_ascii_lowercase().as_str() {
        "ok" => Some(QuotaState::Ok),
        "stale" => Some(QuotaState::Stale),
        "blocked" | "exhausted" => Some(QuotaState::Blocked),
        "unavailable" => Some(QuotaState::Unavailable),
        "unauthenticated" => Some(QuotaState::Unauthenticated),
        "unknown" => Some(QuotaState::Unknown),
        _ => None,
    }
}
