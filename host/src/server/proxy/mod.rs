//! `/proxy/{provider}/…`: calls that are passed on to a provider and observed on their way.
//!
//! A client that is told this address in place of the provider's sends the very requests that it would send there, and
//! gets the very responses: but for `Host`, the headers of single connections and our own token nothing is changed, and
//! bodies go through part by part in both directions. What is kept of a call is what an observation tells; of the
//! bodies that is the start of a refusal. Paths, queries and credentials are in no log, no message and no file.
//!
//! A call goes to the base URL of a configured (or found) provider, and nowhere else: redirects are the client's.

mod call;
mod client;
mod download;
mod excerpt;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;
mod headers;
mod patience;
mod places;
mod recorder;
mod target;
mod traffic;
mod upload;

use std::pin::pin;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use axum::routing::any;
use http::{Method, StatusCode};
use hyper::body::Incoming;
use tokio::time::{Instant, timeout, timeout_at};

use super::problem::Problem;
use super::state::AppState;
use crate::cause::{innermost, is_timeout};
use crate::config::{ProviderConfig, ProxySettings};
use call::Call;
use client::{CallError, ProxyClient};
use download::Download;
use places::{Place, Places};
use recorder::Recorder;
use target::{Asked, Target};
use traffic::Traffic;
use upload::{Progress, Upload};

pub(super) use recorder::record_waiting;
pub(super) use target::ROOT;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// How long a refusal waits for being recorded.
const RECORDED: Duration = Duration::from_millis(250);

/// What all calls share.
pub(super) struct Proxy {
    client: RwLock<Arc<ProxyClient>>,
    pub(super) places: Places,
    pub(super) recorder: Recorder,
    pub(super) traffic: Traffic,
}

impl Proxy {
    pub(super) fn new(settings: &ProxySettings) -> Self {
        Self {
            client: RwLock::new(Arc::new(ProxyClient::new(settings.connect_timeout))),
            places: Places::default(),
            recorder: Recorder::default(),
            traffic: Traffic::default(),
        }
    }

    /// The client; a new one where its settings have changed.
    fn client(&self, settings: &ProxySettings) -> Arc<ProxyClient> {
        let current = self.client.read().unwrap_or_else(PoisonError::into_inner).clone();
        if current.connect_timeout() == settings.connect_timeout {
            return current;
        }
        let made = Arc::new(ProxyClient::new(settings.connect_timeout));
        *self.client.write().unwrap_or_else(PoisonError::into_inner) = made.clone();
        made
    }
}

pub(super) fn routes() -> Router<AppState> {
    Router::new().route("/proxy/", any(pass_on)).route("/proxy/{*rest}", any(pass_on))
}

/// Passes a call on to a provider, and its response back, as they are; records what the response tells. Any method, any
/// body, any path below the provider's `base_url`. With a token, it is taken from `X-Runtime-Signals-Token` alone:
/// `Authorization` is the provider's. The other responses are the provider's own.
#[utoipa::path(
    post,
    path = "/proxy/{provider}/{path}",
    tag = "proxy",
    params(
        ("provider" = String, Path, description = "The name of a provider that has a `base_url`"),
        ("path" = String, Path, description = "What follows the base URL, with any number of slashes"),
    ),
    request_body(content = Vec<u8>, description = "Passed on as it is", content_type = "*/*"),
    responses(
        (status = "default", description = "What the provider answered, as it is"),
        (status = 400, description = "The path names no provider or has dot segments, or the body broke off", body = Problem),
        (status = 404, description = "There is no such provider, or it has no `base_url`", body = Problem),
        (status = 408, description = "The client did not go on sending its body", body = Problem),
        (status = 502, description = "The provider cannot be reached, or its answer is no HTTP", body = Problem),
        (status = 503, description = "The provider has as many calls under way as it may have", body = Problem),
        (status = 504, description = "The provider did not answer in time", body = Problem),
    )
)]
pub(super) async fn pass_on(State(state): State<AppState>, request: Request) -> Result<Response, Problem> {
    let config = state.config();
    let Route { provider, target, place } = find(&state, &config.proxy, &request)?;
    let (head, body) = request.into_parts();
    let upload = Upload::new(body, config.service.limits.idle_timeout);
    let progress = upload.progress();
    let mut passed = Request::new(upload);
    *passed.method_mut() = head.method;
    *passed.headers_mut() = headers::of_request(&head.headers, target.host);
    // They hold how the names of headers are written.
    *passed.extensions_mut() = head.extensions;
    *passed.uri_mut() = target.uri;

    let client = state.proxy.client(&config.proxy);
    let mut call = Call::new(state.clone(), provider, target.label, place);
    let limit = config.proxy.idle_timeout;
    let what = match answer(client.send(passed), &progress, limit).await {
        Some(Ok(response)) if response.status() != StatusCode::SWITCHING_PROTOCOLS => {
            return Ok(pass_back(response, call, limit).await);
        }
        Some(Ok(_)) => Failure::broken("it switched protocols, which nobody had asked for".to_owned()),
        Some(Err(error)) => match progress.fault(config.service.limits.idle_timeout) {
            Some(problem) => return Err(problem),
            None => Failure::of(&error),
        },
        None => Failure {
            status: StatusCode::GATEWAY_TIMEOUT,
            what: format!("timed out, as no answer came within {limit:?}"),
        },
    };
    let message = call.failed(&what.what);
    Err(Problem::new(what.status, format!("the provider did not answer: {message}")))
}

/// Whom a call goes to.
struct Route {
    provider: ProviderConfig,
    target: Target,
    place: Place,
}

/// Finds the provider of a call, and a place for it.
fn find(state: &AppState, settings: &ProxySettings, request: &Request) -> Result<Route, Problem> {
    if !settings.enabled {
        return Err(Problem::not_found("calls are not passed on here; see `proxy.enabled`"));
    }
    if request.method() == Method::CONNECT {
        return Err(Problem::bad_request("tunnels are not made"));
    }
    let asked = Asked::read(request.uri().path())?;
    let name = &asked.provider;
    let provider = state.found_or_configured(name).ok_or_else(|| {
        let detail =
            format!("there is no provider {name:?}; add it to the configuration, with its `base_url`");
        Problem::not_found(detail)
    })?;
    let base_url = provider.input().base_url;
    if base_url.is_empty() {
        let detail = format!("the provider {name:?} has no `base_url`; add it to the configuration");
        return Err(Problem::not_found(detail));
    }
    let target = Target::new(&base_url, asked.rest, request.uri().query())
        .map_err(|what| Problem::bad_request(format!("the provider {name:?} cannot be asked: {what}")))?;
    let most = settings.max_streams;
    let place = state.proxy.places.take(name, most).ok_or_else(|| {
        let detail = format!("{most} calls of {name:?} are under way already; see `proxy.max_streams`");
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail).retry_after(Duration::from_secs(1))
    })?;
    Ok(Route { provider, target, place })
}

/// Waits for the head of the response; `None` when the provider neither answers nor takes the next part of the body
/// within `limit`.
async fn answer(
    sending: impl Future<Output = Result<Response<Incoming>, CallError>>,
    progress: &Progress,
    limit: Duration,
) -> Option<Result<Response<Incoming>, CallError>> {
    let mut sending = pin!(sending);
    loop {
        let until = progress.latest() + limit;
        match timeout_at(until, sending.as_mut()).await {
            Ok(answer) => return Some(answer),
            Err(_) if progress.latest() + limit > Instant::now() => {}
            Err(_) => return None,
        }
    }
}

/// The response as it goes back to the client.
async fn pass_back(response: Response<Incoming>, mut call: Call, limit: Duration) -> Response {
    let (mut head, mut body) = response.into_parts();
    let report = call.answered(&head);
    let mut ahead = Vec::new();
    if head.status.as_u16() >= 400 {
        ahead = excerpt::read(&mut body).await;
        // Whoever sees the refusal finds it in the signal as well.
        let _ = timeout(RECORDED, call.tell_refusal(report, &ahead)).await;
    } else {
        call.tell(report);
    }
    head.headers = headers::end_to_end(&head.headers);
    Response::from_parts(head, Body::new(Download::new(ahead, body, limit, call)))
}

/// Why there is no response.
struct Failure {
    status: StatusCode,
    what: String,
}

impl Failure {
    fn broken(what: String) -> Self {
        Self { status: StatusCode::BAD_GATEWAY, what }
    }

    fn of(error: &CallError) -> Self {
        let cause = innermost(error);
        let is_connect = matches!(error, CallError::Call(error) if error.is_connect());
        let what = if is_connect { format!("cannot connect: {cause}") } else { cause.to_string() };
        if is_timeout(cause) {
            return Self { status: StatusCode::GATEWAY_TIMEOUT, what };
        }
        Self::broken(what)
    }
}
