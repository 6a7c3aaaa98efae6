//! The filter in Envoy, with the documented configuration where a test says nothing else.

use std::io::Write;
use std::sync::mpsc::channel;
use std::sync::{Mutex, PoisonError};

use runtime_signals_gateways::client::Client;
use runtime_signals_gateways::envoy::{Envoy, Setup, refusal};
use runtime_signals_gateways::mock::{Mock, Request, response};
use runtime_signals_gateways::program::eventually;

const HOST: &str = "api.openai.com";
const GOOD: [(&str, &str); 2] =
    [("x-ratelimit-remaining-requests", "59"), ("x-ratelimit-reset-requests", "20s")];

/// A provider whose path says how it answers.
pub(crate) fn provider() -> Mock {
    Mock::start(|request: &Request, to: &mut dyn Write| {
        to.write_all(&match request.path.as_str() {
            "/refused" => response(429, &[("retry-after", "30")], "{}"),
            "/refused-shortly" => response(429, &[("retry-after", "1")], "{}"),
            "/broken" => response(500, &[], "{}"),
            _ => response(200, &GOOD, "{}"),
        })
    })
}

#[test]
fn metrics_and_the_status_header_tell_what_the_provider_said() {
    let provider = provider();
    let envoy = Envoy::start(&Setup::new(provider.port));
    let mut client = Client::connect(envoy.port);
    let response = client.get(HOST, "/v1/chat/completions");
    assert_eq!(response.status, 200);
    assert_eq!(response.header("x-provider-status"), Some("available;remaining=59;reset=20"));
    for (metric, value) in [("status", 1), ("quota_known", 1), ("quota_remaining", 59), ("observations", 1)] {
        assert_eq!(envoy.provider_metric("openai", metric), value, "{metric}");
    }
    assert!((15..=20).contains(&envoy.provider_metric("openai", "seconds_to_reset")));
    assert!(envoy.provider_metric("openai", "latency_p50_us") > 0);
    // The other provider is recognised by its cluster, whatever the host.
    assert_eq!(envoy.provider_metric("studio", "observations"), 0);
    let response = client.get("else.example", "/studio/broken");
    assert_eq!(response.header("x-provider-status"), Some("degraded;reason=error"));
    assert_eq!(envoy.provider_metric("studio", "status"), 2);
    let prometheus = envoy.prometheus();
    assert!(
        prometheus.contains("runtime_signals_provider_quota_remaining{provider=\"openai\"} 59"),
        "{prometheus}"
    );
    // What is nobody's passes untouched.
    let response = client.get("else.example", "/v1/models");
    assert_eq!((response.status, response.header("x-provider-status")), (200, None));
}

#[test]
fn a_stream_is_read_at_its_start() {
    let (end, ended) = channel::<()>();
    let ended = Mutex::new(ended);
    let provider = Mock::start(move |_: &Request, to: &mut dyn Write| {
        to.write_all(
            b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n",
        )?;
        to.write_all(b"x-ratelimit-remaining-requests: 7\r\n\r\n6\r\ndata:\n\r\n")?;
        // The stream goes on until the test has seen enough.
        ended.lock().unwrap_or_else(PoisonError::into_inner).recv().ok();
        to.write_all(b"0\r\n\r\n")
    });
    let envoy = Envoy::start(&Setup::new(provider.port));
    let mut client = Client::connect(envoy.port);
    client.send("GET", HOST, "/v1/chat/completions", "");
    let head = client.receive_head();
    assert_eq!(head.header("x-provider-status"), Some("available;remaining=7"));
    assert_eq!(envoy.provider_metric("openai", "quota_remaining"), 7);
    drop(end);
}

#[test]
fn an_exhausted_provider_is_not_asked_until_its_reset() {
    let provider = provider();
    let envoy = Envoy::start(&Setup::new(provider.port));
    let mut client = Client::connect(envoy.port);
    let response = client.get(HOST, "/refused-shortly");
    assert_eq!((response.status, response.header("retry-after")), (429, Some("1")));
    let asked = provider.requests().len();
    let response = client.get(HOST, "/");
    assert_eq!((response.status, response.header("retry-after")), (429, Some("1")));
    assert_eq!(
        response.header("x-provider-status"),
        Some("exhausted;remaining=0;reset=1;reason=rate_limited")
    );
    assert!(response.text().contains("the provider openai takes no request for 1 s"), "{}", response.text());
    assert_eq!(provider.requests().len(), asked);
    assert!(envoy.provider_metric("openai", "failed_fast") >= 1);
    // The other provider is not concerned.
    assert_eq!(client.get(HOST, "/studio/x").status, 429, "the first provider that fits counts");
    assert_eq!(client.get("else.example", "/studio/x").status, 200);
    let response =
        eventually("it is asked again", || Some(client.get(HOST, "/")).filter(|r| r.status == 200));
    assert!(response.header("x-provider-status").is_some_and(|status| status.starts_with("available")));
}

#[test]
fn without_fail_fast_every_request_goes_on() {
    let plugin = r#"{"providers":[{"name":"openai","type":"openai","match":{"path":"/"}}]}"#;
    let provider = provider();
    let envoy = Envoy::start(&Setup { plugin: Some(plugin), ..Setup::new(provider.port) });
    let mut client = Client::connect(envoy.port);
    for asked in 1..=3 {
        let response = client.get(HOST, "/refused");
        assert_eq!((response.status, response.header("x-provider-status")), (429, None));
        assert_eq!(provider.requests().len(), asked);
    }
    assert_eq!(envoy.provider_metric("openai", "status"), 3);
}

#[test]
fn workers_have_one_truth_and_lose_no_observation() {
    let provider = provider();
    let envoy = Envoy::start(&Setup { workers: 2, ..Setup::new(provider.port) });
    let mut clients: Vec<_> = (0..8).map(|_| Client::connect(envoy.port)).collect();
    // All at once, so that the workers meet.
    std::thread::scope(|scope| {
        for client in &mut clients {
            scope.spawn(|| (0..50).for_each(|_| assert_eq!(client.get(HOST, "/").status, 200)));
        }
    });
    for worker in ["worker_0", "worker_1"] {
        let connections = envoy.metric(&format!("listener.127.0.0.1_0.{worker}.downstream_cx_total"));
        assert_eq!(connections, Some(4), "{worker}");
    }
    assert_eq!(envoy.provider_metric("openai", "observations"), 400);
    assert_eq!(envoy.provider_metric("openai", "conflicts"), 0);
    // What one worker is told, each of them knows.
    assert_eq!(clients[0].get(HOST, "/refused").status, 429);
    let asked = provider.requests().len();
    for client in &mut clients {
        assert_eq!(client.get(HOST, "/").status, 429);
    }
    assert_eq!(provider.requests().len(), asked);
}

#[test]
fn a_provider_that_cannot_be_reached_is_degraded() {
    let envoy = Envoy::start(&Setup::new(runtime_signals_gateways::mock::closed_port()));
    let response = Client::connect(envoy.port).get(HOST, "/");
    assert_eq!(response.status, 503);
    assert_eq!(response.header("x-provider-status"), Some("degraded;reason=unreachable"));
    assert_eq!(envoy.provider_metric("openai", "status"), 2);
}

#[test]
fn a_configuration_that_is_missing_or_wrong_is_refused_with_the_reason() {
    for (plugin, why) in [
        ("", "it is missing"),
        ("{}", "`providers` is empty"),
        (r#"{"providers":[],"failfast":true}"#, "a key that is not known"),
        (r#"{"providers":[{"name":"a","type":"openai","match":{}}]}"#, "give `host`, `cluster` or `path`"),
        ("not json", "an object was expected"),
    ] {
        let said = refusal(&Setup { plugin: Some(plugin), ..Setup::new(1) });
        assert!(
            said.contains("the plugin's configuration is refused") && said.contains(why),
            "{plugin}: {said}"
        );
    }
}
