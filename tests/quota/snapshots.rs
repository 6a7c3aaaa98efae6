//! Snapshot files, and the judgement that all evidence goes through.

use std::time::Duration;

use runtime_signals::quota::{QuotaHarness, QuotaPaths, QuotaSources, QuotaState};
use serde_json::json;

use super::{Home, NOW, at, claude, make_fifo, minutes, used};

#[test]
fn a_fresh_snapshot_with_something_left_is_ok() {
    let home = Home::new();
    home.snapshot("claude", claude(json!({})));

    let status = home.status("claude", at(NOW) + minutes(15));

    assert_eq!(status.state, QuotaState::Ok);
    assert!(status.fresh);
    assert_eq!(status.age, Some(minutes(15)));
    assert_eq!(status.captured_at, Some(at(NOW)));
    assert_eq!(status.source, "pty");
    assert_eq!(status.account.as_deref(), Some("Claude Max"));
    assert_eq!(status.windows.len(), 2);
    assert_eq!(status.windows[0].used_percent, Some(42.0));
    assert_eq!(status.windows[1].resets_at, Some(at("2026-05-04T09:00:00Z")));
    assert_eq!(status.reason, None);
}

#[test]
fn a_snapshot_older_than_fifteen_minutes_is_stale() {
    let home = Home::new();
    home.snapshot("claude", claude(json!({"five_hour_remaining": 0})));

    let status = home.status("claude", at(NOW) + minutes(15) + Duration::from_nanos(1));

    assert_eq!(status.state, QuotaState::Stale);
    assert!(!status.fresh);
    assert!(status.blocking_window().is_none());
    assert!(status.windows.iter().all(|window| window.state == QuotaState::Stale));
}

#[test]
fn a_snapshot_from_the_future_is_stale_beyond_the_clock_skew() {
    let home = Home::new();
    home.snapshot("claude", claude(json!({})));

    let within = home.status("claude", at(NOW) - Duration::from_secs(5));
    let beyond = home.status("claude", at(NOW) - Duration::from_millis(5001));

    assert_eq!((within.state, within.age), (QuotaState::Ok, Some(Duration::ZERO)));
    assert_eq!(beyond.state, QuotaState::Stale);
    assert!(beyond.reason.unwrap().contains("future"));
}

#[test]
fn a_count_of_zero_blocks_until_the_reset_of_its_window() {
    let home = Home::new();
    home.snapshot("claude", claude(json!({"five_hour_remaining": 0})));

    let status = home.status("claude", at(NOW));

    assert_eq!(status.state, QuotaState::Blocked);
    let blocking = status.blocking_window().unwrap();
    assert_eq!(blocking.limit_id, "session");
    assert_eq!(blocking.resets_at, Some(at("2026-05-01T14:30:00Z")));
}

#[test]
fn counts_without_windows_are_enough() {
    let home = Home::new();
    home.snapshot("claude", claude(json!({"windows": null, "weekly_remaining": 0})));

    let status = home.status("claude", at(NOW));

    assert_eq!(status.state, QuotaState::Blocked);
    assert_eq!(status.blocking_window().unwrap().name, "weekly");
    assert_eq!(used(&status), [("weekly", Some(100.0)), ("five_hour", Some(42.0))]);
}

#[test]
fn counts_that_are_not_reported_say_nothing() {
    let home = Home::new();
    for (changes, expected) in [
        (json!({"five_hour_remaining": -1}), QuotaState::Ok),
        (json!({"five_hour_remaining": -5}), QuotaState::Blocked),
        (json!({"five_hour_remaining": 0, "five_hour_limit": 0}), QuotaState::Ok),
        (json!({"five_hour_remaining": 0, "five_hour_limit": null}), QuotaState::Blocked),
        (json!({"five_hour_remaining": "lots"}), QuotaState::Ok),
    ] {
        home.snapshot("claude", claude(changes.clone()));
        assert_eq!(home.status("claude", at(NOW)).state, expected, "{changes}");
    }
}

#[test]
fn a_window_whose_reset_has_passed_does_not_block() {
    let home = Home::new();
    let over = json!([
        {"limit_id": "session", "window_minutes": 300, "used_percent": 100, "resets_at": "2026-05-01T12:05:00Z", "state": "blocked"},
        {"limit_id": "weekly-all", "window_minutes": 10080, "used_percent": 13},
    ]);
    home.snapshot("claude", claude(json!({"windows": over, "five_hour_remaining": 0})));

    let before = home.status("claude", at("2026-05-01T12:04:59Z"));
    let after = home.status("claude", at("2026-05-01T12:05:00Z"));

    assert_eq!(before.state, QuotaState::Blocked);
    assert_eq!(after.state, QuotaState::Ok);
    assert_eq!(
        used(&after),
        [("five_hour", None), ("weekly", Some(13.0))],
        "the figures of a window that is over are not passed on"
    );
    assert_eq!(after.windows[0].resets_at, None);
}

#[test]
fn of_two_blocked_windows_the_later_reset_binds() {
    let home = Home::new();
    home.snapshot("claude", claude(json!({"five_hour_remaining": 0, "weekly_remaining": 0})));

    let status = home.status("claude", at(NOW));

    let blocking = status.blocking_window().unwrap();
    assert_eq!(blocking.resets_at, Some(at("2026-05-04T09:00:00Z")));
}

#[test]
fn a_used_up_model_window_does_not_block_the_account() {
    let home = Home::new();
    let windows = json!([
        {"name": "Extra usage", "limit_id": "extra", "used_percent": 100, "state": "exhausted"},
        {"name": "Current week (Sonnet only)", "limit_id": "weekly-sonnet", "window_minutes": 10080, "used_percent": 100, "resets_at": "2026-05-06T00:00:00Z"},
        {"limit_id": "session", "window_minutes": 300, "used_percent": 10, "resets_at": "2026-05-01T14:30:00Z"},
    ]);

    home.snapshot("claude", claude(json!({"windows": windows})));
    assert_eq!(home.status("claude", at(NOW)).state, QuotaState::Ok);

    home.snapshot("claude", claude(json!({"windows": windows, "five_hour_remaining": 0})));
    let blocked = home.status("claude", at(NOW));
    assert_eq!(blocked.blocking_window().unwrap().limit_id, "session");
    let of_the_account: Vec<&str> =
        blocked.account_windows().map(|window| window.limit_id.as_str()).collect();
    assert_eq!(of_the_account, ["session", "weekly-all"]);
}

#[test]
fn gemini_is_blocked_when_all_its_tiers_are_and_until_the_first_is_free() {
    let home = Home::new();
    let tiers = |flash: u32| {
        json!({"captured_at": NOW, "source": "pty", "windows": [
            {"name": "Pro", "limit_id": "gemini-pro", "window_minutes": 1440, "used_percent": 100, "resets_at": "2026-05-02T07:00:00Z"},
            {"name": "Flash", "limit_id": "gemini-flash", "window_minutes": 1440, "used_percent": flash, "resets_at": "2026-05-01T19:00:00Z"},
        ]})
        .to_string()
    };

    home.snapshot("gemini", tiers(40));
    assert_eq!(home.status("gemini", at(NOW)).state, QuotaState::Ok);

    home.snapshot("gemini", tiers(100));
    let blocked = home.status("gemini", at(NOW));
    assert_eq!(blocked.blocking_window().unwrap().name, "Flash");
    assert_eq!(blocked.account_windows().count(), 1);
}

#[test]
fn a_window_that_its_source_calls_blocked_is_blocked() {
    let home = Home::new();
    home.snapshot(
        "codex",
        json!({"captured_at": NOW, "source": "pty", "windows": [
            {"name": "5h", "limit_id": "codex", "window_minutes": 300, "used_percent": 96, "resets_at": "at 7pm", "resets_at_unix": 1_777_647_600, "state": "blocked"},
        ]})
        .to_string(),
    );

    let status = home.status("codex", at(NOW));

    let blocking = status.blocking_window().unwrap();
    assert_eq!(blocking.resets_at, Some(at("2026-05-01T15:00:00Z")));
}

#[test]
fn a_missing_file_and_an_unknown_name_are_unavailable() {
    let home = Home::new();
    for name in ["claude", "codex", "gemini", "kimi", ""] {
        let status = home.status(name, at(NOW));
        assert_eq!(status.state, QuotaState::Unavailable, "{name}");
        assert!(status.reason.is_some());
    }
    let homeless = QuotaSources::new(QuotaPaths::default());
    let status = homeless.quota_status("claude", at(NOW));
    assert_eq!(status.state, QuotaState::Unavailable);
    assert!(status.reason.unwrap().contains("HOME"));
}

#[test]
fn whatever_the_file_holds_it_gives_a_status() {
    let home = Home::new();
    let many = vec![json!({"window_minutes": 300, "used_percent": 1}); 5000];
    for (content, expected) in [
        (Vec::new(), QuotaState::Unavailable),
        (b"{".to_vec(), QuotaState::Unavailable),
        (b"null".to_vec(), QuotaState::Unavailable),
        (b"[1]".to_vec(), QuotaState::Unavailable),
        (vec![0xff; 64], QuotaState::Unavailable),
        (vec![b'['; 200_000], QuotaState::Unavailable),
        (vec![b' '; 2 << 20], QuotaState::Unavailable),
        (b"{}".to_vec(), QuotaState::Stale),
        (
            claude(json!({"captured_at": "yesterday"})).into_bytes(),
            QuotaState::Stale,
        ),
        (
            claude(json!({"captured_at": 1e300})).into_bytes(),
            QuotaState::Stale,
        ),
        (
            json!({"captured_at": NOW}).to_string().into_bytes(),
            QuotaState::Unknown,
        ),
        (
            claude(json!({"windows": {"a": 1}, "account": 7, "source": []})).into_bytes(),
            QuotaState::Ok,
        ),
        (
            claude(json!({"windows": [1, null, {}, {"used_percent": 1e308, "window_minutes": 1e308, "resets_at": 1e308, "name": {"x": 1}}]}))
                .into_bytes(),
            QuotaState::Blocked,
        ),
        (claude(json!({"windows": many})).into_bytes(), QuotaState::Ok),
    ] {
        let start = String::from_utf8_lossy(&content[..content.len().min(60)]).into_owned();
        home.snapshot("claude", content);
        let status = home.status("claude", at(NOW));
        assert_eq!(status.state, expected, "{start}");
        assert!(status.windows.len() <= 66, "{start}");
        serde_json::to_string(&status).unwrap();
    }
}

#[test]
fn a_fifo_in_place_of_a_snapshot_neither_blocks_nor_is_read() {
    let home = Home::new();
    let path = home.path(".local/state/fizeau/claude-quota.json");
    make_fifo(&path);

    let status = home.status("claude", at(NOW));

    assert_eq!(status.state, QuotaState::Unavailable);
    assert!(status.reason.unwrap().contains("no regular file"));
}

#[test]
fn a_reason_repeats_nothing_of_the_file() {
    let home = Home::new();
    home.snapshot("claude", r#""hunter2""#);

    let reason = home.status("claude", at(NOW)).reason.unwrap();

    assert!(reason.contains("claude-quota.json") && reason.contains("line 1"), "{reason}");
    assert!(!reason.contains("hunter2"), "{reason}");
}
