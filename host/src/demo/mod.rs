//! The whole path at work, without an account: simulated providers behind HTTP servers on loopback.
//!
//! They speak the dialects of OpenAI, Anthropic, OpenRouter and Ollama with quotas that count down and
//! refill; one fails and one hangs. A [`Demo`] calls them by a real HTTP client, hands each response to a
//! [`Service`], and shows what another process would read from the disk. Before each call it asks whether
//! the provider can take it: one that is exhausted is left alone until its reset.
//!
//! The servers end when the demo is dropped. What a provider does wrong is shown, never an error.

mod providers;
mod quota;
mod server;

use std::sync::Arc;
use std::time::{Duration, Instant};

use reqwest::{Certificate, Client};
use tokio::task::JoinSet;

use self::providers::Provider;
use self::server::Server;
use crate::cause;
use crate::clock::SystemClock;
use crate::error::Error;
use crate::observation::Observation;
use crate::service::{CachedSignal, Service};
use crate::signal::ModelStatus;
use crate::store::CollectInput;

/// How long a call may take: far longer than any simulated provider takes, save the one that hangs.
const CALL_TIMEOUT: Duration = Duration::from_millis(800);
/// What is sent.
const PROMPT: &str = r#"{"messages":[{"role":"user","content":"Hello?"}]}"#;

/// Why the demo cannot run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DemoError {
    /// A simulated provider cannot be served.
    #[error(
        "no server for the simulated provider {provider} on 127.0.0.1: {error}; allow loopback connections"
    )]
    Serve {
        /// The provider.
        provider: &'static str,
        /// What the system says.
        error: std::io::Error,
    },
    /// The HTTP client refused its settings.
    #[error("the HTTP client cannot be set up: {0}")]
    Client(#[from] reqwest::Error),
    /// A signal cannot be recorded, written or read.
    #[error(transparent)]
    Signals(#[from] Error),
}

/// Simulated providers, and a client that calls them.
pub struct Demo {
    service: Service,
    client: Client,
    targets: Vec<Arc<Target>>,
}

/// A provider as its caller knows it.
struct Target {
    name: &'static str,
    provider_type: &'static str,
    model: &'static str,
    server: Server,
}

impl Demo {
    /// Starts the providers with full quotas. `service` keeps what is found. Needs a Tokio runtime with I/O
    /// and time enabled, as do the rounds.
    ///
    /// # Errors
    /// [`DemoError::Serve`] and [`DemoError::Client`].
    pub async fn start(service: Service) -> Result<Self, DemoError> {
        // Plain HTTP to ourselves: no proxy of the system, and no certificates to load.
        let client = Client::builder().no_proxy().tls_certs_only(std::iter::empty::<Certificate>());
        let client = client.timeout(CALL_TIMEOUT).build()?;
        let mut targets = Vec::new();
        for provider in providers::all(service.store().now()) {
            let Provider { name, provider_type, model, .. } = provider;
            let server = Server::start(provider, Arc::new(SystemClock)).await;
            let server = server.map_err(|error| DemoError::Serve { provider: name, error })?;
            targets.push(Arc::new(Target { name, provider_type, model, server }));
        }
        Ok(Self { service, client, targets })
    }

    /// Makes up to `calls` calls in a row to each provider, all providers at the same time, and returns what
    /// is on disk then, in a fixed order. A provider is called no more when it is exhausted, or when it did
    /// not answer.
    ///
    /// # Errors
    /// [`DemoError::Signals`].
    pub async fn round(&self, calls: u32) -> Result<Vec<CachedSignal>, DemoError> {
        let mut callers = JoinSet::new();
        for target in &self.targets {
            let caller =
                Caller { service: self.service.clone(), client: self.client.clone(), target: target.clone() };
            callers.spawn(caller.run(calls));
        }
        callers.join_all().await.into_iter().collect::<Result<(), _>>()?;
        self.service.flush()?;
        let stored =
            self.targets.iter().filter_map(|target| self.service.read_cached(target.name).transpose());
        Ok(stored.collect::<Result<_, _>>()?)
    }
}

/// Calls one provider.
struct Caller {
    service: Service,
    client: Client,
    target: Arc<Target>,
}

impl Caller {
    async fn run(self, calls: u32) -> Result<(), Error> {
        let Target { name, provider_type, server, .. } = &*self.target;
        if *provider_type == "ollama" {
            let base_url = server.base_url.clone();
            let input = CollectInput { provider_type: (*provider_type).to_owned(), base_url };
            self.service.warmup(name, &input).await?;
        }
        for _ in 0..calls {
            let known = self.service.recorded(name)?;
            if known.status == ModelStatus::Exhausted || !self.call().await? {
                break;
            }
        }
        Ok(())
    }

    /// Makes one call and observes what comes of it. Whether there was an answer.
    async fn call(&self) -> Result<bool, Error> {
        let Target { name, provider_type, model, server } = &*self.target;
        let sent = Instant::now();
        let request = self.client.post(format!("{}/v1/chat/completions", server.base_url));
        let request = request.header("content-type", "application/json").body(PROMPT);
        let answer = async {
            let response = request.send().await?;
            let (ttfb, status, headers) = (sent.elapsed(), response.status(), response.headers().clone());
            Ok::<_, reqwest::Error>((ttfb, status, headers, response.bytes().await?))
        };
        match answer.await {
            Ok((ttfb, status, headers, body)) => {
                let mut observation = Observation::new(name, provider_type, &headers, sent.elapsed());
                observation.status = Some(status.as_u16());
                observation.body = Some(&body);
                observation.ttfb = Some(ttfb);
                observation.model = Some(model);
                self.service.observe_response(&observation)?;
                Ok(true)
            }
            Err(error) => {
                let error = cause::in_words(&error);
                let mut observation = Observation::failed(name, provider_type, &error, sent.elapsed());
                observation.model = Some(model);
                self.service.observe_response(&observation)?;
                Ok(false)
            }
        }
    }
}
