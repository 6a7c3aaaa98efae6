//! Liveness and readiness of local model servers: one bounded `GET <base>/v1/models`.
//!
//! A 2xx answer whose body ends, or fills 64 KiB, within the time-out is alive; everything else is not. Where
//! the answer says that no model is loaded or that the server is busy, that is told apart. With
//! [`with_readiness`](HttpProbe::with_readiness) a server that is alive is asked a second question, within the
//! same bounds and the same time: whether a slot is free (llama-server), what waits (vLLM, SGLang, TGI), what is
//! loaded (LM Studio). Each request opens its own connection, because a pooled one would show that the server was alive earlier.
//! No proxy of the system is asked, nothing is decompressed, no redirect leaves the origin, and link-local
//! addresses are refused after resolution. What is said of a failure names scheme, host and port only:
//! user information, path and query may hold secrets.

pub(crate) mod address;
mod answer;
mod readiness;
pub(crate) mod target;

use std::error::Error;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use futures_core::future::BoxFuture;
use reqwest::{Certificate, Client, ClientBuilder, StatusCode, Url, redirect};
use tokio::time::{Instant, timeout_at};

use address::{LinkLocalGuard, SystemResolver};
use answer::Answer;
use readiness::Question;
use target::Target;

use crate::cause;

/// How long a check may take in all, resolution and connection included: 3 seconds.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(3);

/// Longest message of a failure, in bytes.
pub const MAX_MESSAGE: usize = 512;

/// How much of the body is read, in bytes.
const MAX_BODY: usize = 64 * 1024;

/// How many redirects within the origin are followed.
const MAX_REDIRECTS: usize = 3;

/// What a liveness check found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProbeOutcome {
    /// The server answered 2xx in time.
    Alive,
    /// It did not.
    Failed {
        /// In which way.
        kind: ProbeFailureKind,
        /// Scheme, host, port and what happened; at most [`MAX_MESSAGE`] bytes.
        message: String,
    },
    /// There was no address to ask; the text says why. It has been logged.
    Unusable(String),
}

/// In which way a liveness check failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProbeFailureKind {
    /// No HTTP response came.
    Unreachable,
    /// Time ran out before the response was complete.
    Timeout,
    /// The server is up, its model is not loaded yet.
    Loading,
    /// The server is up, and has no slot free or requests waiting.
    Busy,
    /// A response came, but not a 2xx one.
    Refused,
}

/// Why a probe could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    /// The HTTP client refused its settings.
    #[error("the HTTP client for liveness checks cannot be set up: {0}")]
    Client(#[from] reqwest::Error),
}

/// A liveness check.
pub trait Probe: Send + Sync {
    /// Asks the server behind `base_url`, of this provider type, whether it is alive.
    fn check_alive<'a>(&'a self, provider_type: &'a str, base_url: &'a str) -> BoxFuture<'a, ProbeOutcome>;
}

/// The liveness check over HTTP. It needs a Tokio runtime with I/O and time enabled.
pub struct HttpProbe {
    timeout: Duration,
    asks_readiness: bool,
    resolver: Arc<LinkLocalGuard>,
    http: Client,
    /// Made at the first https check: loading the certificates of the system takes milliseconds and fails
    /// where there are none, and most local servers speak http.
    https: OnceLock<Client>,
}

impl HttpProbe {
    /// A probe whose checks take at most `timeout` each.
    ///
    /// # Errors
    ///
    /// [`ProbeError::Client`] when the HTTP client refuses its settings.
    pub fn new(timeout: Duration) -> Result<Self, ProbeError> {
        let resolver = Arc::new(LinkLocalGuard(Box::new(SystemResolver)));
        let http = client(&resolver).tls_certs_only(std::iter::empty::<Certificate>()).build()?;
        Ok(Self { timeout, asks_readiness: false, resolver, http, https: OnceLock::new() })
    }

    /// Whether a server that is alive is asked a second question: is it ready, or busy? Without an answer it
    /// counts as ready.
    #[must_use]
    pub fn with_readiness(self, asks_readiness: bool) -> Self {
        Self { asks_readiness, ..self }
    }

    async fn check(&self, provider_type: &str, base_url: &str) -> ProbeOutcome {
        let target = match Target::parse(base_url) {
            Ok(target) => target,
            Err(reason) => {
                tracing::warn!(reason, "liveness check left out");
                return ProbeOutcome::Unusable(reason);
            }
        };
        let ends_at = Instant::now() + self.timeout;
        let asked = timeout_at(ends_at, self.ask(&target, &target.models));
        let asked = asked.await.map(|asked| asked.and_then(|answer| answer.verdict(provider_type)));
        let asked = match asked {
            Ok(Ok(())) => Ok(self.ask_readiness(provider_type, &target, ends_at).await),
            other => other,
        };
        let (kind, what) = match asked {
            Ok(Ok(())) => return ProbeOutcome::Alive,
            Ok(Err(failure)) => failure,
            Err(_) => (ProbeFailureKind::Timeout, format!("no complete answer within {:?}", self.timeout)),
        };
        ProbeOutcome::Failed { kind, message: message(&target.label, &what) }
    }

    /// Fails where a server that is alive answers that it is loading, or busy.
    async fn ask_readiness(
        &self,
        provider_type: &str,
        target: &Target,
        ends_at: Instant,
    ) -> Result<(), Failure> {
        let Some(question) = Question::of(provider_type).filter(|_| self.asks_readiness) else {
            return Ok(());
        };
        let (path, query) = question.path();
        match timeout_at(ends_at, self.ask(target, &target.below_base(path, query))).await {
            Ok(Ok(answer)) => question.verdict(&answer, provider_type),
            Ok(Err(_)) | Err(_) => Ok(()),
        }
    }

    async fn ask(&self, target: &Target, url: &Url) -> Result<Answer, Failure> {
        if address::names_link_local(url) {
            return Err((ProbeFailureKind::Unreachable, address::AddressError::LinkLocal.to_string()));
        }
        let client = self.client_for(target)?;
        let mut response = client.get(url.clone()).send().await.map_err(|error| describe(&error))?;
        let status = response.status();
        let mut body = Vec::new();
        // Of refusals only this one is told apart by what it says.
        let is_read = status.is_success() || status == StatusCode::SERVICE_UNAVAILABLE;
        while is_read && body.len() < MAX_BODY {
            match response.chunk().await {
                Ok(Some(chunk)) => body.extend(chunk.iter().take(MAX_BODY - body.len())),
                Ok(None) => break,
                Err(_) if !status.is_success() => break,
                Err(error) => return Err(describe(&error)),
            }
        }
        Ok(Answer { status, body })
    }

    fn client_for(&self, target: &Target) -> Result<&Client, Failure> {
        if target.models.scheme() == "http" {
            return Ok(&self.http);
        }
        if let Some(ready) = self.https.get() {
            return Ok(ready);
        }
        let made = client(&self.resolver).build().map_err(|error| describe(&error))?;
        Ok(self.https.get_or_init(|| made))
    }
}

impl Probe for HttpProbe {
    fn check_alive<'a>(&'a self, provider_type: &'a str, base_url: &'a str) -> BoxFuture<'a, ProbeOutcome> {
        Box::pin(self.check(provider_type, base_url))
    }
}

type Failure = (ProbeFailureKind, String);

fn client(resolver: &Arc<LinkLocalGuard>) -> ClientBuilder {
    Client::builder()
        .user_agent(concat!("runtime-signals/", env!("CARGO_PKG_VERSION")))
        .dns_resolver(Arc::clone(resolver))
        .no_proxy()
        .referer(false)
        .redirect(redirect::Policy::custom(stay_within_origin))
        .pool_max_idle_per_host(0)
}

fn stay_within_origin(attempt: redirect::Attempt<'_>) -> redirect::Action {
    let same_origin = attempt.previous().last().is_some_and(|from| from.origin() == attempt.url().origin());
    if same_origin && attempt.previous().len() <= MAX_REDIRECTS { attempt.follow() } else { attempt.stop() }
}

/// What went wrong, from the innermost cause: the outer layers repeat the URL.
fn describe(error: &reqwest::Error) -> Failure {
    let timed_out = error.source().map(cause::innermost).is_some_and(cause::is_timeout);
    let kind = if timed_out { ProbeFailureKind::Timeout } else { ProbeFailureKind::Unreachable };
    (kind, cause::in_words(error))
}

/// What is said of a failure: one line of at most [`MAX_MESSAGE`] bytes.
pub(crate) fn message(label: &str, what: &str) -> String {
    let mut text = format!("{label}: {what}").replace(char::is_control, " ");
    text.truncate(text.floor_char_boundary(MAX_MESSAGE));
    text
}

#[cfg(test)]
mod tests {
    use super::{MAX_MESSAGE, message};

    #[test]
    fn a_message_is_cut_at_a_character_boundary() {
        let text = message("http://h:1", &"ß".repeat(MAX_MESSAGE));
        assert!(text.starts_with("http://h:1: ßß"));
        assert_eq!(text.len(), MAX_MESSAGE);
        assert!(message("http://h:12", &"ß".repeat(MAX_MESSAGE)).len() < MAX_MESSAGE);
    }

    #[test]
    fn a_message_is_one_line() {
        assert_eq!(message("http://h:1", "broken\r\nheader\u{1b}"), "http://h:1: broken  header ");
    }
}
