//! `ingest`: finished calls into signals.

use std::io::Write;
use std::process::Stdio;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::cli::{Ended, Home, call, lines};

/// RFC 3339, so many seconds ago.
fn ago(seconds: i64) -> String {
    jiff::Timestamp::now().checked_sub(jiff::SignedDuration::from_secs(seconds)).unwrap().to_string()
}

fn signal(home: &Home, provider: &str) -> Value {
    home.run(&["read", provider]).only_json()["signal"].take()
}

fn dry_run(home: &Home, calls: &[Value]) -> Ended {
    home.run_with(&["ingest", "--dry-run"], &lines(calls))
}

#[test]
fn what_is_ingested_can_be_read() {
    let home = Home::new();
    let mut slow = call("b", 200, json!([["x-ratelimit-remaining-requests", "7"]]));
    slow.as_object_mut().unwrap().remove("latency_ms");
    slow["latency_ns"] = json!(1_500_000_000u64);
    slow["ttfb_ms"] = json!(250);
    let summary = home.run_with(&["ingest"], &lines(&[call("a", 429, json!({"Retry-After": "60"})), slow]));
    assert_eq!(summary.only_json(), json!({"lines": 2, "recorded": 2, "bad": 0, "providers": ["a", "b"]}));
    assert_eq!(signal(&home, "a")["status"], "exhausted");
    let b = signal(&home, "b");
    assert_eq!(b["quota_remaining"], 7);
    assert_eq!(b["recent_p50_latency_ns"], 1_500_000_000u64);
    assert_eq!(b["latency"]["ttfb_p50_ns"], 250_000_000);
}

#[test]
fn the_summary_is_text_for_people() {
    let home = Home::new();
    let calls = lines(&[call("a", 200, json!({})), call("b", 200, json!({}))]);
    let text = |arguments: &[&str], input: &[u8]| home.run_with(arguments, input).stdout;
    assert_eq!(text(&["ingest", "--format", "table"], &calls), "2 calls of a, b recorded\n");
    assert_eq!(text(&["ingest", "--format", "table"], b""), "0 calls recorded\n");
}

#[test]
fn a_dry_run_prints_the_signals_and_writes_nothing() {
    let home = Home::new();
    let ended = dry_run(
        &home,
        &[
            call("b", 200, json!({"x-ratelimit-remaining-requests": "5"})),
            call("a", 500, json!({})),
            call("b", 200, json!({"x-ratelimit-remaining-requests": "4"})),
        ],
    );
    assert_eq!(ended.status, 0, "{ended:?}");
    let signals = ended.json();
    assert_eq!(signals.len(), 2);
    assert_eq!((&signals[0]["provider"], &signals[0]["status"]), (&json!("a"), &json!("degraded")));
    assert_eq!((&signals[1]["provider"], &signals[1]["quota_remaining"]), (&json!("b"), &json!(4)));
    assert!(!home.cache().exists());
}

#[test]
fn a_dry_run_takes_in_what_is_stored_and_leaves_it() {
    let home = Home::new();
    home.run_with(&["ingest"], &lines(&[call("a", 200, json!({"x-ratelimit-remaining-requests": "5"}))]));
    let stored = std::fs::read(home.entry("a")).unwrap();
    let signals = dry_run(&home, &[call("a", 500, json!({}))]).json();
    assert_eq!(signals[0]["status"], "degraded");
    assert!(signals[0]["last_success_at"].is_string());
    assert_eq!(std::fs::read(home.entry("a")).unwrap(), stored);
}

#[test]
fn each_call_is_judged_at_its_own_time() {
    let home = Home::new();
    let refused = |provider: &str, at: String| {
        let mut line = call(provider, 429, json!({"retry-after": "60"}));
        line["at"] = json!(at);
        line
    };
    let signals = dry_run(&home, &[refused("old", ago(3600)), refused("new", ago(1))]).json();
    assert_eq!((&signals[0]["provider"], &signals[0]["status"]), (&json!("new"), &json!("exhausted")));
    assert_eq!((&signals[1]["provider"], &signals[1]["status"]), (&json!("old"), &json!("available")));
    assert_eq!(signals[1].get("quota_reset_at"), None);
}

#[test]
fn a_success_that_was_in_flight_does_not_end_a_refusal() {
    let home = Home::new();
    let mut refused = call("a", 429, json!({"retry-after": "600"}));
    refused["at"] = json!(ago(10));
    let mut in_flight = call("a", 200, json!({}));
    in_flight["latency_ms"] = json!(30_000);
    let signals = dry_run(&home, &[refused.clone(), in_flight]).json();
    assert_eq!(signals[0]["status"], "exhausted");
    let signals = dry_run(&home, &[refused, call("a", 200, json!({}))]).json();
    assert_eq!(signals[0]["status"], "available");
}

#[test]
fn models_and_accounts_do_not_overwrite_each_other() {
    let home = Home::new();
    let of = |model: &str, left: &str| {
        let mut line = call("a", 200, json!({"x-ratelimit-remaining-requests": left}));
        line["model"] = json!(model);
        line["account"] = json!("me");
        line
    };
    home.run_with(&["ingest"], &lines(&[of("small", "7"), of("large", "3")]));
    let signal = signal(&home, "a");
    let mut limits: Vec<_> = signal["limits"].as_array().unwrap().iter().collect();
    limits.sort_by_key(|limit| limit["remaining"].as_u64());
    assert_eq!(limits[0]["scope"], json!({"account": "me", "model": "large"}));
    assert_eq!(limits[1]["scope"], json!({"account": "me", "model": "small"}));
    assert_eq!(signal["quota_remaining"], 3);
}

#[test]
fn errors_are_kept_without_their_secrets() {
    let home = Home::new();
    let failed = json!({"provider": "a", "type": "openai",
        "error": "error sending request for url (https://api.example/v1?key=SECRET): operation timed out"});
    home.run_with(&["ingest"], &lines(&[failed]));
    let signal = signal(&home, "a");
    assert_eq!((&signal["status"], &signal["reason"]), (&json!("degraded"), &json!("timeout")));
    let message = signal["last_error_msg"].as_str().unwrap();
    assert!(message.contains("https://api.example") && !message.contains("SECRET"), "{message}");
}

#[test]
fn an_error_of_any_length_is_a_failure() {
    let home = Home::new();
    let error = "connection reset ".repeat(20_000);
    let signals = dry_run(&home, &[json!({"provider": "a", "type": "openai", "error": error})]).json();
    assert_eq!(signals[0]["status"], "degraded");
    assert!(signals[0]["last_error_msg"].as_str().unwrap().len() <= 512);
}

#[test]
fn bad_lines_are_reported_by_number_and_the_rest_is_stored() {
    let home = Home::new();
    let with = |field: &str, value: Value| {
        let mut line = call("a", 200, json!({}));
        line[field] = value;
        line.to_string()
    };
    let input = [
        call("a", 200, json!({"x-ratelimit-remaining-requests": "1"})).to_string(),
        "not json".to_owned(),
        with("provider", Value::Null),
        with("provider", json!("../up")),
        with("status", Value::Null),
        with("headers", json!(["SECRET"])),
        with("latency_ms", json!(-1)),
        with("latency_ns", json!(1)),
        with("at", json!("yesterday")),
        with("body", json!("x".repeat(1 << 20))),
        call("b", 200, json!({})).to_string(),
    ]
    .join("\n");

    let ended = home.run_with(&["ingest"], input.as_bytes());

    assert_eq!(ended.status, 1);
    assert_eq!(ended.json(), [json!({"lines": 11, "recorded": 2, "bad": 9, "providers": ["a", "b"]})]);
    let reasons: Vec<&str> = ended.stderr.lines().collect();
    let expected = [
        "line 2: no JSON: expected ident",
        "line 3: `provider` is missing",
        "line 4: provider name \"../up\": must not begin with a dot",
        "line 5: `status` is missing",
        "line 6: `headers` is not ",
        "line 7: `latency_ms` is not ",
        "line 8: both `latency_ms` and `latency_ns` are given",
        "line 9: `at` is not an RFC 3339 time",
        "line 10: longer than 1048576 bytes",
        "bad lines: 9 of 11",
    ];
    assert_eq!(reasons.len(), expected.len(), "{}", ended.stderr);
    for (reason, expected) in reasons.iter().zip(expected) {
        assert!(reason.starts_with(expected), "{reason}");
    }
    assert!(!ended.stderr.contains("SECRET"), "{}", ended.stderr);
    assert_eq!(signal(&home, "a")["quota_remaining"], 1);
    assert!(home.entry("b").exists());
    assert!(!home.path("up.json").exists() && !home.cache().join("up.json").exists());
}

#[test]
fn many_calls_are_all_counted() {
    let home = Home::new();
    let calls: Vec<Value> = (0..2000u32)
        .map(|index| {
            let left = (2000 - index).to_string();
            call(&format!("p{}", index % 10), 200, json!({"x-ratelimit-remaining-requests": left}))
        })
        .collect();
    let summary = home.run_with(&["ingest"], &lines(&calls)).only_json();
    assert_eq!((&summary["recorded"], &summary["bad"]), (&json!(2000), &json!(0)));
    let last = signal(&home, "p9");
    assert_eq!((&last["quota_remaining"], &last["latency"]["count"]), (&json!(1), &json!(100)));
}

#[test]
fn what_was_read_is_on_disk_while_the_pipe_is_open_and_after_an_interrupt() {
    let home = Home::new();
    let mut child = home.command(&["ingest"]).stdin(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(&lines(&[call("a", 200, json!({"x-ratelimit-remaining-requests": "5"}))])).unwrap();
    let deadline = Instant::now() + Duration::from_secs(30);
    while !home.entry("a").exists() {
        assert!(Instant::now() < deadline, "nothing was written");
        std::thread::yield_now();
    }
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    let ended = Ended::from(child.wait_with_output().unwrap());
    assert_eq!((ended.status, ended.stdout.as_str(), ended.stderr.as_str()), (130, "", ""));
    assert_eq!(signal(&home, "a")["quota_remaining"], 5);
    drop(stdin);
}
