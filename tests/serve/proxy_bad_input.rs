//! The proxy where clients or providers misbehave: clear errors, bounded memory, other users unharmed.

use std::io::{BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::client::{ALONE, Answer, Service, answer, eventually};
use super::upstream::{Gate, Upstream, line, read};

const FINE: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}";
/// No provider is waited for long.
const IMPATIENT: &str = "[proxy]\nidle_timeout = \"300ms\"\nconnect_timeout = \"300ms\"\n";
/// No client is.
const STRICT: &str = "[service.limits]\nidle_timeout = \"300ms\"\n";

fn service(upstream: &Upstream, settings: &str) -> Service {
    Service::configured(&format!("{}{settings}", upstream.configuration()))
}

/// Calls the provider `mine`.
fn call(service: &Service) -> Answer {
    service.request("POST", "/proxy/mine/v1/SECRET?key=SECRET", &[], b"{}")
}

/// The failure that the signal of `mine` tells of.
fn failure(service: &Service) -> Value {
    eventually(|| Some(service.signal("mine")).filter(|signal| signal["last_error_msg"].is_string()))
}

#[track_caller]
fn is_told_and_recorded(service: &Service, answer: &Answer, status: u16, reason: &str) {
    assert_eq!(answer.status, status, "{answer:?}");
    let problem = answer.problem();
    assert!(problem.starts_with("the provider did not answer: http://127.0.0.1:"), "{problem}");
    let signal = failure(service);
    assert_eq!((&signal["status"], &signal["reason"]), (&json!("degraded"), &json!(reason)), "{signal}");
    assert!(!format!("{answer:?}{signal}").contains("SECRET"), "{answer:?} {signal}");
}

#[test]
fn no_request_reaches_what_is_not_configured() {
    let upstream = Upstream::saying(FINE);
    let nameless = "[[providers]]\nname = \"nowhere\"\ntype = \"openai\"\n";
    let service = Service::configured(&format!("{}{nameless}", upstream.configuration()));
    let refused = service.get("/proxy/other/v1/models");
    assert_eq!(refused.status, 404);
    assert!(refused.problem().contains("there is no provider \"other\"; add it"), "{refused:?}");
    let refused = service.get("/proxy/nowhere/v1/models");
    assert!(refused.problem().contains("\"nowhere\" has no `base_url`; add it"), "{refused:?}");
    // What merely was observed is not configured.
    service.observe(&[crate::cli::call("seen", 200, json!({}))]);
    assert_eq!(service.get("/proxy/seen/v1").status, 404);
    for path in [
        "/proxy/",
        "/proxy//v1",
        "/proxy/../v1",
        "/proxy/%2e%2e/v1",
        "/proxy/a%2fb/v1",
        "/proxy/mine/../../v1",
        "/proxy/mine/%2e%2e/v1",
        "/proxy/mine/%2E./v1",
        "/proxy/mine//127.0.0.1:1/v1",
        "/proxy/mine/a\\b",
        "/proxy/mine/%5c..%5c",
    ] {
        let refused = service.get(path);
        assert_eq!(refused.status, 400, "{path}: {refused:?}");
    }
    for (target, status) in
        [("http://evil.example/proxy/mine/v1", 421), ("http://evil.example:80@127.0.0.1/proxy/mine/v1", 421)]
    {
        let request = format!("GET {target} HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n");
        assert_eq!(service.raw(request.as_bytes()).status, status, "{target}");
    }
    let origin = [("origin", "http://evil.example")];
    assert_eq!(service.request("POST", "/proxy/mine/v1", &origin, b"{}").status, 403);
    assert!(upstream.is_untouched());
}

#[test]
fn a_provider_that_nobody_listens_for_is_told_and_recorded() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let text = format!(
        "{ALONE}[[providers]]\nname = \"mine\"\ntype = \"openai\"\nbase_url = \"http://{closed}/SECRET\"\n"
    );
    let service = Service::configured(&text);
    is_told_and_recorded(&service, &call(&service), 502, "unreachable");
}

#[test]
fn a_provider_that_speaks_no_tls_is_told_within_its_time() {
    let upstream = Upstream::connected(|mut stream| {
        // It takes what comes and says nothing.
        let _ = std::io::copy(&mut stream, &mut std::io::sink());
    });
    let text = format!("{}{IMPATIENT}", upstream.configuration()).replace("http://", "https://");
    let service = Service::configured(&text);
    let answer = call(&service);
    // A machine without certificates has no TLS at all.
    assert!(matches!(answer.status, 502 | 504), "{answer:?}");
    assert!(answer.problem().starts_with("the provider did not answer: https://127.0.0.1:"), "{answer:?}");
    assert_eq!(failure(&service)["status"], json!("degraded"));
}

#[test]
fn a_provider_that_hangs_up_is_told_and_recorded() {
    let upstream = Upstream::answering(|_, _| false);
    let service = Service::configured(&upstream.configuration());
    let answer = call(&service);
    is_told_and_recorded(&service, &answer, 502, "unreachable");
}

#[test]
fn a_provider_that_resets_is_told_and_recorded() {
    let upstream = Upstream::connected(|mut stream| {
        // What has come and is not read makes the system reset the connection.
        let _ = stream.read_exact(&mut [0]);
    });
    let service = Service::configured(&upstream.configuration());
    let answer = call(&service);
    is_told_and_recorded(&service, &answer, 502, "unreachable");
}

#[test]
fn a_provider_that_never_answers_is_told_and_recorded() {
    let gate = Gate::new();
    let held = gate.clone();
    let upstream = Upstream::answering(move |_, _| {
        held.wait();
        false
    });
    let service = service(&upstream, IMPATIENT);
    let answer = call(&service);
    is_told_and_recorded(&service, &answer, 504, "timeout");
    gate.open.send(()).unwrap();
}

#[test]
fn what_is_no_http_is_told_and_recorded_and_harms_nobody() {
    let huge = format!("HTTP/1.1 200 OK\r\nx: {}\r\n\r\n", "a".repeat(1 << 20));
    let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "x: 1\r\n".repeat(10_000));
    for garbage in [
        "SSH-2.0-OpenSSH_9.6\r\n".to_owned(),
        "\0\x01\x02".repeat(1000),
        "HTTP/1.1 99999 No\r\n\r\n".to_owned(),
        "HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n".to_owned(),
        "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n".to_owned(),
        huge,
        many,
    ] {
        let shown = garbage.chars().take(40).collect::<String>();
        let upstream = Upstream::saying(garbage);
        let service = Service::configured(&upstream.configuration());
        let answer = call(&service);
        assert_eq!(answer.status, 502, "{shown}: {answer:?}");
        assert_eq!(failure(&service)["status"], json!("degraded"), "{shown}");
        assert_eq!(service.get("/healthz").status, 200);
    }
}

#[test]
fn a_response_that_breaks_off_breaks_off_for_the_client_and_is_recorded() {
    for (head, reason) in [
        ("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc", "error"),
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n", "error"),
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\nno chunk\r\n", "error"),
    ] {
        let upstream = Upstream::answering(move |_, stream| {
            let _ = stream.write_all(head.as_bytes());
            false
        });
        let service = Service::configured(&upstream.configuration());
        let answer = call(&service);
        assert!(
            answer.status == 200 && answer.body.contains("abc") && !answer.body.contains("0\r\n\r\n"),
            "{answer:?}"
        );
        let signal = failure(&service);
        assert_eq!((&signal["status"], &signal["reason"]), (&json!("degraded"), &json!(reason)), "{signal}");
        assert!(signal["last_error_msg"].as_str().unwrap().contains("the response broke off"), "{signal}");
    }
}

#[test]
fn a_response_that_stops_half_way_is_ended_and_recorded() {
    let gate = Gate::new();
    let held = gate.clone();
    let upstream = Upstream::answering(move |_, stream| {
        stream.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n").unwrap();
        held.wait();
        false
    });
    let service = service(&upstream, IMPATIENT);
    let answer = call(&service);
    assert_eq!((answer.status, answer.body.as_str()), (200, "3\r\nabc\r\n"));
    let signal = failure(&service);
    assert_eq!(signal["reason"], json!("busy"), "others came through: {signal}");
    gate.open.send(()).unwrap();
}

/// The value of a series, where there is one.
fn metric(service: &Service, series: &str) -> Option<String> {
    let metrics = service.get("/metrics").body;
    let line = metrics.lines().find_map(|line| line.strip_prefix(series).map(str::to_owned));
    line.map(|value| value.trim().to_owned())
}

const ABANDONED: &str = "runtime_signals_proxy_requests_total{provider=\"mine\",outcome=\"abandoned\"}";

#[test]
fn a_client_that_goes_away_is_not_the_providers_error() {
    let (tell, ended) = channel();
    let tell = std::sync::Mutex::new(tell);
    let upstream = Upstream::answering(move |sent, stream| {
        if sent.line.contains("/begun") {
            stream.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n").unwrap();
        }
        // The provider is not left with a call that nobody waits for.
        let rest = stream.read_to_end(&mut Vec::new());
        tell.lock().unwrap().send(rest.is_ok()).unwrap();
        false
    });
    let service = Service::configured(&upstream.configuration());
    for (path, count) in [("silent", "1"), ("begun", "2")] {
        let mut stream = service.connect();
        let request = format!("GET /proxy/mine/{path} HTTP/1.1\r\nhost: localhost\r\n\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        upstream.sent();
        if path == "begun" {
            assert_eq!(line(&mut BufReader::new(&stream)).unwrap(), "HTTP/1.1 200 OK");
        }
        stream.shutdown(Shutdown::Both).unwrap();
        assert!(ended.recv_timeout(super::client::PATIENCE).unwrap());
        eventually(|| (metric(&service, ABANDONED).as_deref() == Some(count)).then_some(()));
    }
    let signal =
        eventually(|| Some(service.signal("mine")).filter(|signal| signal["status"] == json!("available")));
    assert_eq!(
        (&signal["last_error_at"], &signal["latency"]),
        (&json!(null), &signal["latency"]),
        "{signal}"
    );
    assert_eq!(metric(&service, "runtime_signals_proxy_streams{provider=\"mine\"}"), None);
}

#[test]
fn a_client_that_does_not_go_on_sending_is_told_so() {
    let upstream = Upstream::saying(FINE);
    let service = service(&upstream, STRICT);
    let head = "POST /proxy/mine/v1 HTTP/1.1\r\nhost: localhost\r\ncontent-length: 100\r\n\r\nhalf";
    let mut stream = service.connect();
    stream.write_all(head.as_bytes()).unwrap();
    let told = answer(stream);
    assert_eq!(told.status, 408, "{told:?}");
    assert!(told.problem().contains("nothing more of the body came within 300ms"), "{told:?}");

    let mut stream = service.connect();
    stream.write_all(head.as_bytes()).unwrap();
    drop(stream);
    eventually(|| (metric(&service, ABANDONED).as_deref() == Some("2")).then_some(()));
    assert_eq!(service.signal("mine")["last_error_at"], json!(null));
    assert_eq!(call(&service).status, 200);
}

/// A provider that sends without an end, until it is hung up on; then it tells.
fn endless() -> (Upstream, std::sync::mpsc::Receiver<()>) {
    let (tell, ended) = channel();
    let tell = std::sync::Mutex::new(tell);
    let upstream = Upstream::answering(move |_, stream| {
        stream.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").unwrap();
        let part = [b"10000\r\n", vec![b'x'; 0x10000].as_slice(), b"\r\n"].concat();
        while stream.write_all(&part).is_ok() {}
        tell.lock().unwrap().send(()).unwrap();
        false
    });
    (upstream, ended)
}

#[test]
fn a_client_that_does_not_read_is_ended_in_bounded_memory() {
    let (upstream, ended) = endless();
    let service = service(&upstream, STRICT);
    assert_eq!(service.get("/healthz").status, 200);
    let before = service.resident_kib();
    let clients: Vec<TcpStream> = (0..16)
        .map(|_| {
            let mut stream = service.connect();
            stream.write_all(b"GET /proxy/mine/v1 HTTP/1.1\r\nhost: localhost\r\n\r\n").unwrap();
            stream
        })
        .collect();
    assert_eq!(service.get("/healthz").status, 200);
    for _ in &clients {
        ended.recv_timeout(super::client::PATIENCE).unwrap();
    }
    let grown = service.resident_kib().saturating_sub(before);
    assert!(grown < 32 << 10, "{grown} KiB");
    assert_eq!(service.signal("mine")["last_error_at"], json!(null));
}

#[test]
fn a_provider_that_hangs_does_not_take_the_places_of_others() {
    let gate = Gate::new();
    let hanging = Upstream::held_back(&gate, FINE);
    let fine = Upstream::saying(FINE);
    let text = format!("{}{}[proxy]\nmax_streams = 2\n", hanging.configuration(), fine.provider("other"));
    let service = Service::configured(&text);
    let waiting: Vec<TcpStream> = (0..2)
        .map(|_| {
            let mut stream = service.connect();
            stream
                .write_all(b"GET /proxy/mine/v1 HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
                .unwrap();
            hanging.sent();
            stream
        })
        .collect();
    let refused = service.get("/proxy/mine/v1");
    assert_eq!((refused.status, refused.header("retry-after")), (503, "1"));
    assert!(refused.problem().contains("2 calls of \"mine\" are under way already; see `proxy.max_streams`"));
    assert_eq!(metric(&service, "runtime_signals_proxy_streams{provider=\"mine\"}").as_deref(), Some("2.0"));
    assert_eq!(service.get("/proxy/other/v1").status, 200);
    for stream in waiting {
        gate.open.send(()).unwrap();
        gate.open.send(()).unwrap();
        assert_eq!(answer(stream).status, 200);
    }
    assert_eq!(
        eventually(|| Some(service.get("/proxy/mine/v1")).filter(|told| told.status == 200)).body,
        "{}"
    );
}

#[test]
fn a_provider_that_answers_before_the_body_is_there_is_heard() {
    let upstream = Upstream::connected(|mut stream| {
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        while !line(&mut reader).unwrap().is_empty() {}
        stream
            .write_all(b"HTTP/1.1 413 Too Large\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}")
            .unwrap();
        let _ = read(&mut reader);
    });
    let service = Service::configured(&upstream.configuration());
    let mut stream = service.connect();
    stream
        .write_all(b"POST /proxy/mine/v1 HTTP/1.1\r\nhost: localhost\r\ncontent-length: 100\r\n\r\nhalf")
        .unwrap();
    assert_eq!(line(&mut BufReader::new(&stream)).unwrap(), "HTTP/1.1 413 Too Large");
}

#[test]
fn a_service_that_ends_lets_calls_end_and_keeps_what_they_told() {
    let gate = Gate::new();
    let upstream = Upstream::held_back(&gate, FINE);
    let service = Service::configured(&upstream.configuration());
    let mut stream = service.connect();
    stream.write_all(b"GET /proxy/mine/v1 HTTP/1.1\r\nhost: localhost\r\n\r\n").unwrap();
    upstream.sent();
    let started = Instant::now();
    service.send(nix::sys::signal::Signal::SIGTERM);
    gate.open.send(()).unwrap();
    assert_eq!(answer(stream).body, "{}");
    let (home, _) = service.end_by(nix::sys::signal::Signal::SIGTERM);
    assert!(started.elapsed() < Duration::from_secs(9), "{:?}", started.elapsed());
    let stored = std::fs::read_to_string(home.entry("mine")).unwrap();
    assert!(stored.contains("\"available\"") && stored.contains("\"count\":1"), "{stored}");
}
