//! The example of a gateway that embeds the library: real HTTP on loopback, a clock that is moved by hand.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::response::Response;
use http::StatusCode;
use runtime_signals::{ModelStatus, Service, Signal, SignalCache};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_stream::StreamExt;

use self::gateway::{Gateway, Provider};
use crate::support::{ManualClock, store};

// Its `main` is not called here.
#[allow(dead_code)]
#[path = "../host/examples/gateway.rs"]
mod gateway;

/// How a mock provider answers.
#[derive(Clone, Copy)]
enum Manner {
    Fine,
    Refuses,
    /// Two parts, then nothing more.
    Hangs,
}

/// A mock provider on loopback.
struct Mock {
    address: SocketAddr,
    calls: Arc<AtomicUsize>,
}

impl Mock {
    async fn start(manner: Manner) -> Self {
        let calls = Arc::new(AtomicUsize::new(0));
        let counted = calls.clone();
        let answer = move || {
            counted.fetch_add(1, Ordering::Relaxed);
            std::future::ready(respond(manner))
        };
        Self { address: listen(Router::new().fallback(answer)).await, calls }
    }

    fn calls(&self) -> usize {
        self.calls.load(Ordering::Relaxed)
    }
}

fn respond(manner: Manner) -> Response {
    let head = Response::builder();
    let parts = |parts: &'static [&'static str]| {
        tokio_stream::iter(parts.iter().map(|part| Ok::<_, std::io::Error>(*part)))
    };
    match manner {
        Manner::Fine => head
            .header("x-ratelimit-limit-requests", "60")
            .header("x-ratelimit-remaining-requests", "59")
            .header("x-ratelimit-reset-requests", "20s")
            .body(Body::from_stream(parts(&["data: a\n\n", "data: b\n\n"])))
            .unwrap(),
        Manner::Refuses => {
            let body = json!({"error": {"code": "rate_limit_exceeded"}}).to_string();
            head.status(StatusCode::TOO_MANY_REQUESTS).header("retry-after", "30").body(body.into()).unwrap()
        }
        Manner::Hangs => {
            let stream = parts(&["data: a\n\n", "data: b\n\n"]).chain(tokio_stream::pending());
            head.body(Body::from_stream(stream)).unwrap()
        }
    }
}

async fn listen(router: Router) -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    // It ends with the runtime of the test.
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    address
}

/// A provider whose response is shorter than it says.
async fn breaking() -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        assert!(stream.read(&mut [0; 1024]).await.unwrap() > 0);
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\ndata: a\n\n").await.unwrap();
        stream.shutdown().await.unwrap();
        // What was not read would take back what was written.
        let _ = stream.read_to_end(&mut Vec::new()).await;
    });
    address
}

/// A gateway to providers of these addresses, called `one`, `two` …
struct Running {
    signals: Service,
    clock: Arc<ManualClock>,
    client: reqwest::Client,
    url: String,
    _folder: tempfile::TempDir,
}

impl Running {
    async fn start(addresses: &[SocketAddr]) -> Self {
        let (clock, folder) = (ManualClock::at_present(), tempfile::tempdir().unwrap());
        let signals = Service::new(store(&clock), SignalCache::new(folder.path()));
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let provider = |(name, address): (&&str, &SocketAddr)| Provider {
            name: (*name).to_owned(),
            provider_type: "openai".to_owned(),
            base_url: format!("http://{address}"),
            key: Some("key".to_owned()),
        };
        let providers = ["one", "two"].iter().zip(addresses).map(provider).collect();
        let address = listen(Gateway::new(signals.clone(), &client, providers).router()).await;
        Self { signals, clock, client, url: format!("http://{address}/v1/chat/completions"), _folder: folder }
    }

    async fn post(&self) -> reqwest::Response {
        let body = json!({"model": "m", "messages": []}).to_string();
        self.client.post(&self.url).body(body).send().await.unwrap()
    }

    fn signal(&self, provider: &str) -> Signal {
        self.signals.recorded(provider).unwrap()
    }

    /// Waits until a call of the provider was observed; it may be after the caller has all of it.
    async fn observed(&self, provider: &str) -> Signal {
        let observed = async {
            while self.signal(provider).status == ModelStatus::Unknown {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), observed).await.unwrap();
        self.signal(provider)
    }
}

fn provider_of(response: &reqwest::Response) -> &str {
    response.headers().get("x-provider").unwrap().to_str().unwrap()
}

#[tokio::test]
async fn every_call_is_observed_to_the_end_of_its_stream() {
    let mock = Mock::start(Manner::Fine).await;
    let gateway = Running::start(&[mock.address]).await;
    let response = gateway.post().await;
    assert_eq!((response.status(), provider_of(&response)), (StatusCode::OK, "one"));
    assert_eq!(response.text().await.unwrap(), "data: a\n\ndata: b\n\n");
    let signal = gateway.observed("one").await;
    assert_eq!((signal.status, signal.quota_remaining), (ModelStatus::Available, Some(59)));
    assert!(signal.recent_p50_latency > Duration::ZERO);
}

#[tokio::test]
async fn a_refused_request_goes_to_the_next_and_later_ones_go_there_at_once() {
    let (refusing, fine) = (Mock::start(Manner::Refuses).await, Mock::start(Manner::Fine).await);
    let gateway = Running::start(&[refusing.address, fine.address]).await;
    for calls in 1..=3 {
        assert_eq!(provider_of(&gateway.post().await), "two");
        assert_eq!((refusing.calls(), fine.calls()), (1, calls));
    }
}

#[tokio::test]
async fn where_nobody_takes_it_the_answer_says_when_and_nobody_is_called_until_then() {
    let refusing = Mock::start(Manner::Refuses).await;
    let gateway = Running::start(&[refusing.address]).await;
    assert_eq!(provider_of(&gateway.post().await), "one");
    gateway.clock.advance(Duration::from_secs(10));
    let response = gateway.post().await;
    assert_eq!((response.status(), refusing.calls()), (StatusCode::TOO_MANY_REQUESTS, 1));
    let seconds: u64 = response.headers()["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((19..=20).contains(&seconds), "{seconds}");
    gateway.clock.advance(Duration::from_secs(21));
    assert_eq!((provider_of(&gateway.post().await), refusing.calls()), ("one", 2));
}

#[tokio::test]
async fn a_caller_that_goes_away_is_no_fault_of_the_provider() {
    let mock = Mock::start(Manner::Hangs).await;
    let gateway = Running::start(&[mock.address]).await;
    let mut response = gateway.post().await;
    assert!(response.chunk().await.unwrap().is_some());
    drop(response);
    let signal = gateway.observed("one").await;
    assert_eq!((signal.status, signal.last_error_at), (ModelStatus::Available, None));
}

#[tokio::test]
async fn broken_streams_and_unreachable_providers_are_failures_and_others_are_asked() {
    let gateway = Running::start(&[breaking().await]).await;
    assert!(gateway.post().await.text().await.is_err());
    let signal = gateway.observed("one").await;
    assert_eq!(
        (signal.status, signal.last_error_msg.as_str()),
        (ModelStatus::Degraded, "the response broke off")
    );

    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let fine = Mock::start(Manner::Fine).await;
    let gateway = Running::start(&[closed, fine.address]).await;
    assert_eq!(provider_of(&gateway.post().await), "two");
    let signal = gateway.signal("one");
    assert_eq!(
        (signal.status, signal.last_error_msg.as_str()),
        (ModelStatus::Degraded, "the connection failed")
    );
    // From then on the other one comes first.
    assert_eq!(provider_of(&gateway.post().await), "two");
}
