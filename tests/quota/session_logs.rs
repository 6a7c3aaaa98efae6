//! The session logs of Codex.

use std::fs::{self, File};
use std::io::{Seek, SeekFrom, Write};

use runtime_signals::quota::QuotaState;
use serde_json::{Value, json};

use super::{Home, NOW, at, minutes, used};

fn event(time: &str, rate_limits: Value) -> String {
    let event = json!({"timestamp": time, "type": "event_msg", "payload": {
        "type": "token_count", "info": null, "rate_limits": rate_limits}});
    format!("{event}\n")
}

fn weekly(used_percent: f64) -> Value {
    json!({
        "limit_id": "codex", "limit_name": null, "plan_type": "pro", "credits": null,
        "primary": {"used_percent": used_percent, "window_minutes": 10080, "resets_at": 1_777_885_200},
        "secondary": null,
    })
}

fn chatter(bytes: usize) -> String {
    let line = json!({"timestamp": NOW, "type": "response_item", "payload": {"text": "x".repeat(bytes)}});
    format!("{line}\n")
}

#[test]
fn windows_are_named_by_their_length_and_not_by_their_slot() {
    let home = Home::new();
    home.log(
        "2026/05/01/rollout-a.jsonl",
        &[event(
            NOW,
            json!({
                "primary": {"used_percent": 22.0, "window_minutes": 10080, "resets_at": 1_777_885_200},
                "secondary": {"used_percent": 4.5, "window_minutes": 299, "resets_in_seconds": 600},
                "plan_type": "pro",
            }),
        )],
    );

    let status = home.status("codex", at(NOW) + minutes(1));

    assert_eq!(status.state, QuotaState::Ok);
    assert_eq!(status.source, "codex_sessions");
    assert_eq!(status.account.as_deref(), Some("pro"));
    assert_eq!(used(&status), [("weekly", Some(22.0)), ("five_hour", Some(4.5))]);
    assert_eq!(status.windows[0].resets_at, Some(at("2026-05-04T09:00:00Z")));
    assert_eq!(
        status.windows[1].resets_at,
        Some(at("2026-05-01T12:10:00Z")),
        "relative to the event, not to the reader"
    );
}

#[test]
fn the_newest_event_of_all_logs_counts() {
    let home = Home::new();
    let resumed = home.log(
        "2026/04/02/rollout-old-but-resumed.jsonl",
        &[
            event("2026-04-02T10:00:00Z", weekly(1.0)),
            event("2026-05-01T11:59:00Z", weekly(100.0)),
            event("2026-05-01T11:58:00Z", weekly(3.0)),
            event("2026-05-01T11:59:30Z", Value::Null),
        ],
    );
    let newer_day = home.log("2026/05/01/rollout-new.jsonl", &[event("2026-05-01T11:50:00Z", weekly(2.0))]);
    for (path, written) in [(&resumed, "2026-05-01T11:59:31Z"), (&newer_day, "2026-05-01T11:59:45Z")] {
        let file = File::options().append(true).open(path).unwrap();
        file.set_modified(at(written)).unwrap();
    }

    let status = home.status("codex", at(NOW));

    assert_eq!(status.captured_at, Some(at("2026-05-01T11:59:00Z")));
    assert_eq!(status.state, QuotaState::Blocked);
    assert_eq!(status.blocking_window().unwrap().name, "weekly");
}

#[test]
fn only_events_count_and_not_what_is_said_about_them() {
    let home = Home::new();
    let said = event(NOW, weekly(100.0));
    let quoted = json!({"timestamp": NOW, "type": "response_item", "payload": {"text": said}});
    let other_kind = json!({"timestamp": NOW, "type": "event_msg", "payload": {"type": "agent_message", "rate_limits": weekly(100.0)}});
    home.log(
        "2026/05/01/rollout-a.jsonl",
        &[
            event("2026-05-01T11:59:00Z", weekly(5.0)),
            format!("{quoted}\n{other_kind}\nnot json\n\u{0}\n"),
            event(NOW, json!({"primary": {"used_percent": 0, "window_minutes": 0, "resets_at": ""}})),
            event(NOW, weekly(100.0)).trim_end_matches("}\n").to_owned(),
        ],
    );

    let status = home.status("codex", at(NOW));

    assert_eq!(used(&status), [("weekly", Some(5.0))]);
}

#[test]
fn the_end_of_a_huge_log_is_read_and_no_more() {
    let home = Home::new();
    let path = home.log("2026/05/01/rollout-huge.jsonl", &[]);
    let mut file = File::options().write(true).open(&path).unwrap();
    // Without holes this would be a terabyte.
    file.seek(SeekFrom::Start(1 << 40)).unwrap();
    file.write_all(b"\n").unwrap();
    file.write_all(event(NOW, weekly(7.0)).as_bytes()).unwrap();

    assert_eq!(used(&home.status("codex", at(NOW))), [("weekly", Some(7.0))]);

    file.write_all(chatter(2 << 20).as_bytes()).unwrap();

    assert_eq!(
        home.status("codex", at(NOW)).state,
        QuotaState::Unavailable,
        "an event before the end that is read is not looked for"
    );
}

#[test]
fn a_link_is_not_followed() {
    let home = Home::new();
    let elsewhere = home.path("elsewhere.jsonl");
    fs::write(&elsewhere, event(NOW, weekly(7.0))).unwrap();
    let link = home.path(".codex/sessions/2026/05/01/rollout-a.jsonl");
    std::os::unix::fs::symlink(&elsewhere, &link).unwrap();

    let status = home.status("codex", at(NOW));

    assert_eq!(status.state, QuotaState::Unavailable);
}

#[test]
fn a_limit_of_one_model_stands_beside_the_plan() {
    let home = Home::new();
    let spark = json!({
        "limit_id": "codex_bengalfox", "limit_name": "GPT-5.3-Codex-Spark",
        "primary": {"used_percent": 100, "window_minutes": 300, "resets_at": 1_777_645_800},
    });
    home.log(
        "2026/05/01/rollout-a.jsonl",
        &[event("2026-05-01T11:58:00Z", weekly(5.0)), event("2026-05-01T11:59:00Z", spark)],
    );

    let status = home.status("codex", at(NOW));

    assert_eq!(status.state, QuotaState::Ok);
    assert_eq!(status.captured_at, Some(at("2026-05-01T11:58:00Z")));
    assert_eq!(used(&status), [("weekly", Some(5.0)), ("five_hour", Some(100.0))]);
    assert_eq!(status.windows[1].state, QuotaState::Blocked);
}

#[test]
fn of_very_many_limits_the_plans_and_the_newest_are_kept() {
    let home = Home::new();
    let limit = |number: usize| {
        let window = json!({"used_percent": 1.0, "window_minutes": 300});
        event(NOW, json!({"limit_id": format!("limit-{number}"), "limit_name": "a model", "primary": window}))
    };
    let mut lines: Vec<String> = (0..4000).map(limit).collect();
    lines.insert(0, event("2026-05-01T11:59:00Z", weekly(5.0)));
    home.log("2026/05/01/rollout-a.jsonl", &lines);

    let status = home.status("codex", at(NOW));

    assert_eq!(used(&status)[0], ("weekly", Some(5.0)));
    assert_eq!(status.windows.len(), 32);
}

#[test]
fn a_refusal_beside_the_windows_blocks() {
    let home = Home::new();
    let limits = json!({"primary": null, "secondary": null, "rate_limit_reached_type": "workspace_owner_credits_depleted"});
    home.log("2026/05/01/rollout-a.jsonl", &[event(NOW, limits)]);

    let status = home.status("codex", at(NOW));

    assert_eq!(status.state, QuotaState::Blocked);
    assert_eq!(status.blocking_window(), None);
    assert_eq!(status.reason.as_deref(), Some("workspace_owner_credits_depleted"));
}

#[test]
fn of_a_log_and_a_snapshot_the_fresher_usable_one_counts() {
    let home = Home::new();
    let snapshot = |time: &str| {
        let window = json!({"window_minutes": 10080, "used_percent": 50, "resets_at": 1_777_885_200});
        json!({"captured_at": time, "source": "pty", "windows": [window]}).to_string()
    };
    home.log("2026/05/01/rollout-a.jsonl", &[event("2026-05-01T11:55:00Z", weekly(7.0))]);

    home.snapshot("codex", snapshot("2026-05-01T11:50:00Z"));
    assert_eq!(home.status("codex", at(NOW)).source, "codex_sessions");

    home.snapshot("codex", snapshot("2026-05-01T11:58:00Z"));
    assert_eq!(home.status("codex", at(NOW)).source, "pty");

    home.snapshot("codex", snapshot("2026-05-01T13:00:00Z"));
    assert_eq!(home.status("codex", at(NOW)).source, "codex_sessions", "what is stale is not usable");
}

#[test]
fn an_old_log_is_stale() {
    let home = Home::new();
    home.log("2026/05/01/rollout-a.jsonl", &[event("2026-05-01T11:00:00Z", weekly(100.0))]);

    assert_eq!(home.status("codex", at(NOW)).state, QuotaState::Stale);
}

#[test]
fn an_event_from_the_future_does_not_hide_the_others() {
    let home = Home::new();
    home.log(
        "2026/05/01/rollout-a.jsonl",
        &[event("2030-01-01T00:00:00Z", weekly(100.0)), event("2026-05-01T11:59:00Z", weekly(5.0))],
    );

    let status = home.status("codex", at(NOW));

    assert_eq!(status.captured_at, Some(at("2026-05-01T11:59:00Z")));
    assert_eq!(status.state, QuotaState::Ok);
}
