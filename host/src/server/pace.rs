//! `GET /v1/pace`: when allowances will be used up at the present pace, and which pace would last.

use std::time::SystemTime;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::json;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::inputs::Params;
use super::problem::Problem;
use super::signals::unknown;
use super::state::AppState;
use crate::forms::PaceForm;

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(pace))
}

/// Of whom.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Asked {
    /// The provider's name; all that are known if not given
    provider: Option<String>,
}

/// The limits of providers, each with the share that is used in an hour, when it runs out if it does before its reset,
/// and the share that may be used in an hour so that it lasts; or with `untold`, why that cannot be told.
#[utoipa::path(
    get,
    path = "/v1/pace",
    tag = "decisions",
    params(Asked),
    responses(
        (status = 200, description = "`{\"providers\":[{\"provider\":…,\"limits\":[…]},…]}`", body = serde_json::Value),
        (status = 404, description = "Nothing is known of the provider", body = Problem),
    )
)]
async fn pace(State(state): State<AppState>, Params(asked): Params<Asked>) -> Result<Response, Problem> {
    let entries = match &asked.provider {
        Some(provider) => vec![state.board.entry(provider)?.ok_or_else(|| unknown(provider))?],
        None => state.board.entries()?,
    };
    let now = SystemTime::now();
    let forms = entries.iter().map(|entry| PaceForm::new(&entry.signal, None, now));
    Ok(Json(json!({ "providers": forms.collect::<Vec<_>>() })).into_response())
}
