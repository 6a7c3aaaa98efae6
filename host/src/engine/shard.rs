//! One shard: an instance, and all that is needed to replace it.
//!
//! For each provider the shard keeps the last exported state and the observations that came since. After a
//! trap or an overrun the instance is dropped, never used again; the next call makes a new one, and each
//! provider's state and observations are put into it when it is next asked for. Only the call that failed
//! took no effect.
//!
//! Observations that can wait do so beside the state, and go in together: a crossing into the sandbox costs more than
//! what most of them tell. Whoever asks about a provider has them told first, so that nobody sees the difference.

use std::sync::Arc;
use std::time::SystemTime;

use hashbrown::HashTable;

use super::bindings::exports::runtime_signals::signals::types::Reading;
use super::instance::{Answer, Call, Evidence, InputError, Instance, Judged};
use super::journal::Journal;
use super::kept::Kept;
use super::template::Template;
use super::{EngineError, ToWit, packing};

mod renewal;

/// Bytes of observations of one provider that wait to be told: some dozens, which whoever asks waits for.
const WAITING_BYTES: usize = 4 << 10;

/// An instance and its providers.
pub(super) struct Shard {
    template: Arc<Template>,
    instance: Option<Instance>,
    /// Counts instances: a provider's handle belongs to one of them.
    generation: u64,
    providers: Vec<Provider>,
    by_name: HashTable<usize>,
    /// Counts how often a provider was asked or told about.
    uses: u64,
}

/// What is known of a provider outside of the instance.
struct Provider {
    name: Box<str>,
    hash: u64,
    /// When it was last asked or told about, as counted by the shard.
    used: u64,
    /// Its handle, and the generation that gave it out.
    handle: Option<(u64, u32)>,
    state: Vec<u8>,
    /// What came since `state` was exported.
    journal: Journal,
    /// What followed when it was last asked, if nothing was told since.
    kept: Option<Kept>,
}

/// The place of a provider within its shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place(usize);

impl Shard {
    pub(super) const fn new(template: Arc<Template>) -> Self {
        Self {
            template,
            instance: None,
            generation: 0,
            providers: Vec::new(),
            by_name: HashTable::new(),
            uses: 0,
        }
    }

    fn find(&self, name: &str, hash: u64) -> Option<usize> {
        let same = |index: &usize| self.providers.get(*index).is_some_and(|provider| *provider.name == *name);
        self.by_name.find(hash, same).copied()
    }

    /// The place of a provider, made if there is none. It holds until a provider is forgotten.
    pub(super) fn place(&mut self, name: &str, hash: u64) -> Place {
        Place(self.find(name, hash).unwrap_or_else(|| {
            let index = self.providers.len();
            self.providers.push(Provider {
                name: name.into(),
                hash,
                used: self.uses,
                handle: None,
                state: Vec::new(),
                journal: Journal::default(),
                kept: None,
            });
            let Self { providers, by_name, .. } = self;
            by_name.insert_unique(hash, index, |index| providers.get(*index).map_or(0, |other| other.hash));
            index
        }))
    }

    /// A provider is asked or told about.
    pub(super) fn touch(&mut self, place: Place) {
        self.uses += 1;
        let used = self.uses;
        self.providers.get_mut(place.0).into_iter().for_each(|provider| provider.used = used);
    }

    /// How many providers there are.
    pub(super) const fn count(&self) -> usize {
        self.providers.len()
    }

    pub(super) fn knows(&self, name: &str, hash: u64) -> bool {
        self.find(name, hash).is_some()
    }

    /// The providers that were not asked or told about for the longest time, and when they last were.
    pub(super) fn oldest(&self, count: usize) -> Vec<(Box<str>, u64)> {
        let mut by_use: Vec<_> =
            self.providers.iter().map(|provider| (provider.used, &provider.name)).collect();
        let count = count.min(by_use.len());
        if let Some(last) = count.checked_sub(1) {
            by_use.select_nth_unstable(last);
        }
        by_use.into_iter().take(count).map(|(used, name)| (name.clone(), used)).collect()
    }

    /// Forgets a provider that was not asked or told about since. Tells whether it was forgotten.
    pub(super) fn forget(&mut self, name: &str, hash: u64, used: u64) -> bool {
        let known = self
            .find(name, hash)
            .filter(|index| self.providers.get(*index).is_some_and(|provider| provider.used == used));
        let Some(index) = known else { return false };
        if let Some(handle) = self.handle_now(Place(index)) {
            // Where that traps, the instance is gone, and the provider with it.
            let _ =
                self.call(|Call { store, api, providers }| api.store().call_forget(store, providers, handle));
        }
        if let Ok(entry) = self.by_name.find_entry(hash, |place| *place == index) {
            entry.remove();
        }
        self.providers.swap_remove(index);
        // The last one has taken its place.
        let last = self.providers.len();
        let moved = self.providers.get(index).map(|provider| provider.hash);
        let entry = moved.and_then(|hash| self.by_name.find_mut(hash, |place| *place == last));
        entry.into_iter().for_each(|place| *place = index);
        true
    }

    /// The names of all providers.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.providers.iter().map(|provider| &*provider.name)
    }

    /// Makes a call. If it fails, the instance is dropped.
    pub(super) fn call<T>(&mut self, call: impl FnOnce(Call<'_>) -> Answer<T>) -> Result<T, EngineError> {
        let instance = match &mut self.instance {
            Some(instance) => instance,
            vacant => {
                let Template { prepared, limits, latency_window, .. } = &*self.template;
                self.generation += 1;
                vacant.insert(Instance::new(prepared, *limits, *latency_window)?)
            }
        };
        let answer = self.template.profiles.catch_up(instance).and_then(|()| instance.call(call));
        answer.inspect_err(|error| {
            tracing::warn!(%error, "the engine instance is replaced");
            self.instance = None;
        })
    }

    /// Makes a call about a provider that changes nothing. The guest knows the provider by the handle.
    pub(super) fn ask<T>(
        &mut self,
        place: Place,
        call: impl FnOnce(Call<'_>, u32) -> Answer<Result<T, InputError>>,
    ) -> Result<T, EngineError> {
        let handle = self.handle(place)?;
        Ok(self.call(|context| call(context, handle))??)
    }

    /// Makes a call that may change a provider otherwise than by observations, and keeps what it changed.
    pub(super) fn change<T>(
        &mut self,
        place: Place,
        call: impl FnOnce(Call<'_>, u32) -> Answer<Result<T, InputError>>,
    ) -> Result<T, EngineError> {
        let answer = self.ask(place, call);
        self.providers.get_mut(place.0).into_iter().for_each(|provider| provider.kept = None);
        let answer = answer?;
        self.checkpoint(place);
        Ok(answer)
    }

    /// The signal of a provider at `now`, packed, with the time at which it was judged. The guest is asked only where it
    /// may have changed.
    pub(super) fn collect(&mut self, place: Place, now: SystemTime) -> Result<&[u8], EngineError> {
        if self.kept(place).is_none_or(|kept| !kept.is_good(now)) {
            let judged = self.ask(place, |Call { store, api, providers }, handle| {
                api.store().call_collect(store, providers, handle, &Evidence::None, now.to_wit())
            })?;
            return Ok(self.keep_signal(place, judged, now));
        }
        Ok(self.kept(place).map_or(&[], Kept::signal))
    }

    fn kept(&self, place: Place) -> Option<&Kept> {
        self.providers.get(place.0)?.kept.as_ref()
    }

    fn keep_signal(&mut self, place: Place, judged: Judged, now: SystemTime) -> &[u8] {
        let provider = self.providers.get_mut(place.0);
        provider.map_or(&[], |provider| provider.kept.insert(Kept::new(judged, now)).signal())
    }

    /// Records a packed observation that can wait: it is told to the guest together with others.
    ///
    /// An error is that of telling them. What can be kept of them is kept.
    pub(super) fn record_later(&mut self, packed: &[u8], place: Place) -> Result<(), EngineError> {
        let Some(provider) = self.providers.get_mut(place.0) else { return Err(no_such_provider()) };
        provider.journal.push(packed);
        provider.kept = None;
        if provider.journal.untold() > WAITING_BYTES {
            self.handle(place)?;
            self.relieve(place);
        }
        Ok(())
    }

    /// Records a packed observation.
    pub(super) fn record(&mut self, packed: &mut [u8], place: Place) -> Result<(), EngineError> {
        self.record_by(packed, None, place, |Call { store, api, providers }, packed, _| {
            api.store().call_record(store, providers, packed)
        })
    }

    /// Records a packed observation that has been read already.
    pub(super) fn record_reading(
        &mut self,
        packed: &mut [u8],
        place: Place,
        reading: &Reading,
    ) -> Result<(), EngineError> {
        self.record_by(packed, Some(reading), place, |Call { store, api, providers }, packed, _| {
            api.store().call_record_reading(store, providers, packed, reading)
        })
    }

    /// Records a packed observation, and gives the signal of its provider, packed as well.
    pub(super) fn observe(
        &mut self,
        packed: &mut [u8],
        place: Place,
        now: SystemTime,
    ) -> Result<&[u8], EngineError> {
        let judged =
            self.record_by(packed, None, place, |Call { store, api, providers }, packed, handle| {
                api.store().call_observe(store, providers, packed, handle, now.to_wit())
            })?;
        Ok(self.keep_signal(place, judged, now))
    }

    /// Records an observation by a call of the guest, which knows the provider by the handle.
    fn record_by<T, E: Into<EngineError>>(
        &mut self,
        packed: &mut [u8],
        reading: Option<&Reading>,
        place: Place,
        call: impl FnOnce(Call<'_>, &[u8], u32) -> Answer<Result<T, E>>,
    ) -> Result<T, EngineError> {
        let handle = self.handle(place)?;
        packing::set_provider(packed, handle);
        let answer = self.call(|context| call(context, packed, handle))?.map_err(Into::into)?;
        if let Some(provider) = self.providers.get_mut(place.0) {
            provider.journal.push_told(packed, reading);
            provider.kept = None;
        }
        self.relieve(place);
        Ok(answer)
    }
}

fn no_such_provider() -> EngineError {
    EngineError::Refused("no such provider".into())
}
