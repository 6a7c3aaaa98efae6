//! `GET /healthz`, `GET /readyz`: is the service there, and does it take requests?

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use serde::Serialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::problem::Problem;
use super::state::AppState;
use crate::DiskTrouble;
use crate::shared::SharedStatus;

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

/// What a service says that takes requests.
#[derive(Serialize, utoipa::ToSchema)]
struct Ready {
    #[serde(flatten)]
    health: Health,
    /// What the fleet shares, where `[shared]` names a server. While that is away, the service goes on by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    shared: Option<SharedStatus>,
    /// Only while signals cannot be brought to the disk. Meanwhile the service goes on from memory.
    #[serde(skip_serializing_if = "Option::is_none")]
    cache: Option<DiskTrouble>,
}

/// Does it take requests?
#[utoipa::path(
    get,
    path = "/readyz",
    tag = "service",
    responses((status = 200, body = Ready), (status = 503, description = "It is ending", body = Problem))
)]
async fn ready(State(state): State<AppState>) -> Result<Json<Ready>, Problem> {
    if state.is_ending() {
        return Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "the service is ending"));
    }
    let shared = state.tier.as_ref().map(|tier| tier.status());
    Ok(Json(Ready { health: FINE, shared, cache: state.service.disk_trouble() }))
}
