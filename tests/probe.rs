//! The liveness check against real servers on the loopback interface.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use runtime_signals::probe::{HttpProbe, MAX_MESSAGE, Probe, ProbeFailureKind, ProbeOutcome};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

/// Long enough for a loopback answer on a busy machine.
pub(crate) const AMPLE: Duration = Duration::from_secs(20);
/// For checks that are meant to run out of time.
pub(crate) const BRIEF: Duration = Duration::from_millis(200);

pub(crate) async fn serve<F, Answer>(answer: F) -> SocketAddr
where
    F: Fn(TcpStream, String) -> Answer + Clone + Send + 'static,
    Answer: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let answer = answer.clone();
            tokio::spawn(async move {
                let request = request_head(&mut stream).await;
                answer(stream, request).await;
            });
        }
    });
    address
}

async fn request_head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => break,
        }
    }
    String::from_utf8(head).unwrap()
}

pub(crate) async fn answering(response: &'static str) -> SocketAddr {
    serve(move |mut stream, _| async move {
        stream.write_all(response.as_bytes()).await.unwrap();
    })
    .await
}

/// Writes until the other side has had enough, and says how much that was.
async fn pour(mut stream: TcpStream, head: &str, piece: &str) -> usize {
    let mut poured = head.len();
    if stream.write_all(head.as_bytes()).await.is_err() {
        return poured;
    }
    while stream.write_all(piece.as_bytes()).await.is_ok() {
        poured += piece.len();
    }
    poured
}

async fn check(base_url: &str, timeout: Duration) -> ProbeOutcome {
    HttpProbe::new(timeout).unwrap().check_alive("vllm", base_url).await
}

pub(crate) fn failure(outcome: ProbeOutcome) -> (ProbeFailureKind, String) {
    match outcome {
        ProbeOutcome::Failed { kind, message } => {
            assert!(message.len() <= MAX_MESSAGE);
            (kind, message)
        }
        other => panic!("not a failure: {other:?}"),
    }
}

#[tokio::test]
async fn a_2xx_answer_is_alive_and_the_request_is_plain() {
    let (seen, mut requests) = mpsc::unbounded_channel();
    let server = serve(move |mut stream, request| {
        let seen = seen.clone();
        async move {
            seen.send(request).unwrap();
            let response = "HTTP/1.1 204 No Content\r\n\r\n";
            stream.write_all(response.as_bytes()).await.unwrap();
        }
    })
    .await;

    let outcome = check(&format!("http://{server}/v1/"), AMPLE).await;

    assert_eq!(outcome, ProbeOutcome::Alive);
    let request = requests.recv().await.unwrap().to_ascii_lowercase();
    assert!(request.starts_with("get /v1/models http/1.1\r\n"), "{request}");
    assert!(!request.contains("accept-encoding"), "{request}");
    assert!(!request.contains("authorization"), "{request}");
    assert!(request.contains("user-agent: runtime-signals/"), "{request}");
}

#[tokio::test]
async fn every_check_opens_its_own_connection() {
    let connections = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&connections);
    let server = serve(move |mut stream, _| {
        counted.fetch_add(1, Ordering::SeqCst);
        async move {
            let response = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}";
            stream.write_all(response.as_bytes()).await.unwrap();
            // Kept open: a client that reuses connections would send its next request here.
            request_head(&mut stream).await;
        }
    })
    .await;
    let probe = HttpProbe::new(AMPLE).unwrap();
    let base = format!("http://{server}");

    assert_eq!(probe.check_alive("vllm", &base).await, ProbeOutcome::Alive);
    assert_eq!(probe.check_alive("vllm", &base).await, ProbeOutcome::Alive);

    assert_eq!(connections.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn an_error_status_is_refused_and_named() {
    let server = answering("HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\n\r\n").await;

    let (kind, message) = failure(check(&format!("http://{server}"), AMPLE).await);

    assert_eq!(kind, ProbeFailureKind::Refused);
    assert_eq!(message, format!("http://{server}: answered 500 Internal Server Error"));
}

#[tokio::test]
async fn a_server_that_never_answers_runs_out_of_time() {
    let server = serve(|stream, _| async move {
        let _open = stream;
        std::future::pending::<()>().await;
    })
    .await;
    let started = Instant::now();

    let (kind, message) = failure(check(&format!("http://{server}"), BRIEF).await);

    assert_eq!(kind, ProbeFailureKind::Timeout);
    assert!(message.contains("200ms"), "{message}");
    assert!(started.elapsed() < AMPLE);
}

#[tokio::test]
async fn a_drip_of_single_bytes_does_not_stretch_the_time() {
    for head in ["", "HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n"] {
        let server = serve(move |mut stream, _| async move {
            stream.write_all(head.as_bytes()).await.unwrap();
            let mut pace = tokio::time::interval(Duration::from_millis(20));
            for byte in "HTTP/1.1 200 OK\r\nx-slow: ".bytes().chain(std::iter::repeat(b'a')) {
                pace.tick().await;
                if stream.write_all(&[byte]).await.is_err() {
                    return;
                }
            }
        })
        .await;

        let (kind, _) = failure(check(&format!("http://{server}"), BRIEF).await);

        assert_eq!(kind, ProbeFailureKind::Timeout, "after {head:?}");
    }
}

#[tokio::test]
async fn a_refused_connection_is_unreachable() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let nobody = listener.local_addr().unwrap();
    drop(listener);

    let (kind, message) = failure(check(&format!("http://{nobody}/v1"), AMPLE).await);

    assert_eq!(kind, ProbeFailureKind::Unreachable);
    assert!(message.contains("refused"), "{message}");
}

#[tokio::test]
async fn a_connection_closed_without_an_answer_is_unreachable() {
    let server = serve(|stream, _| async move { drop(stream) }).await;

    let (kind, _) = failure(check(&format!("http://{server}"), AMPLE).await);

    assert_eq!(kind, ProbeFailureKind::Unreachable);
}

#[tokio::test]
async fn what_is_no_http_is_unreachable() {
    let server = answering("220 mail.example ESMTP\r\n").await;

    let (kind, _) = failure(check(&format!("http://{server}"), AMPLE).await);

    assert_eq!(kind, ProbeFailureKind::Unreachable);
}

#[tokio::test]
async fn a_redirect_to_another_origin_is_not_followed() {
    let visits = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&visits);
    let elsewhere = serve(move |mut stream, _| {
        counted.fetch_add(1, Ordering::SeqCst);
        async move {
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await;
        }
    })
    .await;
    let server = serve(move |mut stream, _| async move {
        let response = format!("HTTP/1.1 302 Found\r\nlocation: http://{elsewhere}/v1/models\r\n\r\n");
        stream.write_all(response.as_bytes()).await.unwrap();
    })
    .await;

    let (kind, message) = failure(check(&format!("http://{server}"), AMPLE).await);

    assert_eq!(kind, ProbeFailureKind::Refused);
    assert!(message.contains("302"), "{message}");
    assert!(!message.contains(&elsewhere.to_string()), "{message}");
    assert_eq!(visits.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_redirect_within_the_origin_is_followed() {
    let server = serve(|mut stream, request| async move {
        let response = if request.starts_with("GET /v1/models ") {
            "HTTP/1.1 307 Temporary Redirect\r\nlocation: /api/models\r\ncontent-length: 0\r\n\r\n"
        } else {
            "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"
        };
        stream.write_all(response.as_bytes()).await.unwrap();
    })
    .await;

    assert_eq!(check(&format!("http://{server}"), AMPLE).await, ProbeOutcome::Alive);
}

#[tokio::test]
async fn a_redirect_loop_ends_after_a_few_rounds() {
    let rounds = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&rounds);
    let server = serve(move |mut stream, _| {
        counted.fetch_add(1, Ordering::SeqCst);
        async move {
            let response = "HTTP/1.1 302 Found\r\nlocation: /v1/models\r\ncontent-length: 0\r\n\r\n";
            stream.write_all(response.as_bytes()).await.unwrap();
        }
    })
    .await;

    let (kind, _) = failure(check(&format!("http://{server}"), AMPLE).await);

    assert_eq!(kind, ProbeFailureKind::Refused);
    assert_eq!(rounds.load(Ordering::SeqCst), 4);
}

#[tokio::test]
async fn endless_headers_are_cut_off() {
    let (poured, mut amounts) = mpsc::unbounded_channel();
    let server = serve(move |stream, _| {
        let poured = poured.clone();
        async move {
            let line = format!("x-filler: {}\r\n", "a".repeat(4000));
            poured.send(pour(stream, "HTTP/1.1 200 OK\r\n", &line).await).unwrap();
        }
    })
    .await;

    let (kind, _) = failure(check(&format!("http://{server}"), AMPLE).await);

    assert_eq!(kind, ProbeFailureKind::Unreachable);
    // What the client took, and what the socket buffers of both sides hold.
    assert!(amounts.recv().await.unwrap() < 32 * 1024 * 1024);
}

#[tokio::test]
async fn an_endless_body_is_alive_and_is_not_read_to_the_end() {
    let (poured, mut amounts) = mpsc::unbounded_channel();
    let server = serve(move |stream, _| {
        let poured = poured.clone();
        async move {
            let amount = pour(stream, "HTTP/1.1 200 OK\r\n\r\n", &"b".repeat(16 * 1024)).await;
            poured.send(amount).unwrap();
        }
    })
    .await;

    assert_eq!(check(&format!("http://{server}"), AMPLE).await, ProbeOutcome::Alive);
    assert!(amounts.recv().await.unwrap() < 32 * 1024 * 1024);
}

#[tokio::test]
async fn a_body_that_breaks_off_is_not_alive() {
    let server = answering("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{").await;

    let (kind, _) = failure(check(&format!("http://{server}"), AMPLE).await);

    assert_eq!(kind, ProbeFailureKind::Unreachable);
}

#[tokio::test]
async fn a_message_never_repeats_user_information_path_or_query() {
    let refusing = answering("HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\n\r\n").await;
    let closing = serve(|stream, _| async move { drop(stream) }).await;
    for server in [refusing, closing] {
        let base = format!("http://alice:hunter2@{server}/tenant-7/v1?key=sk-live-1#hash");

        let (_, message) = failure(check(&base, AMPLE).await);

        assert!(message.starts_with(&format!("http://{server}: ")), "{message}");
        for secret in ["alice", "hunter2", "tenant-7", "sk-live-1", "models", "hash"] {
            assert!(!message.contains(secret), "{secret} in {message}");
        }
    }
}

#[tokio::test]
async fn link_local_addresses_are_not_asked() {
    for base in ["http://169.254.169.254", "http://[::ffff:169.254.169.254]/v1", "https://[fe80::1]:8443"] {
        let (kind, message) = failure(check(base, AMPLE).await);

        assert_eq!(kind, ProbeFailureKind::Unreachable);
        assert!(message.contains("link-local"), "{message}");
    }
}

#[tokio::test]
async fn a_base_url_that_cannot_be_asked_is_unusable() {
    for base in ["", "ollama", "ftp://127.0.0.1/", "http://alice:hunter2@:80"] {
        match check(base, AMPLE).await {
            ProbeOutcome::Unusable(reason) => assert!(!reason.contains("hunter2"), "{reason}"),
            other => panic!("{base:?} gave {other:?}"),
        }
    }
}

#[tokio::test]
async fn a_server_without_tls_fails_an_https_check() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
    });

    let (kind, message) = failure(check(&format!("https://{server}"), AMPLE).await);

    assert_eq!(kind, ProbeFailureKind::Unreachable);
    assert!(message.starts_with(&format!("https://{server}: ")), "{message}");
}

#[tokio::test]
async fn a_host_name_is_resolved() {
    let server = answering("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;

    let outcome = check(&format!("http://localhost:{}", server.port()), AMPLE).await;

    assert_eq!(outcome, ProbeOutcome::Alive);
}
