//! `capture`: what users saw becomes a vector, without anything secret or personal.

use serde_json::{Value, json};

use crate::cli::{Ended, Home, lines};

fn capture(arguments: &[&str], input: &[u8]) -> (Value, Ended) {
    let ended = Home::new().run_with(&[&["capture"], arguments].concat(), input);
    assert_eq!(ended.status, 0, "{ended:?}");
    (serde_json::from_str(&ended.stdout).unwrap(), ended)
}

const RAW: &str = "HTTP/2 429 \r
date: Thu, 15 Jan 2026 12:00:00 GMT\r
content-type: application/json\r
set-cookie: __cf_bm=SECRET0cookie; path=/; secure\r
openai-organization: initech\r
x-request-id: req_SECRET0123456789\r
cf-ray: 9c1SECRET0-FRA\r
x-ratelimit-limit-requests: 60\r
x-ratelimit-remaining-requests: 0\r
x-ratelimit-reset-requests: 1s\r
retry-after: 20\r
\r
{\"error\":{\"message\":\"Rate limit reached for gpt-4o in organization org-SECRET01 (Initech) on requests per min (RPM): \
Limit 60. Key sk-proj-SECRET01 of ann@initech.example from 10.1.2.3. Please try again in 20s.\",\"type\":\"requests\",\
\"code\":\"rate_limit_exceeded\"},\"prompt\":\"my SECRET diary\"}";

#[test]
fn a_raw_response_becomes_a_vector() {
    let (vector, ended) = capture(&["--type", "openai"], RAW.as_bytes());
    assert_eq!(
        vector,
        json!({
            "id": "openai-429-captured",
            "provider_type": "openai",
            "source": "seen: captured by runtime-signals 0.1.0; now is its date",
            "status": 429,
            "headers": [
                ["date", "Thu, 15 Jan 2026 12:00:00 GMT"],
                ["x-ratelimit-limit-requests", "60"],
                ["x-ratelimit-remaining-requests", "0"],
                ["x-ratelimit-reset-requests", "1s"],
                ["retry-after", "20"],
            ],
            "body": vector["body"],
            "now": "2026-01-15T12:00:00Z",
            "expect": {
                "remaining_requests": 0, "remaining_tokens": null, "reset_at": "2026-01-15T12:00:01Z",
                "retry_after_ms": 20000, "exhausted": true,
            },
            "note": "",
        })
    );
    let body: Value = serde_json::from_str(vector["body"].as_str().unwrap()).unwrap();
    assert_eq!(
        body,
        json!({"error": {
            "message": "Rate limit reached for gpt-4o in organization org-x (x) on requests per min (RPM): Limit 60. \
                Key sk-x of x@x from x.x.x.x. Please try again in 20s.",
            "type": "requests",
            "code": "rate_limit_exceeded",
        }})
    );
    let order = [
        "\"id\"",
        "\"provider_type\"",
        "\"source\"",
        "\"status\"",
        "\"headers\"",
        "\"body\"",
        "\"now\"",
        "\"expect\"",
        "\"note\"",
    ];
    let places: Vec<_> = order.iter().map(|key| ended.stdout.find(key).unwrap()).collect();
    assert!(places.is_sorted(), "{}", ended.stdout);
    assert!(ended.stderr.contains("headers left out: 5"), "{}", ended.stderr);
    for secret in ["SECRET", "initech", "Initech", "ann", "10.1.2.3", "diary"] {
        assert!(!ended.stdout.contains(secret) && !ended.stderr.contains(secret), "{secret} in {ended:?}");
    }
}

#[test]
fn the_body_of_a_successful_call_is_left_out_and_that_is_said() {
    let line = json!({"type": "openai", "status": 200, "headers": {"x-ratelimit-remaining-requests": "59"},
        "body": "{\"choices\":[{\"message\":{\"content\":\"my diary\"}}]}", "now": "2026-01-15T12:00:00Z"});
    let (vector, ended) = capture(&[], &lines(&[line]));
    assert_eq!((&vector["body"], &vector["expect"]["remaining_requests"]), (&Value::Null, &json!(59)));
    assert_eq!(vector["source"], "seen: captured by runtime-signals 0.1.0; now as given");
    assert!(ended.stderr.contains("body left out: it answers a call that succeeded"), "{}", ended.stderr);
    assert!(!ended.stdout.contains("diary"));
}

#[test]
fn what_is_no_response_is_refused_without_repeating_it() {
    let home = Home::new();
    for (input, told) in [
        (&b"SECRET"[..], "no JSON: expected value"),
        (b"HTTP/1.1 SECRET", "line 1 of its head is no status line"),
        (b"{\"status\":200,\"headers\":{}}{\"SECRET\":1}", "trailing characters"),
        (b"HTTP/1.1 200 OK\n\n", "`type` is missing: give it in the line, or by --type"),
        (b"", "no JSON"),
    ] {
        let ended = home.run_with(&["capture"], input);
        assert_eq!((ended.status, ended.stdout.as_str()), (1, ""), "{ended:?}");
        assert!(ended.stderr.contains(told) && ended.stderr.contains("`curl -i`"), "{}", ended.stderr);
        assert!(!ended.stderr.contains("SECRET"), "{}", ended.stderr);
    }
    let long = home.run_with(&["capture"], &vec![b' '; (1 << 20) + 1]);
    assert!(long.status == 1 && long.stderr.contains("longer than 1048576 bytes"), "{long:?}");
    assert!(home.run(&["capture", "/no/such/file"]).stderr.contains("cannot read /no/such/file"));
}

/// What was removed from the vectors is nothing that a reading needs, and nothing of the form of a figure.
#[test]
fn the_vectors_read_the_same_after_cleaning() {
    let vectors: Vec<Value> =
        serde_json::from_str(include_str!("vectors/rate-limit-responses.json")).unwrap();
    let home = Home::new();
    let response = |vector: &Value| {
        json!({"type": vector["provider_type"], "status": vector["status"], "headers": vector["headers"],
            "body": vector["body"], "now": vector["now"]})
    };
    let readings =
        home.run_with(&["parse"], &lines(&vectors.iter().map(response).collect::<Vec<_>>())).json();
    for (vector, reading) in vectors.iter().zip(readings) {
        let (captured, _) = capture(&[], &lines(&[response(vector)]));
        for (key, expected) in captured["expect"].as_object().unwrap() {
            assert_eq!(expected, &reading[key.as_str()], "{} of {}", key, vector["id"]);
        }
        let kept = captured["body"].as_str().map(|body| (body, serde_json::from_str::<Value>(body)));
        match (vector["body"].as_str(), kept) {
            (Some(body), Some((_, Ok(kept)))) => {
                assert_eq!(kept, serde_json::from_str::<Value>(body).unwrap(), "{}", vector["id"]);
            }
            (body, kept) => assert_eq!(body, kept.map(|(text, _)| text), "{}", vector["id"]),
        }
    }
}
