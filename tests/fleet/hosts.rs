//! Hosts of a fleet, and what they are asked.

use serde_json::{Value, json};

use super::redis_server::RedisServer;
use crate::cli::{Home, call};
use crate::serve::client::{ALONE, Service, configure, eventually};

/// The provider that tests are about: configured everywhere, reached from everywhere.
pub(crate) const OPENAI: &str = "[[providers]]\nname = \"openai\"\ntype = \"openai\"\n";

/// A configuration that shares signals by this server. Claims last for three refresh deadlines.
pub(crate) fn sharing(url: &str, more: &str) -> String {
    format!(
        "{ALONE}[cache]\nrefresh_deadline = \"1s\"\n[shared]\nurl = \"{url}\"\ntimeout = \"500ms\"\n{more}"
    )
}

/// A host of its own that shares signals by this server, connected to it.
pub(crate) fn host(server: &RedisServer, more: &str) -> Service {
    let host = Service::configured(&sharing(&server.url(), more));
    is_connected(&host);
    host
}

/// Some hosts alike.
pub(crate) fn hosts<const COUNT: usize>(server: &RedisServer, more: &str) -> [Service; COUNT] {
    std::array::from_fn(|_| host(server, more))
}

/// Another host on the cache that one has left.
pub(crate) fn host_at(home: Home, server: &RedisServer, more: &str) -> Service {
    configure(&home, &sharing(&server.url(), more));
    let host = Service::at(home, &[]);
    is_connected(&host);
    host
}

/// What a host says of the shared tier.
pub(crate) fn status(host: &Service) -> Value {
    host.get("/readyz").json()["shared"].take()
}

/// Waits until a host has its connection.
pub(crate) fn is_connected(host: &Service) {
    eventually(|| (status(host)["state"] == json!("connected")).then_some(()));
}

/// Waits until a host has noticed that the server is away.
pub(crate) fn is_away(host: &Service) {
    eventually(|| (status(host)["state"] == json!("away")).then_some(()));
}

/// A refusal for ten minutes that concerns one model.
pub(crate) fn refusal(provider: &str, model: &str) -> Value {
    let mut refusal = call(provider, 429, json!({"retry-after": "600"}));
    refusal["model"] = json!(model);
    refusal
}

/// A call that succeeds, sent now.
pub(crate) fn success(provider: &str, model: &str) -> Value {
    let mut success = call(provider, 200, json!({}));
    (success["model"], success["latency_ms"]) = (json!(model), json!(0));
    success
}

/// The models of which a host knows that they are refused; `[""]` for all of them.
pub(crate) fn refused(host: &Service, provider: &str) -> Vec<String> {
    let answer = host.get(&format!("/v1/signals/{provider}"));
    if answer.status == 404 {
        return Vec::new();
    }
    let signal = answer.json()["signal"].take();
    let cooldowns = signal["cooldowns"].as_array().cloned().unwrap_or_default();
    let models = cooldowns.iter().map(|cooldown| cooldown["scope"]["model"].as_str().unwrap_or_default());
    let mut models: Vec<String> = models.map(str::to_owned).collect();
    models.sort_unstable();
    models
}

/// Waits until a host knows that exactly these models are refused.
#[track_caller]
pub(crate) fn knows(host: &Service, provider: &str, models: &[&str]) {
    eventually(|| (refused(host, provider) == models).then_some(()));
}
