//! Events: every signal at first, then what changes.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;

use serde_json::{Value, json};

use super::client::{ALONE, Service};
use crate::cli::call;

/// A client of the stream.
struct Listener(BufReader<TcpStream>);

impl Listener {
    fn new(service: &Service) -> Self {
        let mut stream = service.connect();
        let request = format!("GET /v1/events HTTP/1.1\r\nhost: {}\r\n\r\n", service.address);
        stream.write_all(request.as_bytes()).unwrap();
        let mut lines = BufReader::new(stream);
        let mut line = String::new();
        lines.read_line(&mut line).unwrap();
        assert!(line.starts_with("HTTP/1.1 200 "), "{line}");
        Self(lines)
    }

    /// The next event; `None` when the stream is at its end.
    fn next(&mut self) -> Option<(String, Value)> {
        let mut name = String::new();
        loop {
            let mut line = String::new();
            if self.0.read_line(&mut line).unwrap() == 0 {
                return None;
            }
            if let Some(event) = line.strip_prefix("event: ") {
                name = event.trim().to_owned();
            }
            if let Some(data) = line.strip_prefix("data: ") {
                return Some((name, serde_json::from_str(data).unwrap()));
            }
        }
    }

    /// The next event about a provider.
    fn of(&mut self, provider: &str) -> Value {
        loop {
            let (_, data) = self.next().expect("the stream goes on");
            if data["signal"]["provider"] == json!(provider) {
                return data;
            }
        }
    }
}

#[test]
fn a_stream_begins_with_every_signal_and_goes_on_with_changes() {
    let service = Service::start();
    service.observe(&[call("mine", 200, json!({}))]);
    let mut listener = Listener::new(&service);
    let (name, first) = listener.next().unwrap();
    assert_eq!((name.as_str(), &first["signal"]["status"]), ("signal", &json!("available")));
    assert_eq!(first.get("before"), None);

    service.observe(&[call("mine", 429, json!({"retry-after": "60"}))]);
    let changed = listener.of("mine");
    assert_eq!(
        (&changed["signal"]["status"], &changed["before"]),
        (&json!("exhausted"), &json!("available"))
    );
    service.observe(&[call("new", 200, json!({}))]);
    assert_eq!(listener.of("new")["before"], Value::Null);
}

#[test]
fn the_end_of_a_refusal_is_an_event_though_nobody_calls() {
    let service = Service::start();
    service.observe(&[call("mine", 429, json!({"retry-after": "1"}))]);
    let mut listener = Listener::new(&service);
    assert_eq!(listener.of("mine")["signal"]["status"], json!("exhausted"));
    let changed = listener.of("mine");
    assert_eq!(changed["before"], json!("exhausted"));
    assert_ne!(changed["signal"]["status"], json!("exhausted"));
}

#[test]
fn there_are_no_more_streams_than_allowed_and_one_that_is_left_makes_room() {
    let service = Service::configured(&format!("{ALONE}[service.limits]\nevent_streams = 1\n"));
    let first = Listener::new(&service);
    let refused = service.get("/v1/events");
    assert_eq!(refused.status, 503, "{refused:?}");
    assert!(refused.problem().contains("event_streams"), "{refused:?}");
    drop(first);
    super::client::eventually(|| {
        let mut stream = service.connect();
        let request = format!("GET /v1/events HTTP/1.1\r\nhost: {}\r\n\r\n", service.address);
        stream.write_all(request.as_bytes()).unwrap();
        let mut line = String::new();
        BufReader::new(stream).read_line(&mut line).unwrap();
        line.starts_with("HTTP/1.1 200 ").then_some(())
    });
}

#[test]
fn a_client_that_takes_nothing_is_told_to_begin_anew_and_nobody_else_notices() {
    // However slow the machine is, it is not cut off for taking nothing.
    let patient = "[service.limits]\nidle_timeout = \"10m\"\n";
    let service = Service::configured(&format!("{ALONE}{patient}"));
    let names: Vec<String> = (0..400).map(|number| format!("provider-{number}")).collect();
    let all = |status| -> Vec<Value> { names.iter().map(|name| call(name, status, json!({}))).collect() };
    service.observe(&all(200));
    let mut slow = Listener::new(&service);
    let mut quick = Listener::new(&service);
    // The quick one takes every round; the slow one's share piles up until it is dropped.
    for round in 0..60 {
        let status = if round % 2 == 0 { 500 } else { 200 };
        service.observe(&all(status));
        let wanted = if status == 500 { json!("degraded") } else { json!("available") };
        while quick.of("provider-399")["signal"]["status"] != wanted {}
    }
    let mut resync = None;
    while resync.is_none() {
        let (name, data) = slow.next().expect("it is not cut off while it reads");
        resync = (name == "resync").then_some(data);
    }
    assert!(resync.unwrap()["missed"].as_u64().unwrap() > 0);
    assert_eq!(slow.of("provider-0")["signal"]["status"], json!("available"));
}

#[test]
fn a_stream_ends_with_the_service() {
    let service = Service::start();
    service.observe(&[call("mine", 200, json!({}))]);
    let mut listener = Listener::new(&service);
    assert!(listener.next().is_some());
    service.end();
    while listener.next().is_some() {}
}
