//! Claude Code's status line.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, SystemTime};

use runtime_signals::quota::QuotaState;
use runtime_signals::statusline;
use serde_json::{Value, json};

use super::{Home, NOW, at, claude, minutes, used};

fn input(session: &str, api_ms: u64, five_hour: f64, seven_day: Option<f64>) -> Value {
    let mut input = json!({
        "session_id": session,
        "cost": {"total_api_duration_ms": api_ms},
        "rate_limits": {"five_hour": {"used_percentage": five_hour, "resets_at": 1_777_645_800}},
    });
    if let Some(used) = seven_day {
        input["rate_limits"]["seven_day"] =
            json!({"used_percentage": used, "resets_at": "2026-05-04T09:00:00Z"});
    }
    input
}

fn record(home: &Home, input: &Value, now: SystemTime) -> bool {
    let snapshot = home.paths.claude.as_deref();
    let report = statusline::run(input.to_string().as_bytes(), snapshot, now, &[]).unwrap();
    report.recorded.unwrap()
}

#[test]
fn what_the_status_line_says_is_read_back() {
    let home = Home::new();
    let snapshot = home.paths.claude.clone().unwrap();

    let line = input("a", 10, 42.5, Some(100.0));
    assert!(record(&home, &line, at(NOW)));

    let status = home.status("claude", at(NOW) + minutes(1));
    assert_eq!(status.source, "statusline");
    assert_eq!(status.age, Some(minutes(1)));
    assert_eq!(used(&status), [("weekly", Some(100.0)), ("five_hour", Some(42.5))]);
    let blocking = status.blocking_window().unwrap();
    assert_eq!(blocking.resets_at, Some(at("2026-05-04T09:00:00Z")));
    let written: Value = serde_json::from_slice(&fs::read(&snapshot).unwrap()).unwrap();
    assert_eq!(written["five_hour_limit"], 100);
    assert_eq!(written["five_hour_remaining"], 58);
    assert_eq!(written["weekly_remaining"], 0);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&snapshot), 0o600);
    assert_eq!(mode(snapshot.parent().unwrap()) & !0o750, 0);
    let names = fs::read_dir(snapshot.parent().unwrap()).unwrap();
    assert_eq!(names.count(), 1, "no temporary file is left");
}

#[test]
fn as_long_as_anything_is_left_the_count_is_not_zero() {
    let home = Home::new();
    // 0.29 × 100 in floating point.
    let told = input("a", 1, 99.9, Some(28.999_999_999_999_996));
    record(&home, &told, at(NOW));

    let written = fs::read(home.paths.claude.as_ref().unwrap()).unwrap();
    let written: Value = serde_json::from_slice(&written).unwrap();

    assert_eq!(written["five_hour_remaining"], 1);
    assert_eq!(written["weekly_remaining"], 71);
    assert_eq!(home.status("claude", at(NOW)).state, QuotaState::Ok);
}

#[test]
fn what_others_wrote_is_kept() {
    let home = Home::new();
    let path = home.snapshot(
        "claude",
        claude(json!({"weekly_limit": 1000, "weekly_remaining": 900, "note": {"by": "another"}, "windows": [
            {"name": "Current session", "limit_id": "session", "window_minutes": 300, "used_percent": 1, "colour": "green"},
            {"name": "Current week (Sonnet only)", "limit_id": "weekly-sonnet", "window_minutes": 10080, "used_percent": 3},
        ]})),
    );

    record(&home, &input("a", 1, 42.0, Some(25.0)), at(NOW) + minutes(1));

    let written: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    assert_eq!(written["note"], json!({"by": "another"}));
    assert_eq!(written["account"], json!({"plan_type": "Claude Max"}));
    assert_eq!(written["weekly_limit"], 1000, "in the unit that is there already");
    assert_eq!(written["weekly_remaining"], 750);
    assert_eq!(written["windows"][0]["name"], "Current session");
    assert_eq!(written["windows"][0]["colour"], "green");
    assert_eq!(written["windows"][0]["used_percent"], 42.0);
    assert_eq!(written["windows"][1]["limit_id"], "weekly-sonnet");
    assert_eq!(written["windows"].as_array().unwrap().len(), 3);
}

#[test]
fn figures_that_are_left_alone_do_not_become_younger() {
    let home = Home::new();
    home.snapshot(
        "claude",
        claude(json!({"weekly_remaining": 0, "windows": [
            {"limit_id": "weekly-sonnet", "window_minutes": 10080, "used_percent": 3},
        ]})),
    );
    assert_eq!(home.status("claude", at(NOW)).state, QuotaState::Blocked);

    record(&home, &input("a", 1, 42.0, None), at(NOW) + minutes(10));
    let soon = home.status("claude", at(NOW) + minutes(15));
    record(&home, &input("a", 2, 43.0, None), at(NOW) + minutes(16));
    let later = home.status("claude", at(NOW) + minutes(17));

    assert_eq!(soon.state, QuotaState::Blocked);
    assert_eq!(soon.windows.len(), 3);
    assert_eq!(later.state, QuotaState::Ok);
    assert_eq!(used(&later), [("five_hour", Some(43.0))]);

    let told = input("a", 3, 44.0, Some(20.0));
    record(&home, &told, at(NOW) + minutes(18));
    let again = home.status("claude", at(NOW) + minutes(19));
    assert_eq!(
        used(&again),
        [("five_hour", Some(44.0)), ("weekly", Some(20.0))],
        "what is told again counts again"
    );
}

#[test]
fn a_session_that_repeats_itself_is_no_news() {
    let home = Home::new();
    assert!(record(&home, &input("a", 1, 42.0, None), at(NOW)));
    assert!(!record(&home, &input("a", 1, 42.0, None), at(NOW) + minutes(14)));

    let status = home.status("claude", at(NOW) + minutes(14));
    assert_eq!(status.age, Some(minutes(14)));

    assert!(
        record(&home, &input("a", 2, 42.0, None), at(NOW) + minutes(14)),
        "the same figure after another answer is news"
    );
    let status = home.status("claude", at(NOW) + minutes(14));
    assert_eq!(status.age, Some(Duration::ZERO));
}

#[test]
fn less_use_in_the_same_window_does_not_replace_more() {
    let home = Home::new();
    record(&home, &input("busy", 9, 60.0, None), at(NOW));

    assert!(!record(&home, &input("idle", 1, 10.0, None), at(NOW) + minutes(1)));
    let status = home.status("claude", at(NOW) + minutes(1));
    assert_eq!(used(&status), [("five_hour", Some(60.0))]);

    let mut next_window = input("idle", 2, 2.0, None);
    next_window["rate_limits"]["five_hour"]["resets_at"] = json!("2026-05-01T19:30:00Z");
    assert!(record(&home, &next_window, at(NOW) + minutes(2)));
    let status = home.status("claude", at(NOW) + minutes(2));
    assert_eq!(used(&status), [("five_hour", Some(2.0))]);

    assert!(
        !record(&home, &input("busy", 10, 61.0, None), at(NOW) + minutes(3)),
        "a window before the known one is over"
    );
}

#[test]
fn less_use_is_believed_once_the_greater_figure_is_stale() {
    let home = Home::new();
    record(&home, &input("a", 1, 60.0, None), at(NOW));

    assert!(record(&home, &input("b", 1, 10.0, None), at(NOW) + minutes(16)));

    let status = home.status("claude", at(NOW) + minutes(16));
    assert_eq!(used(&status), [("five_hour", Some(10.0))]);
}

#[test]
fn without_limits_the_file_is_left_alone() {
    let home = Home::new();
    let content = claude(json!({}));
    let path = home.snapshot("claude", &content);
    for input in ["", "not json", "{}", r#"{"rate_limits":{}}"#] {
        let snapshot = home.paths.claude.as_deref();

        let report = statusline::run(input.as_bytes(), snapshot, at(NOW) + minutes(1), &[]).unwrap();

        assert_eq!(report.line.as_deref(), Some("5h – · 7d –"));
        assert_eq!(report.exit_code, 0);
        assert!(!report.recorded.unwrap());
        assert_eq!(fs::read_to_string(&path).unwrap(), content);
    }
}

#[test]
fn a_file_that_cannot_be_written_does_not_stop_the_line() {
    let home = Home::new();
    let in_the_way = home.path("a-file");
    fs::write(&in_the_way, "").unwrap();
    let snapshot = in_the_way.join("claude-quota.json");
    let input = input("a", 1, 42.0, None).to_string();

    let report = statusline::run(input.as_bytes(), Some(&snapshot), at(NOW), &[]).unwrap();

    assert!(report.line.unwrap().starts_with("5h 42%"));
    assert!(report.recorded.unwrap_err().to_string().contains("a-file"));
}

#[test]
fn a_torn_snapshot_is_replaced() {
    let home = Home::new();
    home.snapshot("claude", "{\"captured_at\": \"20");

    assert!(record(&home, &input("a", 1, 42.0, None), at(NOW)));

    assert_eq!(home.status("claude", at(NOW)).state, QuotaState::Ok);
}

#[test]
fn sessions_that_write_at_the_same_time_lose_nothing() {
    let home = Home::new();
    std::thread::scope(|scope| {
        for session in 0..8_u32 {
            let home = &home;
            scope.spawn(move || {
                let name = session.to_string();
                for step in 1..=20_u32 {
                    let used = f64::from(step + session);
                    let input = input(&name, step.into(), used, Some(used / 2.0));
                    while record_or_busy(home, &input).is_err() {}
                }
            });
        }
    });

    let status = home.status("claude", at(NOW));

    assert_eq!(used(&status), [("five_hour", Some(27.0)), ("weekly", Some(13.5))]);
    let directory = home.paths.claude.as_ref().unwrap().parent().unwrap();
    assert_eq!(fs::read_dir(directory).unwrap().count(), 1);
}

fn record_or_busy(home: &Home, input: &Value) -> Result<bool, String> {
    let snapshot = home.paths.claude.as_deref();
    let report = statusline::run(input.to_string().as_bytes(), snapshot, at(NOW), &[]).unwrap();
    report.recorded.map_err(|error| {
        let text = error.to_string();
        assert!(text.contains("being written"), "{text}");
        text
    })
}

#[test]
fn the_input_is_handed_on_to_the_users_command() {
    let home = Home::new();
    let got = home.path("got");
    let words: Vec<OsString> = ["sh", "-c", "cat >\"$0\"; exit 7"]
        .map(OsString::from)
        .into_iter()
        .chain([got.clone().into_os_string()])
        .collect();
    let input = input("a", 1, 42.0, None).to_string();
    let snapshot = home.paths.claude.as_deref();

    let report = statusline::run(input.as_bytes(), snapshot, at(NOW), &words).unwrap();

    assert_eq!(report.line, None);
    assert_eq!(report.exit_code, 7);
    assert!(report.recorded.unwrap());
    assert_eq!(fs::read_to_string(got).unwrap(), input);
}

#[test]
fn a_command_that_reads_nothing_or_dies_is_passed_through() {
    let big = format!("{{\"x\":\"{}\"}}", "x".repeat(900_000));
    for (script, expected) in [("exit 0", 0), ("kill -TERM $$", 128 + 15)] {
        let words = ["sh", "-c", script].map(OsString::from);
        let report = statusline::run(big.as_bytes(), None, at(NOW), &words).unwrap();
        assert_eq!(report.exit_code, expected, "{script}");
    }
}

#[test]
fn a_command_that_is_missing_is_named() {
    let words = [OsString::from("/nonexistent/status")];

    let error = statusline::run(b"{}", None, at(NOW), &words).unwrap_err();

    assert!(error.to_string().contains("/nonexistent/status"), "{error}");
}

#[test]
fn a_window_that_is_over_does_not_stand_in_the_way_of_the_next() {
    let home = Home::new();
    record(&home, &input("a", 1, 60.0, None), at("2026-05-01T14:29:00Z"));
    let mut next = input("a", 2, 1.0, None);
    next["rate_limits"]["five_hour"]["resets_at"] = Value::Null;

    assert!(record(&home, &next, at("2026-05-01T14:31:00Z")));

    let status = home.status("claude", at("2026-05-01T14:31:00Z"));
    assert_eq!(used(&status), [("five_hour", Some(1.0))]);
}

#[test]
fn only_the_last_sessions_are_remembered() {
    let home = Home::new();
    for session in 0..40 {
        record(&home, &input(&session.to_string(), 1, 42.0, None), at(NOW));
    }

    let written = fs::read(home.paths.claude.as_ref().unwrap()).unwrap();
    let written: Value = serde_json::from_slice(&written).unwrap();

    assert_eq!(written["statusline_sessions"].as_array().unwrap().len(), 16);
    assert_eq!(written["statusline_sessions"][15]["id"], "39");
}
