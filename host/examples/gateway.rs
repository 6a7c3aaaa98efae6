//! A gateway that embeds the library: a layer around the HTTP client observes every call to a provider, and the one
//! route sends each request to the provider that can take it, by signal and wait.
//!
//! `cargo run --example gateway -- 127.0.0.1:8080 openai=openai=https://api.openai.com groq=groq=https://api.groq.com/openai`
//! names providers as NAME=TYPE=BASE_URL; the key of each is taken from NAME_API_KEY. All have to understand the same
//! requests.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant, SystemTime};

use anyhow::Context as _;
use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::request::Parts;
use http::{HeaderMap, StatusCode, header};
use hyper::body::{Frame, SizeHint};
use runtime_signals::rank::{self, Candidate, Ranking, Strategy, rank};
use runtime_signals::{Need, Observation, Scope, Service, SignalCache, Store};
use tower::{Layer, ServiceExt};

/// Longest request, in bytes: it is kept, to be sent again elsewhere.
const MOST_BODY: usize = 16 << 20;
/// What the library looks at of the body of an error, in bytes.
const MOST_EXCERPT: usize = 64 << 10;
/// Headers that belong to one connection.
const HOP_BY_HOP: [&str; 5] = ["connection", "keep-alive", "trailer", "transfer-encoding", "upgrade"];

/// A provider that requests can go to.
pub(crate) struct Provider {
    /// The name of its signal.
    pub(crate) name: String,
    /// How its responses are read.
    pub(crate) provider_type: String,
    /// What the path of a request is put behind.
    pub(crate) base_url: String,
    /// Its key, if it asks for one.
    pub(crate) key: Option<String>,
}

/// Observes every call that a client makes to a provider.
#[derive(Clone)]
pub(crate) struct ObserveLayer {
    /// Where observations go.
    pub(crate) signals: Service,
    /// Whom the client calls.
    pub(crate) provider: Arc<Provider>,
}

impl<S> Layer<S> for ObserveLayer {
    type Service = Observe<S>;

    fn layer(&self, inner: S) -> Observe<S> {
        Observe { inner, layer: self.clone() }
    }
}

/// A client that is observed.
#[derive(Clone)]
pub(crate) struct Observe<S> {
    inner: S,
    layer: ObserveLayer,
}

impl<S> tower::Service<reqwest::Request> for Observe<S>
where
    S: tower::Service<reqwest::Request, Response = reqwest::Response, Error = reqwest::Error>,
    S::Future: Send + 'static,
{
    type Response = Response;
    type Error = reqwest::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response, reqwest::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), reqwest::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: reqwest::Request) -> Self::Future {
        let model = request.body().and_then(|body| model_in(body.as_bytes()?));
        let mut call = Call::begin(&self.layer, model);
        let responding = self.inner.call(request);
        Box::pin(async move {
            match responding.await {
                Ok(response) => {
                    let (head, body) = http::Response::from(response).into_parts();
                    call.head = Some((head.status, head.headers.clone()));
                    let body = ObservedBody { inner: Body::new(body), call };
                    Ok(Response::from_parts(head, Body::new(body)))
                }
                Err(error) => {
                    call.end(Some(kind(&error)));
                    Err(error)
                }
            }
        })
    }
}

/// What went wrong, without the address.
fn kind(error: &reqwest::Error) -> &'static str {
    if error.is_timeout() {
        "the request timed out"
    } else if error.is_connect() {
        "the connection failed"
    } else {
        "the exchange broke off"
    }
}

/// One call under way. It is observed once, at its end.
struct Call {
    layer: ObserveLayer,
    model: Option<String>,
    sent: Instant,
    head: Option<(StatusCode, HeaderMap)>,
    first_byte: Option<Instant>,
    excerpt: Vec<u8>,
    ended: bool,
}

impl Call {
    fn begin(layer: &ObserveLayer, model: Option<String>) -> Self {
        let (layer, excerpt) = (layer.clone(), Vec::new());
        Self { layer, model, sent: Instant::now(), head: None, first_byte: None, excerpt, ended: false }
    }

    fn receive(&mut self, part: &[u8]) {
        self.first_byte.get_or_insert_with(Instant::now);
        if self.head.as_ref().is_some_and(|(status, _)| !status.is_success()) {
            let room = MOST_EXCERPT.saturating_sub(self.excerpt.len());
            self.excerpt.extend(part.iter().take(room));
        }
    }

    fn end(&mut self, error: Option<&str>) {
        if std::mem::replace(&mut self.ended, true) {
            return;
        }
        let (status, headers) = self.head.take().unzip();
        let headers = headers.unwrap_or_default();
        let ObserveLayer { signals, provider } = &self.layer;
        let latency = self.sent.elapsed();
        let observation = Observation {
            status: status.map(|status| status.as_u16()),
            ttfb: status.map(|_| self.first_byte.map_or(latency, |at| at - self.sent)),
            body: Some(self.excerpt.as_slice()).filter(|excerpt| !excerpt.is_empty()),
            model: self.model.as_deref(),
            error,
            ..Observation::new(&provider.name, &provider.provider_type, &headers, latency)
        };
        if let Err(error) = signals.observe_response(&observation) {
            tracing::warn!(provider = provider.name, %error, "a call was not observed");
        }
    }
}

/// A client that goes away ends the call as well; before the response there is nothing to tell.
impl Drop for Call {
    fn drop(&mut self) {
        if self.head.is_some() {
            self.end(None);
        }
    }
}

/// A body that tells its end.
struct ObservedBody {
    inner: Body,
    call: Call,
}

impl hyper::body::Body for ObservedBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = ready!(Pin::new(&mut self.inner).poll_frame(context));
        match &frame {
            Some(Ok(frame)) => {
                if let Some(part) = frame.data_ref() {
                    self.call.receive(part);
                }
            }
            Some(Err(_)) => self.call.end(Some("the response broke off")),
            None => self.call.end(None),
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

/// The gateway: what is known, and who can be asked, in the order of preference.
pub(crate) struct Gateway {
    signals: Service,
    upstreams: Vec<(Arc<Provider>, Observe<reqwest::Client>)>,
}

impl Gateway {
    /// A gateway to these providers.
    pub(crate) fn new(signals: Service, client: &reqwest::Client, providers: Vec<Provider>) -> Self {
        let observed = |provider| {
            let layer = ObserveLayer { signals: signals.clone(), provider: Arc::new(provider) };
            (layer.provider.clone(), layer.layer(client.clone()))
        };
        let upstreams = providers.into_iter().map(observed).collect();
        Self { signals, upstreams }
    }

    /// Sends whatever comes to whoever can take it.
    pub(crate) fn router(self) -> Router {
        Router::new().fallback(forward).with_state(Arc::new(self))
    }

    /// Who can take a request to this model, best first. What other processes have stored is read, so it blocks.
    fn rank(&self, model: Option<String>) -> Result<Ranking, runtime_signals::Error> {
        let request = rank::Request { scope: Scope { account: None, model }, need: Need::default() };
        let candidates = self.upstreams.iter().zip(0..).map(|((provider, _), order)| {
            let wait = self.signals.wait_for(&provider.name, &request.scope, request.need)?;
            Ok(Candidate { signal: self.signals.recorded(&provider.name)?, wait, order })
        });
        let candidates = candidates.collect::<Result<_, runtime_signals::Error>>()?;
        Ok(rank(candidates, &request, Strategy::Order, self.signals.store().now()))
    }

    /// Sends the request to a provider. An error's body is read, so that the observation is complete.
    async fn send(&self, name: &str, head: &Parts, body: Bytes) -> anyhow::Result<Response> {
        let upstream = self.upstreams.iter().find(|(provider, _)| provider.name == name);
        let (provider, client) = upstream.context("there is no such provider")?;
        let path = head.uri.path_and_query().map_or("/", |path| path.as_str());
        let mut request =
            reqwest::Request::new(head.method.clone(), format!("{}{path}", provider.base_url).parse()?);
        for name in [header::ACCEPT, header::CONTENT_TYPE] {
            if let Some(value) = head.headers.get(&name) {
                request.headers_mut().insert(name, value.clone());
            }
        }
        if let Some(key) = &provider.key {
            request.headers_mut().insert(header::AUTHORIZATION, format!("Bearer {key}").parse()?);
        }
        *request.body_mut() = Some(body.into());
        let response = client.clone().oneshot(request).await?;
        if response.status().is_success() {
            return Ok(response);
        }
        let (head, body) = response.into_parts();
        Ok(Response::from_parts(head, Body::from(to_bytes(body, MOST_EXCERPT).await?)))
    }
}

async fn forward(State(gateway): State<Arc<Gateway>>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let Ok(body) = to_bytes(body, MOST_BODY).await else {
        return (StatusCode::PAYLOAD_TOO_LARGE, "the request is too long\n").into_response();
    };
    let (asked, model) = (gateway.clone(), model_in(&body));
    let ranking = match tokio::task::spawn_blocking(move || asked.rank(model)).await {
        Ok(Ok(ranking)) => ranking,
        Ok(Err(error)) => return (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")).into_response(),
        Err(_) => return StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    };
    let mut refused = None;
    for able in &ranking.able {
        match gateway.send(&able.provider, &head, body.clone()).await {
            Ok(response) if takes_no_more(response.status()) => refused = Some((able, response)),
            Ok(response) => return passed_on(&able.provider, response),
            Err(error) => tracing::warn!(provider = able.provider, %error, "a call failed"),
        }
    }
    match refused {
        Some((last, response)) => passed_on(&last.provider, response),
        None => nobody(&ranking, gateway.signals.store().now()),
    }
}

/// Another provider may take what this one does not.
fn takes_no_more(status: StatusCode) -> bool {
    status == StatusCode::TOO_MANY_REQUESTS || status.is_server_error()
}

fn passed_on(provider: &str, mut response: Response) -> Response {
    for name in HOP_BY_HOP {
        response.headers_mut().remove(name);
    }
    if let Ok(provider) = provider.parse() {
        response.headers_mut().insert("x-provider", provider);
    }
    response
}

/// Nobody takes it now: when to come again.
fn nobody(ranking: &Ranking, now: SystemTime) -> Response {
    let Some((earliest, at)) = ranking.earliest() else {
        return (StatusCode::BAD_GATEWAY, "no provider could be reached\n").into_response();
    };
    let wait = at.duration_since(now).unwrap_or_default();
    let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
    let text = format!("no provider takes the request; {} will in {seconds} s\n", earliest.provider);
    (StatusCode::TOO_MANY_REQUESTS, [(header::RETRY_AFTER, seconds.to_string())], text).into_response()
}

fn model_in(body: &[u8]) -> Option<String> {
    let body: serde_json::Value = serde_json::from_slice(body).ok()?;
    Some(body.get("model")?.as_str()?.to_owned())
}

fn provider(argument: &str) -> anyhow::Result<Provider> {
    let mut parts = argument.splitn(3, '=').map(str::to_owned);
    let (Some(name), Some(provider_type), Some(base_url)) = (parts.next(), parts.next(), parts.next()) else {
        anyhow::bail!("{argument:?} is not NAME=TYPE=BASE_URL");
    };
    let key = std::env::var(format!("{}_API_KEY", name.to_uppercase())).ok();
    Ok(Provider { name, provider_type, base_url, key })
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let listen = arguments.next().context("give an address to listen on, then providers")?;
    let providers = arguments.map(|argument| provider(&argument)).collect::<anyhow::Result<_>>()?;
    let signals = Service::new(Store::new()?, SignalCache::from_env()?);
    let client = reqwest::Client::builder().connect_timeout(Duration::from_secs(10)).build()?;
    let gateway = Gateway::new(signals.clone(), &client, providers);
    let listener = tokio::net::TcpListener::bind(listen).await?;
    axum::serve(listener, gateway.router()).await?;
    signals.flush()?;
    Ok(())
}
