//! Observations: JSON, lines and gzip in; each accepted or refused with its reason.

use std::io::Write;

use serde_json::{Value, json};

use super::client::{Answer, Service};
use crate::cli::{call, lines};

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn counts(answer: &Answer) -> (u64, u64) {
    let tally = answer.json();
    (tally["accepted"].as_u64().unwrap(), tally["refused"].as_u64().unwrap())
}

#[test]
fn one_observation_may_be_written_over_several_lines() {
    let service = Service::start();
    let body = serde_json::to_string_pretty(&call("mine", 200, json!({}))).unwrap();
    let headers = [("content-type", "application/json; charset=utf-8")];
    let answer = service.request("POST", "/v1/observations", &headers, body.as_bytes());
    assert_eq!((answer.status, counts(&answer)), (200, (1, 0)), "{answer:?}");
    assert_eq!(service.signal("mine")["status"], json!("available"));
}

#[test]
fn a_bad_line_is_refused_by_its_number_and_the_others_go_on() {
    let service = Service::start();
    let good = call("mine", 200, json!({})).to_string();
    let body =
        format!("{good}\n\nno json\n{{\"provider\":\"mine\"}}\n{good}\n{}", call("../up", 200, json!({})));
    let headers = [("content-type", "application/x-ndjson")];
    let answer = service.request("POST", "/v1/observations", &headers, body.as_bytes());
    assert_eq!((answer.status, counts(&answer)), (200, (2, 3)), "{answer:?}");
    let refusals = answer.json()["refusals"].clone();
    let numbers: Vec<u64> =
        refusals.as_array().unwrap().iter().map(|refusal| refusal["line"].as_u64().unwrap()).collect();
    assert_eq!(numbers, [3, 4, 6]);
    assert!(refusals[0]["reason"].as_str().unwrap().starts_with("no JSON: "), "{refusals}");
    assert_eq!(refusals[1]["reason"], json!("`status` is missing"));
    assert!(refusals[2]["reason"].as_str().unwrap().contains("must not begin with a dot"), "{refusals}");
}

#[test]
fn where_nothing_is_any_good_the_status_says_so() {
    let service = Service::start();
    let answer = service.observe(&[json!({"provider": "mine"}), json!([])]);
    assert_eq!((answer.status, counts(&answer)), (422, (0, 2)));
    assert!(answer.problem().contains("refusals"), "{answer:?}");
    assert_eq!(service.get("/v1/signals/mine").status, 404);
}

#[test]
fn lines_may_be_packed_and_come_in_chunks() {
    let service = Service::start();
    let calls: Vec<Value> =
        (0..5000).map(|number| call(&format!("p{}", number % 7), 200, json!({}))).collect();
    let packed = gzip(&lines(&calls));
    let mut request = format!(
        "POST /v1/observations HTTP/1.1\r\nhost: {}\r\nconnection: close\r\ncontent-type: application/x-ndjson\r\n\
         content-encoding: gzip\r\ntransfer-encoding: chunked\r\n\r\n",
        service.address
    )
    .into_bytes();
    for chunk in packed.chunks(1000) {
        request.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
        request.extend_from_slice(chunk);
        request.extend_from_slice(b"\r\n");
    }
    request.extend_from_slice(b"0\r\n\r\n");
    let answer = service.raw(&request);
    assert_eq!((answer.status, counts(&answer)), (200, (5000, 0)), "{answer:?}");
    assert_eq!(service.signal("p6")["latency"]["count"], json!(100));
}

#[test]
fn no_more_refusals_are_listed_than_anybody_reads() {
    let service = Service::start();
    let answer = service.observe(&vec![json!({}); 1000]);
    assert_eq!(counts(&answer), (0, 1000));
    assert_eq!(answer.json()["refusals"].as_array().unwrap().len(), 100);
}

#[test]
fn other_types_and_encodings_are_refused() {
    let service = Service::start();
    for headers in [
        [("content-type", "text/plain"), ("content-encoding", "identity")],
        [("content-type", "application/x-ndjson"), ("content-encoding", "br")],
    ] {
        let answer = service.request("POST", "/v1/observations", &headers, b"{}");
        assert_eq!(answer.status, 415, "{answer:?}");
        assert!(answer.problem().contains("neither"), "{answer:?}");
    }
}

#[test]
fn a_secret_in_a_header_is_nowhere_to_be_found() {
    let service = Service::start();
    let headers = json!({"authorization": "Bearer hunter2hunter2", "set-cookie": "hunter2hunter2"});
    let mut failed = call("mine", 500, headers);
    failed["error"] = json!("POST https://me:hunter2hunter2@h/?key=hunter2hunter2 failed");
    service.observe(&[failed]);
    assert!(!service.signal("mine").to_string().contains("hunter2"));
    let (home, log) = service.end_by(nix::sys::signal::Signal::SIGTERM);
    let stored = std::fs::read_to_string(home.entry("mine")).unwrap();
    assert!(!stored.contains("hunter2") && !log.contains("hunter2"), "{stored}");
}
