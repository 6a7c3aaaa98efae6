//! Signals: what is recorded, stored or configured is shown, with a tag and how long it is good.

use serde_json::json;

use super::client::{Service, configure, eventually};
use crate::cli::{Home, call, lines};

#[test]
fn a_signal_is_shown_as_read_prints_it() {
    let service = Service::start();
    let headers = json!({"x-ratelimit-remaining-requests": "59"});
    assert_eq!(service.observe(&[call("mine", 200, headers)]).status, 200);
    let answer = service.get("/v1/signals/mine");
    assert_eq!((answer.status, answer.header("content-type")), (200, "application/json"));
    let entry = answer.json();
    assert_eq!(entry["signal"]["provider"], json!("mine"));
    assert_eq!(
        (&entry["signal"]["status"], &entry["signal"]["quota_remaining"]),
        (&json!("available"), &json!(59))
    );
    assert_eq!(entry["fresh"], json!(true));
    assert!(entry["age_ns"].as_u64().unwrap() < 30_000_000_000, "{entry}");
}

#[test]
fn all_that_is_configured_stored_or_recorded_is_listed_by_name() {
    let home = Home::new();
    configure(&home, "[[providers]]\nname = \"configured\"\ntype = \"openai\"\n");
    assert_eq!(home.run_with(&["ingest"], &lines(&[call("stored", 200, json!({}))])).status, 0);
    let service = Service::at(home, &[]);
    service.observe(&[call("recorded", 429, json!({"retry-after": "60"}))]);
    let listed = service.get("/v1/signals").json();
    let listed: Vec<(&str, &str)> = listed["signals"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| &entry["signal"])
        .map(|signal| (signal["provider"].as_str().unwrap(), signal["status"].as_str().unwrap()))
        .collect();
    assert_eq!(listed, [("configured", "unknown"), ("recorded", "exhausted"), ("stored", "available")]);
}

#[test]
fn a_known_tag_gets_no_body_until_something_changes() {
    let service = Service::start();
    service.observe(&[call("mine", 200, json!({"x-ratelimit-remaining-requests": "59"}))]);
    for path in ["/v1/signals", "/v1/signals/mine"] {
        let tag = service.get(path).header("etag").to_owned();
        assert!(tag.starts_with("W/\""), "{tag}");
        let again = service.request("GET", path, &[("if-none-match", &tag)], b"");
        assert_eq!((again.status, again.body.as_str(), again.header("etag")), (304, "", tag.as_str()));
    }
    let tag = service.get("/v1/signals/mine").header("etag").to_owned();
    service.observe(&[call("mine", 200, json!({"x-ratelimit-remaining-requests": "58"}))]);
    let changed = service.request("GET", "/v1/signals/mine", &[("if-none-match", &tag)], b"");
    assert_eq!((changed.status, &changed.json()["signal"]["quota_remaining"]), (200, &json!(58)));
}

#[test]
fn an_answer_is_good_until_it_is_stale_or_a_reset_comes() {
    let service = Service::start();
    let max_age = |provider: &str| {
        let answer = service.get(&format!("/v1/signals/{provider}"));
        let control = answer.header("cache-control").to_owned();
        control.strip_prefix("private, max-age=").map(|seconds| seconds.parse::<u64>().unwrap())
    };
    service.observe(&[call("fine", 200, json!({}))]);
    assert!((200..300).contains(&max_age("fine").unwrap()));
    service.observe(&[call("out", 429, json!({"retry-after": "60"}))]);
    assert!((20..60).contains(&max_age("out").unwrap()));
}

#[test]
fn nothing_known_is_not_found_and_says_what_to_do() {
    let service = Service::start();
    let answer = service.get("/v1/signals/nobody");
    assert_eq!(answer.status, 404);
    let problem = answer.problem();
    assert!(problem.contains("\"nobody\"") && problem.contains("/v1/observations"), "{problem}");
    assert_eq!(service.get("/v1/nothing").status, 404);
    let wrong = service.request("DELETE", "/v1/signals", &[], b"");
    assert_eq!(wrong.status, 405);
    assert!(wrong.problem().contains("DELETE"), "{wrong:?}");
}

#[test]
fn what_another_process_stores_is_taken_in() {
    let service = Service::start();
    let calls = [call("elsewhere", 429, json!({"retry-after": "120"}))];
    assert_eq!(service.home.run_with(&["ingest"], &lines(&calls)).status, 0);
    let status = eventually(|| {
        let answer = service.get("/v1/signals/elsewhere");
        (answer.status == 200).then(|| answer.json()["signal"]["status"].clone())
    });
    assert_eq!(status, json!("exhausted"));
}
