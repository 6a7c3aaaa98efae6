//! What the filter costs in Envoy: runs with and without it in turn, on one worker, with a mock provider behind.
#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use std::io::Write;
use std::time::{Duration, Instant};

use runtime_signals_gateways::client::Client;
use runtime_signals_gateways::envoy::{Envoy, Setup};
use runtime_signals_gateways::mock::{Mock, Request};

/// Runs of each kind.
const RUNS: usize = 7;
const RUN: Duration = Duration::from_secs(3);
const CONNECTIONS: usize = 8;

/// As OpenAI answers, about.
const RESPONSE: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\
    openai-organization: org\r\nopenai-processing-ms: 12\r\nopenai-version: 2020-10-01\r\n\
    x-ratelimit-limit-requests: 10000\r\nx-ratelimit-limit-tokens: 2000000\r\n\
    x-ratelimit-remaining-requests: 9999\r\nx-ratelimit-remaining-tokens: 1999000\r\n\
    x-ratelimit-reset-requests: 6ms\r\nx-ratelimit-reset-tokens: 30ms\r\nx-request-id: req_1\r\n\
    strict-transport-security: max-age=31536000\r\ncf-cache-status: DYNAMIC\r\n\
    set-cookie: __cf_bm=abc; path=/; HttpOnly; Secure\r\ncf-ray: 1-FRA\r\nalt-svc: h3=\":443\"\r\n\r\n{}";

/// What one run measures.
#[derive(Clone, Copy)]
struct Run {
    requests_per_second: f64,
    /// Median of a request on the only connection.
    latency_us: f64,
    /// Processor time of Envoy for a request.
    cpu_us: f64,
}

fn main() {
    let provider = Mock::start(|_: &Request, to: &mut dyn Write| to.write_all(RESPONSE));
    let setup = Setup::new(provider.port);
    let kinds = [("without", setup.without_plugin()), ("with", setup.configuration())];
    let envoys = kinds.map(|(name, configuration)| (name, Envoy::start_with(&configuration, 1), Vec::new()));
    let mut kinds = Vec::from(envoys);
    for run in 0..=RUNS {
        for (_, envoy, runs) in &mut kinds {
            let measured = measure(envoy);
            // The first warms up.
            if run > 0 {
                runs.push(measured);
            }
        }
    }
    let show = |what: &str, of: fn(&Run) -> f64| {
        let medians: Vec<f64> = kinds
            .iter()
            .map(|(name, _, runs)| {
                let mut values: Vec<f64> = runs.iter().map(of).collect();
                values.sort_by(f64::total_cmp);
                let (least, median, most) = (values[0], values[RUNS / 2], values[RUNS - 1]);
                println!("{what}, {name} the filter: {median:.1} (of {RUNS} runs {least:.1} to {most:.1})");
                median
            })
            .collect();
        println!("{what}, difference of the medians: {:.1}", medians[1] - medians[0]);
    };
    show("requests a second", |run| run.requests_per_second);
    show("latency in us", |run| run.latency_us);
    show("processor time of a request in us", |run| run.cpu_us);
}

fn measure(envoy: &Envoy) -> Run {
    let mut client = Client::connect(envoy.port);
    let mut latencies: Vec<_> = (0..2_000)
        .map(|_| {
            let start = Instant::now();
            assert_eq!(client.get("api.openai.com", "/v1/chat/completions").status, 200);
            start.elapsed()
        })
        .collect();
    latencies.sort_unstable();
    let (before, start) = (envoy.cpu_time(), Instant::now());
    let requests: usize = std::thread::scope(|scope| {
        let load = || {
            let mut client = Client::connect(envoy.port);
            let mut requests = 0;
            while start.elapsed() < RUN {
                assert_eq!(client.get("api.openai.com", "/v1/chat/completions").status, 200);
                requests += 1;
            }
            requests
        };
        let loads: Vec<_> = (0..CONNECTIONS).map(|_| scope.spawn(load)).collect();
        loads.into_iter().map(|load| load.join().unwrap()).sum()
    });
    let (elapsed, cpu) = (start.elapsed(), envoy.cpu_time() - before);
    let requests = requests as f64;
    Run {
        requests_per_second: requests / elapsed.as_secs_f64(),
        latency_us: latencies[latencies.len() / 2].as_secs_f64() * 1e6,
        cpu_us: cpu.as_secs_f64() * 1e6 / requests,
    }
}
