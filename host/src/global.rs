//! One default service a process, and the functions over it.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use crate::cache::SignalCache;
use crate::error::Error;
use crate::observation::{Headers, Observation};
use crate::service::{CachedSignal, Service, WriteOutcome};
use crate::signal::Signal;
use crate::store::{CollectInput, Store};

/// The service of this process over the user's cache. It is made when it is first asked for.
///
/// # Errors
/// The engine cannot be loaded, or the environment names no cache folder. The failure stays.
pub fn default_service() -> Result<&'static Service, Error> {
    static SERVICE: OnceLock<Result<Service, Arc<Error>>> = OnceLock::new();
    let service = SERVICE.get_or_init(|| {
        let make = || Ok(Service::new(Store::new()?, SignalCache::from_env()?));
        make().map_err(Arc::new)
    });
    service.as_ref().map_err(|error| Error::Shared(error.clone()))
}

/// The service of this process over another cache: one a folder, so that refreshes are shared.
fn service_over(cache: &SignalCache) -> Result<Service, Error> {
    static SERVICES: OnceLock<Mutex<HashMap<PathBuf, Service>>> = OnceLock::new();
    let store = default_service()?.store().clone();
    let mut services = SERVICES.get_or_init(Mutex::default).lock().unwrap_or_else(PoisonError::into_inner);
    let service = services.entry(cache.root().into());
    Ok(service.or_insert_with(|| Service::new(store, cache.clone())).clone())
}

/// Records a response on the default service. See [`Store::record_response`].
///
/// # Errors
/// As there; and those of [`default_service`].
pub fn record_response(
    provider: &str,
    headers: &dyn Headers,
    latency: Duration,
    provider_type: &str,
) -> Result<(), Error> {
    default_service()?.record_response(provider, headers, latency, provider_type)
}

/// Collects on the default service. See [`Service::collect`].
///
/// # Errors
/// As there; and those of [`default_service`].
pub async fn collect(provider: &str, input: &CollectInput) -> Result<Signal, Error> {
    default_service()?.collect(provider, input).await
}

/// Collects from memory and persists on the default service, after a call that was recorded. See
/// [`Service::observe`].
///
/// # Errors
/// As there; and those of [`default_service`].
pub fn observe(
    provider: &str,
    provider_type: &str,
    base_url: &str,
    headers: &dyn Headers,
    latency: Duration,
    call_error: Option<&str>,
) -> Result<Signal, Error> {
    default_service()?.observe(provider, provider_type, base_url, headers, latency, call_error)
}

/// Records, collects from memory and persists on the default service. See [`Service::observe_response`].
///
/// # Errors
/// As there; and those of [`default_service`].
pub fn observe_response(observation: &Observation<'_>) -> Result<Signal, Error> {
    default_service()?.observe_response(observation)
}

/// Refreshes a provider and writes it to `cache`. See [`Service::warmup`].
///
/// # Errors
/// As there; and those of [`default_service`].
pub async fn warmup(cache: &SignalCache, provider: &str, input: &CollectInput) -> Result<Signal, Error> {
    service_over(cache)?.warmup(provider, input).await
}

/// Writes a signal to `cache`. See [`Service::write`].
///
/// # Errors
/// As there; and those of [`default_service`].
pub fn write(cache: &SignalCache, signal: &Signal) -> Result<WriteOutcome, Error> {
    service_over(cache)?.write(signal)
}

/// Reads a provider's signal from `cache`. See [`Service::read_cached`].
///
/// # Errors
/// As there; and those of [`default_service`].
pub fn read_cached(cache: &SignalCache, provider: &str) -> Result<Option<CachedSignal>, Error> {
    service_over(cache)?.read_cached(provider)
}
