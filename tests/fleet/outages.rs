//! The server goes away and comes back: the disk is the truth, and nothing that was acknowledged is lost.

use nix::sys::signal::Signal;
use serde_json::json;

use super::hosts::{OPENAI, host_at, hosts, is_away, is_connected, knows, refusal, status};
use super::redis_server::RedisServer;
use crate::serve::client::Service;

fn observe(host: &Service, model: &str) {
    assert_eq!(host.observe(&[refusal("openai", model)]).json()["accepted"], json!(1));
}

#[test]
fn nothing_is_lost_when_the_server_forgets_everything() {
    let mut server = RedisServer::start();
    let [first, second, third] = hosts(&server, OPENAI);
    observe(&first, "before");
    knows(&third, "openai", &["before"]);
    server.kill();
    [&first, &second, &third].into_iter().for_each(is_away);
    observe(&first, "one");
    observe(&second, "two");
    knows(&first, "openai", &["before", "one"]);
    server.run();
    for host in [&first, &second, &third] {
        is_connected(host);
        knows(host, "openai", &["before", "one", "two"]);
    }
}

#[test]
fn nothing_is_lost_when_the_server_comes_back_with_an_older_copy() {
    let mut server = RedisServer::start();
    let [first, second] = hosts(&server, OPENAI);
    observe(&first, "old");
    knows(&second, "openai", &["old"]);
    server.save();
    observe(&second, "new");
    knows(&first, "openai", &["new", "old"]);
    server.kill();
    [&first, &second].into_iter().for_each(is_away);
    server.run();
    for host in [&first, &second] {
        is_connected(host);
        knows(host, "openai", &["new", "old"]);
    }
    crate::serve::client::eventually(|| server.value("openai").filter(|value| value.contains("new")));
}

#[test]
fn nothing_is_lost_while_the_server_does_not_answer() {
    let server = RedisServer::start();
    let [first, second] = hosts(&server, OPENAI);
    server.pause();
    observe(&first, "one");
    observe(&second, "two");
    [&first, &second].into_iter().for_each(is_away);
    observe(&first, "three");
    let told = status(&first);
    assert!(told["error"].as_str().is_some_and(|error| error.contains("127.0.0.1")), "{told}");
    server.resume();
    for host in [&first, &second] {
        is_connected(host);
        knows(host, "openai", &["one", "three", "two"]);
    }
    assert!(status(&first)["connections"].as_u64() >= Some(2));
}

#[test]
fn a_host_that_was_away_itself_brings_what_is_on_its_disk() {
    let mut server = RedisServer::start();
    let [first, second] = hosts(&server, OPENAI);
    server.kill();
    is_away(&first);
    observe(&first, "alone");
    let (home, _) = first.end_by(Signal::SIGTERM);
    server.run();
    is_connected(&second);
    let first = host_at(home, &server, OPENAI);
    knows(&second, "openai", &["alone"]);
    knows(&first, "openai", &["alone"]);
}
