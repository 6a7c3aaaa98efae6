//! `GET /v1/rank`: who can take a request of this size, best first, with why.

use std::time::SystemTime;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::inputs::Params;
use super::problem::Problem;
use super::state::AppState;
use super::wait::{ask, size};
use crate::cache::cache_source;
use crate::forms::RankForm;
use crate::rank::{Candidate, Request, Strategy, rank};
use crate::signal::{Scope, Signal};
use crate::wait::Wait;

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(ranking))
}

/// What is to be sent, and who may be asked.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Asked {
    /// The names of those who may be asked, with commas between them; all that are known if not given
    providers: Option<String>,
    /// What is best: headroom (if not given), soonest-reset, latency or order
    strategy: Option<String>,
    /// The model that is to be called
    model: Option<String>,
    /// The account that is to call
    account: Option<String>,
    /// How many requests are to be sent; 1 if not given
    requests: Option<u64>,
    /// How many tokens they take, sent and generated; 0 if not given
    tokens: Option<u64>,
}

/// Providers that can take a request of this size, best first: healthy ones, then those whose last call failed, then
/// those of which nothing is known. Where nobody can, who can the earliest. What is in flight by leases counts.
#[utoipa::path(
    get,
    path = "/v1/rank",
    tag = "decisions",
    params(Asked),
    responses(
        (status = 200, description = "`best`, `providers`, `cooling` and, where nobody can, `earliest`",
         body = serde_json::Value),
        (status = 400, description = "One of the names can be no provider's", body = Problem),
    )
)]
async fn ranking(State(state): State<AppState>, Params(asked): Params<Asked>) -> Result<Response, Problem> {
    let strategy = asked.strategy.as_deref().map_or(Ok(Strategy::default()), str::parse);
    let strategy = strategy.map_err(Problem::bad_request)?;
    let scope = Scope { account: asked.account, model: asked.model };
    let request = Request { scope, need: size(asked.requests, asked.tokens) };
    let names = match &asked.providers {
        Some(list) => list.split(',').map(|name| name.trim().to_owned()).collect(),
        None => state.board.names(),
    };
    let config = state.config();
    let asked_at = state.service.store().now();
    let mut candidates = Vec::with_capacity(names.len());
    for name in names {
        let (signal, wait) = match state.board.entry(&name)? {
            Some(entry) => {
                let flying = state.ledger().in_flight(&name, asked_at);
                let wait = ask(&state, &name, &request.scope, request.need.plus(flying))?;
                (entry.signal.clone(), wait)
            }
            // Asking does not make it known.
            None => {
                cache_source(&name)?;
                (Signal::unknown(name.clone(), asked_at), Wait::Unknown)
            }
        };
        candidates.push(Candidate { signal, wait, order: config.order(&name) });
    }
    let now = SystemTime::now();
    let ranking = rank(candidates, &request, strategy, now);
    Ok(Json(RankForm::new(&ranking, strategy, now)).into_response())
}
