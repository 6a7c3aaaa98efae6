//! One host at a time looks at a provider, for all.

use std::io::{BufRead, BufReader, Write};
use std::net::{IpAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::json;

use super::hosts::{hosts, is_away, is_connected, status};
use super::redis_server::RedisServer;
use crate::serve::client::{Service, eventually};

/// How long the provider takes to answer.
const THINKING: Duration = Duration::from_millis(150);

/// A provider that counts who looks at it. It listens on this machine's own address, as loopback is not shared.
struct Provider {
    url: String,
    seen: Arc<Seen>,
}

#[derive(Default)]
struct Seen {
    calls: AtomicUsize,
    present: AtomicUsize,
    most_at_once: AtomicUsize,
}

impl Provider {
    fn start() -> Self {
        let listener = TcpListener::bind((own_address(), 0)).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let seen = Arc::new(Seen::default());
        let counts = seen.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (stream, counts) = (stream.unwrap(), counts.clone());
                std::thread::spawn(move || counts.answer(stream));
            }
        });
        Self { url, seen }
    }

    fn configured(&self) -> String {
        let provider =
            format!("[[providers]]\nname = \"gpu\"\ntype = \"vllm\"\nbase_url = \"{}\"\n", self.url);
        format!("[refresh]\ninterval = \"400ms\"\n{provider}")
    }

    fn calls(&self) -> usize {
        self.seen.calls.load(Ordering::SeqCst)
    }

    /// Waits until it was looked at so many more times.
    fn is_called(&self, times: usize) {
        let before = self.calls();
        eventually(|| (self.calls() >= before + times).then_some(()));
    }

    fn most_at_once(&self) -> usize {
        self.seen.most_at_once.load(Ordering::SeqCst)
    }
}

impl Seen {
    fn answer(&self, mut stream: TcpStream) {
        let present = self.present.fetch_add(1, Ordering::SeqCst) + 1;
        self.most_at_once.fetch_max(present, Ordering::SeqCst);
        let mut head = BufReader::new(&stream).lines();
        let is_whole = head.any(|line| line.is_ok_and(|line| line.is_empty()));
        std::thread::sleep(THINKING);
        // Before the answer: the next one may come as soon as it is there.
        self.present.fetch_sub(1, Ordering::SeqCst);
        self.calls.fetch_add(1, Ordering::SeqCst);
        let body = "{\"object\":\"list\",\"data\":[]}";
        let length = body.len();
        if is_whole {
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n");
            let _ = write!(stream, "{head}{body}");
        }
    }
}

/// The address by which other machines would reach this one. Nothing is sent.
fn own_address() -> IpAddr {
    let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
    socket.connect("198.51.100.1:9").expect("this machine has an address besides loopback");
    socket.local_addr().unwrap().ip()
}

fn is_available(host: &Service) {
    eventually(|| (host.signal("gpu")["status"] == json!("available")).then_some(()));
}

#[test]
fn no_provider_is_looked_at_by_two_hosts_at_once() {
    let mut server = RedisServer::start();
    let provider = Provider::start();
    let hosts: [Service; 3] = hosts(&server, &provider.configured());
    provider.is_called(5);
    hosts.iter().for_each(is_available);
    assert_eq!(provider.most_at_once(), 1);

    // The server loses all claims, and does so while one is in force.
    server.kill();
    hosts.iter().for_each(is_away);
    server.run();
    hosts.iter().for_each(is_connected);
    provider.is_called(3);
    assert_eq!(provider.most_at_once(), 1);

    // It does not answer for a while.
    server.pause();
    hosts.iter().for_each(is_away);
    server.resume();
    hosts.iter().for_each(is_connected);
    provider.is_called(3);
    assert_eq!(provider.most_at_once(), 1);
    hosts.iter().for_each(is_available);
    let left = hosts.iter().map(|host| status(host)["left_to_others"].as_u64().unwrap());
    assert!(left.sum::<u64>() > 0, "the hosts did not share the work");
}

#[test]
fn a_claim_that_is_never_given_back_ends_by_itself() {
    let server = RedisServer::start();
    let provider = Provider::start();
    let [first, second] = hosts(&server, &provider.configured());
    provider.is_called(1);
    // A claim of somebody who will never give it back; it lasts as long as the host says.
    let soon = std::time::SystemTime::now() + Duration::from_secs(2);
    let until = soon.duration_since(std::time::UNIX_EPOCH).unwrap().as_millis();
    let claim = json!({"owner": "dead", "until_ms": until as u64}).to_string();
    let mut put = redis::cmd("HSET");
    put.arg("runtime-signals:refreshes").arg("gpu").arg(claim).exec(&mut server.connection()).unwrap();
    provider.is_called(3);
    assert!(std::time::SystemTime::now() > soon, "the claim was not respected");
    [&first, &second].into_iter().for_each(is_available);
}

#[test]
fn without_the_server_each_host_goes_on_by_itself() {
    let mut server = RedisServer::start();
    let provider = Provider::start();
    let [first, second] = hosts(&server, &provider.configured());
    provider.is_called(1);
    server.kill();
    [&first, &second].into_iter().for_each(is_away);
    let (before, left) =
        (provider.calls(), [&first, &second].map(|host| status(host)["left_to_others"].clone()));
    provider.is_called(4);
    assert!(provider.calls() > before);
    assert_eq!([&first, &second].map(|host| status(host)["left_to_others"].clone()), left);
    [&first, &second].into_iter().for_each(is_available);
}
