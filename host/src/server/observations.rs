//! `POST /v1/observations`: finished calls, from anywhere.

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use http::{HeaderMap, StatusCode, header};
use http_body_util::BodyExt;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::inputs::essence;
use super::intake::{BATCH_BYTES, Tally, Unpacker, record_lines, record_one};
use super::problem::Problem;
use super::state::AppState;
use crate::forms::{BadLine, MOST_BYTES};

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(observations))
}

/// How the observations of a body are told apart.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Division {
    /// There is one.
    Whole,
    /// One a line.
    Lines,
}

/// Records finished calls: one JSON object, or one a line, as `ingest` takes them. What is accepted is in memory when
/// the answer is there, and on disk 250 ms later. A bad line is refused with its number and the reason; the others go
/// on. Where the body breaks off, what came before is recorded all the same.
#[utoipa::path(
    post,
    path = "/v1/observations",
    tag = "observations",
    request_body(
        description = "`application/json`: one observation. `application/x-ndjson`: one a line. `Content-Encoding: gzip` \
                       for either",
        content((serde_json::Value = "application/json"), (String = "application/x-ndjson"))
    ),
    responses(
        (status = 200, body = Tally),
        (status = 400, description = "The body broke off, or is no gzip", body = Problem),
        (status = 413, description = "The body is too large, as sent or as unpacked", body = Problem),
        (status = 415, description = "Another content type or encoding", body = Problem),
        (status = 422, description = "No observation of the body was any good", body = Problem),
    )
)]
async fn observations(
    State(state): State<AppState>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Tally>, Problem> {
    let division = match essence(headers.get(header::CONTENT_TYPE)).map(str::to_ascii_lowercase).as_deref() {
        Some("application/json") => Division::Whole,
        None | Some("application/x-ndjson" | "application/jsonl" | "application/ndjson") => Division::Lines,
        Some(_) => {
            let detail = "the content type is neither application/json nor application/x-ndjson";
            return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail));
        }
    };
    let mut tally = Tally::default();
    let outcome = read(&state, division, &headers, body, &mut tally).await;
    tally.count(&state.counters);
    match outcome {
        Err(problem) => Err(tally.told_by(problem)),
        Ok(()) if tally.is_all_bad() => {
            let detail = "no observation was accepted; `refusals` says why";
            Err(tally.told_by(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, detail)))
        }
        Ok(()) => Ok(Json(tally)),
    }
}

/// Reads the body to its end, and records as it comes in. Where it breaks off, the whole lines of it are recorded.
async fn read(
    state: &AppState,
    division: Division,
    headers: &HeaderMap,
    body: Body,
    tally: &mut Tally,
) -> Result<(), Problem> {
    let limits = state.config().service.limits.clone();
    let encoding = headers.get(header::CONTENT_ENCODING).map(|value| value.to_str().unwrap_or("?"));
    let mut unpacker = Unpacker::new(encoding, &limits)?;
    let end = unpack(state, division, body, &mut unpacker, tally).await;
    let rest = match (&end, division) {
        (Ok(()), _) => unpacker.take(),
        (Err(_), Division::Lines) => unpacker.take_lines(),
        (Err(_), Division::Whole) => Vec::new(),
    };
    if !rest.trim_ascii().is_empty() {
        record(state, division, rest, tally).await?;
    }
    end
}

async fn unpack(
    state: &AppState,
    division: Division,
    mut body: Body,
    unpacker: &mut Unpacker,
    tally: &mut Tally,
) -> Result<(), Problem> {
    let patience = state.config().service.limits.idle_timeout;
    let too_slow = |_| {
        let detail = format!("nothing more of the body came within {patience:?}");
        Problem::new(StatusCode::REQUEST_TIMEOUT, detail)
    };
    while let Some(frame) = tokio::time::timeout(patience, body.frame()).await.map_err(too_slow)? {
        let frame = frame.map_err(|_| Problem::bad_request("the body broke off"))?;
        if let Ok(part) = frame.into_data() {
            unpacker.push(&part)?;
        }
        if division == Division::Lines && unpacker.waiting() >= BATCH_BYTES {
            let lines = unpacker.take_lines();
            if !lines.is_empty() {
                record(state, division, lines, tally).await?;
            } else if unpacker.waiting() > MOST_BYTES {
                let detail = format!("a line is {}", BadLine::TooLong);
                return Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, detail));
            }
        }
    }
    unpacker.finish()
}

/// Records on a thread that may block: a provider that is new is read from disk.
async fn record(
    state: &AppState,
    division: Division,
    bytes: Vec<u8>,
    tally: &mut Tally,
) -> Result<(), Problem> {
    let state = state.clone();
    let mut so_far = std::mem::take(tally);
    let recorded = tokio::task::spawn_blocking(move || {
        match division {
            Division::Lines => record_lines(&state, &bytes, &mut so_far),
            Division::Whole => record_one(&state, &bytes, &mut so_far),
        }
        so_far
    });
    *tally = recorded
        .await
        .map_err(|_| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "recording ended unexpectedly"))?;
    Ok(())
}
