//! Providers that nobody has configured: local servers on their usual ports, quota snapshots on disk.

use std::time::Duration;

use super::state::AppState;
use crate::cache::cache_source;
use crate::config::{Config, ProviderConfig};
use crate::probe::{HttpProbe, Probe, ProbeOutcome};
use crate::quota::{QuotaHarness, QuotaPaths, QuotaSources, QuotaState, SUBSCRIPTIONS};

/// How long a local server may take to answer.
const PATIENCE: Duration = Duration::from_secs(1);

/// Looks around again and again, for as long as the service lasts. What was found once stays.
pub(super) async fn run(state: AppState) {
    let mut config = state.follow_config();
    loop {
        let current = config.borrow_and_update().clone();
        if is_wanted(&current) {
            look_around(&state, &current).await;
        }
        tokio::select! {
            () = tokio::time::sleep(current.refresh.interval) => {}
            changed = config.changed() => if changed.is_err() { return },
            () = state.ended() => return,
        }
    }
}

fn is_wanted(config: &Config) -> bool {
    config.discovery.enabled.unwrap_or(config.providers.is_empty())
}

async fn look_around(state: &AppState, config: &Config) {
    let quota = QuotaSources::new(QuotaPaths::from_env());
    for name in SUBSCRIPTIONS {
        let is_there = quota.quota_status(name, state.service.store().now()).state != QuotaState::Unavailable;
        if let Some(source) = cache_source(name).ok().filter(|_| is_there) {
            state.found(ProviderConfig::named_for_its_type(source.into(), None));
        }
    }
    let probe = match HttpProbe::new(PATIENCE) {
        Ok(probe) => probe,
        Err(error) => return tracing::warn!(%error, "local servers cannot be looked for"),
    };
    for server in &config.discovery.local_servers {
        let (name, base_url) = (server.provider_type.as_str(), &server.base_url);
        let is_known = state.found_or_configured(name).is_some();
        if !is_known && probe.check_alive(name, base_url.as_str()).await == ProbeOutcome::Alive {
            tracing::info!(provider = name, %base_url, "a local server is found");
            state.found(ProviderConfig::named_for_its_type(
                server.provider_type.clone(),
                Some(base_url.clone()),
            ));
        }
    }
}
