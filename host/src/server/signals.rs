//! `GET /v1/signals`, `GET /v1/signals/{provider}`: what is known now.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode, header};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::board::{Board, Entry};
use super::conditional::is_known;
use super::inputs::Provider;
use super::problem::Problem;
use super::state::AppState;
use crate::signal::ModelStatus;

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(all)).routes(routes!(one))
}

/// The signals of all providers that are configured, recorded or cached, by name.
#[utoipa::path(
    get,
    path = "/v1/signals",
    tag = "signals",
    responses(
        (status = 200, description = "`{\"signals\":[{\"signal\":…,\"fresh\":…,\"age_ns\":…},…]}`"),
        (status = 304, description = "Nothing has changed but ages"),
    )
)]
async fn all(State(state): State<AppState>, headers: HeaderMap) -> Result<Response, Problem> {
    let entries = state.board.entries()?;
    let mut body = b"{\"signals\":[".to_vec();
    for (position, entry) in entries.iter().enumerate() {
        if position > 0 {
            body.push(b',');
        }
        write_entry(&state.board, entry, &mut body);
    }
    body.extend_from_slice(b"]}");
    Ok(respond(&state.board, &entries, body, &headers))
}

/// The signal of one provider.
#[utoipa::path(
    get,
    path = "/v1/signals/{provider}",
    tag = "signals",
    params(("provider" = String, Path, description = "The provider's name")),
    responses(
        (status = 200, description = "`{\"signal\":…,\"fresh\":…,\"age_ns\":…}`"),
        (status = 304, description = "Nothing has changed but the age"),
        (status = 404, description = "Nothing is known of the provider", body = Problem),
    )
)]
async fn one(
    State(state): State<AppState>,
    Provider(provider): Provider,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let entry = state.board.entry(&provider)?.ok_or_else(|| unknown(&provider))?;
    let mut body = Vec::with_capacity(entry.json.len() + 64);
    write_entry(&state.board, &entry, &mut body);
    Ok(respond(&state.board, &[entry], body, &headers))
}

/// Nothing is known of a provider.
pub(super) fn unknown(provider: &str) -> Problem {
    Problem::not_found(format!(
        "nothing is known of the provider {provider:?}; configure it, or send what it answers to /v1/observations"
    ))
}

/// The JSON of an entry, as `read --json` prints it.
pub(super) fn write_entry(board: &Board, entry: &Entry, to: &mut Vec<u8>) {
    let (fresh, age) = board.freshness(entry);
    to.extend_from_slice(b"{\"signal\":");
    to.extend_from_slice(&entry.json);
    let age_ns = age.map_or_else(|| "null".to_owned(), |age| age.as_nanos().to_string());
    to.extend_from_slice(format!(",\"fresh\":{fresh},\"age_ns\":{age_ns}}}").as_bytes());
}

/// The same with the status that it had before: `null` for one that is new.
pub(super) fn write_change(board: &Board, entry: &Entry, before: Option<ModelStatus>, to: &mut Vec<u8>) {
    write_entry(board, entry, to);
    to.pop();
    let before = before.map_or_else(|| "null".to_owned(), |status| format!("\"{status}\""));
    to.extend_from_slice(format!(",\"before\":{before}}}").as_bytes());
}

fn respond(board: &Board, entries: &[Arc<Entry>], body: Vec<u8>, asked: &HeaderMap) -> Response {
    let tag = tag(board, entries);
    let headers = [(header::ETAG, tag.clone()), (header::CACHE_CONTROL, cache_control(board, entries))];
    if is_known(asked, &tag) {
        return (StatusCode::NOT_MODIFIED, headers).into_response();
    }
    (headers, [(header::CONTENT_TYPE, "application/json")], body).into_response()
}

/// Changes with what is shown, ages excepted: hence a weak one.
fn tag(board: &Board, entries: &[Arc<Entry>]) -> String {
    let mut hasher = DefaultHasher::new();
    for entry in entries {
        (entry.tag, board.freshness(entry).0).hash(&mut hasher);
    }
    format!("W/\"{:016x}\"", hasher.finish())
}

/// As long as every signal is fresh and no time comes that one of them names. News may come earlier: who has to know
/// asks again with the tag.
fn cache_control(board: &Board, entries: &[Arc<Entry>]) -> String {
    let now = SystemTime::now();
    let ttl = board.ttl();
    let until_stale = |entry: &Entry| match board.freshness(entry) {
        (true, Some(age)) => ttl.saturating_sub(age),
        _ => Duration::ZERO,
    };
    let until_change = |entry: &Entry| {
        let signal = &entry.signal;
        let limits = signal.limits.iter().filter_map(|limit| limit.resets_at);
        let times = limits.chain(signal.quota_reset_at).chain(signal.cooldown_until);
        times.filter_map(|at| at.duration_since(now).ok()).min().unwrap_or(Duration::MAX)
    };
    let good_for = entries.iter().map(|entry| until_stale(entry).min(until_change(entry))).min();
    match good_for.unwrap_or_default().as_secs() {
        0 => "private, no-cache".to_owned(),
        seconds => format!("private, max-age={seconds}"),
    }
}
