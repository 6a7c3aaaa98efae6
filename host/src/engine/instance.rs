//! One instance of the component, and what it may use in one call.

use wasmtime::Store;
use wasmtime::component::{InstancePre, ResourceAny};

use super::bindings::{Engine as World, EnginePre};
use super::limits::{Limits, Stop, Usage, bounded};
use super::{EngineError, bindings};

pub(super) use bindings::exports::runtime_signals::signals::runtime_signals::{
    Evidence, Guest, InputError, Judged, RecordError,
};

/// A live instance with its store of providers.
pub(super) struct Instance {
    store: Store<Usage>,
    world: World,
    providers: ResourceAny,
    /// How many of the added profiles it has.
    pub(super) profiles: usize,
}

/// The parts of an instance that a call needs.
pub(super) struct Call<'a> {
    pub(super) store: &'a mut Store<Usage>,
    pub(super) api: &'a Guest,
    /// The guest's store of providers.
    pub(super) providers: ResourceAny,
}

/// What a call ends in: the guest's own answer within what the sandbox says.
pub(super) type Answer<T> = wasmtime::Result<T>;

impl Instance {
    pub(super) fn new(
        prepared: &EnginePre<Usage>,
        limits: Limits,
        latency_window: u32,
    ) -> Result<Self, EngineError> {
        let template: &InstancePre<Usage> = prepared.instance_pre();
        let mut store = bounded(template.engine(), limits, Usage::new(limits), |usage| usage);
        let mut start = || {
            let world = prepared.instantiate(&mut store)?;
            let api = world.runtime_signals_signals_runtime_signals();
            let providers = api.store().call_constructor(&mut store, latency_window)?;
            Ok((world, providers))
        };
        let started: wasmtime::Result<_> = start();
        let (world, providers) = started.map_err(|error| EngineError::Load(format!("{error:#}")))?;
        Ok(Self { store, world, providers, profiles: 0 })
    }

    /// Makes one call. After an error the instance must not be used again.
    pub(super) fn call<T>(&mut self, call: impl FnOnce(Call<'_>) -> Answer<T>) -> Result<T, EngineError> {
        self.store.data_mut().begin_call();
        self.store.set_epoch_deadline(1);
        let api = self.world.runtime_signals_signals_runtime_signals();
        let answer = call(Call { store: &mut self.store, api, providers: self.providers });
        answer.map_err(|error| self.store.data().explain(&error).into())
    }
}

impl From<Stop> for EngineError {
    fn from(stop: Stop) -> Self {
        match stop {
            Stop::TimedOut(most) => Self::TimedOut(most),
            Stop::OutOfMemory(most) => Self::OutOfMemory(most),
            Stop::Trapped(why) => Self::Trapped(why),
            stop @ Stop::Waited => Self::Trapped(stop.to_string()),
        }
    }
}

impl From<RecordError> for EngineError {
    fn from(error: RecordError) -> Self {
        Self::Refused(match error {
            RecordError::UnknownProvider(handle) => format!("no provider has the handle {handle}"),
            RecordError::UnknownProfile(handle) => format!("no profile has the handle {handle}"),
            RecordError::Malformed(offset) => format!("the observation at byte {offset} is malformed"),
        })
    }
}

impl From<InputError> for EngineError {
    fn from(error: InputError) -> Self {
        Self::Refused(match error {
            InputError::UnknownProvider(handle) => format!("no provider has the handle {handle}"),
            InputError::UnknownProfile(handle) => format!("no profile has the handle {handle}"),
            InputError::Malformed(why) => why,
            InputError::NotASignal(why) => format!("not a signal: {why}"),
            InputError::NotAState(why) => format!("not a state of this version: {why}"),
            InputError::NotAProfile => "not a profile of this version, or more than 256 of them".into(),
        })
    }
}
