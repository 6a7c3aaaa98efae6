//! The service: a store whose signals go to a cache that other processes read.
//!
//! Observing returns after the update in memory; what has changed is written behind, [`WRITE_BEHIND`] later
//! unless very many change, newest first wins, and flushed at the end. Durable forms return when it is on
//! disk. Before a provider is judged for the first time, what other processes have stored of it is taken in.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::cache::{
    Committed, Decision, Durability, PruneReport, Raw, RefreshFailure, Refreshed, Refresher, SignalCache,
    Source, cache_source,
};
use crate::engine::CommitDecision;
use crate::error::Error;
use crate::observation::{Headers, Observation};
use crate::shared;
use crate::signal::{Scope, Signal};
use crate::store::{CollectInput, Store};
use crate::wait::{Need, Wait};
use crate::write_behind::{Known, Urgency, WriteBehind};

pub use crate::write_behind::{DiskTrouble, WRITE_BEHIND};

/// A stored signal and its age.
#[derive(Clone, Debug, PartialEq)]
pub struct CachedSignal {
    /// The signal.
    pub signal: Signal,
    /// Its age is below the time-to-live.
    pub fresh: bool,
    /// How old it is.
    pub age: Duration,
}

/// What became of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WriteOutcome {
    /// The signal is stored, merged with what it lacked.
    Written,
    /// What is stored is newer and stays.
    Superseded,
}

/// A store and a cache. Cheap to clone; safe to use from many threads.
///
/// ```
/// use std::time::Duration;
/// use runtime_signals::{Observation, Service, SignalCache, Store};
///
/// let folder = tempfile::tempdir()?;
/// let service = Service::new(Store::new()?, SignalCache::new(folder.path()));
///
/// let headers = [("x-ratelimit-remaining-requests", "59")];
/// let mut observation = Observation::new("openai", "openai", &headers, Duration::from_millis(840));
/// observation.status = Some(200);
/// service.observe_response(&observation)?;
/// service.flush()?;
///
/// let cached = service.read_cached("openai")?.expect("it was flushed");
/// assert_eq!(cached.signal.quota_remaining, Some(59));
/// assert!(cached.fresh);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Service {
    disk: Disk,
    refresher: Refresher<Signal, Arc<Error>>,
    behind: Arc<WriteBehind>,
}

/// Where the two tiers meet: memory and disk.
#[derive(Clone)]
pub(crate) struct Disk {
    store: Store,
    cache: SignalCache,
}

impl Disk {
    pub(crate) const fn store(&self) -> &Store {
        &self.store
    }

    /// Takes in what is stored of a provider.
    fn adopt(&self, source: &Source) -> Result<(), Error> {
        let Some(Raw { bytes, .. }) = self.cache.read(source)? else { return Ok(()) };
        if let Err(error) = self.store.adopt(source.name(), &bytes) {
            tracing::debug!(provider = source.name(), %error, "what is stored is no signal");
        }
        Ok(())
    }

    /// Writes a provider's present state, merged with what is stored. Returns the JSON that is there then.
    pub(crate) fn settle(&self, source: &Source, durability: Durability) -> Result<Option<Vec<u8>>, Error> {
        let now = self.store.now();
        let store = self.store.clone();
        let name = source.name().to_owned();
        let ahead = self.cache.options().refresh_deadline;
        let decided = Arc::new(Mutex::new(None));
        let last = decided.clone();
        let decide = move |stored: Option<&[u8]>| {
            let (json, decision) = match store.settle(&name, stored, now, ahead)? {
                CommitDecision::Write(json) => (Some(json.clone()), Decision::Write(json)),
                CommitDecision::Superseded => (stored.map(<[u8]>::to_vec), Decision::Keep),
            };
            *last.lock().unwrap_or_else(PoisonError::into_inner) = json;
            Ok(decision)
        };
        if self.cache.commit::<Error, _>(source, durability, decide)? == Committed::Written {
            self.store.share(source.name())?;
        }
        Ok(decided.lock().unwrap_or_else(PoisonError::into_inner).take())
    }

    fn cached(&self, source: &Source, raw: &Raw) -> Option<CachedSignal> {
        let signal = match self.store.decode(source.name(), &raw.bytes) {
            Ok(signal) => signal,
            Err(error) => {
                tracing::debug!(provider = source.name(), %error, "what is stored is no signal");
                return None;
            }
        };
        let freshness = self.cache.freshness(raw.modified, signal.recorded_at);
        Some(CachedSignal { signal, fresh: freshness.fresh, age: freshness.age })
    }

    fn read(&self, source: &Source) -> Result<Option<CachedSignal>, Error> {
        Ok(self.cache.read(source)?.and_then(|raw| self.cached(source, &raw)))
    }

    /// Collects anew and writes the result durably.
    async fn refresh(self, source: Source, input: CollectInput) -> Result<Signal, Arc<Error>> {
        let collected = self.store.refresh(source.name(), &input).await.map_err(Arc::new)?;
        let settle = move || {
            let json = self.settle(&source, Durability::Durable)?;
            match json {
                Some(json) => self.store.decode(source.name(), &json),
                None => Ok(collected),
            }
        };
        match tokio::task::spawn_blocking(settle).await {
            Ok(settled) => settled.map_err(Arc::new),
            Err(error) => {
                let error = std::io::Error::other(error);
                Err(Arc::new(Error::Thread { task: "writing a refreshed signal", error }))
            }
        }
    }
}

impl Service {
    /// A service over a store and a cache.
    #[must_use]
    pub fn new(store: Store, cache: SignalCache) -> Self {
        let refresher = Refresher::new(cache.clone());
        let disk = Disk { store, cache };
        let behind = Arc::new(WriteBehind::new(disk.clone()));
        Self { disk, refresher, behind }
    }

    /// The store.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.disk.store
    }

    /// The cache.
    #[must_use]
    pub fn cache(&self) -> &SignalCache {
        &self.disk.cache
    }

    /// The signal as of now, with a live check where the provider type asks for one. Nothing is written.
    ///
    /// # Errors
    /// The name cannot be a file name, the cache cannot be read, or the engine failed.
    pub async fn collect(&self, provider: &str, input: &CollectInput) -> Result<Signal, Error> {
        self.know(provider)?;
        self.disk.store.collect(provider, input).await
    }

    /// The signal of what is known without a live check, as of now.
    ///
    /// # Errors
    /// The name cannot be a file name, the cache cannot be read, or the engine failed.
    pub fn recorded(&self, provider: &str) -> Result<Signal, Error> {
        self.know(provider)?;
        self.disk.store.recorded(provider)
    }

    /// When a request of this size can pass in this scope, by what is known in memory and what other processes
    /// have stored by now. Where that cannot be read any more, by what is known in memory.
    ///
    /// # Errors
    /// The name cannot be a file name, the cache cannot be read for the first time, or the engine failed.
    pub fn wait_for(&self, provider: &str, scope: &Scope, need: Need) -> Result<Wait, Error> {
        let source = cache_source(provider)?;
        self.know(provider)?;
        if let Err(error) = self.disk.adopt(&source) {
            tracing::debug!(provider, %error, "what is stored cannot be taken in now");
        }
        self.disk.store.wait_for(provider, scope, need)
    }

    /// After a call that was recorded: collects from memory and persists. An empty provider name is a no-op.
    ///
    /// It does not record: the headers and the latency were recorded before, by
    /// [`record_response`](Self::record_response). They and the base URL are taken so that callers hand the
    /// same arguments to each function, and a live check is never made. A call error sets `last_error_*`,
    /// and turns `unknown` into `degraded`.
    ///
    /// # Errors
    /// The name cannot be a file name, the cache cannot be read, or the engine failed.
    pub fn observe(
        &self,
        provider: &str,
        provider_type: &str,
        _base_url: &str,
        _headers: &dyn Headers,
        latency: Duration,
        call_error: Option<&str>,
    ) -> Result<Signal, Error> {
        match call_error {
            Some(error) => {
                self.observe_response(&Observation::failed(provider, provider_type, error, latency))
            }
            None if provider.is_empty() => Ok(self.unknown()),
            None => {
                let known = self.know_if_readable(provider)?;
                let signal = self.disk.store.recorded(provider)?;
                self.behind.mark(&known, Urgency::Routine)?;
                Ok(signal)
            }
        }
    }

    /// As [`observe`](Self::observe), but returns when the signal is on disk.
    ///
    /// # Errors
    /// As there; and the cache cannot be written.
    pub fn observe_durably(
        &self,
        provider: &str,
        provider_type: &str,
        base_url: &str,
        headers: &dyn Headers,
        latency: Duration,
        call_error: Option<&str>,
    ) -> Result<Signal, Error> {
        let signal = self.observe(provider, provider_type, base_url, headers, latency, call_error)?;
        self.persist_now(provider)?;
        Ok(signal)
    }

    /// Records a finished call, collects from memory and persists. An empty provider name is a no-op.
    ///
    /// # Errors
    /// The name cannot be a file name, or the engine failed. Nothing was recorded.
    pub fn observe_response(&self, observation: &Observation<'_>) -> Result<Signal, Error> {
        if observation.provider.is_empty() {
            return Ok(self.unknown());
        }
        let known = self.know_if_readable(observation.provider)?;
        let signal = self.disk.store.observe(observation)?;
        self.behind.mark(&known, urgency(observation))?;
        Ok(signal)
    }

    /// As [`observe_response`](Self::observe_response), but returns when the signal is on disk.
    ///
    /// # Errors
    /// As there; and the cache cannot be written.
    pub fn observe_response_durably(&self, observation: &Observation<'_>) -> Result<Signal, Error> {
        let signal = self.observe_response(observation)?;
        self.persist_now(observation.provider)?;
        Ok(signal)
    }

    /// Records finished calls, all as of the same time, and persists their providers. Tells of each whether it was
    /// recorded.
    pub fn observe_batch(&self, observations: &[Observation<'_>]) -> Vec<Result<(), Error>> {
        let know = |observation: &Observation<'_>| match observation.provider {
            "" => Ok(None),
            provider => self.know_if_readable(provider).map(Some),
        };
        let known: Vec<_> = observations.iter().map(know).collect();
        let good = observations.iter().zip(&known).filter(|(_, known)| known.is_ok());
        let good: Vec<_> = good.map(|(observation, _)| *observation).collect();
        let mut recorded = self.disk.store.record_batch(&good).into_iter();
        let outcomes = known.into_iter().zip(observations).map(|(known, observation)| {
            let known = known?;
            recorded.next().unwrap_or(Ok(()))?;
            known.map_or(Ok(()), |known| self.behind.mark(&known, urgency(observation)))
        });
        outcomes.collect()
    }

    /// The signal of the provider without a name.
    fn unknown(&self) -> Signal {
        Signal::unknown(String::new(), self.disk.store.now())
    }

    fn persist_now(&self, provider: &str) -> Result<(), Error> {
        if provider.is_empty() {
            return Ok(());
        }
        self.behind.write_now(&self.know(provider)?, Durability::Durable)
    }

    /// Writes a provider now, so that other processes see it.
    pub(crate) fn persist(&self, source: &Source) -> Result<(), Error> {
        self.behind.write_now(&self.know(source.name())?, Durability::Visible)
    }

    /// Takes in what others have stored of a provider by now.
    pub(crate) fn take_in(&self, source: &Source) -> Result<(), Error> {
        self.know(source.name())?;
        self.disk.adopt(source)
    }

    /// Takes in what another host knows of a provider: merged with what is on disk, unless that is as it was when both
    /// knew the same (`unchanged`, its hash).
    pub(crate) fn take_in_shared(
        &self,
        source: &Source,
        signal: &Signal,
        unchanged: Option<u64>,
    ) -> Result<(), Error> {
        self.know(source.name())?;
        let fresh = self.disk.store.encode(signal)?;
        let (store, now) = (self.disk.store.clone(), self.disk.store.now());
        let (provider, ahead) = (source.name().to_owned(), self.disk.cache.options().refresh_deadline);
        let decide = move |stored: Option<&[u8]>| {
            if unchanged.is_some() && unchanged == stored.map(shared::hash_of) {
                return Ok(Decision::Write(fresh.clone()));
            }
            Ok(match store.commit(&provider, stored, &fresh, now, ahead)? {
                CommitDecision::Write(json) => Decision::Write(json),
                CommitDecision::Superseded => Decision::Keep,
            })
        };
        self.disk.cache.commit::<Error, _>(source, Durability::Visible, decide)?;
        self.disk.adopt(source)
    }

    /// Takes in what others have stored of a provider, the first time that it is asked about.
    fn know(&self, provider: &str) -> Result<Arc<Known>, Error> {
        self.behind.known(provider, |source| self.disk.adopt(source))
    }

    /// The same, for what comes in: it is not lost because the disk cannot be read. What is stored is taken in when
    /// the disk can be written.
    fn know_if_readable(&self, provider: &str) -> Result<Arc<Known>, Error> {
        match self.know(provider) {
            Err(error @ Error::Cache(_)) => self.behind.not_taken_in(provider, &error),
            known => known,
        }
    }

    /// What cannot be brought to the disk now, if there is anything.
    #[must_use]
    pub fn disk_trouble(&self) -> Option<DiskTrouble> {
        self.behind.trouble()
    }

    /// Refreshes a provider and writes the result now. At most one refresh is in flight: others share its
    /// result, within the process and across processes.
    ///
    /// # Errors
    /// [`Error::Refresh`] with what is stored meanwhile; the name cannot be a file name.
    pub async fn warmup(&self, provider: &str, input: &CollectInput) -> Result<Signal, Error> {
        let source = cache_source(provider)?;
        self.know(provider)?;
        let work = self.disk.clone().refresh(source.clone(), input.clone());
        match self.refresher.refresh(&source, work).await {
            Ok(Refreshed::Here(signal)) => Ok(signal),
            Ok(Refreshed::Elsewhere { stored, .. }) => {
                match stored.and_then(|raw| self.disk.cached(&source, &raw)) {
                    Some(cached) => Ok(cached.signal),
                    None => self.recorded(provider),
                }
            }
            Err(RefreshFailure { error, stored }) => {
                let stored = stored.and_then(|raw| self.disk.cached(&source, &raw)).map(Box::new);
                Err(Error::Refresh { provider: provider.into(), error, stored })
            }
        }
    }

    /// What is stored, at once; if it is not fresh, a refresh is started behind it.
    ///
    /// # Errors
    /// The name cannot be a file name, or the cache cannot be read.
    pub fn maybe_refresh(&self, provider: &str, input: &CollectInput) -> Result<Option<CachedSignal>, Error> {
        let source = cache_source(provider)?;
        let cached = self.disk.read(&source)?;
        if !cached.as_ref().is_some_and(|cached| cached.fresh) {
            self.know(provider)?;
            let work = self.disk.clone().refresh(source.clone(), input.clone());
            self.refresher.refresh_in_background(&source, work);
        }
        Ok(cached)
    }

    /// Writes a signal durably, merged with what is stored by the rules of limits and refusals.
    ///
    /// # Errors
    /// The name cannot be a file name, the cache cannot be written, or the engine failed.
    pub fn write(&self, signal: &Signal) -> Result<WriteOutcome, Error> {
        let source = cache_source(&signal.provider)?;
        let fresh = self.disk.store.encode(signal)?;
        let (store, now) = (self.disk.store.clone(), self.disk.store.now());
        let (provider, ahead) = (signal.provider.clone(), self.disk.cache.options().refresh_deadline);
        let decide = move |stored: Option<&[u8]>| {
            Ok(match store.commit(&provider, stored, &fresh, now, ahead)? {
                CommitDecision::Write(json) => Decision::Write(json),
                CommitDecision::Superseded => Decision::Keep,
            })
        };
        Ok(match self.disk.cache.commit::<Error, _>(&source, Durability::Durable, decide)? {
            Committed::Written => WriteOutcome::Written,
            Committed::Kept => WriteOutcome::Superseded,
        })
    }

    /// What is stored of a provider; `None` when there is nothing, or nothing that is a signal.
    ///
    /// # Errors
    /// The name cannot be a file name, or the cache cannot be read.
    pub fn read_cached(&self, provider: &str) -> Result<Option<CachedSignal>, Error> {
        self.disk.read(&cache_source(provider)?)
    }

    /// Forgets refusals and limits of a provider, or of one of its models, here and on disk.
    ///
    /// # Errors
    /// The name cannot be a file name, the cache cannot be read or written, or the engine failed.
    pub fn clear(&self, provider: &str, model: Option<&str>) -> Result<Signal, Error> {
        let source = cache_source(provider)?;
        self.disk.adopt(&source)?;
        self.disk.store.clear(provider, model)?;
        let signal = self.disk.store.recorded(provider)?;
        let json = self.disk.store.encode(&signal)?;
        let decide = move |_: Option<&[u8]>| Ok(Decision::Write(json.clone()));
        self.disk.cache.commit::<Error, _>(&source, Durability::Durable, decide)?;
        Ok(signal)
    }

    /// Removes what is stored of all providers but the named ones, with everything left over.
    ///
    /// # Errors
    /// The cache cannot be read.
    pub fn prune<N: AsRef<str>>(&self, active: &[N]) -> Result<PruneReport, Error> {
        Ok(self.disk.cache.prune(active)?)
    }

    /// Writes everything that has changed, durably, and returns when it is on disk.
    ///
    /// # Errors
    /// The first failure; the other providers are written all the same.
    pub fn flush(&self) -> Result<(), Error> {
        self.behind.flush()
    }
}

impl Service {
    /// Records a response of which only the headers and the latency are known. See
    /// [`Store::record_response`].
    ///
    /// # Errors
    /// The name cannot be a file name, or the engine failed.
    pub fn record_response(
        &self,
        provider: &str,
        headers: &dyn Headers,
        latency: Duration,
        provider_type: &str,
    ) -> Result<(), Error> {
        if provider.is_empty() {
            return Ok(());
        }
        self.know_if_readable(provider)?;
        self.disk.store.record_response(provider, headers, latency, provider_type)
    }
}

/// How soon other processes need to know of a call.
fn urgency(observation: &Observation<'_>) -> Urgency {
    let failed = observation.error.is_some() || observation.status.is_some_and(|status| status >= 400);
    if failed { Urgency::Urgent } else { Urgency::Routine }
}
