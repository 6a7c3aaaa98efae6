//! What one host learns, all know.

use std::io::{BufRead, BufReader, Write};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use super::hosts::{OPENAI, host, hosts, knows, refusal, status, success};
use super::redis_server::RedisServer;
use crate::cli::call;
use crate::serve::client::{PATIENCE, Service, eventually};

/// From an answer to a refusal on one host to the signal on another; `None` if it takes longer than anybody waits.
fn time_until_exhausted(host: &Service, provider: &str, since: Instant) -> Option<Duration> {
    while since.elapsed() < PATIENCE {
        let answer = host.get(&format!("/v1/signals/{provider}"));
        if answer.status == 200 && answer.json()["signal"]["status"] == json!("exhausted") {
            return Some(since.elapsed());
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    None
}

#[test]
fn a_refusal_is_known_to_all_siblings_within_a_second() {
    let server = RedisServer::start();
    let [first, second, third] = hosts(&server, "");
    let mut times = Vec::new();
    for number in 0..20 {
        let provider = format!("p{number}");
        let calls = [call(&provider, 429, json!({"retry-after": "600"}))];
        assert_eq!(first.observe(&calls).json()["accepted"], json!(1));
        let since = Instant::now();
        for sibling in [&second, &third] {
            times.push(time_until_exhausted(sibling, &provider, since).unwrap());
        }
    }
    times.sort_unstable();
    println!("from a refusal to a sibling's signal: median {:?}, longest {:?}", times[20], times[39]);
    assert!(times[39] < Duration::from_secs(1), "{times:?}");
}

#[test]
fn events_cross_hosts() {
    let server = RedisServer::start();
    let [first, second] = hosts(&server, OPENAI);
    let mut stream = second.connect();
    write!(stream, "GET /v1/events HTTP/1.1\r\nhost: {}\r\n\r\n", second.address).unwrap();
    let mut lines = BufReader::new(stream).lines();
    let is_initial = |line: &str| line.starts_with("data: ") && line.contains("\"unknown\"");
    assert!(lines.any(|line| is_initial(&line.unwrap())));
    first.observe(&[call("openai", 429, json!({"retry-after": "600"}))]);
    let changed = lines.find(|line| line.as_ref().unwrap().contains("\"status\":\"exhausted\""));
    assert!(changed.unwrap().unwrap().contains("\"before\":\"unknown\""));
}

#[test]
fn times_are_absolute_wherever_they_are_read() {
    let server = RedisServer::start();
    let [first, second] = hosts(&server, OPENAI);
    first.observe(&[call("openai", 429, json!({"retry-after": "600"}))]);
    let ends_at = first.signal("openai")["quota_reset_at"].clone();
    eventually(|| {
        (second.get("/v1/signals/openai").json()["signal"]["quota_reset_at"] == ends_at).then_some(())
    });
    // What is in the store is the signal itself, as it stands in a cache.
    let stored: Value = serde_json::from_str(&server.value("openai").unwrap()).unwrap();
    assert_eq!((&stored["provider"], &stored["quota_reset_at"]), (&json!("openai"), &ends_at));
}

#[test]
fn refusals_that_meet_on_different_hosts_are_merged() {
    let server = RedisServer::start();
    let hosts: [_; 3] = hosts(&server, OPENAI);
    for round in 0..5 {
        let models = ["a", "b", "c"].map(|host| format!("{host}{round}"));
        std::thread::scope(|threads| {
            for (host, model) in hosts.iter().zip(&models) {
                threads.spawn(move || host.observe(&[refusal("openai", model)]));
            }
        });
    }
    let mut all: Vec<String> =
        (0..5).flat_map(|round| ["a", "b", "c"].map(|host| format!("{host}{round}"))).collect();
    all.sort_unstable();
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    hosts.iter().for_each(|host| knows(host, "openai", &all));
}

#[test]
fn a_success_on_one_host_ends_a_refusal_on_another() {
    let server = RedisServer::start();
    let [first, second] = hosts(&server, OPENAI);
    first.observe(&[refusal("openai", "gpt-5"), refusal("openai", "gpt-4")]);
    knows(&second, "openai", &["gpt-4", "gpt-5"]);
    second.observe(&[success("openai", "gpt-5")]);
    knows(&first, "openai", &["gpt-4"]);
    knows(&second, "openai", &["gpt-4"]);
}

#[test]
fn what_is_cleared_on_one_host_is_cleared_on_all() {
    let server = RedisServer::start();
    let [first, second, third] = hosts(&server, OPENAI);
    first.observe(&[refusal("openai", "gpt-5"), refusal("openai", "gpt-4")]);
    for host in [&first, &second, &third] {
        knows(host, "openai", &["gpt-4", "gpt-5"]);
        // It is on disk as well.
        eventually(|| {
            std::fs::read_to_string(host.home.entry("openai")).ok().filter(|text| text.contains("gpt-5"))
        });
    }
    assert_eq!(first.home.run(&["clear", "openai", "--model", "gpt-5"]).status, 0);
    for host in [&first, &second, &third] {
        knows(host, "openai", &["gpt-4"]);
    }
}

#[test]
fn who_comes_later_learns_what_is_known_and_who_leaves_tells_the_last() {
    let server = RedisServer::start();
    let first = host(&server, OPENAI);
    first.observe(&[refusal("openai", "gpt-5")]);
    // At once, before it would have told by itself.
    let (_, log) = first.end_by(Signal::SIGTERM);
    assert!(server.value("openai").is_some_and(|value| value.contains("gpt-5")), "{log}");
    let second = host(&server, OPENAI);
    knows(&second, "openai", &["gpt-5"]);
    assert_eq!(status(&second)["taken_in"], json!(1));
    eventually(|| {
        std::fs::read_to_string(second.home.entry("openai")).ok().filter(|text| text.contains("gpt-5"))
    });
}

#[test]
fn what_another_program_stores_on_one_host_is_shared_as_well() {
    let server = RedisServer::start();
    let [first, second] = hosts(&server, OPENAI);
    let lines = crate::cli::lines(&[refusal("openai", "gpt-5")]);
    assert_eq!(first.home.run_with(&["ingest"], &lines).status, 0);
    knows(&second, "openai", &["gpt-5"]);
}
