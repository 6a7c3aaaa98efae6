//! Queries and JSON bodies of requests, strictly, with problem documents for what is wrong.

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use http::StatusCode;
use http::request::Parts;
use serde::de::DeserializeOwned;

use super::problem::Problem;
use crate::cache::cache_source;

/// The query.
pub(super) struct Params<T>(pub(super) T);

impl<S: Sync, T: DeserializeOwned> FromRequestParts<S> for Params<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        match Query::try_from_uri(&parts.uri) {
            Ok(Query(params)) => Ok(Self(params)),
            Err(error) => Err(Problem::bad_request(format!("the query is refused: {}", error.body_text()))),
        }
    }
}

/// A JSON body.
pub(super) struct JsonBody<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for JsonBody<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        if !is_json(request.headers().get(http::header::CONTENT_TYPE)) {
            let detail = "the body has to be JSON, and its content type `application/json`";
            return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail));
        }
        let bytes = Bytes::from_request(request, state)
            .await
            .map_err(|error| Problem::new(error.status(), error.body_text()))?;
        let mut from = serde_json::Deserializer::from_slice(&bytes);
        let refused = |what: String| Problem::bad_request(format!("the body is refused: {what}"));
        let body = serde_path_to_error::deserialize(&mut from).map_err(|error| refused(error.to_string()))?;
        from.end().map_err(|error| refused(error.to_string()))?;
        Ok(Self(body))
    }
}

/// Is it `application/json`, with or without parameters?
pub(super) fn is_json(content_type: Option<&http::HeaderValue>) -> bool {
    essence(content_type).is_some_and(|essence| essence.eq_ignore_ascii_case("application/json"))
}

/// A media type without its parameters.
pub(super) fn essence(content_type: Option<&http::HeaderValue>) -> Option<&str> {
    Some(content_type?.to_str().ok()?.split(';').next()?.trim())
}

/// The name of a provider in the path.
pub(super) struct Provider(pub(super) String);

impl<S: Send + Sync> FromRequestParts<S> for Provider {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Path(name) = Path::<String>::from_request_parts(parts, state)
            .await
            .map_err(|error| Problem::bad_request(error.body_text()))?;
        cache_source(&name)?;
        Ok(Self(name))
    }
}
