//! A running service, as the commands ask it: over HTTP or its socket, with its token, within bounds.
//!
//! No redirect is followed and no proxy of the system is asked, so that the token goes nowhere else. What cannot be
//! had is an error that says what to do: nothing falls back to the cache in silence.

mod answer;
mod error;
mod events;
mod providers;
mod signals;

use std::time::Duration;

use http::{HeaderValue, Method, header};
use reqwest::{Certificate, Client, Response, Url, redirect};
use runtime_signals::config::ServiceAddress;
use runtime_signals::server::Token;

pub(super) use self::answer::{Answer, Refusal};
pub(super) use self::error::RemoteError;
pub(super) use self::events::{Event, Events};
pub(super) use self::providers::{Kind, kinds};
pub(super) use self::signals::{Seen, entries, signal, signals};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// The largest answer, in bytes: the signals of 20,000 providers and more.
const MOST_BYTES: usize = 64 << 20;
/// Stands for the host of a socket.
const SOCKET_BASE: &str = "http://localhost/";

/// A service that is asked.
pub(super) struct Remote {
    client: Client,
    base: Url,
    authorization: Option<HeaderValue>,
    address: ServiceAddress,
    /// How long an answer may take beyond what the service is asked to wait.
    patience: Duration,
}

impl Remote {
    /// For the service at this address, whose answers may take so long; `None` for none.
    pub(super) fn new(
        address: &ServiceAddress,
        token: Option<&Token>,
        patience: Duration,
    ) -> Result<Option<Self>, RemoteError> {
        let builder = Client::builder()
            .user_agent(concat!("runtime-signals/", env!("CARGO_PKG_VERSION")))
            .no_proxy()
            .referer(false)
            .redirect(redirect::Policy::none())
            .connect_timeout(CONNECT_TIMEOUT.min(patience));
        let unusable = |error| RemoteError::Client { address: address.clone(), error };
        let (builder, base) = match address {
            ServiceAddress::Off => return Ok(None),
            ServiceAddress::Socket(path) => {
                let base = Url::parse(SOCKET_BASE).map_err(|error| unusable(error.to_string()))?;
                (without_certificates(builder.unix_socket(path.as_path())), base)
            }
            ServiceAddress::Network(url) if url.scheme() == "https" => (builder, url.clone()),
            ServiceAddress::Network(url) => (without_certificates(builder), url.clone()),
        };
        let client = builder.build().map_err(|error| unusable(error::innermost(&error)))?;
        let authorization = token.map(Token::bearer);
        Ok(Some(Self { client, base, authorization, address: address.clone(), patience }))
    }

    /// Where it is.
    pub(super) fn address(&self) -> &ServiceAddress {
        &self.address
    }

    /// Asks for a path, relative to the address.
    pub(super) async fn get(&self, path: &str, query: &[(&str, String)]) -> Result<Answer, RemoteError> {
        self.get_within(path, query, self.patience).await
    }

    /// The same where the answer may be held back for so long.
    pub(super) async fn get_held(
        &self,
        path: &str,
        query: &[(&str, String)],
        held: Duration,
    ) -> Result<Answer, RemoteError> {
        self.get_within(path, query, held.saturating_add(self.patience)).await
    }

    async fn get_within(
        &self,
        path: &str,
        query: &[(&str, String)],
        patience: Duration,
    ) -> Result<Answer, RemoteError> {
        let request = self.request(Method::GET, self.url(path, query)?);
        self.whole(request.timeout(patience)).await
    }

    /// Sends observations, one a line.
    pub(super) async fn post_lines(&self, path: &str, lines: Vec<u8>) -> Result<Answer, RemoteError> {
        let request = self.request(Method::POST, self.url(path, &[])?);
        let request = request.header(header::CONTENT_TYPE, "application/x-ndjson").body(lines);
        self.whole(request.timeout(self.patience)).await
    }

    fn url(&self, path: &str, query: &[(&str, String)]) -> Result<Url, RemoteError> {
        let mut url = self.base.join(path).map_err(|error| RemoteError::Client {
            address: self.address.clone(),
            error: error.to_string(),
        })?;
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        Ok(url)
    }

    fn request(&self, method: Method, url: Url) -> reqwest::RequestBuilder {
        let request = self.client.request(method, url);
        match &self.authorization {
            Some(token) => request.header(header::AUTHORIZATION, token),
            None => request,
        }
    }

    async fn whole(&self, request: reqwest::RequestBuilder) -> Result<Answer, RemoteError> {
        let response = request.send().await;
        self.bounded(response.map_err(|error| RemoteError::unreachable(&self.address, &error))?).await
    }

    async fn bounded(&self, mut response: Response) -> Result<Answer, RemoteError> {
        let broken = |error| RemoteError::unreachable(&self.address, &error);
        let status = response.status();
        let mut body = Vec::new();
        while let Some(part) = response.chunk().await.map_err(broken)? {
            if body.len() + part.len() > MOST_BYTES {
                return Err(RemoteError::strange(&self.address, "it answers more than 64 MiB"));
            }
            body.extend_from_slice(&part);
        }
        Answer::new(&self.address, status, body)
    }
}

/// Loading the certificates of the system takes milliseconds, and fails where there are none.
fn without_certificates(builder: reqwest::ClientBuilder) -> reqwest::ClientBuilder {
    builder.tls_certs_only(std::iter::empty::<Certificate>())
}

/// The path of a provider's signal. Names of providers may hold what paths may not.
pub(super) fn signal_path(provider: &str) -> String {
    format!(
        "v1/signals/{}",
        percent_encoding::utf8_percent_encode(provider, percent_encoding::NON_ALPHANUMERIC)
    )
}
