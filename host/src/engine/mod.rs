//! The sandbox: the engine component on wasmtime, in warm instances, within limits.
//!
//! Instances are sharded by provider, so that cores work side by side and one provider's calls stay in
//! order. A trap or an overrun is an error of that call alone: the instance is replaced from its last state
//! and what came since is repeated. Calls are synchronous and take microseconds; nothing in here waits for
//! the network or the disk.

use std::cell::RefCell;
use std::hash::BuildHasher;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::{Duration, SystemTime};

use crossbeam_utils::CachePadded;
use hashbrown::DefaultHashBuilder;
use wasmtime::Config;
use wasmtime::component::{Component, Linker};

use crate::observation::Observation;
use crate::signal::{Reading, Scope, Signal};
use crate::wait::{Need, Wait};

mod bindings;
mod code;
mod convert;
mod error;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;
mod instance;
mod journal;
mod kept;
mod limits;
mod packed_signal;
mod packing;
mod profile;
mod profiles;
mod room;
mod shard;
mod template;
mod ticker;

pub use code::CodeCache;
pub(crate) use code::load as load_component;
pub use error::EngineError;
pub use limits::{Limits, Stop};

pub(crate) use bindings::exports::runtime_signals::signals::types as wit;
pub(crate) use convert::{Evidence, FromWit, ToWit, nanoseconds};
pub(crate) use limits::{Usage, bounded, thread_cpu_time};
pub(crate) use profile::{EvidenceSource, Profile};
pub(crate) use room::Keeper;

use bindings::exports::runtime_signals::signals::runtime_signals::CommitOutcome;
use instance::Call;
use profiles::Profiles;
use room::Room;
use shard::{Place, Shard};
use template::{AddedProfiles, Template};

/// The engine component that this version was built with.
pub const COMPONENT: &[u8] = include_bytes!(env!("RUNTIME_SIGNALS_ENGINE_WASM"));

thread_local! {
    /// Where single observations are packed, so that the hot path allocates nothing.
    static PACKED: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// How often a thread gives way to one that holds a shard before it sleeps: a call takes microseconds, and to be woken
/// takes longer.
const TRIES: u32 = 50;
/// Largest packed observation that waits to be told together with others, in bytes.
const MOST_WAITING: usize = 1024;
/// Instances a core where nothing else is asked for.
const SHARDS_A_CORE: usize = 8;

/// How an engine is set up.
#[derive(Clone, Debug)]
pub struct EngineOptions {
    /// Where compiled code is kept.
    pub code_cache: CodeCache,
    /// Bounds of each instance.
    pub limits: Limits,
    /// Instances that work side by side; 0 means eight for each core, so that two threads seldom meet at one.
    pub shards: usize,
    /// Latency samples kept for each provider; 0 means 100.
    pub latency_window: u32,
    /// Providers that are known at the same time, about; 0 means 20,000. For a new one those are forgotten that were
    /// not asked or told about for the longest time. A service writes them first, and takes them in again when they
    /// come back.
    pub providers: usize,
}

impl Default for EngineOptions {
    fn default() -> Self {
        Self {
            code_cache: CodeCache::User,
            limits: Limits::default(),
            shards: 0,
            latency_window: 0,
            providers: 0,
        }
    }
}

/// All shards.
pub(crate) struct Engine {
    /// Each in cache lines of its own: they are changed by different cores.
    shards: Box<[CachePadded<Mutex<Shard>>]>,
    template: Arc<Template>,
    room: Room,
    hasher: DefaultHashBuilder,
    profiles: Profiles,
}

/// What a commit should do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum CommitDecision {
    /// Write this JSON.
    Write(Vec<u8>),
    /// Leave what is stored.
    Superseded,
}

impl From<CommitOutcome> for CommitDecision {
    fn from(outcome: CommitOutcome) -> Self {
        match outcome {
            CommitOutcome::Write(json) => Self::Write(json),
            CommitOutcome::Superseded => Self::Superseded,
        }
    }
}

/// A runtime of its own for a component, its clock running, and the component's code.
pub(crate) fn start(
    component: &[u8],
    limits: &Limits,
    code_cache: &CodeCache,
) -> Result<(wasmtime::Engine, Component), EngineError> {
    let engine =
        wasmtime::Engine::new(&config(limits)).map_err(|error| EngineError::Load(format!("{error:#}")))?;
    let component = code::load(&engine, component, code_cache)?;
    ticker::start(&engine).map_err(|error| EngineError::Load(format!("no thread for the epoch: {error}")))?;
    Ok((engine, component))
}

impl Engine {
    /// Loads a component; instances are made when they are first needed.
    pub(crate) fn new(component: &[u8], options: &EngineOptions) -> Result<Self, EngineError> {
        let load = |error: wasmtime::Error| EngineError::Load(format!("{error:#}"));
        let (engine, component) = start(component, &options.limits, &options.code_cache)?;
        // Nothing is linked: a component that imports anything does not load.
        let prepared = Linker::new(&engine).instantiate_pre(&component).map_err(load)?;
        let prepared = bindings::EnginePre::new(prepared).map_err(load)?;
        let limits = options.limits;
        let latency_window = options.latency_window;
        let profiles = AddedProfiles::default();
        let template = Arc::new(Template { prepared, profiles, limits, latency_window });
        let cores = || std::thread::available_parallelism().map_or(1, usize::from);
        let shards = if options.shards == 0 { SHARDS_A_CORE * cores() } else { options.shards };
        Ok(Self {
            shards: (0..shards).map(|_| CachePadded::new(Mutex::new(Shard::new(template.clone())))).collect(),
            template,
            room: Room::new(options.providers, shards),
            hasher: DefaultHashBuilder::default(),
            profiles: Profiles::new(),
        })
    }

    /// The shard and the place of a provider that is asked or told about.
    fn shard(&self, provider: &str) -> (MutexGuard<'_, Shard>, Place) {
        let (mut shard, place) = self.shard_at_rest(provider);
        shard.touch(place);
        (shard, place)
    }

    /// The same where nobody asks or tells: it is only put away.
    fn shard_at_rest(&self, provider: &str) -> (MutexGuard<'_, Shard>, Place) {
        let hash = self.hash(provider);
        let index = self.index(hash);
        let mut shard = self.lock(index);
        if shard.count() >= self.room.most() && !shard.knows(provider, hash) {
            drop(shard);
            self.make_room(index);
            shard = self.lock(index);
        }
        let place = shard.place(provider, hash);
        (shard, place)
    }

    fn hash(&self, provider: &str) -> u64 {
        self.hasher.hash_one(provider)
    }

    fn index(&self, hash: u64) -> usize {
        // The low bits choose within the shard's table.
        usize::try_from(hash >> 32).unwrap_or(0) % self.shards.len()
    }

    #[expect(
        clippy::indexing_slicing,
        reason = "there is at least one shard, and indices are modulo their number"
    )]
    fn lock(&self, index: usize) -> MutexGuard<'_, Shard> {
        let shard = &self.shards[index];
        for _ in 0..TRIES {
            match shard.try_lock() {
                Ok(taken) => return taken,
                // A panic of another thread leaves a shard as it was between two calls.
                Err(TryLockError::Poisoned(error)) => return error.into_inner(),
                Err(TryLockError::WouldBlock) => std::thread::yield_now(),
            }
        }
        shard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records an observation. The guest may hear of it later, but before anybody asks about its provider.
    pub(crate) fn record(&self, observation: &Observation<'_>, now: SystemTime) -> Result<(), EngineError> {
        self.take_in(observation, now, |shard, place, packed| {
            if can_wait(observation, packed) {
                shard.record_later(packed, place)
            } else {
                shard.record(packed, place)
            }
        })
    }

    /// Records an observation, and gives the signal of its provider at `now`.
    pub(crate) fn observe(
        &self,
        observation: &Observation<'_>,
        now: SystemTime,
    ) -> Result<Signal, EngineError> {
        self.take_in(observation, now, |shard, place, packed| {
            unpack_at(shard.observe(packed, place, now)?, now)
        })
    }

    fn take_in<T>(
        &self,
        observation: &Observation<'_>,
        now: SystemTime,
        record: impl FnOnce(&mut Shard, Place, &mut [u8]) -> Result<T, EngineError>,
    ) -> Result<T, EngineError> {
        PACKED.with_borrow_mut(|packed| {
            packed.clear();
            self.with_profile(observation.provider_type, |profile| {
                packing::pack(observation, profile, now, packed);
            })?;
            let (mut shard, place) = self.shard(observation.provider);
            record(&mut shard, place, packed)
        })
    }

    /// Records one observation that a parser has read. Nothing else of the response goes in.
    pub(crate) fn record_reading(
        &self,
        observation: &Observation<'_>,
        reading: &wit::Reading,
        now: SystemTime,
    ) -> Result<(), EngineError> {
        PACKED.with_borrow_mut(|packed| {
            packed.clear();
            packing::pack_read(observation, now, packed);
            let (mut shard, place) = self.shard(observation.provider);
            shard.record_reading(packed, place, reading)
        })
    }

    /// Reads a response without recording it.
    pub(crate) fn parse(
        &self,
        observation: &Observation<'_>,
        now: SystemTime,
    ) -> Result<Reading, EngineError> {
        let profile = self.profile(observation.provider_type)?;
        let mut packed = Vec::new();
        packing::pack(observation, &profile, now, &mut packed);
        let reading = self
            .lock(0)
            .call(|Call { store, api, providers }| api.store().call_parse(store, providers, &packed))??;
        Ok(reading.from_wit())
    }

    /// The runtime, for other components beside the engine's own.
    pub(crate) fn runtime(&self) -> &wasmtime::Engine {
        self.template.prepared.engine()
    }

    /// When a request can pass.
    pub(crate) fn wait_for(
        &self,
        provider: &str,
        scope: &Scope,
        need: Need,
        now: SystemTime,
    ) -> Result<Wait, EngineError> {
        let (mut shard, place) = self.shard(provider);
        let (scope, need) = (scope.to_wit(), need.to_wit());
        let wait = shard.ask(place, |Call { store, api, providers }, handle| {
            api.store().call_wait_for(store, providers, handle, &scope, need, now.to_wit())
        })?;
        Ok(wait.from_wit())
    }

    /// The signal of a provider at `now`.
    pub(crate) fn collect(
        &self,
        provider: &str,
        evidence: &Evidence,
        now: SystemTime,
    ) -> Result<Signal, EngineError> {
        let (mut shard, place) = self.shard(provider);
        if matches!(evidence, Evidence::None) {
            return unpack_at(shard.collect(place, now)?, now);
        }
        let wit = evidence.to_wit();
        let judged = shard.change(place, |Call { store, api, providers }, handle| {
            api.store().call_collect(store, providers, handle, &wit, now.to_wit())
        })?;
        unpack(&judged.signal)
    }

    /// Is anything known about a provider?
    pub(crate) fn has_evidence(&self, provider: &str) -> Result<bool, EngineError> {
        let (mut shard, place) = self.shard(provider);
        shard.ask(place, |Call { store, api, providers }, handle| {
            api.store().call_has_evidence(store, providers, handle)
        })
    }

    /// Takes in the evidence of a stored signal.
    pub(crate) fn adopt(&self, provider: &str, stored: &[u8]) -> Result<(), EngineError> {
        let (mut shard, place) = self.shard(provider);
        shard.change(place, |Call { store, api, providers }, handle| {
            api.store().call_adopt(store, providers, handle, stored)
        })
    }

    /// What to write of a provider where `stored` is on disk.
    pub(crate) fn settle(
        &self,
        provider: &str,
        stored: Option<&[u8]>,
        now: SystemTime,
        ahead: Duration,
    ) -> Result<CommitDecision, EngineError> {
        let (mut shard, place) = self.shard_at_rest(provider);
        let outcome = shard.change(place, |Call { store, api, providers }, handle| {
            api.store().call_settle(store, providers, handle, stored, now.to_wit(), nanoseconds(ahead))
        })?;
        Ok(outcome.into())
    }

    /// What was decided on last for a provider has been written.
    pub(crate) fn share(&self, provider: &str) -> Result<(), EngineError> {
        let (mut shard, place) = self.shard_at_rest(provider);
        shard.change(place, |Call { store, api, providers }, handle| {
            api.store().call_share(store, providers, handle)
        })
    }

    /// What to write where `stored` is on disk and `fresh`, the JSON of a signal, is to be committed.
    pub(crate) fn commit(
        &self,
        provider: &str,
        stored: Option<&[u8]>,
        fresh: &[u8],
        now: SystemTime,
        ahead: Duration,
    ) -> Result<CommitDecision, EngineError> {
        let (now, ahead) = (now.to_wit(), nanoseconds(ahead));
        let outcome = self.stateless(provider, |Call { store, api, .. }| {
            api.call_commit(store, provider, stored, fresh, now, ahead)
        })??;
        Ok(outcome.into())
    }

    /// The JSON of a signal.
    pub(crate) fn encode(&self, signal: &Signal) -> Result<Vec<u8>, EngineError> {
        let packed = packed_signal::pack(signal);
        Ok(self.stateless(&signal.provider, |Call { store, api, .. }| api.call_encode(store, &packed))??)
    }

    /// Reads the JSON of a signal.
    pub(crate) fn decode(&self, provider: &str, json: &[u8]) -> Result<Signal, EngineError> {
        let signal =
            self.stateless(provider, |Call { store, api, .. }| api.call_decode(store, provider, json))??;
        unpack(&signal)
    }

    /// Makes a call that needs no provider, in the shard that would have it.
    fn stateless<T>(
        &self,
        provider: &str,
        call: impl FnOnce(Call<'_>) -> instance::Answer<T>,
    ) -> Result<T, EngineError> {
        self.lock(self.index(self.hash(provider))).call(call)
    }

    /// Forgets refusals and limits of a provider, or of one of its models.
    pub(crate) fn clear(&self, provider: &str, model: Option<&str>) -> Result<(), EngineError> {
        let (mut shard, place) = self.shard(provider);
        shard.change(place, |Call { store, api, providers }, handle| {
            api.store().call_clear(store, providers, handle, model)
        })
    }

    /// The names of all providers that anything was asked or told about.
    pub(crate) fn providers(&self) -> Vec<String> {
        let shards = 0..self.shards.len();
        shards.flat_map(|index| self.lock(index).names().map(Into::into).collect::<Vec<_>>()).collect()
    }
}

/// Can the guest be told of an observation together with others? What may be a refusal is told at once, and so is what
/// is large.
fn can_wait(observation: &Observation<'_>, packed: &[u8]) -> bool {
    let went_well = observation.status.is_none_or(|status| (200..300).contains(&status));
    went_well && observation.error.is_none() && packed.len() <= MOST_WAITING
}

/// Reads a signal that the component has packed.
fn unpack(packed: &[u8]) -> Result<Signal, EngineError> {
    packed_signal::unpack(packed).ok_or_else(|| EngineError::Refused("its own signal is damaged".into()))
}

/// The same as of `now`.
fn unpack_at(packed: &[u8], now: SystemTime) -> Result<Signal, EngineError> {
    Ok(Signal { recorded_at: now, ..unpack(packed)? })
}

/// Settings of the compiler and the runtime. All calls are synchronous.
fn config(limits: &Limits) -> Config {
    let mut config = Config::new();
    config
        .concurrency_support(false)
        .epoch_interruption(true)
        .max_wasm_stack(limits.stack_bytes)
        .wasm_component_model(true)
        // Nobody reads where a stripped component has trapped, and finding out costs more than a new instance.
        .wasm_backtrace_max_frames(None)
        .generate_address_map(false)
        .native_unwind_info(false)
        .memory_init_cow(true);
    config
}
