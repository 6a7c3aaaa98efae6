//! `GET /healthz`, `GET /readyz`: is the service there, and does it take requests?

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use serde::Serialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::problem::Problem;
use super::state::AppState;

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(health)).routes(routes!(ready))
}

/// What a healthy service says.
#[derive(Serialize, utoipa::ToSchema)]
struct Health {
    /// `ok`.
    status: &'static str,
    /// Of the service.
    version: &'static str,
}

const FINE: Health = Health { status: "ok", version: env!("CARGO_PKG_VERSION") };

/// Is the process alive?
#[utoipa::path(get, path = "/healthz", tag = "service", responses((status = 200, body = Health)))]
async fn health() -> Json<Health> {
    Json(FINE)
}

/// Does it take requests?
#[utoipa::path(
    get,
    path = "/readyz",
    tag = "service",
    responses((status = 200, body = Health), (status = 503, description = "It is ending", body = Problem))
)]
async fn ready(State(state): State<AppState>) -> Result<Json<Health>, Problem> {
    if state.is_ending() {
        return Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "the service is ending"));
    }
    Ok(Json(FINE))
}
