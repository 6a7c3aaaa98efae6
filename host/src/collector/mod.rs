//! The collector component: the whole API in the sandbox, over this host's clock, probe, quota harness and cache.
//!
//! The same core as the engine's and the same answers. Here the component drives: it asks for evidence and for the
//! files of the cache, one call at a time. [`Service`](crate::Service) is the better choice within Rust, as it joins
//! the disk behind the caller's back and repeats after a trap what was not written yet; a collector forgets that, and
//! takes in again what is on disk.

mod bindings;
mod imports;
mod instance;
mod wanted;

use std::collections::HashMap;
use std::hash::BuildHasher;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hashbrown::DefaultHashBuilder;
use tokio::runtime::Handle;
use wasmtime::component::Linker;

use crate::cache::{RefreshFailure, Refreshed, Refresher, SignalCache, Source, cache_source};
use crate::clock::{Clock, SystemClock};
use crate::engine::{CodeCache, EngineError, Limits, ToWit, nanoseconds, start};
use crate::error::Error;
use crate::observation::{Counts, Observation};
use crate::probe::{DEFAULT_TIMEOUT, HttpProbe, Probe};
use crate::quota::{QuotaHarness, QuotaPaths, QuotaSources};
use crate::redact::redact;
use crate::store::CollectInput;

use bindings::CollectorPre;
use bindings::exports::runtime_signals::signals::collection::{
    CollectInput as WitInput, Observation as WitObservation,
};
use bindings::runtime_signals::signals::signal_cache::Claim;
use imports::Host;
use instance::{Answer, Call, Instance};
use wanted::Wanted;

/// The collector component that this version was built with.
pub const COLLECTOR: &[u8] = include_bytes!(env!("RUNTIME_SIGNALS_COLLECTOR_WASM"));

/// Provider types whose wanted headers are kept.
const MOST_TYPES: usize = 1024;
/// Instances, so that a slow check of one provider seldom keeps another waiting.
const SHARDS: usize = 16;

/// How a collector is set up. Each part can be replaced.
#[derive(Clone, Default)]
pub struct CollectorOptions {
    /// Bounds of each instance.
    pub limits: Limits,
    /// Where compiled code is kept.
    pub code_cache: CodeCache,
    /// The component; `None` for the built-in one.
    pub component: Option<Vec<u8>>,
    /// The clock; `None` for the system's.
    pub clock: Option<Arc<dyn Clock>>,
    /// The liveness check; `None` for HTTP.
    pub probe: Option<Arc<dyn Probe>>,
    /// The source of quota facts; `None` for the user's own files.
    pub quota: Option<Arc<dyn QuotaHarness>>,
}

/// What is on disk of a provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CachedJson {
    /// The signal's JSON.
    pub json: String,
    /// Its age is below the time-to-live.
    pub fresh: bool,
    /// How old it is.
    pub age: Duration,
}

/// The collector component over a signal cache. Cheap to clone; safe to use from many threads.
///
/// Signals come out as JSON, as the component gives them.
///
/// ```
/// use std::time::Duration;
/// use runtime_signals::{Observation, SignalCache};
/// use runtime_signals::collector::Collector;
///
/// let folder = tempfile::tempdir()?;
/// let collector = Collector::new(SignalCache::new(folder.path()))?;
/// let headers = [("x-ratelimit-remaining-requests", "59")];
/// let observation = Observation::new("openai", "openai", &headers, Duration::from_millis(840));
/// let signal = collector.observe_response(&observation)?;
/// assert!(signal.contains(r#""quota_remaining":59"#));
/// assert!(collector.read_cached("openai")?.expect("it was observed").fresh);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Collector {
    inner: Arc<Inner>,
    refresher: Refresher<String, Arc<Error>>,
}

/// What all instances share: the prepared component, and what it may ask for.
struct Inner {
    prepared: CollectorPre<Host>,
    limits: Limits,
    effects: Arc<Effects>,
    shards: Box<[Mutex<Option<Instance>>]>,
    hasher: DefaultHashBuilder,
    wanted: Mutex<HashMap<Box<str>, Arc<Wanted>>>,
}

/// What the component asks for.
struct Effects {
    clock: Arc<dyn Clock>,
    probe: Arc<dyn Probe>,
    quota: Arc<dyn QuotaHarness>,
    cache: SignalCache,
}

impl Collector {
    /// A collector over the system's clock, HTTP probes and the user's quota files.
    ///
    /// # Errors
    /// The component cannot be loaded, or there is no TLS for probes.
    pub fn new(cache: SignalCache) -> Result<Self, Error> {
        Self::with_options(cache, CollectorOptions::default())
    }

    /// A collector of the given parts.
    ///
    /// # Errors
    /// The component cannot be loaded, it imports something else than its four capabilities, or there is no TLS for
    /// probes.
    pub fn with_options(cache: SignalCache, options: CollectorOptions) -> Result<Self, Error> {
        let CollectorOptions { limits, code_cache, component, clock, probe, quota } = options;
        let load = |error: wasmtime::Error| EngineError::Load(format!("{error:#}"));
        let component = component.as_deref().unwrap_or(COLLECTOR);
        let (engine, component) = start(component, &limits, &code_cache)?;
        let mut linker = Linker::new(&engine);
        bindings::Collector::add_to_linker::<_, imports::Own>(&mut linker, |host| host).map_err(load)?;
        let prepared = linker.instantiate_pre(&component).map_err(load)?;
        let prepared = CollectorPre::new(prepared).map_err(load)?;
        let probe = match probe {
            Some(probe) => probe,
            None => Arc::new(HttpProbe::new(DEFAULT_TIMEOUT)?),
        };
        let effects = Effects {
            clock: clock.unwrap_or_else(|| Arc::new(SystemClock)),
            probe,
            quota: quota.unwrap_or_else(|| Arc::new(QuotaSources::new(QuotaPaths::from_env()))),
            cache: cache.clone(),
        };
        let inner = Inner {
            prepared,
            limits,
            effects: Arc::new(effects),
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            hasher: DefaultHashBuilder::default(),
            wanted: Mutex::default(),
        };
        Ok(Self { inner: Arc::new(inner), refresher: Refresher::new(cache) })
    }

    /// Records a finished call in memory. An empty provider name is a no-op. The component knows no parts of calls: the
    /// beginning of one counts as all of it, and its end not at all.
    ///
    /// # Errors
    /// The name cannot be a file name, the cache cannot be read, or the component failed; nothing was recorded.
    pub fn record(&self, observation: &Observation<'_>) -> Result<(), Error> {
        if observation.counts == Counts::LatencyOnly {
            return Ok(());
        }
        let packed = self.inner.handed_over(observation)?;
        self.inner
            .call(observation.provider, None, |Call { store, api }| api.call_record_response(store, &packed))
    }

    /// The signal as of now, with a live check where the provider type asks for one. Nothing is written.
    ///
    /// # Errors
    /// The name cannot be a file name, the cache cannot be read, or the component failed.
    pub async fn collect(&self, provider: &str, input: &CollectInput) -> Result<String, Error> {
        let (name, input) = (provider.to_owned(), input.to_wit());
        let collect = move |inner: &Inner| {
            inner.call(&name, Some(live(Claim::Joined)), |Call { store, api }| {
                api.call_collect(store, &name, &input)
            })
        };
        self.apart(collect).await
    }

    /// After a call that was recorded: collects from memory and persists. A call error is recorded.
    ///
    /// # Errors
    /// The name cannot be a file name, the cache cannot be read or written, or the component failed.
    pub fn observe(
        &self,
        provider: &str,
        provider_type: &str,
        latency: Duration,
        call_error: Option<&str>,
    ) -> Result<String, Error> {
        let call_error = call_error.map(redact);
        self.inner.call(provider, None, |Call { store, api }| {
            api.call_observe(store, provider, provider_type, nanoseconds(latency), call_error.as_deref())
        })
    }

    /// Records a finished call, collects from memory and persists.
    ///
    /// # Errors
    /// As [`observe`](Self::observe).
    pub fn observe_response(&self, observation: &Observation<'_>) -> Result<String, Error> {
        let packed = self.inner.handed_over(observation)?;
        self.inner
            .call(observation.provider, None, |Call { store, api }| api.call_observe_response(store, &packed))
    }

    /// Refreshes a provider and writes the result now. At most one refresh is in flight: others share its result,
    /// within the process and across processes.
    ///
    /// # Errors
    /// [`Error::Refresh`]; the name cannot be a file name.
    pub async fn warmup(&self, provider: &str, input: &CollectInput) -> Result<String, Error> {
        let source = cache_source(provider)?;
        let work = self.clone().claimed(source.clone(), input.clone(), Claim::Claimed);
        match self.refresher.refresh(&source, work).await {
            Ok(Refreshed::Here(json)) => Ok(json),
            Ok(Refreshed::Elsewhere { .. }) => {
                self.clone().claimed(source, input.clone(), Claim::Joined).await.map_err(Error::Shared)
            }
            Err(RefreshFailure { error, .. }) => {
                Err(Error::Refresh { provider: provider.into(), error, stored: None })
            }
        }
    }

    /// Has the component refresh a provider, with the claim that was settled before.
    async fn claimed(self, source: Source, input: CollectInput, claim: Claim) -> Result<String, Arc<Error>> {
        let input = input.to_wit();
        let warmup = move |inner: &Inner| {
            let name = source.name();
            inner.call(name, Some(live(claim)), |Call { store, api }| api.call_warmup(store, name, &input))
        };
        self.apart(warmup).await.map_err(Arc::new)
    }

    /// What is stored of a provider; `None` when there is nothing, or nothing that is a signal.
    ///
    /// # Errors
    /// The name cannot be a file name, or the cache cannot be read.
    pub fn read_cached(&self, provider: &str) -> Result<Option<CachedJson>, Error> {
        let cached =
            self.inner.call(provider, None, |Call { store, api }| api.call_read_cached(store, provider))?;
        let Some(cached) = cached else { return Ok(None) };
        let age = Duration::from_nanos(cached.age_ns);
        Ok(Some(CachedJson { json: cached.signal, fresh: cached.fresh, age }))
    }

    /// Makes a call that may wait for the network, on a thread where it may.
    async fn apart<T: Send + 'static>(
        &self,
        call: impl FnOnce(&Inner) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let inner = self.inner.clone();
        match tokio::task::spawn_blocking(move || call(&inner)).await {
            Ok(done) => done,
            Err(error) => {
                let error = std::io::Error::other(error);
                Err(Error::Thread { task: "a call of the collector", error })
            }
        }
    }
}

/// A call that may make live checks.
fn live(claim: Claim) -> (Handle, Claim) {
    (Handle::current(), claim)
}

impl Inner {
    /// Makes a call in the instance of a provider. One that failed is not used again.
    fn call<T>(
        &self,
        provider: &str,
        live: Option<(Handle, Claim)>,
        call: impl FnOnce(Call<'_>) -> Answer<T>,
    ) -> Result<T, Error> {
        if !provider.is_empty() {
            cache_source(provider)?;
        }
        let mut shard = self.shard(provider);
        let instance = match &mut *shard {
            Some(instance) => instance,
            vacant => vacant.insert(Instance::new(&self.prepared, self.limits, self.effects.clone())?),
        };
        match instance.call(live, call) {
            Ok(answer) => Ok(answer?),
            Err(error) => {
                tracing::warn!(%error, "the collector instance is replaced");
                *shard = None;
                Err(error.into())
            }
        }
    }

    #[expect(clippy::indexing_slicing, reason = "there are shards, and the index is modulo their number")]
    fn shard(&self, provider: &str) -> MutexGuard<'_, Option<Instance>> {
        let index = usize::try_from(self.hasher.hash_one(provider)).unwrap_or(0) % self.shards.len();
        self.shards[index].lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An observation as the component gets it: without the headers and the body that it does not ask for.
    fn handed_over(&self, observation: &Observation<'_>) -> Result<WitObservation, Error> {
        let wanted = self.wanted(observation.provider_type)?;
        Ok(WitObservation {
            provider: observation.provider.to_owned(),
            provider_type: observation.provider_type.to_owned(),
            scope: crate::engine::wit::Scope {
                account: observation.account.map(str::to_owned),
                model: observation.model.map(str::to_owned),
            },
            status: observation.status.unwrap_or(0),
            headers: wanted.headers(observation.headers),
            body_excerpt: wanted.body(observation).map(<[u8]>::to_vec),
            latency_ns: nanoseconds(observation.latency),
            ttfb_ns: observation.ttfb.map(nanoseconds),
            error: observation.error.map(redact),
            received_at: observation.received_at.map(|at| at.to_wit()),
        })
    }

    fn wanted(&self, provider_type: &str) -> Result<Arc<Wanted>, Error> {
        let lock = || self.wanted.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(wanted) = lock().get(provider_type) {
            return Ok(wanted.clone());
        }
        let described =
            self.call("", None, |Call { store, api }| Ok(Ok(api.call_describe(store, provider_type)?)))?;
        let described = Arc::new(Wanted::new(described));
        let mut all = lock();
        if all.len() < MOST_TYPES {
            all.insert(provider_type.into(), described.clone());
        }
        Ok(described)
    }
}

impl ToWit for CollectInput {
    type Wit = WitInput;
    fn to_wit(&self) -> WitInput {
        WitInput { provider_type: self.provider_type.clone(), base_url: self.base_url.clone() }
    }
}
