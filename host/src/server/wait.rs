//! `GET /v1/wait`: when can a request of this size pass? At once, or when it can.

use std::time::{Duration, SystemTime};

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::inputs::Params;
use super::problem::Problem;
use super::signals::unknown;
use super::state::AppState;
use crate::cache::cache_source;
use crate::forms::WaitForm;
use crate::signal::Scope;
use crate::wait::{Need, Wait};

/// The longest nap before the evidence is looked at again.
const NAP: Duration = Duration::from_secs(1);
/// The longest that an answer is held back.
pub(super) const LONGEST_WAIT: Duration = Duration::from_secs(15 * 60);

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(wait))
}

/// What is to be sent, and to whom.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Asked {
    /// The provider's name
    provider: String,
    /// The model that is to be called
    model: Option<String>,
    /// The account that is to call
    account: Option<String>,
    /// How many requests are to be sent; 1 if not given
    requests: Option<u64>,
    /// How many tokens they take, sent and generated; 0 if not given
    tokens: Option<u64>,
    /// Hold the answer back until the request can pass, so many milliseconds at most; a longer wait is told at once
    max_wait_ms: Option<u64>,
}

/// When a request of this size can pass, and what binds until then.
#[utoipa::path(
    get,
    path = "/v1/wait",
    tag = "decisions",
    params(Asked),
    responses(
        (status = 200, description = "`answer` is `go`, `wait` (with `wait_ms`, `until` and what binds), `too_large` or \
                                      `unknown`", body = serde_json::Value),
        (status = 404, description = "Nothing is known of the provider", body = Problem),
    )
)]
async fn wait(State(state): State<AppState>, Params(asked): Params<Asked>) -> Result<Response, Problem> {
    let Asked { provider, model, account, requests, tokens, max_wait_ms } = asked;
    cache_source(&provider)?;
    let (scope, need) = (Scope { account, model }, size(requests, tokens));
    let give_up_at = SystemTime::now() + Duration::from_millis(max_wait_ms.unwrap_or(0)).min(LONGEST_WAIT);
    loop {
        let wait = ask(&state, &provider, &scope, need)?;
        let now = SystemTime::now();
        match &wait {
            Wait::Until { at, .. } if *at <= give_up_at && !state.is_ending() => {
                let nap = wait.duration(now).unwrap_or_default().min(NAP);
                tokio::select! {
                    () = tokio::time::sleep(nap) => {}
                    () = state.ended() => {}
                }
            }
            _ => return Ok(Json(WaitForm::new(&provider, &wait, now)).into_response()),
        }
    }
}

/// One request of unknown size, unless more is said.
pub(super) fn size(requests: Option<u64>, tokens: Option<u64>) -> Need {
    let Need { requests: one, tokens: none } = Need::default();
    Need { requests: requests.unwrap_or(one), tokens: tokens.unwrap_or(none) }
}

/// What is known in memory: what others store gets there within seconds.
pub(super) fn ask(state: &AppState, provider: &str, scope: &Scope, need: Need) -> Result<Wait, Problem> {
    if !state.board.has(provider) {
        return Err(unknown(provider));
    }
    Ok(state.service.store().wait_for(provider, scope, need)?)
}
