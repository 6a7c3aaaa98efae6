//! What commands work on: the cache, a service over it, and a runtime where they wait for the network.

use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::anyhow;
use runtime_signals::cache::{CacheError, CacheOptions, NameError};
use runtime_signals::probe::{DEFAULT_TIMEOUT, HttpProbe};
use runtime_signals::{Error, Service, SignalCache, Store, StoreOptions, cache_source};
use tokio::signal::unix::{SignalKind, signal};

use super::output::Output;

/// What all commands share.
pub(super) struct Context {
    cache_dir: Option<PathBuf>,
    pub(super) output: Output,
}

impl Context {
    pub(super) fn new(cache_dir: Option<PathBuf>, output: Output) -> Self {
        Self { cache_dir, output }
    }

    /// Was a cache named on the command line?
    pub(super) fn names_cache(&self) -> bool {
        self.cache_dir.is_some()
    }

    /// The cache that the command line names, else the environment's.
    pub(super) fn cache(&self) -> Result<SignalCache, CacheError> {
        match &self.cache_dir {
            Some(root) => Ok(SignalCache::with_options(root, CacheOptions::default().override_from_env()?)),
            None => SignalCache::from_env(),
        }
    }

    /// A service over the cache.
    pub(super) fn service(&self) -> Result<Service, Error> {
        self.service_with(false)
    }

    /// A service whose probe also asks local servers whether they are ready.
    pub(super) fn service_with(&self, readiness: bool) -> Result<Service, Error> {
        let cache = self.cache()?;
        let probe = HttpProbe::new(DEFAULT_TIMEOUT)?.with_readiness(readiness);
        let options = StoreOptions { probe: Some(Arc::new(probe)), ..StoreOptions::default() };
        Ok(Service::new(Store::with_options(options)?, cache))
    }
}

/// Writes what is not on disk yet.
pub(super) fn finish(service: &Service) -> Result<(), Error> {
    service.flush()?;
    let cache = service.cache();
    if !cache.settle(cache.options().refresh_deadline) {
        tracing::warn!(
            "another program is refreshing what was written and may replace it by something older"
        );
    }
    Ok(())
}

/// Runs a future to its end. What it leaves behind, such as a name that is still being resolved, is not
/// waited for.
pub(super) fn block_on<F: Future>(future: F) -> anyhow::Result<F::Output> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| anyhow!("cannot wait for the network: {error}"))?;
    let output = runtime.block_on(future);
    runtime.shutdown_background();
    Ok(output)
}

/// Waits until the process is asked to end, by Ctrl-C or by SIGTERM.
pub(super) async fn interrupted() -> anyhow::Result<()> {
    let deaf = |error| anyhow!("cannot wait for signals of the system: {error}");
    let mut terminate = signal(SignalKind::terminate()).map_err(deaf)?;
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted.map_err(deaf),
        _ = terminate.recv() => Ok(()),
    }
}

/// Reads a provider's name on the command line.
pub(super) fn provider_name(text: &str) -> Result<String, NameError> {
    cache_source(text).map(|source| source.name().to_owned())
}
