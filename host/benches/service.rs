//! What a service takes in, what its readers wait for meanwhile, and what it keeps in memory. The load comes from this
//! process, the service is another one.
//!
//! The floor of the intake is the parsing of the same lines as JSON and nothing else, on one thread of this process.
#![allow(missing_docs, clippy::expect_used, clippy::unwrap_used, clippy::indexing_slicing)]

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

#[allow(dead_code, unreachable_pub)]
#[path = "support/headers.rs"]
mod headers;
#[path = "support/percentile.rs"]
mod percentile;
#[allow(dead_code)]
#[path = "support/served.rs"]
mod served;

use headers::{COMMON, OPENAI};
use percentile::percentile;
use served::Served;

/// Lines of one request.
const BATCH: usize = 1000;
/// How long each load lasts.
const LASTS: Duration = Duration::from_secs(8);
/// Providers that the load is about.
const PROVIDERS: usize = 100;
/// Between two reads of the reader.
const READ_EACH: Duration = Duration::from_millis(2);
const NDJSON: &str = "application/x-ndjson";
/// Nothing is looked for; readers are not held back.
const CONFIGURATION: &str = "[discovery]\nenabled = false\n[service.limits]\nrequests_per_second = 100000\n";

/// A request's lines, about `providers` in turn from `first` on.
fn lines(count: usize, first: usize, providers: usize, headers: &[(&str, &str)]) -> Vec<u8> {
    let headers: Value = headers.iter().map(|(name, value)| json!([name, value])).collect();
    let mut lines = Vec::new();
    for number in first..first + count {
        let line = json!({
            "provider": format!("p{}", number % providers), "type": "openai", "status": 200,
            "headers": headers, "latency_ms": 840, "model": "gpt-4o"
        });
        serde_json::to_writer(&mut lines, &line).unwrap();
        lines.push(b'\n');
    }
    lines
}

/// Reads one signal again and again until the load ends.
fn read(served: &Served, ended: &AtomicBool) -> Vec<Duration> {
    let mut link = served.connect();
    let mut took = Vec::new();
    while !ended.load(Ordering::Acquire) {
        let began = Instant::now();
        link.get("/v1/signals/p1");
        took.push(began.elapsed());
        std::thread::sleep(READ_EACH);
    }
    took.sort();
    took
}

fn intake(name: &str, headers: &[(&str, &str)]) {
    let body = lines(BATCH, 0, PROVIDERS, headers);
    let began = Instant::now();
    for line in body.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        std::hint::black_box(serde_json::from_slice::<Value>(line).unwrap());
    }
    let floor = BATCH as f64 / began.elapsed().as_secs_f64();

    let served = Served::start(CONFIGURATION);
    served.connect().post("/v1/observations", NDJSON, &body);
    let ended = AtomicBool::new(false);
    let idle = {
        let quiet = AtomicBool::new(false);
        std::thread::scope(|threads| {
            let reader = threads.spawn(|| read(&served, &quiet));
            std::thread::sleep(LASTS / 4);
            quiet.store(true, Ordering::Release);
            reader.join().unwrap()
        })
    };
    let (cpu_before, began) = (served.cpu_time(), Instant::now());
    let (sent, took) = std::thread::scope(|threads| {
        let reader = threads.spawn(|| read(&served, &ended));
        let mut link = served.connect();
        let mut sent = 0_usize;
        while began.elapsed() < LASTS {
            let answer: Value = serde_json::from_str(&link.post("/v1/observations", NDJSON, &body)).unwrap();
            assert_eq!(answer["accepted"], json!(BATCH));
            sent += BATCH;
        }
        ended.store(true, Ordering::Release);
        (sent, reader.join().unwrap())
    });
    let (cpu, wall) = (served.cpu_time() - cpu_before, began.elapsed());
    println!(
        "{name}: {} bytes a line; floor, JSON parsed only: {floor:.0}/s; taken in {:.0}/s, {:.0}/s a core; \
         reads meanwhile p50 {:?} p99 {:?}, idle p50 {:?} p99 {:?} ({} reads)",
        body.len() / BATCH,
        sent as f64 / wall.as_secs_f64(),
        sent as f64 / cpu.as_secs_f64(),
        percentile(&took, 0.5),
        percentile(&took, 0.99),
        percentile(&idle, 0.5),
        percentile(&idle, 0.99),
        took.len(),
    );
}

fn memory() {
    let empty = Served::start(CONFIGURATION).resident_mib();
    println!("resident without providers: {empty:.1} MiB");
    for providers in [10, 1000, 10_000] {
        let served = Served::start(CONFIGURATION);
        let mut link = served.connect();
        // Each provider a hundred times, so that its window of latencies is full.
        for first in (0..providers * 100).step_by(BATCH) {
            let body = lines(BATCH, first, providers, &OPENAI);
            link.post("/v1/observations", NDJSON, &body);
        }
        println!("resident with {providers} providers: {:.1} MiB", served.resident_mib());
    }
}

fn main() {
    intake("6 headers", &OPENAI);
    let all: Vec<_> = COMMON.iter().chain(&OPENAI).copied().collect();
    intake("20 headers", &all);
    memory();
}
