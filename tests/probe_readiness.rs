//! Readiness of local servers: what their answers say beyond that they are up.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use runtime_signals::probe::{HttpProbe, Probe, ProbeFailureKind, ProbeOutcome};
use tokio::io::AsyncWriteExt;

use crate::cli::Home;
use crate::probe::{AMPLE, BRIEF, failure, serve};

/// A server that answers by path, and the paths that it was asked for.
async fn server(
    answers: &'static [(&'static str, u16, &'static str)],
) -> (SocketAddr, Arc<Mutex<Vec<String>>>) {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let noted = asked.clone();
    let address = serve(move |mut stream, request| {
        let path = request.split(' ').nth(1).unwrap_or_default().to_owned();
        noted.lock().unwrap().push(path.clone());
        async move {
            let found = answers.iter().find(|(own, ..)| *own == path);
            let (status, body) = found.map_or((404, ""), |(_, status, body)| (*status, *body));
            let answer = format!("HTTP/1.1 {status} Status\r\ncontent-length: {}\r\n\r\n{body}", body.len());
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    })
    .await;
    (address, asked)
}

async fn check(provider_type: &str, server: SocketAddr, readiness: bool) -> ProbeOutcome {
    let probe = HttpProbe::new(AMPLE).unwrap().with_readiness(readiness);
    probe.check_alive(provider_type, &format!("http://{server}/v1")).await
}

const LOADING: &str = r#"{"error":{"code":503,"message":"Loading model","type":"unavailable_error"}}"#;
const ONE_MODEL: &str = r#"{"object":"list","data":[{"id":"m","object":"model"}]}"#;

#[tokio::test]
async fn one_request_is_all_unless_more_is_asked_for() {
    for provider_type in ["llama-server", "lmstudio", "vllm", "ollama", "omlx", "ds4"] {
        let (address, asked) = server(&[("/v1/models", 200, ONE_MODEL), ("/slots", 503, LOADING)]).await;
        assert_eq!(check(provider_type, address, false).await, ProbeOutcome::Alive);
        assert_eq!(*asked.lock().unwrap(), ["/v1/models"], "{provider_type}");
    }
}

#[tokio::test]
async fn the_first_answer_tells_loading_and_busy_apart() {
    let (loading, _) = server(&[("/v1/models", 503, LOADING)]).await;
    let (kind, message) = failure(check("llama-server", loading, false).await);
    assert_eq!(kind, ProbeFailureKind::Loading);
    assert_eq!(message, format!("http://{loading}: answered 503 Service Unavailable: it is loading a model"));

    let (busy, _) = server(&[("/v1/models", 503, r#"{"error":"server busy"}"#)]).await;
    assert_eq!(failure(check("ollama", busy, false).await).0, ProbeFailureKind::Busy);
    let (busy, _) = server(&[("/v1/models", 429, "")]).await;
    assert_eq!(failure(check("omlx", busy, false).await).0, ProbeFailureKind::Busy);
    let (broken, _) = server(&[("/v1/models", 503, "")]).await;
    assert_eq!(failure(check("vllm", broken, false).await).0, ProbeFailureKind::Refused);

    let (empty, _) = server(&[("/v1/models", 200, r#"{"data":[{"id":"m","meta":null}]}"#)]).await;
    let (kind, message) = failure(check("llama-server", empty, false).await);
    assert_eq!(kind, ProbeFailureKind::Loading);
    assert_eq!(message, format!("http://{empty}: none of its models is loaded"));
}

#[tokio::test]
async fn a_second_question_tells_what_the_list_of_models_cannot() {
    const NOT_LOADED: &str = r#"{"data":[{"id":"m","type":"llm","state":"not-loaded"}]}"#;
    const NO_SLOT: &str =
        r#"{"error":{"code":503,"message":"no slot available","type":"unavailable_error"}}"#;
    type Case = (&'static str, &'static [(&'static str, u16, &'static str)], Option<ProbeFailureKind>);
    let cases: [Case; 9] = [
        ("llama-server", &[("/slots?fail_on_no_slot=1", 503, NO_SLOT)], Some(ProbeFailureKind::Busy)),
        ("llama-server", &[("/slots?fail_on_no_slot=1", 503, LOADING)], Some(ProbeFailureKind::Loading)),
        (
            "llama-server",
            &[("/slots?fail_on_no_slot=1", 200, r#"[{"is_processing":true}]"#)],
            Some(ProbeFailureKind::Busy),
        ),
        ("llama-server", &[("/slots?fail_on_no_slot=1", 501, "off")], None),
        (
            "vllm",
            &[("/metrics", 200, "vllm:num_requests_waiting{m=\"a\"} 2.0\n")],
            Some(ProbeFailureKind::Busy),
        ),
        ("vllm", &[("/metrics", 200, "vllm:num_requests_waiting{m=\"a\"} 0.0\n")], None),
        ("vllm", &[], None),
        ("sglang", &[("/metrics", 200, "sglang:num_queue_reqs 1\n")], Some(ProbeFailureKind::Busy)),
        ("lmstudio", &[("/api/v0/models", 200, NOT_LOADED)], Some(ProbeFailureKind::Loading)),
    ];
    for (provider_type, second, expected) in cases {
        let mut answers = vec![("/v1/models", 200, ONE_MODEL)];
        answers.extend(second);
        let (address, asked) = server(answers.leak()).await;
        let outcome = check(provider_type, address, true).await;
        let found = (outcome != ProbeOutcome::Alive).then(|| failure(outcome).0);
        assert_eq!(found, expected, "{provider_type} {second:?}");
        assert_eq!(asked.lock().unwrap().len(), 2, "{provider_type}");
    }
}

#[tokio::test]
async fn a_server_that_is_not_alive_is_not_asked_twice_and_some_types_never_are() {
    let (address, asked) = server(&[]).await;
    assert_eq!(failure(check("vllm", address, true).await).0, ProbeFailureKind::Refused);
    assert_eq!(asked.lock().unwrap().len(), 1);
    let (address, asked) = server(&[("/v1/models", 200, ONE_MODEL)]).await;
    assert_eq!(check("ollama", address, true).await, ProbeOutcome::Alive);
    assert_eq!(asked.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn both_requests_share_one_time_and_silence_to_the_second_is_ready() {
    let silent = serve(|mut stream, request| async move {
        if request.contains("/v1/models") {
            let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{ONE_MODEL}", ONE_MODEL.len());
            stream.write_all(answer.as_bytes()).await.unwrap();
            return;
        }
        let _open = stream;
        std::future::pending::<()>().await;
    })
    .await;
    let probe = HttpProbe::new(BRIEF * 5).unwrap().with_readiness(true);
    let started = Instant::now();
    assert_eq!(probe.check_alive("vllm", &format!("http://{silent}")).await, ProbeOutcome::Alive);
    assert!(started.elapsed() < AMPLE);
}

#[tokio::test]
async fn a_second_answer_is_bounded_and_redirected_nowhere() {
    let (elsewhere, visits) = server(&[("/metrics", 200, "vllm:num_requests_waiting 9\n")]).await;
    let redirecting = serve(move |mut stream, request| async move {
        let answer = if request.contains("/v1/models") {
            "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}".to_owned()
        } else {
            format!("HTTP/1.1 302 Found\r\nlocation: http://{elsewhere}/metrics\r\ncontent-length: 0\r\n\r\n")
        };
        let _ = stream.write_all(answer.as_bytes()).await;
    })
    .await;
    assert_eq!(check("vllm", redirecting, true).await, ProbeOutcome::Alive);
    assert_eq!(visits.lock().unwrap().len(), 0);

    let endless = serve(|mut stream, request| async move {
        let start = if request.contains("/v1/models") { "{}" } else { "vllm:num_requests_waiting 9\n" };
        let _ = stream.write_all(format!("HTTP/1.1 200 OK\r\n\r\n{start}").as_bytes()).await;
        while !request.contains("/v1/models") && stream.write_all(&[b'a'; 4096]).await.is_ok() {}
    })
    .await;
    assert_eq!(failure(check("vllm", endless, true).await).0, ProbeFailureKind::Busy);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_asks_the_second_question_by_a_flag() {
    let (address, _) = server(&[
        ("/v1/models", 200, ONE_MODEL),
        ("/metrics", 200, "vllm:num_requests_waiting{model_name=\"m\"} 2\n"),
    ])
    .await;
    let base = format!("http://{address}");
    tokio::task::spawn_blocking(move || {
        let home = Home::new();
        for command in ["collect", "warmup"] {
            let arguments = [command, "studio", "--type", "vllm", "--base-url", &base];
            assert_eq!(home.run(&arguments).only_json()["status"], "available", "{command}");
            let signal = home.run(&[&arguments[..], &["--readiness"]].concat()).only_json();
            assert_eq!(
                (&signal["status"], &signal["reason"]),
                (&"degraded".into(), &"busy".into()),
                "{signal}"
            );
            assert_eq!(signal["last_error_msg"], format!("{base}: requests wait in its queue: 2"));
        }
    })
    .await
    .unwrap();
}
