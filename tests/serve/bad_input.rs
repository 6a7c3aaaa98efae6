//! Bad input: clear errors, bounded memory, other users unharmed.

use std::io::Write;
use std::time::{Duration, Instant};

use serde_json::json;

use super::client::{ALONE, Service, answer};
use crate::cli::call;

/// Clients may be idle for a short time only.
fn impatient() -> Service {
    Service::configured(&format!("{ALONE}[service.limits]\nidle_timeout = \"300ms\"\n"))
}

#[test]
fn a_client_that_never_ends_its_head_is_cut_off() {
    let service = impatient();
    let started = Instant::now();
    let mut stream = service.connect();
    stream.write_all(b"GET /v1/signals HTTP/1.1\r\nhost: loc").unwrap();
    let mut rest = Vec::new();
    let _ = std::io::Read::read_to_end(&mut stream, &mut rest);
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
    assert_eq!(service.get("/healthz").status, 200);
}

#[test]
fn a_body_that_stops_half_way_is_told_and_what_came_whole_is_recorded() {
    let service = impatient();
    let line = call("mine", 200, json!({})).to_string();
    let mut stream = service.connect();
    let head = format!(
        "POST /v1/observations HTTP/1.1\r\nhost: {}\r\nconnection: close\r\ncontent-length: 100000\r\n\r\n",
        service.address
    );
    stream.write_all(format!("{head}{line}\n{line}\n{{\"provi").as_bytes()).unwrap();
    let told = answer(stream);
    assert_eq!((told.status, &told.json()["accepted"]), (408, &json!(2)), "{told:?}");
    assert!(told.problem().contains("nothing more of the body came"), "{told:?}");
    assert_eq!(service.signal("mine")["latency"]["count"], json!(2));
}

#[test]
fn a_body_that_breaks_off_leaves_what_came_whole() {
    let service = Service::start();
    let line = call("mine", 200, json!({})).to_string();
    let mut stream = service.connect();
    let head = format!(
        "POST /v1/observations HTTP/1.1\r\nhost: {}\r\ncontent-length: 100000\r\n\r\n",
        service.address
    );
    stream.write_all(format!("{head}{line}\n").as_bytes()).unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    drop(stream);
    super::client::eventually(|| {
        let found = service.get("/v1/signals/mine");
        (found.status == 200 && found.json()["signal"]["latency"]["count"] == json!(1)).then_some(())
    });
}

#[test]
fn a_gzip_bomb_is_refused_within_its_bound() {
    let service = Service::start();
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    for _ in 0..64 {
        encoder.write_all(&vec![b'\n'; 1 << 20]).unwrap();
    }
    let bomb = encoder.finish().unwrap();
    let before = service.resident_kib();
    let headers = [("content-type", "application/x-ndjson"), ("content-encoding", "gzip")];
    let refused = service.request("POST", "/v1/observations", &headers, &bomb);
    assert_eq!(refused.status, 413, "{refused:?}");
    assert!(refused.problem().contains("unpacks to more than 100 times"), "{refused:?}");
    let grown = service.resident_kib().saturating_sub(before);
    assert!(grown < 40 << 10, "{grown} KiB");
}

#[test]
fn what_is_too_large_is_refused_by_its_bound() {
    let service = Service::configured(&format!("{ALONE}[service.limits]\nbody_bytes = 100000\n"));
    let headers = [("content-type", "application/x-ndjson")];
    let refused = service.request("POST", "/v1/observations", &headers, &vec![b'\n'; 200_000]);
    assert_eq!(refused.status, 413, "{refused:?}");
    assert!(refused.problem().contains("larger than 100000 bytes"), "{refused:?}");
    // A head of any size is refused by the server before it is held.
    let long = format!("GET /v1/signals HTTP/1.1\r\nhost: localhost\r\nx: {}\r\n\r\n", "a".repeat(1 << 20));
    let mut stream = service.connect();
    let _ = stream.write_all(long.as_bytes());
    assert!(matches!(answer_or_none(stream), None | Some(431)));
    assert_eq!(service.get("/healthz").status, 200);
}

fn answer_or_none(mut stream: std::net::TcpStream) -> Option<u16> {
    let mut bytes = Vec::new();
    let _ = std::io::Read::read_to_end(&mut stream, &mut bytes);
    String::from_utf8_lossy(&bytes).split(' ').nth(1)?.parse().ok()
}

#[test]
fn a_name_that_is_a_path_reaches_nothing() {
    let service = Service::start();
    std::fs::write(service.home.path("secret.json"), "{\"provider\":\"secret\"}").unwrap();
    for path in [
        "/v1/signals/..%2f..%2fsecret",
        "/v1/signals/%2e%2e",
        "/v1/signals/.hidden",
        "/v1/signals/a%5cb",
        "/v1/signals/a%00b",
        "/v1/signals/%ff",
    ] {
        let refused = service.get(path);
        assert_eq!(refused.status, 400, "{path}: {refused:?}");
        assert!(!refused.problem().is_empty());
    }
    for path in ["/v1/signals/../../secret", "/../secret.json", "/v1/signals/a/../b"] {
        assert_eq!(service.get(path).status, 404, "{path}");
    }
}

#[test]
fn what_is_no_http_does_not_harm() {
    let service = Service::start();
    for bytes in [&b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc"[..], b"\r\n\r\n\r\n\r\nx\r\n\r\n", &[0; 10_000]] {
        let mut stream = service.connect();
        let _ = stream.write_all(bytes);
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let _ = answer_or_none(stream);
    }
    assert_eq!(service.get("/healthz").status, 200);
}

#[test]
fn more_providers_than_allowed_are_refused_and_the_known_ones_go_on() {
    let service = Service::configured(&format!("{ALONE}[service.limits]\nproviders = 2\n"));
    let calls = ["a", "b", "c", "a"].map(|name| call(name, 200, json!({})));
    let told = service.observe(&calls).json();
    assert_eq!((&told["accepted"], &told["refused"]), (&json!(3), &json!(1)), "{told}");
    assert!(told["refusals"][0]["reason"].as_str().unwrap().contains("2 providers already"), "{told}");
}

#[test]
fn more_connections_than_allowed_wait_for_their_turn() {
    let limits = "[service.limits]\nconnections = 3\nidle_timeout = \"500ms\"\n";
    let service = Service::configured(&format!("{ALONE}{limits}"));
    let idle: Vec<_> = (0..50).map(|_| service.connect()).collect();
    // The idle ones are cut off in turn.
    assert_eq!(service.get("/healthz").status, 200);
    drop(idle);
}
