//! One instance of the collector component, within the limits that the engine's have.

use std::sync::Arc;

use tokio::runtime::Handle;
use wasmtime::Store;

use super::Effects;
use super::bindings::exports::runtime_signals::signals::collection::Guest;
use super::bindings::runtime_signals::signals::signal_cache::{CacheError, Claim};
use super::bindings::{Collector as World, CollectorPre};
use super::imports::Host;
use crate::engine::{EngineError, Limits, Usage, bounded};
use crate::error::Error;

/// A live instance.
pub(super) struct Instance {
    store: Store<Host>,
    world: World,
}

/// The parts of an instance that a call needs.
pub(super) struct Call<'a> {
    pub(super) store: &'a mut Store<Host>,
    pub(super) api: &'a Guest,
}

/// What a call ends in: the component's own answer within what the sandbox says.
pub(super) type Answer<T> = wasmtime::Result<Result<T, CacheError>>;

impl Instance {
    pub(super) fn new(
        prepared: &CollectorPre<Host>,
        limits: Limits,
        effects: Arc<Effects>,
    ) -> Result<Self, EngineError> {
        let host = Host::new(Usage::new(limits), effects);
        let mut store = bounded(prepared.engine(), limits, host, |host| &mut host.usage);
        let world = prepared.instantiate(&mut store);
        let world = world.map_err(|error| EngineError::Load(format!("{error:#}")))?;
        Ok(Self { store, world })
    }

    /// Makes one call. After an error the instance must not be used again.
    pub(super) fn call<T>(
        &mut self,
        live: Option<(Handle, Claim)>,
        call: impl FnOnce(Call<'_>) -> Answer<T>,
    ) -> Result<Result<T, CacheError>, EngineError> {
        self.store.data_mut().begin_call(live);
        self.store.set_epoch_deadline(1);
        let api = self.world.runtime_signals_signals_collection();
        let answer = call(Call { store: &mut self.store, api });
        answer.map_err(|error| self.store.data().usage.explain(&error).into())
    }
}

impl From<CacheError> for Error {
    fn from(error: CacheError) -> Self {
        let (CacheError::InvalidName(why) | CacheError::CoolingDown(why) | CacheError::Io(why)) = error;
        Self::Collector(why)
    }
}
