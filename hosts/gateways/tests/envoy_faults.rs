//! What the filter must survive: its own faults, and hostile providers.

use std::io::Write;

use runtime_signals_gateways::client::Client;
use runtime_signals_gateways::envoy::{Envoy, Setup};
use runtime_signals_gateways::mock::{Mock, Request, response};
use runtime_signals_gateways::program::eventually;

const HOST: &str = "api.openai.com";
const STATUS: &str = "x-provider-status";
const KNOWN: (&str, &str) = ("x-ratelimit-remaining-requests", "59");

/// A provider whose response makes the filter fail where the path says so.
fn provider() -> Mock {
    Mock::start(|request: &Request, to: &mut dyn Write| {
        let fault = ("x-fault", "trap");
        let headers: &[_] = if request.path == "/trap" { &[KNOWN, fault] } else { &[KNOWN] };
        to.write_all(&response(200, headers, "{}"))
    })
}

#[test]
fn after_a_trap_the_traffic_goes_on_without_the_filter() {
    let provider = provider();
    let envoy = Envoy::start(&Setup { module: "envoy-faults.wasm", workers: 2, ..Setup::new(provider.port) });
    // One connection to each worker.
    let (mut client, mut other) = (Client::connect(envoy.port), Client::connect(envoy.port));
    for client in [&mut client, &mut other] {
        assert_eq!(client.get(HOST, "/").header(STATUS), Some("available;remaining=59"));
    }
    // Envoy itself answers the one request in which the filter fails.
    assert_eq!(client.get(HOST, "/trap").status, 503);
    for _ in 0..20 {
        let response = client.get(HOST, "/");
        assert_eq!((response.status, response.header(STATUS)), (200, None));
    }
    // The other worker is not concerned.
    assert_eq!(other.get(HOST, "/").header(STATUS), Some("available;remaining=59"));
    assert_eq!(envoy.provider_metric("openai", "observations"), 3);
    assert!(envoy.said().contains("unreachable"), "{}", envoy.said());
}

#[test]
fn a_filter_that_is_started_anew_has_forgotten_nothing() {
    let provider = provider();
    let setup = Setup { module: "envoy-faults.wasm", ..Setup::new(provider.port) };
    let configuration =
        setup.configuration().replace("failure_policy: FAIL_OPEN", "failure_policy: FAIL_RELOAD");
    let envoy = Envoy::start_with(&configuration, 1);
    let mut client = Client::connect(envoy.port);
    assert_eq!(client.get(HOST, "/").status, 200);
    assert_eq!(client.get(HOST, "/trap").status, 503);
    // Until it may be started again, Envoy refuses.
    let response =
        eventually("it is started anew", || Some(client.get(HOST, "/")).filter(|r| r.status == 200));
    assert_eq!(response.header(STATUS), Some("available;remaining=59"));
    assert_eq!(envoy.provider_metric("openai", "observations"), 2);
    assert_eq!(envoy.metric("wasm.runtime-signals.vm_reload_success"), Some(1));
}

#[test]
fn hostile_headers_neither_fail_the_filter_nor_delay_others() {
    let provider = Mock::start(|request: &Request, to: &mut dyn Write| {
        let extra: Vec<u8> = match request.path.as_str() {
            "/long" => [b"x-long: ", "x".repeat(1 << 20).as_bytes(), b"\r\n"].concat(),
            "/long-known" => [b"retry-after: ", "9".repeat(1 << 20).as_bytes(), b"\r\n"].concat(),
            "/bytes" => b"x-ratelimit-reset-requests: \xff\xfe\x80\r\nx-bytes: \xc3\x28\r\n".to_vec(),
            "/many" => (0..10_000).flat_map(|n| format!("x-many-{n}: {n}\r\n").into_bytes()).collect(),
            _ => Vec::new(),
        };
        let head = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nx-ratelimit-remaining-requests: 59\r\n";
        to.write_all(&[head, extra.as_slice(), b"\r\n{}"].concat())
    });
    // All that Envoy can be made to let through.
    let limits = "typed_extension_protocol_options: { envoy.extensions.upstreams.http.v3.HttpProtocolOptions: { \
        \"@type\": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions, \
        common_http_protocol_options: { max_headers_count: 20000, max_response_headers_kb: 8192 }, \
        explicit_http_config: { http_protocol_options: {} } } }";
    let setup = Setup { inserts: &[("load_assignment:", limits)], ..Setup::new(provider.port) };
    let envoy = Envoy::start(&setup);
    let mut client = Client::connect(envoy.port);
    for path in ["/long", "/long-known", "/bytes", "/many", "/"] {
        let response = client.get(HOST, path);
        assert_eq!(response.status, 200, "{path}");
        let status = response.header(STATUS).unwrap();
        assert!(status.starts_with("available;remaining=59"), "{path}: {status}");
    }
    assert_eq!(envoy.provider_metric("openai", "observations"), 5);
    // Others of the same worker, while one hostile response follows the other.
    let mut hostile = Client::connect(envoy.port);
    let slowest = std::thread::scope(|scope| {
        let other = scope.spawn(|| (0..20).for_each(|_| assert_eq!(hostile.get(HOST, "/many").status, 200)));
        let mut slowest = std::time::Duration::ZERO;
        while !other.is_finished() {
            let start = std::time::Instant::now();
            assert_eq!(client.get(HOST, "/").status, 200);
            slowest = slowest.max(start.elapsed());
        }
        slowest
    });
    assert!(slowest < std::time::Duration::from_secs(2), "{slowest:?}");
}
