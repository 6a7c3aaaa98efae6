//! Strange, damaged and huge things on the server: ignored with a line in the log, and replaced by what is right.

use nix::sys::signal::Signal;
use serde_json::json;

use super::hosts::{OPENAI, host, is_away, is_connected, knows, refusal, status};
use super::redis_server::RedisServer;
use crate::serve::client::eventually;

#[test]
fn damaged_values_are_ignored_and_replaced() {
    let server = RedisServer::start();
    server.put(b"early", b"{\"provider\":\"early\",");
    let first = host(&server, OPENAI);
    for (provider, value) in [
        (&b"openai"[..], &b"\xff\xfe\x00"[..]),
        (b"openai", b"{}"),
        (b"openai", b"{\"provider\":\"other\",\"status\":\"exhausted\",\"recent_p50_latency_ns\":0,\"recorded_at\":\"2026-01-15T12:00:00Z\"}"),
        (b"mine", b"[[[[[[[[[[[[[[[["),
    ] {
        let before = status(&first)["ignored"].as_u64();
        server.put(provider, value);
        eventually(|| (status(&first)["ignored"].as_u64() > before).then_some(()));
    }
    assert_eq!(first.signal("openai")["status"], json!("unknown"));
    assert_eq!(first.get("/v1/signals/mine").status, 404);
    first.observe(&[refusal("openai", "gpt-5")]);
    eventually(|| server.value("openai").filter(|value| value.contains("gpt-5")));
    let second = host(&server, OPENAI);
    knows(&second, "openai", &["gpt-5"]);
    let (_, log) = first.end_by(Signal::SIGTERM);
    assert_eq!(log.matches("a shared value is no signal").count(), 5, "{log}");
}

#[test]
fn what_is_too_large_or_no_name_does_no_harm() {
    let server = RedisServer::start();
    let first = host(&server, OPENAI);
    let huge = vec![b'x'; 8 << 20];
    let before = first.resident_kib();
    server.put(b"openai", &huge);
    server.put(&huge, b"{}");
    for message in [&b""[..], b"stranger", b"stranger ../../etc/passwd", b"stranger \xff\xff", &huge] {
        server.announce(message);
    }
    first.observe(&[refusal("openai", "gpt-5")]);
    eventually(|| server.value("openai").filter(|value| value.contains("gpt-5")));
    assert!(first.resident_kib() < before + (64 << 10), "{} from {before}", first.resident_kib());
    // Read from the beginning, it is left out as well.
    let second = host(&server, OPENAI);
    knows(&second, "openai", &["gpt-5"]);
    assert_eq!(status(&second)["ignored"], json!(1));
}

#[test]
fn a_key_of_another_kind_is_told_and_used_when_it_is_right() {
    let server = RedisServer::start();
    redis::cmd("SET").arg("runtime-signals:signals").arg("a text").exec(&mut server.connection()).unwrap();
    let first = crate::serve::client::Service::configured(&super::hosts::sharing(&server.url(), OPENAI));
    eventually(|| status(&first)["error"].as_str().filter(|error| error.contains("WRONGTYPE")).map(drop));
    is_away(&first);
    first.observe(&[refusal("openai", "gpt-5")]);
    assert_eq!(first.signal("openai")["status"], json!("exhausted"));
    redis::cmd("DEL").arg("runtime-signals:signals").exec(&mut server.connection()).unwrap();
    is_connected(&first);
    eventually(|| server.value("openai").filter(|value| value.contains("gpt-5")));
}

#[test]
fn there_are_no_more_providers_than_may_be() {
    let server = RedisServer::start();
    let most = "[service.limits]\nproviders = 3\n";
    let first = host(&server, most);
    let second = host(&server, "");
    let calls: Vec<_> = (0..8).map(|number| refusal(&format!("p{number}"), "gpt-5")).collect();
    second.observe(&calls);
    eventually(|| (server.providers().len() == 8).then_some(()));
    eventually(|| {
        (first.get("/v1/signals").json()["signals"].as_array().is_some_and(|all| all.len() == 3))
            .then_some(())
    });
    first.observe(&[refusal("p9", "gpt-5")]);
    assert_eq!(server.providers().len(), 8);
}
