//! `wait` and `guard`: can a request pass, told by the exit status, by what is stored.

use serde_json::{Value, json};

use crate::cli::{Home, lines};

fn ingest(home: &Home, calls: &[Value]) {
    let ended = home.run_with(&["ingest"], &lines(calls));
    assert_eq!((ended.status, ended.stderr.as_str()), (0, ""), "{}", ended.stdout);
}

fn call(status: u16, headers: Value) -> Value {
    json!({"provider": "mine", "type": "openai", "status": status, "headers": headers, "latency_ms": 90})
}

fn ask(home: &Home, arguments: &[&str]) -> (i32, Value) {
    let ended = home.run(&[arguments, &["--json"]].concat());
    (ended.status, ended.json().remove(0))
}

#[test]
fn what_can_pass_passes_at_once() {
    let home = Home::new();
    ingest(
        &home,
        &[call(200, json!({"x-ratelimit-limit-tokens": "1000", "x-ratelimit-remaining-tokens": "900"}))],
    );
    for command in ["guard", "wait"] {
        let (status, answer) = ask(&home, &[command, "mine", "--tokens", "900"]);
        assert_eq!((status, &answer["answer"], &answer["wait_ms"]), (0, &json!("go"), &json!(0)), "{answer}");
    }
}

#[test]
fn what_takes_longer_than_the_bound_is_told_at_once_with_what_binds() {
    let home = Home::new();
    ingest(&home, &[call(429, json!({"retry-after": "600"}))]);
    for arguments in [&["guard", "mine"][..], &["wait", "mine", "--max", "5s"]] {
        let (status, answer) = ask(&home, arguments);
        assert_eq!(
            (status, &answer["answer"], &answer["refusal"]),
            (75, &json!("wait"), &json!("rate")),
            "{answer}"
        );
        let wait_ms = answer["wait_ms"].as_u64().unwrap();
        assert!((500_000..=600_000).contains(&wait_ms), "{answer}");
    }
}

#[test]
fn a_bucket_that_is_short_of_tokens_is_waited_for_and_names_itself() {
    let home = Home::new();
    let headers = json!({
        "x-ratelimit-limit-tokens": "60000", "x-ratelimit-remaining-tokens": "59000", "x-ratelimit-reset-tokens": "1s",
    });
    ingest(&home, &[call(200, headers)]);
    // At a thousand tokens a second, no more than a second is missing.
    let (status, answer) = ask(&home, &["wait", "mine", "--tokens", "60000", "--max", "30s"]);
    assert_eq!((status, &answer["answer"]), (0, &json!("go")), "{answer}");
}

#[test]
fn a_request_that_is_larger_than_the_whole_allowance_never_passes() {
    let home = Home::new();
    let headers = json!({
        "x-ratelimit-limit-tokens": "60000", "x-ratelimit-remaining-tokens": "10", "x-ratelimit-reset-tokens": "1m0s",
    });
    ingest(&home, &[call(200, headers)]);
    for command in ["guard", "wait"] {
        let (status, answer) = ask(&home, &[command, "mine", "--tokens", "60001"]);
        assert_eq!((status, &answer["answer"]), (75, &json!("too_large")), "{answer}");
        assert_eq!(
            (&answer["limit"]["quantity"], &answer["limit"]["limit"]),
            (&json!("tokens"), &json!(60_000))
        );
    }
}

#[test]
fn where_nothing_is_known_guard_says_what_it_is_told_to_say() {
    let home = Home::new();
    for (arguments, expected) in [
        (&["guard", "mine"][..], 69),
        (&["guard", "mine", "--on-unknown", "allow"], 0),
        (&["guard", "mine", "--on-unknown", "deny"], 69),
        (&["wait", "mine"], 69),
    ] {
        let (status, answer) = ask(&home, arguments);
        assert_eq!((status, &answer["answer"]), (expected, &json!("unknown")), "{arguments:?}");
    }
}

#[test]
fn a_refusal_of_one_model_holds_for_that_model_only() {
    let home = Home::new();
    let body = r#"{"error":{"code":429,"details":[{"violations":[{"quotaId":"GenerateRequestsPerMinutePerProjectPerModel-FreeTier","quotaDimensions":{"model":"pro-1"},"quotaValue":"5"}]},{"retryDelay":"300s"}]}}"#;
    let refused = json!({"provider": "mine", "type": "gemini", "status": 429, "headers": {}, "body": body, "latency_ms": 90});
    ingest(&home, &[refused]);
    assert_eq!(ask(&home, &["guard", "mine", "--model", "pro-1"]).0, 75);
    assert_eq!(ask(&home, &["guard", "mine", "--model", "flash-2"]).0, 0);
}

#[test]
fn words_for_people_say_how_long_and_why() {
    let home = Home::new();
    ingest(&home, &[call(429, json!({"retry-after": "600"}))]);
    let ended = home.run(&["guard", "mine", "--format", "table"]);
    assert_eq!(ended.status, 75);
    assert!(
        ended.stdout.starts_with("mine: not before ") && ended.stdout.ends_with(": a refusal (rate)\n"),
        "{}",
        ended.stdout
    );
    let ended = home.run(&["wait", "mine", "--max", "soon"]);
    assert_eq!(ended.status, 2);
    assert!(ended.stderr.contains("500ms, 90s, 5m or 1h30m"), "{}", ended.stderr);
}
