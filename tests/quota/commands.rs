//! The user's own command.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use runtime_signals::quota::{QuotaCommand, QuotaHarness, QuotaState};
use serde_json::json;

use super::{Home, LONG, NOW, at, claude, make_fifo, minutes};

#[tokio::test]
async fn what_a_command_prints_is_the_status() {
    let home = Home::new();
    let sources = home.with_script(
        "kimi",
        r#"printf '{"windows":[{"window_minutes":300,"used_percent":100,"resets_at":"2026-05-01T13:00:00Z"}],"account":"me","extra":1}'"#,
        LONG,
    );

    let status = sources.refresh_quota("kimi", at(NOW)).await;

    assert_eq!(status.source, "command");
    assert_eq!(status.captured_at, Some(at(NOW)));
    assert_eq!(status.account.as_deref(), Some("me"));
    assert_eq!(status.blocking_window().unwrap().name, "five_hour");
    let later = sources.quota_status("kimi", at("2026-05-01T13:00:00Z") - minutes(50));
    assert_eq!(later.state, QuotaState::Blocked);
    let too_late = sources.quota_status("kimi", at("2026-05-01T12:16:00Z"));
    assert_eq!(too_late.state, QuotaState::Stale);
}

#[tokio::test]
async fn a_status_in_our_own_form_is_understood() {
    let home = Home::new();
    home.snapshot("claude", claude(json!({"weekly_remaining": 0})));
    let status = home.status("claude", at(NOW));
    let printed = home.path("printed.json");
    fs::write(&printed, serde_json::to_vec(&status).unwrap()).unwrap();
    let sources = home.with_script("other", &format!("cat {}", printed.display()), LONG);

    let through = sources.refresh_quota("other", at(NOW)).await;

    assert_eq!(through.state, QuotaState::Blocked);
    assert_eq!(through.windows, status.windows);
}

#[tokio::test]
async fn a_command_states_a_verdict_or_windows_and_what_they_limit() {
    let home = Home::new();
    for (printed, expected) in [
        (r#"{"state":"ok"}"#, QuotaState::Ok),
        (r#"{"state":"blocked"}"#, QuotaState::Blocked),
        (r#"{"state":"unauthenticated"}"#, QuotaState::Unauthenticated),
        (r#"{"state":"unavailable"}"#, QuotaState::Unavailable),
        (r#"{"state":"whatever"}"#, QuotaState::Unknown),
        ("{}", QuotaState::Unknown),
        (
            r#"{"windows":[{"name":"a","used_percent":100,"scope":"model"},{"name":"b","used_percent":5}]}"#,
            QuotaState::Ok,
        ),
        (r#"{"state":"blocked","captured_at":"2026-05-01T11:00:00Z"}"#, QuotaState::Stale),
    ] {
        let sources = home.with_script("kimi", &format!("printf '{printed}'"), LONG);
        let status = sources.refresh_quota("kimi", at(NOW)).await;
        assert_eq!(status.state, expected, "{printed}");
    }
}

#[tokio::test]
async fn a_command_that_fails_is_unavailable_and_its_words_stay_secret() {
    let home = Home::new();
    for (script, reason) in [
        ("echo hunter2 >&2; exit 3 # hunter2", "exit status: 3"),
        ("echo hunter2", "did not print a JSON object"),
        ("printf '[\"hunter2\"]'", "did not print a JSON object"),
        ("head -c 70000 /dev/zero", "more than 65536 bytes"),
        ("yes hunter2", "more than 65536 bytes"),
        ("kill -9 $$ # hunter2", "signal"),
    ] {
        let sources = home.with_script("kimi", script, LONG);
        let status = sources.refresh_quota("kimi", at(NOW)).await;
        assert_eq!(status.state, QuotaState::Unavailable, "{script}");
        let said = status.reason.unwrap();
        assert!(said.contains(reason), "{said}");
        assert!(!said.contains("hunter2"), "{said}");
    }
    let missing = QuotaCommand::new(["/nonexistent/hunter2/tool", "hunter2"], LONG).unwrap();
    let sources = home.sources().with_command("kimi", missing);
    let said = sources.refresh_quota("kimi", at(NOW)).await.reason.unwrap();
    assert!(said.contains("tool cannot be started"), "{said}");
    assert!(!said.contains("hunter2"), "{said}");
}

#[tokio::test]
async fn a_command_runs_out_of_time() {
    let home = Home::new();
    let sources = home.with_script("kimi", "sleep 1000", Duration::from_millis(50));

    let status = sources.refresh_quota("kimi", at(NOW)).await;

    assert_eq!(status.state, QuotaState::Unavailable);
    assert!(status.reason.unwrap().contains("50ms"));
}

#[tokio::test]
async fn a_command_is_killed_with_its_children() {
    let home = Home::new();
    let alive = home.path("alive");
    make_fifo(&alive);
    // Each process of the group holds the FIFO open, so that its end is the end of them all.
    let script = format!("exec 3>{}; sleep 1000 & sleep 1000", alive.display());
    let sources = Arc::new(home.with_script("kimi", &script, LONG));
    let asked = Arc::clone(&sources);
    let refresh = tokio::spawn(async move { asked.refresh_quota("kimi", at(NOW)).await });
    let (said, opened) = tokio::sync::oneshot::channel();
    let (say, ended) = mpsc::channel();
    std::thread::spawn(move || {
        let mut running = File::open(alive).unwrap();
        said.send(()).unwrap();
        say.send(running.read_to_end(&mut Vec::new()).unwrap())
    });
    opened.await.unwrap();

    refresh.abort();
    assert!(refresh.await.unwrap_err().is_cancelled());

    assert_eq!(ended.recv_timeout(Duration::from_secs(60)), Ok(0));
}

#[tokio::test]
async fn refreshes_at_the_same_time_run_the_command_once() {
    let home = Home::new();
    let (runs, go) = (home.path("runs"), home.path("go"));
    make_fifo(&go);
    let script =
        format!("echo run >>{}; read line <{}; printf '{{\"state\":\"ok\"}}'", runs.display(), go.display());
    let sources = home.with_script("kimi", &script, LONG);
    let release = tokio::task::spawn_blocking(move || {
        let mut go = File::options().write(true).open(go).unwrap();
        go.write_all(b"go\n").unwrap();
    });

    let (first, second, third) = tokio::join!(
        sources.refresh_quota("kimi", at(NOW)),
        sources.refresh_quota("kimi", at(NOW)),
        sources.refresh_quota("kimi", at(NOW)),
    );

    release.await.unwrap();
    assert_eq!(first.state, QuotaState::Ok);
    assert_eq!((&first, &first), (&second, &third));
    assert_eq!(fs::read_to_string(runs).unwrap(), "run\n");
}

#[tokio::test]
async fn a_status_is_given_without_running_the_command() {
    let home = Home::new();
    let ran = home.path("ran");
    let sources = home.with_script("claude", &format!("touch {}", ran.display()), LONG);
    home.snapshot("claude", claude(json!({})));

    assert_eq!(sources.quota_status("claude", at(NOW)).source, "pty");
    assert!(!ran.exists());

    sources.refresh_quota("claude", at(NOW)).await;
    assert!(ran.exists());
}

#[tokio::test]
async fn a_verdict_of_the_command_beats_the_files_and_a_failure_does_not() {
    let home = Home::new();
    home.snapshot("claude", claude(json!({})));
    for (script, source) in [
        (r#"printf '{"state":"ok"}'"#, "command"),
        (r#"printf '{"state":"unauthenticated"}'"#, "command"),
        ("exit 1", "pty"),
        ("printf '{}'", "pty"),
    ] {
        let sources = home.with_script("claude", script, LONG);
        let status = sources.refresh_quota("claude", at(NOW)).await;
        assert_eq!(status.source, source, "{script}");
    }
}

#[tokio::test]
async fn the_command_gets_our_environment_and_no_input() {
    let home = Home::new();
    let script = r##"cat; printf '{"account":"%s"}' "${#PATH}""##;
    let sources = home.with_script("kimi", script, LONG);

    let status = sources.refresh_quota("kimi", at(NOW)).await;

    let length = std::env::var("PATH").unwrap().len().to_string();
    assert_eq!(status.account, Some(length));
}

#[tokio::test]
async fn a_blocked_model_does_not_say_when_a_blocked_account_is_free() {
    let home = Home::new();
    let printed = json!({"state": "blocked", "windows": [
        {"name": "a", "used_percent": 100, "scope": "model", "resets_at": "2026-05-02T00:00:00Z"},
        {"name": "b", "used_percent": 5},
    ]});
    let sources = home.with_script("kimi", &format!("printf '{printed}'"), LONG);

    let status = sources.refresh_quota("kimi", at(NOW)).await;

    assert_eq!(status.state, QuotaState::Blocked);
    assert_eq!(status.blocking_window(), None);
    assert_eq!(status.account_windows().count(), 1);
}
