//! `POST /v1/acquire`, `POST /v1/release`: permissions to send, that count until the answer is known.

use std::time::{Duration, SystemTime};

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::inputs::JsonBody;
use super::problem::Problem;
use super::signals::unknown;
use super::state::AppState;
use super::wait::{LONGEST_WAIT, ask, size};
use crate::cache::cache_source;
use crate::forms::{LimitForm, whole_milliseconds};
use crate::lease::{Answer, Claim, DEFAULT_LEASE, LeaseId, Obstacle};
use crate::signal::Scope;
use crate::time::rfc3339;
use crate::wait::Binding;

/// When to ask again where there are as many leases as may be.
const FULL: Duration = Duration::from_secs(1);

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(acquire)).routes(routes!(release))
}

/// What is to be sent, and to whom.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct Acquire {
    /// The provider's name.
    provider: String,
    /// The model that is to be called.
    model: Option<String>,
    /// The account that is to call.
    account: Option<String>,
    /// How many requests are to be sent; 1 if not given.
    requests: Option<u64>,
    /// How many tokens they take, sent and generated; 0 if not given.
    tokens: Option<u64>,
    /// After how many milliseconds the lease expires by itself; 60,000 if not given, at most 900,000.
    ttl_ms: Option<u64>,
    /// Hold the answer back until the lease can be had, so many milliseconds at most.
    max_wait_ms: Option<u64>,
}

/// A lease.
#[derive(Serialize, utoipa::ToSchema)]
struct Granted {
    /// Its name, for `/v1/release`.
    lease: String,
    /// When it expires by itself.
    expires_at: String,
}

/// A permission to send: its size counts until it is released or expires. Record the answer first, then release it.
/// Where it cannot be had, `until` says when to ask again: each of those who wait gets a time of its own.
#[utoipa::path(
    post,
    path = "/v1/acquire",
    tag = "decisions",
    request_body = Acquire,
    responses(
        (status = 200, body = Granted),
        (status = 404, description = "Nothing is known of the provider", body = Problem),
        (status = 422, description = "It is larger than the whole allowance of a window", body = Problem),
        (status = 429, description = "Not now: `until`, `Retry-After` and `obstacle`", body = Problem),
        (status = 503, description = "There are as many leases as may be", body = Problem),
    )
)]
async fn acquire(
    State(state): State<AppState>,
    JsonBody(asked): JsonBody<Acquire>,
) -> Result<Json<Granted>, Problem> {
    cache_source(&asked.provider)?;
    if !state.board.has(&asked.provider) {
        return Err(unknown(&asked.provider));
    }
    let claim = Claim {
        provider: asked.provider,
        scope: Scope { account: asked.account, model: asked.model },
        need: size(asked.requests, asked.tokens),
        lasts: asked.ttl_ms.map_or(DEFAULT_LEASE, Duration::from_millis),
    };
    let longest = Duration::from_millis(asked.max_wait_ms.unwrap_or(0)).min(LONGEST_WAIT);
    let give_up_at = state.service.store().now() + longest;
    loop {
        let now = state.service.store().now();
        let answer = state
            .ledger()
            .acquire(&claim, new_id(), now, |scope, need| ask(&state, &claim.provider, scope, need))?;
        match answer {
            Answer::Granted(lease) => {
                let name = format!("{:032x}", lease.id);
                return Ok(Json(Granted { lease: name, expires_at: rfc3339(lease.expires_at) }));
            }
            Answer::NotBefore { at, .. } if at <= give_up_at && !state.is_ending() => {
                sleep_until(&state, at).await;
            }
            refused => return Err(refusal(&claim, refused, now)),
        }
    }
}

/// Until then, or until there may be news.
async fn sleep_until(state: &AppState, at: SystemTime) {
    let nap = at.duration_since(state.service.store().now()).unwrap_or_default();
    tokio::select! {
        () = tokio::time::sleep(nap) => {}
        () = state.ended() => {}
    }
}

fn refusal(claim: &Claim, answer: Answer, now: SystemTime) -> Problem {
    let provider = &claim.provider;
    match answer {
        Answer::NotBefore { at, obstacle } => {
            let (name, detail) = match &obstacle {
                Obstacle::Bound(Binding::Limit(limit)) => {
                    ("limit", format!("the limit of {} of {provider} binds", limit.quantity))
                }
                Obstacle::Bound(Binding::Refusal(class)) => {
                    ("refusal", format!("a refusal ({class}) of {provider} is in force"))
                }
                Obstacle::InFlight => {
                    ("in_flight", format!("what is in flight to {provider} takes up what it has left"))
                }
                Obstacle::Step => ("step", format!("after the reset of {provider}, others go first")),
            };
            let wait = at.duration_since(now).unwrap_or_default();
            Problem::new(StatusCode::TOO_MANY_REQUESTS, format!("{detail}; ask again at `until`"))
                .with("until", rfc3339(at))
                .with("wait_ms", whole_milliseconds(wait))
                .with("obstacle", name)
                .retry_after(wait)
        }
        Answer::TooLarge(limit) => {
            let detail =
                format!("it is larger than all {} that {provider} allows; send less", limit.quantity);
            let limit = serde_json::to_value(LimitForm::from(&limit)).unwrap_or_default();
            Problem::new(StatusCode::UNPROCESSABLE_ENTITY, detail).with("limit", limit)
        }
        Answer::Full | Answer::Granted(_) => {
            let detail = "there are as many leases as `service.limits.leases` allows; release some";
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail).retry_after(FULL)
        }
    }
}

/// Which lease.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct Release {
    /// Its name, as `/v1/acquire` gave it.
    lease: String,
}

/// Ends a lease. One that has expired is none any more.
#[utoipa::path(
    post,
    path = "/v1/release",
    tag = "decisions",
    request_body = Release,
    responses(
        (status = 204, description = "It has ended"),
        (status = 404, description = "There is none of that name; it may have expired", body = Problem),
    )
)]
async fn release(
    State(state): State<AppState>,
    JsonBody(asked): JsonBody<Release>,
) -> Result<StatusCode, Problem> {
    let now = state.service.store().now();
    match u128::from_str_radix(&asked.lease, 16) {
        Ok(id) if state.ledger().release(id, now) => Ok(StatusCode::NO_CONTENT),
        _ => Err(Problem::not_found("there is no lease of that name; it may have expired")),
    }
}

/// Nobody guesses another's.
fn new_id() -> LeaseId {
    fastrand::u128(..)
}
