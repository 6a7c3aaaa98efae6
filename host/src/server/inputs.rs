//! Parts of requests, strictly, with problem documents for what is wrong.

use axum::extract::{FromRequestParts, Path};
use http::request::Parts;

use super::problem::Problem;
use crate::cache::cache_source;

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
        cache_source(&name).map_err(|error| Problem::bad_request(error.to_string()))?;
        Ok(Self(name))
    }
}
