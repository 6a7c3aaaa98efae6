//! Observations on their way from Envoy to a service.

use std::io::Write;
use std::process::Command;

use runtime_signals_gateways::client::Client;
use runtime_signals_gateways::envoy::{Envoy, Setup};
use runtime_signals_gateways::mock::{Mock, Request, closed_port, response};
use runtime_signals_gateways::program::{Program, eventually, provided};
use serde_json::Value;
use tempfile::TempDir;

use crate::envoy::provider;

const HOST: &str = "api.openai.com";
const SENT: &str = "wasmcustom.runtime_signals.report.sent";
const DROPPED: &str = "wasmcustom.runtime_signals.report.dropped";

/// A plugin that reports often.
fn plugin(more: &str) -> String {
    let provider = r#"{"name":"openai","type":"openai","match":{"host":"api.openai.com"}}"#;
    format!(r#"{{"providers":[{provider}],"report":{{"cluster":"runtime-signals","interval_ms":50{more}}}}}"#)
}

#[test]
fn observations_are_posted_in_batches_without_what_nobody_asked_for() {
    let service = Mock::start(|_: &Request, to: &mut dyn Write| to.write_all(&response(200, &[], "{}")));
    let provider = Mock::start(|_: &Request, to: &mut dyn Write| {
        let headers = [("retry-after", "30"), ("set-cookie", "session=secret"), ("x-request-id", "r")];
        to.write_all(&response(429, &headers, "{}"))
    });
    let plugin = plugin("");
    let envoy =
        Envoy::start(&Setup { plugin: Some(&plugin), service: service.port, ..Setup::new(provider.port) });
    let mut client = Client::connect(envoy.port);
    for _ in 0..10 {
        assert_eq!(client.get(HOST, "/v1/chat/completions?key=secret").status, 429);
    }
    envoy.until_metric(SENT, 10);
    assert_eq!(envoy.metric(DROPPED), Some(0));
    let posts = service.requests();
    assert!(posts.len() < 10, "in batches");
    assert!(posts.iter().all(|post| post.method == "POST" && post.path == "/v1/observations"));
    let text: String = posts.iter().map(|post| post.body.as_str()).collect();
    assert!(!text.contains("secret"), "{text}");
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 10);
    for line in lines {
        assert_eq!(
            (&line["provider"], &line["type"], &line["status"]),
            (&"openai".into(), &"openai".into(), &429.into())
        );
        assert_eq!(line["headers"], serde_json::json!([["retry-after", "30"]]));
        assert!(line["latency_ns"].as_u64().unwrap() > 0 && line["at"].as_str().unwrap().ends_with('Z'));
    }
}

#[test]
fn a_service_that_cannot_be_reached_does_no_harm_and_what_is_lost_is_counted() {
    let (provider, plugin) = (provider(), plugin(r#","timeout_ms":200"#));
    let setup = Setup { plugin: Some(&plugin), ..Setup::new(provider.port) };
    let refused = setup.configuration();
    let address = format!("address: 127.0.0.1, port_value: {} ", setup.service);
    let nameless = refused.replace(&address, "address: nowhere.invalid, port_value: 7433 ");
    let missing = refused.replace(r#"\"cluster\":\"runtime-signals\""#, r#"\"cluster\":\"elsewhere\""#);
    assert!(nameless != refused && missing != refused);
    for configuration in [refused, nameless, missing] {
        let envoy = Envoy::start_with(&configuration, 1);
        let mut client = Client::connect(envoy.port);
        for _ in 0..50 {
            let response = client.get(HOST, "/");
            assert_eq!(response.status, 200);
        }
        envoy.until_metric(DROPPED, 50);
        assert_eq!(envoy.metric(SENT), Some(0));
        // The filter is still there.
        assert_eq!(client.get(HOST, "/").status, 200);
        assert_eq!(envoy.provider_metric("openai", "observations"), 51, "{configuration}");
    }
}

#[test]
fn a_service_that_never_answers_fills_the_queue_and_no_more() {
    // It takes connections and says nothing.
    let service = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = service.local_addr().unwrap().port();
    let (provider, plugin) = (provider(), plugin(r#","timeout_ms":60000,"batch":5,"queue":10"#));
    let envoy = Envoy::start(&Setup { plugin: Some(&plugin), service: port, ..Setup::new(provider.port) });
    let mut client = Client::connect(envoy.port);
    // Four posts of five are under way at most, and ten wait.
    let dropped = eventually("observations are dropped", || {
        assert_eq!(client.get(HOST, "/").status, 200);
        envoy.metric(DROPPED).filter(|dropped| *dropped > 0)
    });
    let observations = envoy.provider_metric("openai", "observations");
    assert!(observations - dropped <= 30, "{observations} of which {dropped}");
}

#[test]
fn the_service_takes_what_the_filter_reports() {
    let (provider, port, folder) = (provider(), closed_port(), TempDir::new().unwrap());
    let mut serve = Command::new(provided("RUNTIME_SIGNALS_BIN"));
    serve.args(["serve", "--listen", &format!("127.0.0.1:{port}")]).current_dir(folder.path());
    for (name, place) in [("FIZEAU_CACHE_DIR", "cache"), ("XDG_CONFIG_HOME", "config"), ("HOME", "home")] {
        serve.env(name, folder.path().join(place));
    }
    let mut service = Program::start(&mut serve, folder.path().join("log"));
    service.until("it listens", || std::net::TcpStream::connect(("127.0.0.1", port)).ok());
    let plugin = plugin("");
    let envoy = Envoy::start(&Setup { plugin: Some(&plugin), service: port, ..Setup::new(provider.port) });
    assert_eq!(Client::connect(envoy.port).get(HOST, "/refused").status, 429);
    envoy.until_metric(SENT, 1);
    let signal = Client::connect(port).get("localhost", "/v1/signals/openai").text();
    assert!(signal.contains(r#""status":"exhausted""#), "{signal}");
}
