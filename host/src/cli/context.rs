//! What commands work on: the cache, a service over it, and a runtime where they wait for the network.

use std::cell::OnceCell;
use std::collections::BTreeSet;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::anyhow;
use runtime_signals::cache::NameError;
use runtime_signals::config::{CacheSettings, Config, ServiceAddress};
use runtime_signals::parsers::{self, Parsers};
use runtime_signals::probe::{DEFAULT_TIMEOUT, HttpProbe, Probe};
use runtime_signals::profiles::ProfileDir;
use runtime_signals::server::Token;
use runtime_signals::{Error, Service, SignalCache, Source, Store, StoreOptions, cache_source};
use tokio::signal::unix::{SignalKind, signal};

use super::output::Output;
use super::remote::Remote;

/// Names the service that is asked, where `--service` does not.
const SERVICE_VARIABLE: &str = "RUNTIME_SIGNALS_SERVICE";
/// The longest share of a refresh that a liveness check takes: as by default, of 5 seconds 3.
const PROBED_OF_A_REFRESH: f64 = 0.6;

/// What all commands share.
pub(super) struct Context {
    cache_dir: Option<PathBuf>,
    service: Option<ServiceAddress>,
    config_file: Option<PathBuf>,
    config: OnceCell<Config>,
    pub(super) output: Output,
}

impl Context {
    pub(super) fn new(
        cache_dir: Option<PathBuf>,
        service: Option<ServiceAddress>,
        config_file: Option<PathBuf>,
        output: Output,
    ) -> Self {
        Self { cache_dir, service, config_file, config: OnceCell::new(), output }
    }

    /// The service that is to be asked in place of the cache: that of the command line, else the environment's, else
    /// the configuration's; none where the command line names a cache.
    pub(super) fn remote(&self) -> anyhow::Result<Option<Remote>> {
        let Some(address) = self.service_address()? else { return Ok(None) };
        let token = self.token_for(&address)?;
        Ok(Remote::new(&address, token.as_ref(), self.config()?.client.timeout)?)
    }

    /// Where it is; `None` for none.
    pub(super) fn service_address(&self) -> anyhow::Result<Option<ServiceAddress>> {
        if self.service.is_some() {
            return Ok(self.service.clone());
        }
        if self.names_cache() {
            return Ok(None);
        }
        let named = std::env::var_os(SERVICE_VARIABLE).filter(|value| !value.is_empty());
        if let Some(address) = named {
            let address = address.to_string_lossy().parse();
            return address.map(Some).map_err(|problem| anyhow!("{SERVICE_VARIABLE}: {problem}"));
        }
        Ok(self.config()?.client.service.clone())
    }

    /// What a service there is shown. The token of the service on this machine is for this machine alone.
    pub(super) fn token_for(&self, address: &ServiceAddress) -> anyhow::Result<Option<Token>> {
        let config = self.config()?;
        let own = config.service.token_file.as_ref().filter(|_| address.is_local());
        Ok(Token::find(config.client.token_file.as_ref().or(own).map(PathBuf::as_path))?)
    }

    /// Was a cache named on the command line?
    pub(super) fn names_cache(&self) -> bool {
        self.cache_dir.is_some()
    }

    /// The configuration, with what the environment and the command line put over it. It is read when it is first
    /// asked for.
    pub(super) fn config(&self) -> anyhow::Result<&Config> {
        if let Some(config) = self.config.get() {
            return Ok(config);
        }
        let config = self.read_config()?;
        Ok(self.config.get_or_init(|| config))
    }

    /// The file that the command line names.
    pub(super) fn config_file(&self) -> Option<&Path> {
        self.config_file.as_deref()
    }

    /// The same as this without any file of a configuration.
    pub(super) fn by_default(&self) -> anyhow::Result<Self> {
        let mut config = Config::default();
        config.cache = CacheSettings::effective(&config.cache, self.cache_dir.clone())?;
        Ok(Self {
            cache_dir: self.cache_dir.clone(),
            service: self.service.clone(),
            config_file: None,
            config: OnceCell::from(config),
            output: self.output,
        })
    }

    /// The same, read anew.
    pub(super) fn read_config(&self) -> anyhow::Result<Config> {
        let mut config = Config::load(self.config_file.as_deref())?;
        config.cache = CacheSettings::effective(&config.cache, self.cache_dir.clone())?;
        Ok(config)
    }

    /// The cache that the command line names, else the environment's, else the configuration's.
    pub(super) fn cache(&self) -> anyhow::Result<SignalCache> {
        Ok(self.config()?.cache.open()?)
    }

    /// All that are cached or configured, by name.
    pub(super) fn known(&self, service: &Service) -> anyhow::Result<Vec<Source>> {
        let mut sources = BTreeSet::from_iter(service.cache().list()?);
        for provider in &self.config()?.providers {
            sources.insert(cache_source(provider.name.as_str())?);
        }
        Ok(sources.into_iter().collect())
    }

    /// A service over the cache, for commands that read no response: without parsers, which take time to load.
    pub(super) fn service(&self) -> anyhow::Result<Service> {
        self.service_with(false)
    }

    /// The same with a probe that also asks local servers whether they are ready.
    pub(super) fn service_with(&self, readiness: bool) -> anyhow::Result<Service> {
        let cache = self.cache()?;
        let probe = self.probe()?.with_readiness(readiness);
        let options = StoreOptions { probe: Some(Arc::new(probe)), ..with_profiles() };
        Ok(Service::new(Store::with_options(options)?, cache))
    }

    /// The liveness check. It ends before the refresh that it belongs to is cut off, as what it finds would be lost.
    fn probe(&self) -> anyhow::Result<HttpProbe> {
        let deadline = self.config()?.cache.refresh_deadline;
        let timeout = DEFAULT_TIMEOUT.min(deadline.mul_f64(PROBED_OF_A_REFRESH));
        Ok(HttpProbe::new(timeout).map_err(Error::from)?)
    }

    /// A service over the cache, for commands that read responses.
    pub(super) fn reading_service(&self) -> anyhow::Result<Service> {
        let cache = self.cache()?;
        Ok(Service::new(self.store()?, cache))
    }

    /// A store that reads, writes and judges signals of others.
    pub(super) fn judge(&self) -> anyhow::Result<Store> {
        Ok(Store::with_options(StoreOptions::default())?)
    }

    /// A store with the user's profiles and parsers.
    pub(super) fn store(&self) -> anyhow::Result<Store> {
        let parsers = Some(self.config()?.parsers.clone()).filter(parsers::Options::is_enabled);
        let probe = Some(Arc::new(self.probe()?) as Arc<dyn Probe>);
        Ok(Store::with_options(StoreOptions { parsers, probe, ..with_profiles() })?)
    }

    /// The parser components, as configured.
    pub(super) fn parsers(&self) -> anyhow::Result<Arc<Parsers>> {
        self.parsers_with(self.config()?.parsers.clone())
    }

    /// The parser components, by other options than those that are configured.
    pub(super) fn parsers_with(&self, options: parsers::Options) -> anyhow::Result<Arc<Parsers>> {
        let store = Store::with_options(StoreOptions { parsers: Some(options), ..StoreOptions::default() })?;
        store.parsers().cloned().ok_or_else(|| anyhow!("parsers are turned off"))
    }
}

fn with_profiles() -> StoreOptions {
    StoreOptions { profiles: ProfileDir::user().map(PathBuf::from), ..StoreOptions::default() }
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
    run_on(tokio::runtime::Builder::new_current_thread(), future)
}

/// The same on several threads.
pub(super) fn block_on_threads<F: Future>(future: F) -> anyhow::Result<F::Output> {
    run_on(tokio::runtime::Builder::new_multi_thread(), future)
}

fn run_on<F: Future>(mut builder: tokio::runtime::Builder, future: F) -> anyhow::Result<F::Output> {
    let runtime = builder.enable_all().build();
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
