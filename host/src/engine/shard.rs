//! One shard: an instance, and all that is needed to replace it.
//!
//! For each provider the shard keeps the last exported state and the observations that came since. After a
//! trap or an overrun the instance is dropped, never used again; the next call makes a new one, and each
//! provider's state and observations are put into it when it is next asked for. Only the call that failed
//! took no effect.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::SystemTime;

use hashbrown::HashTable;

use super::bindings::EnginePre;
use super::bindings::exports::runtime_signals::signals::types::Reading;
use super::instance::{Answer, Call, Evidence, InputError, Instance, Judged, RecordError};
use super::journal::{Journal, Run};
use super::kept::Kept;
use super::limits::{Limits, Usage};
use super::{EngineError, ToWit, packing};

/// Bytes of observations after which a provider's state is exported again.
const JOURNAL_BYTES: usize = 8 << 10;

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

/// What instances are made of.
pub(super) struct Template {
    pub(super) prepared: EnginePre<Usage>,
    pub(super) profiles: AddedProfiles,
    pub(super) limits: Limits,
    pub(super) latency_window: u32,
}

/// Profiles that were added, in their packed form. Each instance takes in what it lacks before its next call.
#[derive(Default)]
pub(super) struct AddedProfiles {
    all: RwLock<Vec<Vec<u8>>>,
    count: AtomicUsize,
}

impl AddedProfiles {
    pub(super) fn add(&self, packed: Vec<u8>) {
        let mut all = self.all.write().unwrap_or_else(PoisonError::into_inner);
        all.push(packed);
        self.count.store(all.len(), Ordering::Release);
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.count.load(Ordering::Acquire)
    }

    /// Gives an instance those that it lacks.
    fn catch_up(&self, instance: &mut Instance) -> Result<(), EngineError> {
        if instance.profiles == self.count() {
            return Ok(());
        }
        let all = self.all.read().unwrap_or_else(PoisonError::into_inner);
        for packed in all.iter().skip(instance.profiles) {
            instance.call(|Call { store, api, providers }| {
                api.store().call_add_profile(store, providers, packed)
            })??;
            instance.profiles += 1;
        }
        Ok(())
    }
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

    /// Records packed observations, in order: `places` names the provider of each. Tells of each whether it
    /// was recorded.
    ///
    /// They go in by one call. If that fails, each is tried alone, so that only the one at fault is lost.
    pub(super) fn record(&mut self, packed: &mut [u8], places: &[Place]) -> Vec<Result<(), EngineError>> {
        if self.record_together(packed, places).is_ok() {
            return places.iter().map(|_| Ok(())).collect();
        }
        let observations: Vec<_> = packing::split(packed).map(<[u8]>::to_vec).collect();
        let alone =
            |(mut one, place): (Vec<u8>, &Place)| self.record_together(&mut one, std::slice::from_ref(place));
        observations.into_iter().zip(places).map(alone).collect()
    }

    /// Records packed observations: all of them or none.
    pub(super) fn record_together(&mut self, packed: &mut [u8], places: &[Place]) -> Result<(), EngineError> {
        self.record_by(packed, places, |Call { store, api, providers }, packed, _| {
            api.store().call_record(store, providers, packed)
        })
    }

    /// Records one packed observation, and gives the signal of its provider, packed as well.
    pub(super) fn observe(
        &mut self,
        packed: &mut [u8],
        place: Place,
        now: SystemTime,
    ) -> Result<&[u8], EngineError> {
        let judged = self.record_by(packed, &[place], |Call { store, api, providers }, packed, handle| {
            api.store().call_observe(store, providers, packed, handle, now.to_wit())
        })?;
        Ok(self.keep_signal(place, judged, now))
    }

    /// Records packed observations by a call of the guest, which knows the provider of the last by the handle: all of
    /// them or none.
    fn record_by<T>(
        &mut self,
        packed: &mut [u8],
        places: &[Place],
        call: impl FnOnce(Call<'_>, &[u8], u32) -> Answer<Result<T, RecordError>>,
    ) -> Result<T, EngineError> {
        let mut last = 0;
        let mut at = 0;
        for place in places {
            let handle = self.handle(*place)?;
            let rest = packed.get_mut(at..).unwrap_or_default();
            packing::set_provider(rest, handle);
            at += packing::split(rest).next().map_or(0, <[u8]>::len);
            last = handle;
        }
        // A provider that was put back may have replaced the instance, and with it the handles.
        let current = |place: &Place| self.handle_now(*place).is_some();
        if !places.iter().all(current) {
            return Err(EngineError::Trapped("while an earlier state was put back".into()));
        }
        let answer = self.call(|context| call(context, packed, last))??;
        for (observation, place) in packing::split(packed).zip(places) {
            self.keep(*place, observation, None);
        }
        // Only now: a state that is exported has all of them, so that none may be kept beside it.
        places.iter().for_each(|place| self.relieve(*place));
        Ok(answer)
    }

    /// Records one packed observation that has been read already.
    pub(super) fn record_reading(
        &mut self,
        packed: &mut [u8],
        place: Place,
        reading: &Reading,
    ) -> Result<(), EngineError> {
        packing::set_provider(packed, self.handle(place)?);
        self.call(|Call { store, api, providers }| {
            api.store().call_record_reading(store, providers, packed, reading)
        })??;
        self.keep(place, packed, Some(reading));
        self.relieve(place);
        Ok(())
    }

    /// Keeps an observation that has been recorded.
    fn keep(&mut self, place: Place, observation: &[u8], reading: Option<&Reading>) {
        if let Some(provider) = self.providers.get_mut(place.0) {
            provider.journal.push(observation, reading);
            provider.kept = None;
        }
    }

    /// Exports a provider's state in place of observations that have become many.
    fn relieve(&mut self, place: Place) {
        if self.providers.get(place.0).is_some_and(|provider| provider.journal.len() > JOURNAL_BYTES) {
            self.checkpoint(place);
        }
    }

    fn handle_now(&self, place: Place) -> Option<u32> {
        let current =
            |(generation, _): &(u64, u32)| *generation == self.generation && self.instance.is_some();
        self.providers.get(place.0)?.handle.filter(current).map(|(_, handle)| handle)
    }

    /// The provider's handle in the present instance, which learns what it does not know yet.
    fn handle(&mut self, place: Place) -> Result<u32, EngineError> {
        if let Some(handle) = self.handle_now(place) {
            return Ok(handle);
        }
        let Some(provider) = self.providers.get_mut(place.0) else {
            return Err(EngineError::Refused("no such provider".into()));
        };
        let name = provider.name.clone();
        let state = std::mem::take(&mut provider.state);
        let mut journal = std::mem::take(&mut provider.journal);
        let mut handle = self.restore(&name, &state, &mut journal);
        if let Err(error) = &handle {
            tracing::error!(provider = %name, %error, "the state cannot be put back as a whole");
            (handle, journal) = self.salvage(&name, &state, &journal);
        }
        if let Some(provider) = self.providers.get_mut(place.0) {
            provider.state = state;
            provider.journal = journal;
            provider.handle = handle.as_ref().ok().map(|handle| (self.generation, *handle));
            provider.kept = None;
        }
        handle
    }

    /// Puts a provider's state and what came since into the present instance.
    fn restore(&mut self, name: &str, state: &[u8], journal: &mut Journal) -> Result<u32, EngineError> {
        let handle = self
            .call(|Call { store, api, providers }| api.store().call_add_provider(store, providers, name))?;
        if !state.is_empty() {
            self.call(|Call { store, api, providers }| {
                api.store().call_import_provider(store, providers, handle, state)
            })??;
        }
        for run in journal.runs(handle) {
            self.call(|Call { store, api, providers }| match run {
                Run::Observations(packed) => {
                    let recorded = api.store().call_record(store, providers, packed)?;
                    Ok(recorded.map_err(EngineError::from))
                }
                Run::Read(packed, reading) => {
                    let recorded = api.store().call_record_reading(store, providers, packed, reading)?;
                    Ok(recorded.map_err(EngineError::from))
                }
            })??;
        }
        Ok(handle)
    }

    /// Puts back what can be: the state if it goes in, and each observation that does.
    fn salvage(
        &mut self,
        name: &str,
        state: &[u8],
        journal: &Journal,
    ) -> (Result<u32, EngineError>, Journal) {
        let state = if self.restore(name, state, &mut Journal::default()).is_ok() { state } else { &[] };
        let mut kept = Journal::default();
        for (observation, reading) in journal.entries() {
            let mut longer = kept.clone();
            longer.push(observation, reading);
            if self.restore(name, state, &mut longer).is_ok() {
                kept = longer;
            }
        }
        (self.restore(name, state, &mut kept), kept)
    }

    /// Keeps a provider's present state outside of the instance.
    ///
    /// Where that fails, the observations are kept instead, as many as fit.
    fn checkpoint(&mut self, place: Place) {
        let Some(handle) = self.handle_now(place) else { return };
        let state = self.call(|Call { store, api, providers }| {
            api.store().call_export_provider(store, providers, handle)
        });
        let Some(provider) = self.providers.get_mut(place.0) else { return };
        if let Ok(Ok(state)) = state {
            provider.state = state;
            provider.journal.clear();
        } else {
            tracing::error!(provider = %provider.name, "the state cannot be exported");
            provider.journal.shorten(JOURNAL_BYTES);
        }
    }
}
