//! The store: what is known in memory about all providers, and where more evidence comes from.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};
use std::time::{Duration, SystemTime};

use crate::clock::{Clock, SystemClock, Watch};
use crate::engine::{
    COMPONENT, CommitDecision, Engine, EngineOptions, Evidence, EvidenceSource, Keeper, wit,
};
use crate::error::Error;
use crate::observation::{Counts, Headers, Observation};
use crate::parsers::{self, Parsers};
use crate::probe::{HttpProbe, Probe};
use crate::profiles::{LoadedProfiles, ProfileDir, ProfileFile, ProfileFileError, Profiles};
use crate::quota::{QuotaHarness, QuotaPaths, QuotaSources};
use crate::signal::{Reading, Scope, Signal};
use crate::wait::{Need, Wait};

/// What a collect is to look at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CollectInput {
    /// The provider type: selects where evidence comes from.
    pub provider_type: String,
    /// Where the provider is reached, for types that are probed; else it may be empty.
    pub base_url: String,
}

/// What is known in memory about all providers. Cheap to clone; safe to use from many threads.
///
/// ```
/// use std::time::Duration;
/// use runtime_signals::{ModelStatus, Store};
///
/// let store = Store::new()?;
/// let headers = [("x-ratelimit-remaining-requests", "0"), ("x-ratelimit-reset-requests", "20s")];
/// store.record_response("openai", &headers, Duration::from_millis(840), "openai")?;
///
/// let signal = store.recorded("openai")?;
/// assert_eq!(signal.status, ModelStatus::Exhausted);
/// assert!(signal.quota_reset_at.is_some());
/// # Ok::<(), runtime_signals::Error>(())
/// ```
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    engine: Arc<Engine>,
    parsers: Option<Arc<Parsers>>,
    clock: Arc<dyn Clock>,
    probe: Arc<dyn Probe>,
    quota: Arc<dyn QuotaHarness>,
    profiles: Profiles,
    watch: Watch,
}

/// How a store is set up. Each part can be replaced.
#[derive(Clone, Default)]
pub struct StoreOptions {
    /// The sandbox.
    pub engine: EngineOptions,
    /// The component; `None` for the built-in one.
    pub component: Option<Vec<u8>>,
    /// The clock; `None` for the system's.
    pub clock: Option<Arc<dyn Clock>>,
    /// The liveness check; `None` for HTTP.
    pub probe: Option<Arc<dyn Probe>>,
    /// The source of quota facts; `None` for the user's own files.
    pub quota: Option<Arc<dyn QuotaHarness>>,
    /// The directory of the user's own profiles; `None` for none.
    pub profiles: Option<PathBuf>,
    /// How parser components are admitted and run; `None` for none.
    pub parsers: Option<parsers::Options>,
}

impl Store {
    /// A store with the built-in engine, the system's clock, HTTP probes, and the user's quota files and profiles.
    ///
    /// # Errors
    /// The engine cannot be loaded, or there is no TLS for probes.
    pub fn new() -> Result<Self, Error> {
        let profiles = ProfileDir::user().map(PathBuf::from);
        Self::with_options(StoreOptions { profiles, ..StoreOptions::default() })
    }

    /// A store of the given parts. Profiles that are refused are logged and told by [`profiles`](Self::profiles).
    ///
    /// # Errors
    /// The engine cannot be loaded, there is no TLS for probes, or parsers cannot be kept as the options say.
    pub fn with_options(options: StoreOptions) -> Result<Self, Error> {
        let StoreOptions { engine: engine_options, component, clock, probe, quota, profiles, parsers } =
            options;
        let engine = Arc::new(Engine::new(component.as_deref().unwrap_or(COMPONENT), &engine_options)?);
        let parsers =
            parsers.map(|options| Parsers::open(engine.clone(), engine_options.code_cache, options));
        let probe = match probe {
            Some(probe) => probe,
            None => Arc::new(HttpProbe::new(crate::probe::DEFAULT_TIMEOUT)?),
        };
        let store = Self {
            inner: Arc::new(Inner {
                engine,
                parsers: parsers.transpose()?.map(Arc::new),
                clock: clock.unwrap_or_else(|| Arc::new(SystemClock)),
                probe,
                quota: quota.unwrap_or_else(|| Arc::new(QuotaSources::new(QuotaPaths::from_env()))),
                profiles: Profiles::default(),
                watch: Watch::default(),
            }),
        };
        if let Some(directory) = profiles {
            store.load_profiles(&directory);
        }
        Ok(store)
    }

    /// What came of the profiles that were loaded last.
    #[must_use]
    pub fn profiles(&self) -> Arc<LoadedProfiles> {
        self.inner.profiles.latest()
    }

    /// Takes in the profiles of a directory, in place of those that read the same types. A file that is refused is
    /// logged, and what read its type before goes on; so does what was taken in before from files that are gone.
    pub fn load_profiles(&self, directory: &Path) -> Arc<LoadedProfiles> {
        self.inner.profiles.load(&self.inner.engine, directory)
    }

    /// Checks a profile's file: its text strictly, then its cases through the engine. Nothing is put into service.
    ///
    /// # Errors
    /// Why the file would be refused.
    pub fn check_profile(&self, file: &Path) -> Result<ProfileFile, ProfileFileError> {
        self.inner.profiles.check(&self.inner.engine, file)
    }

    /// The parser components, where there may be any.
    #[must_use]
    pub fn parsers(&self) -> Option<&Arc<Parsers>> {
        self.inner.parsers.as_ref()
    }

    /// How many providers were forgotten since there was no room for them
    /// ([`EngineOptions::providers`](crate::engine::EngineOptions::providers)).
    #[must_use]
    pub fn forgotten(&self) -> u64 {
        self.inner.engine.forgotten()
    }

    /// Has a keeper asked before a provider is forgotten, for as long as it lives.
    pub(crate) fn keep(&self, keeper: Weak<dyn Keeper>) {
        self.inner.engine.keep(keeper);
    }

    /// The time by the store's clock.
    #[must_use]
    pub fn now(&self) -> SystemTime {
        self.inner.clock.now()
    }

    /// The present, for what is recorded without a look at what is known. Where the clock has been set back, that is
    /// looked at first: dated ahead, it would pass for newer.
    fn time_to_record(&self) -> SystemTime {
        let (now, engine) = (self.now(), &self.inner.engine);
        if self.inner.watch.was_set_back(now) {
            tracing::warn!("the clock was set back: what it dated ahead is taken for told just now");
            for provider in engine.providers() {
                if let Err(error) = engine.collect(&provider, &Evidence::None, now) {
                    tracing::warn!(%provider, %error, "what is known cannot be looked at");
                }
            }
        }
        now
    }

    /// Records a response of which only the headers and the latency are known.
    ///
    /// An empty provider name is a no-op.
    ///
    /// # Errors
    /// The engine failed; nothing was recorded.
    pub fn record_response(
        &self,
        provider: &str,
        headers: &dyn Headers,
        latency: Duration,
        provider_type: &str,
    ) -> Result<(), Error> {
        self.record(&Observation::new(provider, provider_type, headers, latency))
    }

    /// Records a finished call. An empty provider name is a no-op.
    ///
    /// What looks like a success is told to the sandbox together with the next ones, or when somebody asks about the
    /// provider: a single crossing would cost more than all the rest.
    ///
    /// # Errors
    /// The engine failed; the call was not recorded. One that looks like a success may also be dropped later, if it
    /// turns out to make the engine fail; that is logged.
    pub fn record(&self, observation: &Observation<'_>) -> Result<(), Error> {
        self.record_at(observation, self.time_to_record())
    }

    /// Records finished calls, all as of the same time. Tells of each whether it was recorded.
    pub fn record_batch(&self, observations: &[Observation<'_>]) -> Vec<Result<(), Error>> {
        let now = self.time_to_record();
        observations.iter().map(|observation| self.record_at(observation, now)).collect()
    }

    fn record_at(&self, observation: &Observation<'_>, now: SystemTime) -> Result<(), Error> {
        let engine = &self.inner.engine;
        if observation.provider.is_empty() {
            return Ok(());
        }
        match self.read_by_parser(observation, now) {
            Some(reading) => Ok(engine.record_reading(observation, &reading, now)?),
            None => Ok(engine.record(observation, now)?),
        }
    }

    /// Records a finished call, and gives the signal of its provider as of now.
    ///
    /// # Errors
    /// The engine failed. Where it failed to record, nothing was recorded.
    pub fn observe(&self, observation: &Observation<'_>) -> Result<Signal, Error> {
        let (engine, now) = (&self.inner.engine, self.time_to_record());
        if observation.provider.is_empty() {
            return Ok(Signal::unknown(String::new(), now));
        }
        let Some(reading) = self.read_by_parser(observation, now) else {
            return Ok(engine.observe(observation, now)?);
        };
        engine.record_reading(observation, &reading, now)?;
        Ok(engine.collect(observation.provider, &Evidence::None, now)?)
    }

    /// What a parser component reads in a response, if there is one for its type.
    fn read_by_parser(&self, observation: &Observation<'_>, now: SystemTime) -> Option<wit::Reading> {
        // Of the end of a call no response is left to be read.
        let parsers = self.inner.parsers.as_ref().filter(|_| observation.counts != Counts::LatencyOnly);
        parsers?.read(observation, now)
    }

    /// What a response says about limits. Nothing is recorded.
    ///
    /// # Errors
    /// The engine failed.
    pub fn parse(&self, response: &Observation<'_>) -> Result<Reading, Error> {
        let (Inner { engine, parsers, .. }, now) = (&*self.inner, self.now());
        match parsers.as_ref().and_then(|parsers| parsers.parse(response, now)) {
            Some(reading) => Ok(reading),
            None => Ok(engine.parse(response, now)?),
        }
    }

    /// When a request of this size can pass in this scope, from all limits and refusals that are known in
    /// memory: with what an allowance that refills continuously has got back by now. The answer names what binds.
    ///
    /// # Errors
    /// The engine failed.
    pub fn wait_for(&self, provider: &str, scope: &Scope, need: Need) -> Result<Wait, Error> {
        Ok(self.inner.engine.wait_for(provider, scope, need, self.now())?)
    }

    /// The signal of what was recorded, as of now. No live check is made.
    ///
    /// # Errors
    /// The engine failed.
    pub fn recorded(&self, provider: &str) -> Result<Signal, Error> {
        Ok(self.inner.engine.collect(provider, &Evidence::None, self.now())?)
    }

    /// The signal as of now, with a live check where the provider type asks for one: local servers are
    /// probed, subscriptions looked up in the quota harness, for all others the last reading serves.
    ///
    /// # Errors
    /// The engine failed. A provider that cannot be reached is no error: its signal says so.
    pub async fn collect(&self, provider: &str, input: &CollectInput) -> Result<Signal, Error> {
        self.collect_with(provider, input, false).await
    }

    /// As [`collect`](Self::collect); with a live look at the quota.
    pub(crate) async fn refresh(&self, provider: &str, input: &CollectInput) -> Result<Signal, Error> {
        self.collect_with(provider, input, true).await
    }

    async fn collect_with(&self, provider: &str, input: &CollectInput, live: bool) -> Result<Signal, Error> {
        let Inner { engine, probe, quota, .. } = &*self.inner;
        let evidence = match engine.profile(&input.provider_type)?.source {
            EvidenceSource::Recorded => Evidence::None,
            EvidenceSource::Probe => {
                Evidence::Probe(probe.check_alive(&input.provider_type, &input.base_url).await)
            }
            EvidenceSource::Quota if live => {
                Evidence::Quota(quota.refresh_quota(&input.provider_type, self.now()).await)
            }
            EvidenceSource::Quota => Evidence::Quota(quota.quota_status(&input.provider_type, self.now())),
        };
        Ok(engine.collect(provider, &evidence, self.now())?)
    }

    /// Is anything known in memory about a provider?
    ///
    /// # Errors
    /// The engine failed.
    pub fn has_evidence(&self, provider: &str) -> Result<bool, Error> {
        Ok(self.inner.engine.has_evidence(provider)?)
    }

    /// Takes the evidence of a stored signal into memory, to be judged when it is collected.
    ///
    /// # Errors
    /// The bytes are no signal of this provider, or the engine failed.
    pub fn adopt(&self, provider: &str, stored: &[u8]) -> Result<(), Error> {
        Ok(self.inner.engine.adopt(provider, stored)?)
    }

    /// Forgets refusals and limits of a provider, or of one of its models.
    ///
    /// # Errors
    /// The engine failed.
    pub fn clear(&self, provider: &str, model: Option<&str>) -> Result<(), Error> {
        Ok(self.inner.engine.clear(provider, model)?)
    }

    /// The names of all providers that anything was recorded of, sorted.
    #[must_use]
    pub fn providers(&self) -> Vec<String> {
        let mut names = self.inner.engine.providers();
        names.sort_unstable();
        names
    }

    /// The JSON of a signal, as it stands in the cache.
    ///
    /// # Errors
    /// The engine failed.
    pub fn encode(&self, signal: &Signal) -> Result<Vec<u8>, Error> {
        Ok(self.inner.engine.encode(signal)?)
    }

    /// Reads the JSON of a signal of `provider`.
    ///
    /// # Errors
    /// The bytes are no signal of this provider, or the engine failed.
    pub fn decode(&self, provider: &str, json: &[u8]) -> Result<Signal, Error> {
        Ok(self.inner.engine.decode(provider, json)?)
    }

    /// Do the servers of this type usually run on the machine of those who call them?
    pub(crate) fn is_of_local_servers(&self, provider_type: &str) -> Result<bool, Error> {
        Ok(self.inner.engine.profile(provider_type)?.source == EvidenceSource::Probe)
    }

    /// What to write of a provider's present state where `stored` is on disk.
    pub(crate) fn settle(
        &self,
        provider: &str,
        stored: Option<&[u8]>,
        now: SystemTime,
        ahead: Duration,
    ) -> Result<CommitDecision, Error> {
        Ok(self.inner.engine.settle(provider, stored, now, ahead)?)
    }

    /// What was decided on last for a provider has been written.
    pub(crate) fn share(&self, provider: &str) -> Result<(), Error> {
        Ok(self.inner.engine.share(provider)?)
    }

    /// What to write where `stored` is on disk and `fresh` is to be committed.
    pub(crate) fn commit(
        &self,
        provider: &str,
        stored: Option<&[u8]>,
        fresh: &[u8],
        now: SystemTime,
        ahead: Duration,
    ) -> Result<CommitDecision, Error> {
        Ok(self.inner.engine.commit(provider, stored, fresh, now, ahead)?)
    }
}
