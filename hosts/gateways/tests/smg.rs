//! The component in Shepherd Model Gateway, deployed while it runs.

use std::io::Write;
use std::process::Command;

use runtime_signals_gateways::client::{Client, Response};
use runtime_signals_gateways::mock::{Mock, Request, closed_port, response};
use runtime_signals_gateways::program::{Program, component, eventually, provided};
use serde_json::{Value, json};
use tempfile::TempDir;

const CHAT: &str = "/v1/chat/completions";
const COMPLETION: &str = r#"{"id":"c","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,
    "message":{"role":"assistant","content":"hi"},"finish_reason":"stop"}],
    "usage":{"prompt_tokens":1,"completion_tokens":1,"total_tokens":2}}"#;

const STREAM: &str = "data: {\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\",\
    \"choices\":[{\"index\":0,\"delta\":{\"content\":\"hi\"}}]}\n\ndata: [DONE]\n\n";

/// A worker with one model, which refuses whoever asks it to.
fn worker() -> Mock {
    Mock::start(|request: &Request, to: &mut dyn Write| {
        let limits = [("x-ratelimit-remaining-requests", "59"), ("x-ratelimit-reset-requests", "20s")];
        let refusal = [("retry-after", "30")];
        to.write_all(&match request.path.as_str() {
            "/v1/models" => response(200, &[], r#"{"object":"list","data":[{"id":"m","object":"model"}]}"#),
            CHAT if request.body.contains("refuse") => {
                response(429, &refusal, r#"{"error":{"message":"slow down","type":"rate_limit_exceeded"}}"#)
            }
            CHAT if request.body.contains(r#""stream":true"#) => stream(&limits),
            CHAT => response(200, &limits, COMPLETION),
            "/server_info" | "/get_server_info" | "/model_info" | "/get_model_info" => {
                response(200, &[], r#"{"model_path":"m","served_model_name":"m"}"#)
            }
            _ => response(200, &[], "{}"),
        })
    })
}

fn stream(headers: &[(&str, &str)]) -> Vec<u8> {
    let text = String::from_utf8(response(200, headers, STREAM)).unwrap();
    text.replacen("application/json", "text/event-stream", 1).into_bytes()
}

struct Gateway {
    program: Program,
    port: u16,
    folder: TempDir,
}

impl Gateway {
    fn start(worker: &Mock, more: &[&str]) -> Self {
        let (port, folder) = (closed_port(), TempDir::new().unwrap());
        let mut smg = Command::new(provided("RUNTIME_SIGNALS_SMG"));
        smg.args(["launch", "--host", "127.0.0.1", "--port", &port.to_string()]);
        smg.args(["--worker-urls", &format!("http://127.0.0.1:{}", worker.port)]);
        smg.args(["--prometheus-port", &closed_port().to_string(), "--disable-retries", "--enable-wasm"]);
        smg.args(more);
        let mut program = Program::start(&mut smg, folder.path().join("log"));
        program.until("it listens", || std::net::TcpStream::connect(("127.0.0.1", port)).ok());
        let gateway = Self { program, port, folder };
        eventually("its worker is there", || Some(gateway.chat("hello")).filter(|chat| chat.status == 200));
        gateway
    }

    fn client(&self) -> Client {
        Client::connect(self.port)
    }

    fn chat(&self, content: &str) -> Response {
        let request = json!({ "model": "m", "messages": [{ "role": "user", "content": content }] });
        self.client().post("gateway", CHAT, &request.to_string())
    }

    /// Deploys the component; the gateway takes files of few folders only.
    fn deploy(&self) -> String {
        let file = self.folder.path().join("smg.wasm");
        std::fs::copy(component("smg.wasm"), &file).unwrap();
        let module = json!({
            "name": "runtime-signals", "file_path": file, "module_type": "Middleware",
            "attach_points": [{ "Middleware": "OnResponse" }],
        });
        let answer = self.client().post("gateway", "/wasm", &json!({ "modules": [module] }).to_string());
        assert_eq!(answer.status, 200, "{} {}", answer.text(), self.program.said());
        let answer: Value = serde_json::from_slice(&answer.body).unwrap();
        answer["modules"][0]["add_result"]["Success"].as_str().expect("it is deployed").to_owned()
    }
}

#[test]
fn a_response_is_tagged_while_the_component_is_deployed() {
    let worker = worker();
    let gateway = Gateway::start(&worker, &[]);
    assert_eq!(gateway.chat("hello").header("x-provider-status"), None);
    let module = gateway.deploy();
    let chat = gateway.chat("hello");
    assert_eq!(chat.header("x-provider-status"), Some("available;remaining=59;reset=20"));
    let refused = gateway.chat("refuse");
    assert_eq!(refused.status, 429);
    assert!(
        refused.header("x-provider-status").is_some_and(|status| status.starts_with("exhausted;remaining=0"))
    );
    // Nothing is kept: the next response is told by itself.
    assert_eq!(gateway.chat("hello").header("x-provider-status"), Some("available;remaining=59;reset=20"));
    // The gateway keeps streams from components.
    let request =
        json!({ "model": "m", "stream": true, "messages": [{ "role": "user", "content": "hello" }] });
    let stream = gateway.client().post("gateway", CHAT, &request.to_string());
    assert_eq!((stream.status, stream.header("x-provider-status")), (200, None));
    assert!(stream.text().contains("[DONE]"), "{}", stream.text());
    let mut client = gateway.client();
    client.send("DELETE", "gateway", &format!("/wasm/{module}"), "");
    assert_eq!(client.receive().status, 200);
    eventually("it is removed", || gateway.chat("hello").header("x-provider-status").is_none().then_some(()));
}

#[test]
fn behind_the_openai_backend_only_status_and_body_speak() {
    let worker = worker();
    let gateway = Gateway::start(&worker, &["--backend", "openai"]);
    gateway.deploy();
    assert_eq!(gateway.chat("hello").header("x-provider-status"), Some("available"));
    let refused = gateway.chat("refuse");
    assert!(
        refused.header("x-provider-status").is_some_and(|status| status.starts_with("exhausted")),
        "{refused:?}"
    );
}
