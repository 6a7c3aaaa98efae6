//! `GET /v1/providers`: who is known, of which type, and what reads the responses.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::board::Entry;
use super::problem::Problem;
use super::state::AppState;
use crate::store::Store;

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(providers))
}

/// All providers.
#[derive(Serialize, utoipa::ToSchema)]
struct Providers {
    /// How long news is fresh, in nanoseconds: `cache.ttl`.
    #[schema(value_type = u64)]
    ttl_ns: u128,
    /// By name.
    providers: Vec<Known>,
}

/// A provider.
#[derive(Serialize, utoipa::ToSchema)]
struct Known {
    /// Its name.
    provider: String,
    /// Its type; left out where only its signal is known, from the cache or from another host.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    provider_type: Option<String>,
    /// What reads its responses; left out where its type is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    parser: Option<Parser>,
    /// Is there news of it that is younger than `cache.ttl`?
    fresh: bool,
    /// Nanoseconds since the last news of it; null for never.
    #[schema(value_type = Option<u64>)]
    age_ns: Option<u128>,
}

/// What reads the responses of a provider type.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum Parser {
    /// What is built in.
    BuiltIn,
    /// What is built in, by a profile of the user's own.
    Profile {
        /// The profile's file.
        name: String,
    },
    /// A parser component.
    Component {
        /// Its name.
        name: String,
        /// Its version.
        version: String,
    },
}

/// All providers that are configured, recorded or cached, by name: their types, what reads their responses, and how old
/// the last news of them is.
#[utoipa::path(get, path = "/v1/providers", tag = "signals", responses((status = 200, body = Providers)))]
async fn providers(State(state): State<AppState>) -> Result<Json<Providers>, Problem> {
    let configured = state.providers();
    let known = |entry: Arc<Entry>| {
        let provider = entry.signal.provider.clone();
        let configured = configured.iter().find(|configured| configured.name.as_str() == provider);
        let provider_type = configured
            .map(|configured| configured.provider_type.clone())
            .or_else(|| state.board.observed_type(&provider).map(String::from));
        let parser = provider_type.as_deref().map(|of| parser(state.service.store(), of));
        let (fresh, age) = state.board.freshness(&entry);
        Known { provider, provider_type, parser, fresh, age_ns: age.as_ref().map(Duration::as_nanos) }
    };
    let providers = state.board.entries()?.into_iter().map(known).collect();
    Ok(Json(Providers { ttl_ns: state.board.ttl().as_nanos(), providers }))
}

fn parser(store: &Store, provider_type: &str) -> Parser {
    if let Some((name, version)) = store.parsers().and_then(|parsers| parsers.serving(provider_type)) {
        return Parser::Component { name, version: version.to_string() };
    }
    let profiles = store.profiles();
    let own = profiles.loaded.iter().find(|profile| {
        profile.provider_type == provider_type || profile.aliases.iter().any(|alias| alias == provider_type)
    });
    match own.and_then(|profile| profile.path.file_name()) {
        Some(file) => Parser::Profile { name: file.to_string_lossy().into_owned() },
        None => Parser::BuiltIn,
    }
}
