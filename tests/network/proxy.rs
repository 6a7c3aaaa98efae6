//! Calls that are passed on to providers that misbehave in ways that `tests/serve/proxy_bad_input.rs` does not have.

use std::io::{BufReader, Write};

use serde_json::json;

use super::peer::{A_LITTLE, Fault, Peer};
use crate::serve::client::{ALONE, Service, eventually};
use crate::serve::upstream::line;

/// A service that passes calls of `mine` on to a peer, and is not patient with it.
fn service(peer: &Peer) -> Service {
    let text = format!(
        "{ALONE}[[providers]]\nname = \"mine\"\ntype = \"openai\"\nbase_url = \"{}/SECRET\"\n\
         [proxy]\nidle_timeout = \"300ms\"\nconnect_timeout = \"300ms\"\n",
        peer.url()
    );
    Service::configured(&text)
}

#[test]
fn a_head_without_end_is_told_and_recorded_in_bounded_time_and_memory() {
    for (fault, status, reason) in [
        (Fault::DripsHead, 504, "timeout"),
        (Fault::RepeatsInterim, 504, "timeout"),
        (Fault::EndlessHead, 502, "error"),
    ] {
        let peer = Peer::start(fault);
        let service = service(&peer);
        let answer = service.request("POST", "/proxy/mine/v1?key=SECRET", &[], b"{}");
        assert_eq!(answer.status, status, "{fault:?}: {answer:?}");
        let problem = answer.problem();
        assert!(problem.starts_with(&format!("the provider did not answer: {}: ", peer.url())), "{problem}");
        let signal =
            eventually(|| Some(service.signal("mine")).filter(|signal| signal["last_error_msg"].is_string()));
        assert_eq!((&signal["status"], &signal["reason"]), (&json!("degraded"), &json!(reason)), "{signal}");
        assert!(!format!("{problem}{signal}").contains("SECRET"), "{problem} {signal}");
        assert!(peer.poured() < A_LITTLE, "{fault:?}");
        assert!(service.resident_kib() < 256 << 10, "{fault:?}: {} KiB", service.resident_kib());
    }
}

#[test]
fn a_chunk_without_end_breaks_the_response_off() {
    let peer = Peer::start(Fault::EndlessChunkSize);
    let service = service(&peer);
    assert_eq!(service.get("/proxy/mine/v1").body, "");
    let signal =
        eventually(|| Some(service.signal("mine")).filter(|signal| signal["last_error_msg"].is_string()));
    assert!(signal["last_error_msg"].as_str().unwrap().contains("the response broke off"), "{signal}");
    assert!(peer.poured() < A_LITTLE);
}

#[test]
fn a_body_that_comes_byte_by_byte_is_passed_on_so_for_as_long_as_the_client_wants_it() {
    let peer = Peer::start(Fault::DripsBody);
    let service = service(&peer);
    let mut stream = service.connect();
    stream.write_all(b"GET /proxy/mine/v1 HTTP/1.1\r\nhost: localhost\r\n\r\n").unwrap();
    let mut reader = BufReader::new(stream);
    while !line(&mut reader).unwrap().is_empty() {}
    // Longer than a provider may be silent.
    let mut taken = [0; 40];
    std::io::Read::read_exact(&mut reader, &mut taken).unwrap();
    drop(reader);
    assert!(peer.poured() >= taken.len());
    assert_eq!(service.signal("mine")["last_error_at"], json!(null));
}

#[test]
fn a_refusal_that_unpacks_to_far_more_is_passed_on_as_it_is_and_read_within_bounds() {
    let peer = Peer::answering("429 Too Many Requests", Fault::Bomb);
    let service = service(&peer);
    let mut stream = service.connect();
    stream.write_all(b"GET /proxy/mine/v1 HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").unwrap();
    let mut reader = BufReader::new(stream);
    assert_eq!(line(&mut reader).unwrap(), "HTTP/1.1 429 Too Many Requests");
    while !line(&mut reader).unwrap().is_empty() {}
    let passed = std::io::copy(&mut reader, &mut std::io::sink()).unwrap();
    assert!((1 << 20..64 << 20).contains(&passed), "{passed}");
    assert_eq!(service.signal("mine")["status"], json!("exhausted"));
    assert!(service.resident_kib() < 256 << 10, "{} KiB", service.resident_kib());
}
