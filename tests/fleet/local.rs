//! What is on loopback belongs to one machine, and stays there.

use serde_json::{Value, json};

use super::hosts::{OPENAI, host, knows, refusal, refused};
use super::redis_server::RedisServer;
use crate::cli::call;

const LOCAL: &str =
    "[[providers]]\nname = \"gpu\"\ntype = \"vllm\"\nbase_url = \"http://127.0.0.1:1\"\ninterval = \"1h\"\n";
const REMOTE: &str = "[[providers]]\nname = \"gpu\"\ntype = \"vllm\"\nbase_url = \"http://203.0.113.1:1\"\ninterval = \"1h\"\n";

fn of_type(mut call: Value, provider_type: &str) -> Value {
    call["type"] = json!(provider_type);
    call
}

#[test]
fn providers_on_loopback_are_never_published() {
    let server = RedisServer::start();
    let more =
        "[[providers]]\nname = \"named\"\ntype = \"openai\"\nbase_url = \"https://localhost:8443/v1\"\n";
    let first = host(&server, &format!("{OPENAI}{LOCAL}{more}"));
    let second = host(&server, OPENAI);
    let refused_call = |provider| call(provider, 429, json!({"retry-after": "600"}));
    first.observe(&[
        refused_call("gpu"),
        refused_call("named"),
        // Nobody has configured these two; the type tells where such servers run.
        of_type(refused_call("mine"), "ollama"),
        refused_call("gateway"),
    ]);
    // The last one in turn: when it is known, the others would be.
    first.observe(&[refusal("openai", "gpt-5")]);
    knows(&second, "openai", &["gpt-5"]);
    knows(&second, "gateway", &[""]);
    assert_eq!(server.providers(), ["gateway", "openai"]);
    for provider in ["gpu", "named", "mine"] {
        assert_eq!(first.signal(provider)["status"], json!("exhausted"));
        assert_eq!(second.get(&format!("/v1/signals/{provider}")).status, 404);
    }
}

#[test]
fn another_hosts_provider_of_the_same_name_does_not_touch_one_on_loopback() {
    let server = RedisServer::start();
    let first = host(&server, &format!("{OPENAI}{REMOTE}"));
    let second = host(&server, &format!("{OPENAI}{LOCAL}"));
    first.observe(&[refusal("gpu", "qwen")]);
    first.observe(&[refusal("openai", "gpt-5")]);
    knows(&second, "openai", &["gpt-5"]);
    assert!(server.providers().contains(&"gpu".to_owned()));
    assert_eq!(refused(&second, "gpu"), [""; 0]);
    // One that starts when it is there already leaves it there, too.
    let third = host(&server, &format!("{OPENAI}{LOCAL}"));
    knows(&third, "openai", &["gpt-5"]);
    assert_eq!(refused(&third, "gpu"), [""; 0]);
}
