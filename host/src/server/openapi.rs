//! `GET /v1/openapi.json`: the interface, as it is generated from the endpoints.

use std::sync::Arc;

use axum::Router;
use axum::http::header;
use axum::routing::get;
use utoipa::OpenApi;

use super::state::AppState;

/// What the endpoints' own documentation does not say.
#[derive(OpenApi)]
#[openapi(
    paths(super::proxy::pass_on),
    info(
        title = "runtime-signals",
        description = "Can I send this request to this LLM provider now; if not, when; and who can take it instead?",
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0"),
    ),
    tags(
        (name = "signals", description = "What is known of providers"),
        (name = "observations", description = "What they have answered"),
        (name = "decisions", description = "When, and to whom, a request can be sent"),
        (name = "proxy", description = "Calls that are passed on"),
        (name = "service", description = "The service itself"),
    )
)]
pub(super) struct Document;

pub(super) fn routes(document: &utoipa::openapi::OpenApi) -> Router<AppState> {
    let json: Arc<str> =
        document.to_json().unwrap_or_else(|error| format!("{{\"error\":\"{error}\"}}")).into();
    let serve = move || {
        let json = json.to_string();
        async move { ([(header::CONTENT_TYPE, "application/json")], json) }
    };
    Router::new().route("/v1/openapi.json", get(serve))
}
