//! The proxy: calls and responses go through as they are, and what they tell is known.

use std::fs;
use std::io::{BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;

use serde_json::json;

use super::client::{ALONE, PATIENCE, Service, configure, eventually};
use super::upstream::{Gate, Sent, Upstream, chunk, line, read};
use crate::cli::Home;

/// What a provider answers that is well.
const FINE: &str = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nx-ratelimit-remaining-requests: 59\r\n\
                    x-ratelimit-reset-requests: 20s\r\nContent-Length: 2\r\n\r\n{}";
const TOKEN: &str = "0123456789abcdef0123456789abcdef";

/// All that a server answers until it closes.
fn exchange(to: std::net::SocketAddr, request: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(to).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(request).unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    answer
}

fn post(path: &str, more: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!("POST {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-length: {length}\r\n{more}\r\n{body}")
        .into_bytes()
}

#[test]
fn a_call_and_its_response_go_through_as_they_are() {
    let answer = "HTTP/1.1 299 Quite Fine\r\nDate: Thu, 15 Jan 2026 12:00:00 GMT\r\nSet-Cookie: a=1\r\nset-cookie: b=2\r\n\
                  X-Odd-CASE: \u{fc}\r\nContent-Encoding: gzip\r\nContent-Length: 6\r\n\r\n\u{1}\u{2}\0ab\n";
    let upstream = Upstream::answering(move |_, stream| {
        let _ = stream.write_all(answer.as_bytes());
        false
    });
    let service = Service::configured(&upstream.configuration());
    let rest = "/v1/a%2Fb%20c?q=%22&key=SECRET|{x}";
    let headers = "AUTHORIZATION: Bearer SECRET\r\nX-Stainless-Lang: python\r\nAccept: a\r\nACCEPT: b\r\nx-b: 2\r\n\
                   Accept-Encoding: gzip, deflate\r\nCookie: c=SECRET\r\n";
    let answers = [(upstream.address, rest.to_owned()), (service.address, format!("/proxy/mine{rest}"))]
        .map(|(address, path)| exchange(address, &post(&path, headers, "{\"model\":\"m\"}")));
    let [direct, passed] = [upstream.sent(), upstream.sent()];
    assert_eq!(passed.header("host"), Some(upstream.address.to_string().as_str()));
    assert_eq!(passed.header("connection"), None);
    assert_eq!(passed.without_host(), direct.without_host());
    let [direct, passed] = answers;
    let passed = String::from_utf8(passed).unwrap().replacen("connection: close\r\n", "", 1);
    assert_eq!(passed, String::from_utf8(direct).unwrap());
}

#[test]
fn bodies_of_every_form_keep_theirs() {
    let upstream = Upstream::answering(|sent, stream| {
        let answer = match sent.line.split(' ').nth(1).unwrap() {
            "/chunked" => {
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: x-sum\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nx-sum: 1\r\n\r\n"
            }
            "/until-closed" => "HTTP/1.0 200 OK\r\n\r\nabcde",
            "/none" => "HTTP/1.1 204 No Content\r\n\r\n",
            "/not-modified" => "HTTP/1.1 304 Not Modified\r\nETag: x\r\n\r\n",
            "/head" => "HTTP/1.1 200 OK\r\nContent-Length: 77\r\n\r\n",
            "/hint" => {
                "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabcde"
            }
            "/moved" => {
                "HTTP/1.1 307 Temporary Redirect\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n"
            }
            other => panic!("{other}"),
        };
        stream.write_all(answer.as_bytes()).is_ok() && !answer.starts_with("HTTP/1.0")
    });
    let service = Service::configured(&upstream.configuration());
    let get = |path: &str| service.get(&format!("/proxy/mine{path}"));
    let chunked = get("/chunked");
    assert_eq!((chunked.status, chunked.header("transfer-encoding")), (200, "chunked"));
    assert_eq!(chunked.header("trailer"), "");
    let mut parts = BufReader::new(chunked.body.as_bytes());
    let mut body = Vec::new();
    while let Some(part) = chunk(&mut parts).unwrap() {
        body.extend(part);
    }
    assert_eq!((body.as_slice(), parts.buffer()), (&b"abcde"[..], &b""[..]));
    assert!(get("/until-closed").body.contains("abcde"));
    assert_eq!((get("/none").status, get("/none").header("content-length")), (204, ""));
    let same = get("/not-modified");
    assert_eq!((same.status, same.header("etag"), same.body.as_str()), (304, "x", ""));
    let head = service.request("HEAD", "/proxy/mine/head", &[], b"");
    assert_eq!((head.status, head.header("content-length"), head.body.as_str()), (200, "77", ""));
    assert_eq!(get("/hint").body, "abcde");
    // Where it leads is the client's business.
    let moved = get("/moved");
    assert_eq!((moved.status, moved.header("location")), (307, "http://127.0.0.1:1/"));

    let sent: Vec<Sent> = (0..8).map(|_| upstream.sent()).collect();
    assert!(sent.iter().all(|sent| sent.header("transfer-encoding").is_none()), "{sent:?}");
    exchange(
        service.address,
        b"PUT /proxy/mine/none HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n\
          3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n",
    );
    let chunked = upstream.sent();
    assert_eq!(
        (chunked.header("transfer-encoding"), chunked.body.as_slice()),
        (Some("chunked"), &b"abcde"[..])
    );
}

#[test]
fn each_part_of_a_body_goes_through_when_it_comes() {
    // It answers each part with the same one, before the next is sent.
    let upstream = Upstream::connected(|mut stream| {
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        while !line(&mut reader).unwrap().is_empty() {}
        stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").unwrap();
        while let Some(part) = chunk(&mut reader).unwrap() {
            let part = String::from_utf8(part).unwrap();
            stream.write_all(format!("{:x}\r\n{part}\r\n", part.len()).as_bytes()).unwrap();
        }
        stream.write_all(b"0\r\n\r\n").unwrap();
    });
    let service = Service::configured(&upstream.configuration());
    let mut stream = service.connect();
    let head = "POST /proxy/mine/v1 HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n";
    stream.write_all(head.as_bytes()).unwrap();
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    assert_eq!(line(&mut reader).unwrap(), "HTTP/1.1 200 OK");
    while !line(&mut reader).unwrap().is_empty() {}
    for part in ["one", "two", "three"] {
        stream.write_all(format!("{:x}\r\n{part}\r\n", part.len()).as_bytes()).unwrap();
        assert_eq!(chunk(&mut reader).unwrap().unwrap(), part.as_bytes());
    }
    stream.write_all(b"0\r\n\r\n").unwrap();
    assert_eq!(chunk(&mut reader), Some(None));
}

#[test]
fn limits_are_known_when_the_response_begins_and_the_latency_when_it_ends() {
    let gate = Gate::new();
    let held = gate.clone();
    let upstream = Upstream::answering(move |_, stream| {
        let head = FINE.replace("Content-Length: 2", "Transfer-Encoding: chunked").replace("{}", "");
        stream.write_all(head.as_bytes()).unwrap();
        held.wait();
        stream.write_all(b"2\r\n{}\r\n0\r\n\r\n").is_ok()
    });
    let service = Service::configured(&upstream.configuration());
    let mut stream = service.connect();
    stream.write_all(&post("/proxy/mine/v1/chat/completions", "", "{}")).unwrap();
    let signal = eventually(|| {
        let signal = service.signal("mine");
        (signal["quota_remaining"] == json!(59)).then_some(signal)
    });
    assert_eq!((&signal["status"], &signal["latency"]), (&json!("available"), &json!(null)), "{signal}");
    assert!(signal["last_success_at"].is_string(), "{signal}");

    gate.open.send(()).unwrap();
    let mut rest = String::new();
    stream.read_to_string(&mut rest).unwrap();
    assert!(rest.ends_with("2\r\n{}\r\n0\r\n\r\n"), "{rest}");
    let signal = eventually(|| Some(service.signal("mine")).filter(|signal| signal["latency"].is_object()));
    assert_eq!(signal["latency"]["count"], json!(1), "{signal}");
    let [p50, ttfb] =
        [&signal["recent_p50_latency_ns"], &signal["latency"]["ttfb_p50_ns"]].map(|v| v.as_u64().unwrap());
    assert!(0 < ttfb && ttfb < p50, "{signal}");
}

#[test]
fn a_refusal_is_in_the_signal_before_the_client_has_it() {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(br#"{"error":{"code":"insufficient_quota","type":"insufficient_quota"}}"#).unwrap();
    let packed = packed.finish().unwrap();
    let head = format!(
        "HTTP/1.1 429 Too Many Requests\r\nContent-Encoding: gzip\r\nContent-Length: {}\r\n\r\n",
        packed.len()
    );
    let upstream = Upstream::saying([head.as_bytes(), &packed].concat());
    let service = Service::configured(&upstream.configuration());
    let answer = exchange(service.address, &post("/proxy/mine/v1/chat/completions", "", "{}"));
    assert!(answer.ends_with(&packed), "{answer:?}");
    let signal = service.signal("mine");
    assert_eq!((&signal["status"], &signal["refusal"]), (&json!("exhausted"), &json!("money")), "{signal}");
}

#[test]
fn a_refusal_whose_body_never_ends_is_passed_on_and_recorded_all_the_same() {
    let gate = Gate::new();
    let held = gate.clone();
    let upstream = Upstream::answering(move |_, stream| {
        let head = "HTTP/1.1 429 Too Many Requests\r\nretry-after: 30\r\ncontent-length: 9\r\n\r\n{";
        stream.write_all(head.as_bytes()).unwrap();
        held.wait();
        stream.write_all(b"        ").is_ok()
    });
    let service = Service::configured(&upstream.configuration());
    let mut stream = service.connect();
    stream.write_all(&post("/proxy/mine/v1", "", "{}")).unwrap();
    let mut reader = BufReader::new(stream);
    assert_eq!(line(&mut reader).unwrap(), "HTTP/1.1 429 Too Many Requests");
    assert_eq!(service.signal("mine")["status"], json!("exhausted"));
    gate.open.send(()).unwrap();
    let mut rest = String::new();
    reader.read_to_string(&mut rest).unwrap();
    assert!(rest.ends_with("\r\n\r\n{        "), "{rest}");
}

#[test]
fn the_token_is_taken_from_its_own_header_and_goes_no_further() {
    let upstream = Upstream::saying(FINE);
    let home = Home::new();
    configure(&home, &upstream.configuration());
    let service = Service::at(home, &[("RUNTIME_SIGNALS_TOKEN", TOKEN)]);
    let bearer = format!("Bearer {TOKEN}");
    for wrong in [&[][..], &[("authorization", bearer.as_str())], &[("x-runtime-signals-token", "wrong")]] {
        let refused = service.request("POST", "/proxy/mine/v1", wrong, b"{}");
        assert_eq!(refused.status, 401, "{refused:?}");
        assert!(refused.problem().contains("send it as `X-Runtime-Signals-Token`"), "{refused:?}");
    }
    assert!(upstream.is_untouched());
    let both = [("authorization", "Bearer sk-theirs"), ("X-Runtime-Signals-Token", TOKEN)];
    assert_eq!(service.request("POST", "/proxy/mine/v1", &both, b"{}").status, 200);
    let sent = upstream.sent();
    assert_eq!(sent.header("authorization"), Some("Bearer sk-theirs"));
    assert!(!format!("{sent:?}").contains(TOKEN), "{sent:?}");
}

#[test]
fn a_version_that_the_base_url_has_is_not_doubled() {
    let upstream = Upstream::saying(FINE);
    let address = upstream.address;
    let text = format!(
        "{ALONE}[[providers]]\nname = \"mine\"\ntype = \"openai\"\nbase_url = \"http://me:pw@{address}/api/v1/?key=k\"\n"
    );
    let service = Service::configured(&text);
    for (path, line) in [
        ("/proxy/mine/v1/models?a=b", "GET /api/v1/models?a=b HTTP/1.1"),
        ("/proxy/mine/models", "GET /api/v1/models HTTP/1.1"),
    ] {
        assert_eq!(service.get(path).status, 200);
        let sent = upstream.sent();
        assert_eq!((sent.line.as_str(), sent.header("authorization")), (line, None));
    }
}

#[test]
fn connections_to_a_provider_are_used_again() {
    let count = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let counted = count.clone();
    let upstream = Upstream::connected(move |mut stream| {
        counted.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        while read(&mut reader).is_some() {
            stream.write_all(FINE.as_bytes()).unwrap();
        }
    });
    let service = Service::configured(&upstream.configuration());
    for _ in 0..5 {
        assert_eq!(service.get("/proxy/mine/v1/models").body, "{}");
    }
    assert_eq!(count.load(std::sync::atomic::Ordering::SeqCst), 1);
}

#[test]
fn nothing_secret_is_logged_or_kept() {
    let secret = "hunter2hunter2";
    let upstream = Upstream::answering(|sent, stream| match sent.line.contains("/refused") {
        true => {
            let refused =
                "HTTP/1.1 500 No\r\nset-cookie: hunter2hunter2\r\ncontent-length: 14\r\n\r\nhunter2hunter2";
            stream.write_all(refused.as_bytes()).is_ok()
        }
        false => false,
    });
    let home = Home::new();
    let address = upstream.address;
    configure(
        &home,
        &format!(
            "{ALONE}[[providers]]\nname = \"mine\"\ntype = \"openai\"\n\
             base_url = \"http://{secret}:{secret}@{address}/{secret}?{secret}\"\n"
        ),
    );
    let service = Service::at(home, &[("RUNTIME_SIGNALS_LOG", "trace")]);
    let headers = [("authorization", secret), ("x-api-key", secret), ("cookie", secret)];
    for (path, status) in [("refused", 500), ("broken", 502)] {
        let path = format!("/proxy/mine/{path}/{secret}?key={secret}");
        let answer = service.request("POST", &path, &headers, secret.as_bytes());
        assert_eq!(answer.status, status, "{answer:?}");
        assert!(status == 500 || !answer.body.contains(secret), "{answer:?}");
    }
    for path in ["/proxy/mine//", "/proxy/mine/../", "/proxy/other/"] {
        assert!(service.request("POST", &format!("{path}{secret}"), &headers, b"").status >= 400);
    }
    assert_eq!(service.signal("mine")["status"], json!("degraded"));
    let (home, log) = service.end_by(nix::sys::signal::Signal::SIGTERM);
    assert!(!log.contains(secret), "{log}");
    assert!(home.entry("mine").exists());
    assert_eq!(holding(&home.cache(), secret), Vec::<String>::new());
    assert_eq!(holding(&home.path("state"), secret), Vec::<String>::new());
}

/// The files below a folder in which a text stands.
fn holding(folder: &Path, text: &str) -> Vec<String> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let found = entries.flat_map(|entry| {
        let path = entry.unwrap().path();
        if path.is_dir() {
            return holding(&path, text);
        }
        let bytes = fs::read(&path).unwrap_or_default();
        let holds = String::from_utf8_lossy(&bytes).contains(text);
        holds.then(|| path.display().to_string()).into_iter().collect()
    });
    found.collect()
}

#[test]
fn what_is_passed_on_is_counted_and_documented() {
    let upstream = Upstream::saying(FINE);
    let service = Service::configured(&upstream.configuration());
    assert_eq!(service.get("/proxy/mine/v1/models").status, 200);
    eventually(|| {
        let metrics = service.get("/metrics").body;
        let counted = "runtime_signals_proxy_requests_total{provider=\"mine\",outcome=\"2xx\"} 1";
        (metrics.contains(counted) && !metrics.contains("runtime_signals_proxy_streams{")).then_some(())
    });
    let document = service.get("/v1/openapi.json").json();
    assert!(document["paths"]["/proxy/{provider}/{path}"]["post"].is_object(), "{document}");
}

#[test]
fn it_can_be_turned_off_and_follows_the_configuration() {
    let [first, second] = [Upstream::saying(FINE), Upstream::saying(FINE)];
    let service = Service::configured(&first.configuration());
    assert_eq!(service.get("/proxy/mine/a").status, 200);
    configure(&service.home, &second.configuration());
    service.send(nix::sys::signal::Signal::SIGHUP);
    eventually(|| {
        assert_eq!(service.get("/proxy/mine/b").status, 200);
        (!second.is_untouched()).then_some(())
    });
    configure(&service.home, &format!("{}[proxy]\nenabled = false\n", second.configuration()));
    service.send(nix::sys::signal::Signal::SIGHUP);
    let refused = eventually(|| Some(service.get("/proxy/mine/c")).filter(|answer| answer.status == 404));
    assert!(refused.problem().contains("`proxy.enabled`"), "{refused:?}");
}
