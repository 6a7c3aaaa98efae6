//! All endpoints behind the same guards.

use std::any::Any;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use http::{Method, StatusCode, Uri};
use tower_http::catch_panic::CatchPanicLayer;
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;

use super::problem::Problem;
use super::state::AppState;
use super::{
    dashboard, events, guard, health, leases, metrics, observations, openapi, pace, providers, proxy, rank,
    signals, wait,
};

/// The largest body of a request that is no observation, in bytes.
const SMALL_BODY: usize = 64 << 10;

/// All endpoints.
pub(super) fn router(state: AppState) -> Router {
    // These end by themselves, and soon.
    let brief = OpenApiRouter::new()
        .merge(signals::routes())
        .merge(providers::routes())
        .merge(observations::routes())
        .merge(health::routes())
        .merge(metrics::routes())
        .merge(rank::routes())
        .merge(pace::routes())
        .layer(from_fn_with_state(state.clone(), guard::limit_time));
    // These last as long as their clients wish.
    let lasting = OpenApiRouter::new().merge(events::routes()).merge(leases::routes()).merge(wait::routes());

    let document = OpenApiRouter::with_openapi(openapi::Document::openapi());
    let (router, document) = document.merge(brief).merge(lasting).split_for_parts();
    router
        .merge(openapi::routes(&document))
        .merge(dashboard::routes())
        .merge(proxy::routes())
        .fallback(nothing_there)
        .method_not_allowed_fallback(wrong_method)
        .layer(DefaultBodyLimit::max(SMALL_BODY))
        .layer(from_fn_with_state(state.clone(), guard::admit))
        .layer(CatchPanicLayer::custom(panicked))
        .with_state(state)
}

async fn nothing_there(uri: Uri) -> Problem {
    let path = uri.path().chars().take(100).collect::<String>();
    Problem::not_found(format!("there is nothing at {path:?}; /v1/openapi.json lists what there is"))
}

async fn wrong_method(method: Method, uri: Uri) -> Problem {
    let detail = format!("{} does not take {method}; /v1/openapi.json says what it takes", uri.path());
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, detail)
}

fn panicked(_: Box<dyn Any + Send>) -> Response {
    let detail = "the request made the service stumble; this is a mistake in it";
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, detail).into_response()
}
