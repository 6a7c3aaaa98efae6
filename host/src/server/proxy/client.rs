//! The HTTP client that calls providers: HTTP/1.1, connections kept for the next call, nothing done on its own account:
//! no redirects, no proxy of the system, no decompression, no header added.

use std::io;
use std::net::SocketAddr;
use std::sync::OnceLock;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_core::future::BoxFuture;
use http::{Request, Response, Uri};
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::dns::Name;
use hyper_util::client::legacy::{Client, Error};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tower_service::Service;

use super::BoxError;
use super::upload::Upload;
use crate::probe::address::usable;

/// How long a connection is kept that nobody uses: shorter than most servers keep theirs, so that few calls meet one
/// that is just being closed.
const KEPT: Duration = Duration::from_secs(30);
/// The largest head of a response, and what is read at once of a body, in bytes.
const MOST_HEAD: usize = 64 << 10;

/// Where connections come from.
type Plain = InTime<HttpConnector<Resolver>>;
type Secure = InTime<HttpsConnector<HttpConnector<Resolver>>>;

/// Calls providers.
pub(super) struct ProxyClient {
    connect_timeout: Duration,
    plain: Client<Plain, Upload>,
    /// Made at the first call over TLS: loading the certificates of the system takes milliseconds and fails where there
    /// are none, and local servers speak without.
    secure: OnceLock<Client<Secure, Upload>>,
}

/// Why there is no response.
#[derive(Debug, thiserror::Error)]
pub(super) enum CallError {
    /// There is no TLS.
    #[error("the certificates of the system cannot be used: {0}")]
    Tls(String),
    /// The connection was not made, or it broke.
    #[error(transparent)]
    Call(#[from] Error),
}

impl ProxyClient {
    pub(super) fn new(connect_timeout: Duration) -> Self {
        let plain = build(InTime { inner: connector(), limit: connect_timeout });
        Self { connect_timeout, plain, secure: OnceLock::new() }
    }

    /// How long a connection may take.
    pub(super) fn connect_timeout(&self) -> Duration {
        self.connect_timeout
    }

    /// Sends a request and waits for the head of the response.
    pub(super) async fn send(&self, request: Request<Upload>) -> Result<Response<Incoming>, CallError> {
        if request.uri().scheme() == Some(&http::uri::Scheme::HTTP) {
            return Ok(self.plain.request(request).await?);
        }
        Ok(self.secure()?.request(request).await?)
    }

    fn secure(&self) -> Result<&Client<Secure, Upload>, CallError> {
        if let Some(ready) = self.secure.get() {
            return Ok(ready);
        }
        let tls = HttpsConnectorBuilder::new().try_with_platform_verifier();
        let tls = tls.map_err(|error| CallError::Tls(error.to_string()))?;
        let inner = tls.https_only().enable_http1().wrap_connector(connector());
        let made = build(InTime { inner, limit: self.connect_timeout });
        Ok(self.secure.get_or_init(|| made))
    }
}

fn connector() -> HttpConnector<Resolver> {
    let mut connector = HttpConnector::new_with_resolver(Resolver);
    connector.set_nodelay(true);
    connector.enforce_http(false);
    connector
}

fn build<C>(connector: C) -> Client<C, Upload>
where
    C: hyper_util::client::legacy::connect::Connect + Clone,
{
    Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(KEPT)
        .http1_max_buf_size(MOST_HEAD)
        .http1_preserve_header_case(true)
        .set_host(false)
        .build(connector)
}

/// The operating system's resolver without link-local addresses: cloud machines hand out credentials there.
#[derive(Clone)]
struct Resolver;

impl Service<Name> for Resolver {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Self::Response, BoxError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            Ok(usable(found)?.into_iter())
        })
    }
}

/// Makes connections within a time: the name, all its addresses and TLS included.
#[derive(Clone)]
struct InTime<C> {
    inner: C,
    limit: Duration,
}

impl<C> Service<Uri> for InTime<C>
where
    C: Service<Uri, Error: Into<BoxError>, Future: Send + 'static>,
{
    type Response = C::Response;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<C::Response, BoxError>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let limit = self.limit;
        let connecting = tokio::time::timeout(limit, self.inner.call(uri));
        Box::pin(async move {
            match connecting.await {
                Ok(connected) => connected.map_err(Into::into),
                Err(_) => {
                    let what = format!("no connection within {limit:?}");
                    Err(io::Error::new(io::ErrorKind::TimedOut, what).into())
                }
            }
        })
    }
}
