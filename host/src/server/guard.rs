//! What every request passes first: its rate, its `Host` and `Origin`, its token, its time.
//!
//! A page of somebody else's that the user's browser shows can send requests to loopback, and by a name that it
//! binds to 127.0.0.1 even read the answers. So `Host` must be an address or a name that is ours, and an `Origin`
//! must be the very host that is asked.

use std::net::IpAddr;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::uri::Authority;
use http::{HeaderMap, StatusCode, header};

use super::problem::Problem;
use super::proxy;
use super::state::AppState;
use std::time::Duration;

/// Carries the token, where `Authorization` is meant for somebody else.
pub(super) const TOKEN_HEADER: &str = "x-runtime-signals-token";
/// What anybody may ask without a token: whether the service is there, and the page that asks for the token.
const OPEN: [&str; 3] = ["/", "/healthz", "/readyz"];

/// Who sent a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Peer {
    /// Somebody at this address.
    Network(IpAddr),
    /// Somebody who may open the socket.
    Socket,
}

impl Peer {
    /// Under what its rate is counted: a network of the size that one customer gets.
    fn rate_key(self) -> Option<IpAddr> {
        match self {
            Self::Socket => None,
            Self::Network(IpAddr::V6(address)) => {
                let network = u128::from(address) & !u128::from(u64::MAX);
                Some(IpAddr::V6(network.into()))
            }
            Self::Network(address) => Some(address),
        }
    }
}

/// Lets a request through, or says why not.
pub(super) async fn admit(State(state): State<AppState>, request: Request, next: Next) -> Response {
    match check(&state, &request) {
        Ok(()) => next.run(request).await,
        Err(problem) => problem.into_response(),
    }
}

fn check(state: &AppState, request: &Request) -> Result<(), Problem> {
    let peer = *request.extensions().get::<Peer>().unwrap_or(&Peer::Socket);
    if state.limiter().check_key(&peer.rate_key()).is_err() {
        let most = state.config().service.limits.requests_per_second;
        let detail =
            format!("more than {most} requests a second; send observations in batches, or slow down");
        return Err(Problem::new(StatusCode::TOO_MANY_REQUESTS, detail).retry_after(Duration::from_secs(1)));
    }
    if peer != Peer::Socket {
        check_host(request, &state.config().service.allowed_hosts)?;
    }
    match state.token() {
        Some(token) if !OPEN.contains(&request.uri().path()) => {
            let is_passed_on = request.uri().path().starts_with(proxy::ROOT);
            if carried(request.headers(), is_passed_on).is_some_and(|given| token.is(given)) {
                return Ok(());
            }
            let detail = if is_passed_on {
                "the token of runtime-signals is missing or wrong; send it as `X-Runtime-Signals-Token`, beside what \
                 the provider asks for"
            } else {
                "the token is missing or wrong; send it as `Authorization: Bearer …` or as `X-Runtime-Signals-Token`"
            };
            Err(Problem::new(StatusCode::UNAUTHORIZED, detail))
        }
        _ => Ok(()),
    }
}

/// What a request carries as a token. Where it is passed on, `Authorization` is not for us.
fn carried(headers: &HeaderMap, is_passed_on: bool) -> Option<&[u8]> {
    if let Some(own) = headers.get(TOKEN_HEADER) {
        return Some(own.as_bytes());
    }
    if is_passed_on {
        return None;
    }
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.as_bytes().split_at_checked(7)?;
    scheme.eq_ignore_ascii_case(b"bearer ").then_some(token)
}

fn check_host(request: &Request, allowed: &[String]) -> Result<(), Problem> {
    let headers = request.headers();
    let misdirected = |detail: &str| Problem::new(StatusCode::MISDIRECTED_REQUEST, detail);
    let mut hosts = headers.get_all(header::HOST).iter();
    let host = match (request.uri().authority(), hosts.next(), hosts.next()) {
        (Some(authority), _, None) => Some(authority.clone()),
        (None, Some(host), None) => Authority::try_from(host.as_bytes()).ok(),
        _ => None,
    };
    let host = host.ok_or_else(|| misdirected("the request names no host, or more than one"))?;
    if !is_ours(&host, allowed) {
        return Err(misdirected("this host is not ours; add its name to `service.allowed_hosts` if it is"));
    }
    for origin in headers.get_all(header::ORIGIN) {
        let origin = origin.to_str().unwrap_or_default();
        let authority = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
        if !authority.is_some_and(|authority| authority.eq_ignore_ascii_case(host.as_str())) {
            let detail = "pages of other origins may not use the service";
            return Err(Problem::new(StatusCode::FORBIDDEN, detail));
        }
    }
    Ok(())
}

/// An address cannot be bound to another one, unlike a name.
fn is_ours(host: &Authority, allowed: &[String]) -> bool {
    if host.as_str().contains('@') {
        return false;
    }
    let name = host.host();
    let address = name.trim_start_matches('[').trim_end_matches(']');
    address.parse::<IpAddr>().is_ok()
        || name.eq_ignore_ascii_case("localhost")
        || allowed.iter().any(|ours| ours.eq_ignore_ascii_case(name))
}

/// Ends a request that takes too long.
pub(super) async fn limit_time(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let limit = state.config().service.limits.request_timeout;
    match tokio::time::timeout(limit, next.run(request)).await {
        Ok(response) => response,
        Err(_) => {
            let detail = format!("the request took longer than {limit:?}; send less at once, and faster");
            Problem::new(StatusCode::REQUEST_TIMEOUT, detail).into_response()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(host: &str, origin: Option<&str>) -> Result<(), Problem> {
        let mut request = Request::builder().uri("/v1/signals").header("host", host);
        if let Some(origin) = origin {
            request = request.header("origin", origin);
        }
        check_host(&request.body(axum::body::Body::empty()).unwrap(), &["signals.example".into()])
    }

    #[test]
    fn addresses_and_names_of_our_own_are_hosts() {
        for host in
            ["127.0.0.1:7433", "localhost", "LOCALHOST:1", "[::1]:7433", "10.0.0.7", "signals.example:80"]
        {
            assert!(ask(host, None).is_ok(), "{host}");
        }
        for host in
            ["rebound.example", "localhost.evil.example", "", "a b", "127.0.0.1.nip.io", "me@127.0.0.1"]
        {
            assert!(ask(host, None).is_err(), "{host}");
        }
    }

    #[test]
    fn only_our_own_pages_may_ask() {
        assert!(ask("localhost:7433", Some("http://localhost:7433")).is_ok());
        assert!(ask("signals.example", Some("https://signals.example")).is_ok());
        for origin in ["null", "http://localhost:3000", "http://evil.example", "file://", ""] {
            assert!(ask("localhost:7433", Some(origin)).is_err(), "{origin}");
        }
    }

    #[test]
    fn the_token_is_taken_from_its_own_header_first() {
        let mut headers = HeaderMap::new();
        assert_eq!(carried(&headers, false), None);
        headers.insert("authorization", "bearer abc".parse().unwrap());
        assert_eq!(carried(&headers, false), Some(&b"abc"[..]));
        assert_eq!(carried(&headers, true), None);
        headers.insert("authorization", "Basic abc".parse().unwrap());
        assert_eq!(carried(&headers, false), None);
        headers.insert(TOKEN_HEADER, "def".parse().unwrap());
        assert_eq!(carried(&headers, false), Some(&b"def"[..]));
        assert_eq!(carried(&headers, true), Some(&b"def"[..]));
    }
}
