//! Any bytes in place of quota snapshots and of Codex's session logs.

use std::time::{Duration, SystemTime};

use runtime_signals::quota::{
    CLOCK_SKEW, FRESHNESS, QuotaHarness, QuotaPaths, QuotaSources, QuotaState, QuotaStatus, SUBSCRIPTIONS,
};

use crate::scratch;

/// 2026-01-15T12:00:00Z.
const NOW: Duration = Duration::from_secs(1_768_478_400);
/// Most windows that one source is believed, and a counted one of five hours and of a week.
const MOST_WINDOWS: usize = 66;
/// Longest text that is taken over from a source, in bytes, and the words around it.
const MOST_TEXT_BYTES: usize = 256 + 64;

/// Takes the bytes for a snapshot of each name, and for a session log.
///
/// # Panics
/// When something does not hold.
pub fn check(data: &[u8]) {
    let now = SystemTime::UNIX_EPOCH + NOW;
    let snapshot = Some(scratch::file("quota.json", data, now));
    let log = scratch::file("sessions/2026/01/15/rollout-1.jsonl", data, now);
    let sessions = log.ancestors().nth(4).map(Into::into);
    let paths =
        QuotaPaths { claude: snapshot.clone(), gemini: snapshot, codex: None, codex_sessions: sessions };
    let sources = QuotaSources::new(paths);
    for name in SUBSCRIPTIONS {
        let status = sources.quota_status(name, now);
        judged(&status, now);
        assert_eq!(sources.quota_status(name, now), status, "asked again, {name} says something else");
    }
}

fn judged(status: &QuotaStatus, now: SystemTime) {
    assert!(status.windows.len() <= MOST_WINDOWS, "{} windows", status.windows.len());
    if matches!(status.state, QuotaState::Ok | QuotaState::Blocked) {
        let captured = status.captured_at.expect("what is judged by was captured at some time");
        assert!(status.fresh && now <= captured + FRESHNESS && captured <= now + CLOCK_SKEW, "{status:?}");
    }
    let is_explained = matches!(status.state, QuotaState::Stale | QuotaState::Blocked);
    assert!(!is_explained || status.reason.is_some(), "{status:?}");
    assert!(status.state != QuotaState::Ok || status.reason.is_none(), "{status:?}");
    // The path of a file is ours.
    let folder = std::env::temp_dir().to_string_lossy().len() + 64;
    let texts = [Some(&status.source), status.account.as_ref()];
    assert!(texts.into_iter().flatten().all(|text| text.len() <= MOST_TEXT_BYTES), "{status:?}");
    assert!(
        status.reason.as_ref().is_none_or(|reason| reason.len() <= MOST_TEXT_BYTES + folder),
        "{status:?}"
    );
    for window in &status.windows {
        assert!(window.used_percent.is_none_or(|used| used.is_finite() && used >= 0.0), "{window:?}");
        assert!(window.resets_at.is_none_or(|reset| now < reset) || !status.fresh, "{window:?}");
        assert!(window.name.len() <= MOST_TEXT_BYTES && window.limit_id.len() <= MOST_TEXT_BYTES);
    }
    if let Some(window) = status.blocking_window() {
        assert_eq!(window.state, QuotaState::Blocked, "{window:?}");
    }
    let written = serde_json::to_vec(status).expect("a status can be written");
    let read: QuotaStatus = serde_json::from_slice(&written).expect("what was written is read");
    assert_eq!(without_shares(read), without_shares(status.clone()));
}

/// A status without what is read back with another last digit.
fn without_shares(mut status: QuotaStatus) -> QuotaStatus {
    status.windows.iter_mut().for_each(|window| window.used_percent = None);
    status
}
