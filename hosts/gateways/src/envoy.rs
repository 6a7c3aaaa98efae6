//! Envoy with the configuration of the documentation.

use std::fs;
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

use crate::client::Client;
use crate::program::{Program, checkout, component, eventually, provided};

/// What a test changes of the documented configuration.
pub struct Setup<'a> {
    /// The module.
    pub module: &'a str,
    /// The plugin's configuration; the documented one where it is absent.
    pub plugin: Option<&'a str>,
    /// Worker threads.
    pub workers: u32,
    /// The port of both providers.
    pub provider: u16,
    /// The port of the service.
    pub service: u16,
    /// More lines, each put before the line that begins with the first text.
    pub inserts: &'a [(&'a str, &'a str)],
}

impl Setup<'_> {
    /// One worker, the documented plugin.
    #[must_use]
    pub fn new(provider: u16) -> Self {
        let service = crate::mock::closed_port();
        Self { module: "envoy.wasm", plugin: None, workers: 1, provider, service, inserts: &[] }
    }

    /// The documented configuration with what is changed.
    #[must_use]
    pub fn configuration(&self) -> String {
        let example = fs::read_to_string(checkout("docs/gateways/envoy.yaml")).unwrap();
        let mut text = String::new();
        let mut lines = example.lines().peekable();
        let depth = |line: &str| line.len() - line.trim_start().len();
        while let Some(line) = lines.next() {
            for (before, insert) in self.inserts {
                if line.trim_start().starts_with(before) {
                    text += &format!("{}{insert}\n", " ".repeat(depth(line)));
                }
            }
            match line.trim() {
                // No TLS towards a mock.
                "transport_socket:" => while lines.next_if(|next| depth(next) > depth(line)).is_some() {},
                "value: |" if self.plugin.is_some() => {
                    while lines.next_if(|next| depth(next) > depth(line)).is_some() {}
                    let json = serde_json::to_string(self.plugin.unwrap_or_default()).unwrap();
                    text += &format!("{}value: {json}\n", " ".repeat(depth(line)));
                }
                _ => text += &format!("{line}\n"),
            }
        }
        let module = component(self.module);
        let port = |port: u16| format!("address: 127.0.0.1, port_value: {port} ");
        for (documented, own) in [
            ("address: 127.0.0.1, port_value: 9901 ", port(0)),
            ("address: 127.0.0.1, port_value: 10000 ", port(0)),
            ("address: api.openai.com, port_value: 443 ", port(self.provider)),
            ("address: 127.0.0.1, port_value: 8000 ", port(self.provider)),
            ("address: 127.0.0.1, port_value: 7433 ", port(self.service)),
            ("/etc/envoy/runtime-signals-envoy.wasm", module.display().to_string()),
        ] {
            assert!(text.contains(documented), "docs/gateways/envoy.yaml has no `{documented}`");
            text = text.replace(documented, &own);
        }
        text
    }

    /// The same without the plugin.
    #[must_use]
    pub fn without_plugin(&self) -> String {
        let text = self.configuration();
        let (before, rest) = text.split_once("                  - name: runtime-signals\n").unwrap();
        let (_, after) = rest.split_once("                  - name: envoy.filters.http.router\n").unwrap();
        format!("{before}                  - name: envoy.filters.http.router\n{after}")
    }
}

/// A running Envoy.
pub struct Envoy {
    program: Program,
    /// The port for requests.
    pub port: u16,
    admin: u16,
    _folder: TempDir,
}

impl Envoy {
    /// Starts it and waits until it takes requests.
    #[must_use]
    pub fn start(setup: &Setup<'_>) -> Self {
        Self::start_with(&setup.configuration(), setup.workers)
    }

    /// Starts it with a whole configuration.
    #[must_use]
    pub fn start_with(configuration: &str, workers: u32) -> Self {
        let (mut program, folder) = launch(configuration, workers);
        let admin = program.until("the admin port is known", || {
            let address = fs::read_to_string(folder.path().join("admin")).ok()?;
            address.rsplit_once(':')?.1.trim().parse().ok()
        });
        let port = program.until("it takes requests", || {
            let listeners = Client::connect(admin).get("admin", "/listeners?format=json").text();
            let listeners: serde_json::Value = serde_json::from_str(&listeners).ok()?;
            let ready = Client::connect(admin).get("admin", "/ready").status == 200;
            let port = listeners.pointer("/listener_statuses/0/local_address/socket_address/port_value")?;
            port.as_u64().filter(|_| ready)?.try_into().ok()
        });
        Self { program, port, admin, _folder: folder }
    }

    /// The value of a metric by its whole name; `None` where there is none.
    #[must_use]
    pub fn metric(&self, name: &str) -> Option<u64> {
        let stats = Client::connect(self.admin).get("admin", &format!("/stats?filter={name}")).text();
        let line = stats.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        line.and_then(|value| value.parse().ok())
    }

    /// The value of a provider's metric.
    #[must_use]
    pub fn provider_metric(&self, provider: &str, metric: &str) -> u64 {
        let name = format!("wasmcustom.runtime_signals.provider.{provider}.{metric}");
        self.metric(&name).unwrap_or_else(|| panic!("no metric {name}"))
    }

    /// Waits until a metric has a value.
    pub fn until_metric(&self, name: &str, value: u64) {
        eventually(&format!("{name} is {value}"), || self.metric(name).filter(|present| *present == value));
    }

    /// The metrics in the form of Prometheus.
    #[must_use]
    pub fn prometheus(&self) -> String {
        Client::connect(self.admin).get("admin", "/stats/prometheus?filter=runtime_signals").text()
    }

    /// What it has said so far.
    #[must_use]
    pub fn said(&self) -> String {
        self.program.said()
    }

    /// Processor time that it has taken so far.
    #[must_use]
    pub fn cpu_time(&self) -> Duration {
        self.program.cpu_time()
    }
}

/// Starts an Envoy that has to refuse its configuration, and gives what it says.
#[must_use]
pub fn refusal(setup: &Setup<'_>) -> String {
    let (mut program, _folder) = launch(&setup.configuration(), setup.workers);
    assert!(!program.ended(), "the configuration is taken");
    program.said()
}

fn launch(configuration: &str, workers: u32) -> (Program, TempDir) {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("envoy.yaml");
    fs::write(&file, configuration).unwrap();
    let mut envoy = Command::new(provided("RUNTIME_SIGNALS_ENVOY"));
    envoy.arg("--config-path").arg(&file).arg("--admin-address-path").arg(folder.path().join("admin"));
    envoy.args(["--concurrency", &workers.to_string(), "--disable-hot-restart", "--log-level", "warning"]);
    (Program::start(&mut envoy, folder.path().join("log")), folder)
}
