//! What endpoints share.

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::ops::Deref;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use tokio::sync::{Semaphore, watch};

use super::board::Board;
use super::metrics::Counters;
use super::proxy::Proxy;
use super::token::Token;
use crate::config::{Config, ProviderConfig};
use crate::lease::Ledger;
use crate::observation::Observation;
use crate::profiles::ProfileDir;
use crate::service::Service;
use crate::shared::SharedTier;

/// What endpoints share. Cheap to clone.
#[derive(Clone)]
pub struct AppState(Arc<Shared>);

/// The parts.
pub struct Shared {
    /// The library's service.
    pub service: Service,
    /// What clients see.
    pub board: Arc<Board>,
    /// What is counted for `/metrics`.
    pub(super) counters: Counters,
    /// Calls that are passed on.
    pub(super) proxy: Proxy,
    /// Leases that are out.
    ledger: Mutex<Ledger>,
    /// What a fleet shares, where it does.
    pub(super) tier: Option<Arc<SharedTier>>,
    /// Places for event streams.
    pub(super) streams: Arc<Semaphore>,
    /// Who asks too often.
    limiter: RwLock<Arc<Limiter>>,
    config: watch::Sender<Arc<Config>>,
    /// Providers that were found.
    found: Mutex<Vec<ProviderConfig>>,
    /// Counts how often the configured or found providers have changed.
    providers: watch::Sender<u64>,
    token: RwLock<Option<Token>>,
    /// Becomes true when the service is to end.
    ending: watch::Sender<bool>,
}

pub(super) type Limiter = DefaultKeyedRateLimiter<Option<IpAddr>>;

impl Deref for AppState {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}

impl AppState {
    /// The state at the start.
    pub(super) fn new(
        service: Service,
        config: Config,
        token: Option<Token>,
        tier: Option<Arc<SharedTier>>,
    ) -> Self {
        let shared = Shared {
            board: Arc::new(Board::new(service.clone()).telling(tier.as_ref().map(|tier| tier.news.clone()))),
            tier,
            service,
            counters: Counters::default(),
            proxy: Proxy::new(&config.proxy),
            ledger: Mutex::new(Ledger::new(config.service.limits.leases)),
            streams: Arc::new(Semaphore::new(config.service.limits.event_streams)),
            limiter: RwLock::new(Arc::new(limiter(&config))),
            config: watch::Sender::new(Arc::new(config)),
            found: Mutex::default(),
            providers: watch::Sender::new(0),
            token: RwLock::new(token),
            ending: watch::Sender::new(false),
        };
        shared.show_configured();
        Self(Arc::new(shared))
    }
}

impl Shared {
    /// The configuration in force.
    #[must_use]
    pub fn config(&self) -> Arc<Config> {
        self.config.borrow().clone()
    }

    /// The configuration in force, and those that will be.
    #[must_use]
    pub fn follow_config(&self) -> watch::Receiver<Arc<Config>> {
        self.config.subscribe()
    }

    /// Has this token to be carried by requests?
    pub(super) fn token(&self) -> Option<Token> {
        self.token.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn limiter(&self) -> Arc<Limiter> {
        self.limiter.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Puts a configuration into force, and takes in the user's profiles anew. Nothing that is known is lost. Where
    /// the service listens and where its cache is stays as it was at the start.
    pub(super) fn reload(&self, config: Config, token: Option<Token>) {
        let before = self.config();
        if (&config.service.listen, &config.service.socket)
            != (&before.service.listen, &before.service.socket)
            || config.cache != before.cache
            || config.shared != before.shared
        {
            tracing::warn!(
                "`service.listen`, `service.socket`, `cache` and `shared` take effect at the next start"
            );
        }
        if config.service.limits.requests_per_second != before.service.limits.requests_per_second {
            *self.limiter.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(limiter(&config));
        }
        self.ledger().set_most(config.service.limits.leases);
        *self.token.write().unwrap_or_else(PoisonError::into_inner) = token;
        if let Some(directory) = ProfileDir::user() {
            self.service.store().load_profiles(&PathBuf::from(directory));
        }
        if let Some(Err(error)) = self.service.store().parsers().map(|parsers| parsers.refresh()) {
            tracing::error!(%error, "the parsers stay as they were");
        }
        self.config.send_replace(Arc::new(config));
        self.show_configured();
        self.providers.send_modify(|times| *times += 1);
    }

    /// A call was recorded.
    pub(super) fn recorded(&self, observation: &Observation<'_>) {
        if let Some(tier) = &self.tier {
            let is_local = self.service.store().is_of_local_servers(observation.provider_type);
            tier.observe(observation.provider, !is_local.unwrap_or(true));
        }
        self.board.mark_observed(observation.provider, observation.provider_type);
    }

    fn show_configured(&self) {
        for provider in &self.config().providers {
            self.board.add(provider.name.as_str());
        }
    }

    /// A provider was found that is not configured.
    pub(super) fn found(&self, provider: ProviderConfig) {
        let name = provider.name.as_str();
        if self.found_or_configured(name).is_some() {
            return;
        }
        self.board.add(name);
        self.found.lock().unwrap_or_else(PoisonError::into_inner).push(provider);
        self.providers.send_modify(|times| *times += 1);
    }

    /// All providers that are configured, in the order of the file, then those that were found.
    #[must_use]
    pub fn providers(&self) -> Vec<ProviderConfig> {
        let mut providers = self.config().providers.clone();
        let found = self.found.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let is_new = |provider: &ProviderConfig| providers.iter().all(|known| known.name != provider.name);
        let found: Vec<_> = found.into_iter().filter(is_new).collect();
        providers.extend(found);
        providers
    }

    /// A provider that is configured or was found.
    #[must_use]
    pub fn found_or_configured(&self, name: &str) -> Option<ProviderConfig> {
        if let Some(configured) = self.config().provider(name) {
            return Some(configured.clone());
        }
        let found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        found.iter().find(|provider| provider.name.as_str() == name).cloned()
    }

    /// Tells when [`providers`](Self::providers) has changed.
    #[must_use]
    pub fn follow_providers(&self) -> watch::Receiver<u64> {
        self.providers.subscribe()
    }

    /// Tells everything that waits that the service ends.
    pub(super) fn end(&self) {
        self.ending.send_replace(true);
    }

    /// Is the service ending?
    #[must_use]
    pub fn is_ending(&self) -> bool {
        *self.ending.borrow()
    }

    /// Returns when the service ends.
    pub async fn ended(&self) {
        // It fails when there is no service any more.
        let _ = self.ending.subscribe().wait_for(|ending| *ending).await;
    }
}

fn limiter(config: &Config) -> Limiter {
    let rate = u32::try_from(config.service.limits.requests_per_second).unwrap_or(u32::MAX);
    RateLimiter::keyed(Quota::per_second(NonZeroU32::new(rate).unwrap_or(NonZeroU32::MAX)))
}
