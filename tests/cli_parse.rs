//! `parse`: responses into readings, line by line.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::Stdio;

use serde_json::{Value, json};

use crate::cli::{Home, lines};

const NOW: &str = "2026-01-15T12:00:00Z";

fn response(provider_type: &str, status: u16, headers: Value) -> Value {
    json!({"type": provider_type, "status": status, "headers": headers, "body": null, "now": NOW})
}

fn parse(responses: &[Value]) -> Vec<Value> {
    let ended = Home::new().run_with(&["parse"], &lines(responses));
    assert_eq!((ended.status, ended.stderr.as_str()), (0, ""));
    ended.json()
}

#[test]
fn a_reading_of_openai_has_all_keys_in_order() {
    let home = Home::new();
    let line = response(
        "openai",
        200,
        json!([
            ["X-RateLimit-Limit-Requests", "60"],
            ["x-ratelimit-remaining-requests", "59"],
            ["x-ratelimit-reset-requests", "1s"],
            ["x-ratelimit-remaining-tokens", "149984"],
        ]),
    );
    let ended = home.run_with(&["parse"], &lines(&[line]));
    assert_eq!(
        ended.stdout,
        concat!(
            r#"{"remaining_requests":59,"remaining_tokens":149984,"reset_at":"2026-01-15T12:00:01Z","#,
            r#""retry_after_ms":null,"exhausted":false,"limits":["#,
            r#"{"quantity":"requests","window_s":60,"limit":60,"remaining":59,"#,
            r#""resets_at":"2026-01-15T12:00:01Z","captured_at":"2026-01-15T12:00:00Z","refill":"continuous"},"#,
            r#"{"quantity":"tokens","window_s":60,"remaining":149984,"captured_at":"2026-01-15T12:00:00Z","#,
            r#""refill":"continuous"}],"#,
            r#""reason":null,"refusal":null}"#,
            "\n"
        )
    );
}

#[test]
fn each_base_dialect_is_read() {
    let readings = parse(&[
        response("openai", 429, json!({"retry-after": "7"})),
        response(
            "anthropic",
            200,
            json!({
                "anthropic-ratelimit-requests-remaining": "999",
                "anthropic-ratelimit-input-tokens-remaining": "80000",
                "anthropic-ratelimit-output-tokens-remaining": "16000",
                "anthropic-ratelimit-output-tokens-reset": "2026-01-15T12:00:30Z",
            }),
        ),
        response(
            "openrouter",
            429,
            json!({"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1768478460000"}),
        ),
        response("something-new", 200, json!({"x-ratelimit-remaining-requests": "3"})),
    ]);
    assert_eq!(readings[0]["retry_after_ms"], 7000);
    assert_eq!(readings[0]["exhausted"], true);
    assert_eq!(readings[0]["refusal"], "rate");
    assert_eq!(readings[1]["remaining_requests"], 999);
    assert_eq!(readings[1]["remaining_tokens"], 16000);
    assert_eq!(readings[1]["exhausted"], false);
    assert_eq!(readings[2]["reset_at"], "2026-01-15T12:01:00Z");
    assert_eq!(readings[2]["exhausted"], true);
    assert_eq!(readings[3]["remaining_requests"], 3);
}

#[test]
fn the_lines_own_type_wins_over_the_argument() {
    let headers = json!({"anthropic-ratelimit-requests-remaining": "5"});
    let own = response("openai", 200, headers.clone());
    let mut none = response("", 200, headers);
    none.as_object_mut().unwrap().remove("type");
    let home = Home::new();
    let readings = home.run_with(&["parse", "--type", "anthropic"], &lines(&[own, none.clone()])).json();
    assert_eq!(readings[0]["remaining_requests"], Value::Null);
    assert_eq!(readings[1]["remaining_requests"], 5);

    let untyped = home.run_with(&["parse"], &lines(&[none]));
    assert_eq!(untyped.status, 1);
    assert!(untyped.stderr.contains("line 1: `type` is missing: "), "{}", untyped.stderr);
}

#[test]
fn bad_lines_are_reported_by_number_and_the_rest_goes_on() {
    let good = response("openai", 200, json!({"x-ratelimit-remaining-requests": "1"})).to_string();
    let mut input = Vec::new();
    for line in [
        good.as_bytes(),
        b"{\"type\":\"openai\",",
        b"",
        br#"{"type":"openai","headers":[]}"#,
        br#"{"type":"openai","status":"200 SECRET","headers":[]}"#,
        b"{\"type\":\"\xff\xfe\",\"status\":200,\"headers\":[]}",
        &[b"{\"type\":\"openai\",\"body\":\"", "x".repeat(1 << 20).as_bytes(), b"\"}"].concat(),
        br#""SECRET""#,
        good.as_bytes(),
    ] {
        input.extend_from_slice(line);
        input.push(b'\n');
    }
    // The last line has no end.
    input.pop();

    let ended = Home::new().run_with(&["parse"], &input);

    assert_eq!(ended.status, 1);
    assert_eq!(ended.json().len(), 2);
    let reasons: Vec<&str> = ended.stderr.lines().collect();
    let expected = [
        "line 2: no JSON: EOF while parsing",
        "line 4: `status` is missing",
        "line 5: `status` is not an HTTP status",
        "line 6: no JSON: ",
        "line 7: longer than 1048576 bytes",
        "line 8: no JSON object",
        "bad lines: 6 of 8",
    ];
    assert_eq!(reasons.len(), expected.len(), "{}", ended.stderr);
    for (reason, expected) in reasons.iter().zip(expected) {
        assert!(reason.starts_with(expected), "{reason}");
    }
    assert!(!ended.stderr.contains("SECRET"), "{}", ended.stderr);
}

#[test]
fn a_file_can_be_read_and_one_that_is_missing_is_a_failure() {
    let home = Home::new();
    let file = home.path("responses.ndjson");
    std::fs::write(&file, lines(&[response("openai", 200, json!({}))])).unwrap();
    assert_eq!(home.run(&["parse", file.to_str().unwrap()]).json().len(), 1);
    let missing = home.run(&["parse", "/no/such/file"]);
    assert_eq!(missing.status, 1);
    assert!(missing.stderr.contains("cannot read /no/such/file"), "{}", missing.stderr);
    let folder = home.run(&["parse", "/"]);
    assert_eq!(folder.status, 1, "{folder:?}");
}

#[test]
fn each_answer_comes_before_the_next_question() {
    let home = Home::new();
    let mut child = home.command(&["parse"]).stdin(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    for left in ["3", "2", "1"] {
        let question = response("openai", 200, json!({"x-ratelimit-remaining-requests": left}));
        stdin.write_all(&lines(&[question])).unwrap();
        let mut answer = String::new();
        stdout.read_line(&mut answer).unwrap();
        let answer: Value = serde_json::from_str(&answer).unwrap();
        assert_eq!(answer["remaining_requests"].to_string(), left);
    }
    drop(stdin);
    assert!(child.wait().unwrap().success());
}

#[test]
fn a_reader_that_goes_away_ends_it_quietly() {
    let home = Home::new();
    let mut child = home.command(&["parse"]).stdin(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let endless = std::thread::spawn(move || {
        let line = lines(&[response("openai", 200, json!({}))]);
        while stdin.write_all(&line).is_ok() {}
    });
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    stdout.read_line(&mut String::new()).unwrap();
    drop(stdout);
    endless.join().unwrap();
    let mut stderr = String::new();
    child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
    assert!(child.wait().unwrap().success());
    assert_eq!(stderr, "");
}

#[test]
fn absurd_input_ends_neither_in_a_crash_nor_in_a_hang() {
    let home = Home::new();
    let deep = "[".repeat(1 << 19);
    let many = format!("{{\"headers\":[{}0]}}", "0,".repeat(400_000));
    for input in [vec![0; 4 << 20], b"\n".repeat(1 << 20), deep.into_bytes(), many.into_bytes()] {
        let ended = home.run_with(&["parse", "--type", "openai"], &input);
        assert!(ended.status == 0 || ended.status == 1, "{ended:?}");
        assert_eq!(ended.stdout, "");
        assert!(!ended.stderr.contains("panicked"), "{}", ended.stderr);
    }
}
