//! What passing a call on costs its client: streams directly, through a relay and through the service, in alternated
//! rounds. The relay hands bytes on and knows nothing of them: it is the floor of whatever stands in between.
//!
//! Four processes: a provider and the relay (this program again), the service, and the load generator. Each stream is paced as a
//! completion is, so that waiting is for the work on an event and not for the machine to come to it; each event bears the
//! time at which it was sent, by the clock that all processes of a machine share.
#![allow(missing_docs, clippy::expect_used, clippy::unwrap_used, clippy::indexing_slicing)]

use std::io::{BufRead, BufReader as StdBufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::sleep;

#[path = "support/percentile.rs"]
mod percentile;
#[allow(dead_code)]
#[path = "support/served.rs"]
mod served;

use percentile::percentile;
use served::Served;

/// Events of one stream, and from one to the next.
const EVENTS: usize = 20;
const PACE: Duration = Duration::from_millis(50);
/// Streams at the same time, and how many rounds of each.
const LOADS: [(usize, usize); 3] = [(1, 15), (50, 5), (500, 3)];

/// Nanoseconds by a clock that all processes share.
fn now_ns() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    u64::try_from(now.tv_sec).unwrap() * 1_000_000_000 + u64::try_from(now.tv_nsec).unwrap()
}

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["provider"] => runtime.block_on(provide()),
        ["relay", to] => runtime.block_on(relay(to)),
        _ => runtime.block_on(measure()),
    }
}

/// A child that prints a line when it listens, and ends with the benchmark.
struct Listening(Child, String);

impl Listening {
    fn start(command: &mut Command) -> Self {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        StdBufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        Self(child, line.trim().to_owned())
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Answers every request with a paced stream.
async fn provide() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    println!("{}", listener.local_addr().unwrap());
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        stream.set_nodelay(true).unwrap();
        tokio::spawn(async move {
            let mut stream = BufReader::new(stream);
            while read_request(&mut stream).await.is_some() {
                if answer(stream.get_mut()).await.is_err() {
                    return;
                }
            }
        });
    }
}

/// Hands on what comes, in both directions.
async fn relay(to: &str) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    println!("{}", listener.local_addr().unwrap());
    loop {
        let (mut from, _) = listener.accept().await.unwrap();
        let mut to = TcpStream::connect(to).await.unwrap();
        tokio::spawn(async move {
            from.set_nodelay(true).unwrap();
            to.set_nodelay(true).unwrap();
            // It ends with the client.
            let _ = copy_bidirectional(&mut from, &mut to).await;
        });
    }
}

async fn read_request(stream: &mut BufReader<TcpStream>) -> Option<()> {
    let mut length = 0;
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await.ok().filter(|read| *read > 0)?;
        if let Some(value) = line.strip_prefix("content-length: ") {
            length = value.trim().parse().ok()?;
        }
        if line == "\r\n" {
            let mut body = vec![0; length];
            return stream.read_exact(&mut body).await.ok().map(|_| ());
        }
    }
}

async fn answer(stream: &mut TcpStream) -> std::io::Result<()> {
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nx-ratelimit-limit-requests: 10000\r\n\
                x-ratelimit-remaining-requests: 9999\r\nx-ratelimit-reset-requests: 8.64s\r\n\
                transfer-encoding: chunked\r\n\r\n";
    stream.write_all(head.as_bytes()).await?;
    for index in 0..EVENTS {
        // The first is there at once: its time shows what the call cost.
        if index > 0 {
            sleep(PACE).await;
        }
        let event = format!("data: {}\n\n", now_ns());
        stream.write_all(format!("{:x}\r\n{event}\r\n", event.len()).as_bytes()).await?;
    }
    stream.write_all(b"0\r\n\r\n").await
}

/// A connection that is used for one stream after the other.
struct Client {
    stream: BufReader<TcpStream>,
    request: Vec<u8>,
}

/// What was waited for, in nanoseconds.
#[derive(Default)]
struct Waits {
    /// From the request to the first event.
    first: Vec<u64>,
    /// From the sending of an event to its arrival.
    event: Vec<u64>,
}

impl Client {
    async fn new(address: SocketAddr, path: &str) -> Self {
        let body = format!("{{\"model\":\"m\",\"messages\":[\"{}\"]}}", "a".repeat(1000));
        let length = body.len();
        let request = format!(
            "POST {path} HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer x\r\ncontent-type: application/json\r\n\
             content-length: {length}\r\n\r\n{body}"
        );
        let stream = TcpStream::connect(address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream: BufReader::new(stream), request: request.into_bytes() }
    }

    async fn call(&mut self, waits: &mut Waits) {
        let sent = now_ns();
        self.stream.write_all(&self.request).await.unwrap();
        let mut line = String::new();
        let mut events = 0;
        loop {
            line.clear();
            assert!(self.stream.read_line(&mut line).await.unwrap() > 0, "the stream broke off");
            assert!(!line.starts_with("HTTP/") || line.starts_with("HTTP/1.1 200 "), "{line}");
            if let Some(at) = line.strip_prefix("data: ") {
                let now = now_ns();
                if events == 0 {
                    waits.first.push(now - sent);
                }
                waits.event.push(now - at.trim().parse::<u64>().unwrap());
                events += 1;
            } else if line == "0\r\n" {
                self.stream.read_line(&mut line).await.unwrap();
                assert_eq!(events, EVENTS);
                return;
            }
        }
    }
}

/// One round: each client has two streams, one after the other. They begin spread over the time of one, as calls of many
/// users do.
async fn round(clients: Vec<Client>) -> (Vec<Client>, Waits) {
    let count = u32::try_from(clients.len()).unwrap();
    let calls = (0..).zip(clients).map(|(index, mut client)| {
        tokio::spawn(async move {
            sleep(PACE * u32::try_from(EVENTS).unwrap() * index / count).await;
            let mut waits = Waits::default();
            client.call(&mut waits).await;
            client.call(&mut waits).await;
            (client, waits)
        })
    });
    let (mut clients, mut all) = (Vec::new(), Waits::default());
    for call in calls.collect::<Vec<_>>() {
        let (client, waits) = call.await.unwrap();
        clients.push(client);
        all.first.extend(waits.first);
        all.event.extend(waits.event);
    }
    (clients, all)
}

async fn measure() {
    let program = || Command::new(std::env::current_exe().unwrap());
    let provider = Listening::start(program().arg("provider"));
    let relay = Listening::start(program().args(["relay", &provider.1]));
    let service = Served::start(&format!(
        "[discovery]\nenabled = false\n[service.limits]\nrequests_per_second = 1000000\n[proxy]\nmax_streams = 1000\n\
         [[providers]]\nname = \"p\"\ntype = \"openai\"\nbase_url = \"http://{}\"\n",
        provider.1
    ));
    let passed: SocketAddr = service.address().parse().unwrap();
    let [direct, relayed]: [SocketAddr; 2] = [&provider, &relay].map(|to| to.1.parse().unwrap());
    let path = "/v1/chat/completions";
    let ways = [
        ("direct", direct, path.to_owned()),
        ("relay", relayed, path.to_owned()),
        ("proxy", passed, format!("/proxy/p{path}")),
    ];

    println!("streams  path    first event p50/p99 us   each event p50/p99 us   events");
    for (streams, rounds) in LOADS {
        let mut ready = Vec::new();
        for (name, address, path) in &ways {
            let mut clients = Vec::new();
            for _ in 0..streams {
                clients.push(Client::new(*address, path).await);
            }
            // Connections are made, and code is compiled, before it counts.
            ready.push((name, round(clients).await.0, Waits::default()));
        }
        for _ in 0..rounds {
            for (_, clients, waits) in &mut ready {
                let (back, more) = round(std::mem::take(clients)).await;
                *clients = back;
                waits.first.extend(more.first);
                waits.event.extend(more.event);
            }
        }
        let mut medians = Vec::new();
        for (name, _, waits) in &mut ready {
            let [first, event] = [&mut waits.first, &mut waits.event].map(|waits| percentiles(waits));
            println!(
                "{streams:>7}  {name:<6} {:>13.0} /{:>8.0} {:>12.0} /{:>8.0} {:>11}",
                first.0,
                first.1,
                event.0,
                event.1,
                waits.event.len()
            );
            medians.push((first.0, event.0));
        }
        let [direct, relay, proxy] = medians[..] else { unreachable!("there are three ways") };
        for (name, floor) in [("direct", direct), ("relay", relay)] {
            let (first, event) = (proxy.0 - floor.0, proxy.1 - floor.1);
            println!(
                "{streams:>7}  added to {name} at p50: {first:.0} us to the first event, {event:.0} us to each"
            );
        }
    }
}

/// The median and the 99th percentile, in microseconds.
fn percentiles(waits: &mut [u64]) -> (f64, f64) {
    waits.sort_unstable();
    let at = |part| percentile(waits, part) as f64 / 1000.0;
    (at(0.5), at(0.99))
}
