//! How an instance learns what it does not know of a provider, and how that is kept outside of it.

use std::ops::RangeInclusive;

use super::{Place, Shard, no_such_provider};
use crate::engine::EngineError;
use crate::engine::instance::Call;
use crate::engine::journal::{Journal, Run};

/// Bytes of observations that a shard keeps beside the states of its providers, about: they share them.
const JOURNALS_BYTES: usize = 512 << 10;
/// Bytes of observations of one provider after which its state is exported again, at least and at most.
const JOURNAL_BYTES: RangeInclusive<usize> = 8 << 10..=64 << 10;

impl Shard {
    /// Exports a provider's state in place of observations that have become many.
    pub(super) fn relieve(&mut self, place: Place) {
        let kept = self.providers.get(place.0).map_or(0, |provider| provider.journal.len());
        if kept > *JOURNAL_BYTES.start() && kept > self.journal_bytes() {
            self.checkpoint(place);
        }
    }

    /// Bytes of observations that each provider may keep: where there are few, they export seldom.
    fn journal_bytes(&self) -> usize {
        let share = JOURNALS_BYTES / self.providers.len().max(1);
        share.clamp(*JOURNAL_BYTES.start(), *JOURNAL_BYTES.end())
    }

    pub(super) fn handle_now(&self, place: Place) -> Option<u32> {
        let current =
            |(generation, _): &(u64, u32)| *generation == self.generation && self.instance.is_some();
        self.providers.get(place.0)?.handle.filter(current).map(|(_, handle)| handle)
    }

    /// The provider's handle in the present instance, which learns what it does not know yet.
    pub(super) fn handle(&mut self, place: Place) -> Result<u32, EngineError> {
        let known = self.handle_now(place);
        let Some(provider) = self.providers.get_mut(place.0) else { return Err(no_such_provider()) };
        if let Some(handle) = known.filter(|_| provider.journal.untold() == 0) {
            return Ok(handle);
        }
        let name = provider.name.clone();
        let mut state = std::mem::take(&mut provider.state);
        let mut journal = std::mem::take(&mut provider.journal);
        let informed = match known {
            Some(handle) => self.tell(handle, &mut journal).map(|()| handle),
            None => self.restore(&name, &mut state, &mut journal),
        };
        let informed = informed.or_else(|error| self.salvage(&name, &mut state, &mut journal, &error));
        if informed.is_err() {
            journal.shorten(self.journal_bytes());
        }
        if let Some(provider) = self.providers.get_mut(place.0) {
            provider.state = state;
            provider.journal = journal;
            provider.handle = informed.as_ref().ok().map(|handle| (self.generation, *handle));
            provider.kept = None;
        }
        informed
    }

    /// Tells the present instance what it does not know yet of the provider of this handle.
    fn tell(&mut self, handle: u32, journal: &mut Journal) -> Result<(), EngineError> {
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
        journal.all_told();
        Ok(())
    }

    /// Puts a provider's state and what came since into the present instance. If that is much, it becomes the state, so
    /// that it is not told again each time.
    fn restore(
        &mut self,
        name: &str,
        state: &mut Vec<u8>,
        journal: &mut Journal,
    ) -> Result<u32, EngineError> {
        let handle = self
            .call(|Call { store, api, providers }| api.store().call_add_provider(store, providers, name))?;
        if !state.is_empty() {
            self.call(|Call { store, api, providers }| {
                api.store().call_import_provider(store, providers, handle, state)
            })??;
        }
        journal.none_told();
        self.tell(handle, journal)?;
        if journal.len() > *JOURNAL_BYTES.start() {
            *state = self.export(handle)?;
            journal.clear(self.journal_bytes());
        }
        Ok(handle)
    }

    fn export(&mut self, handle: u32) -> Result<Vec<u8>, EngineError> {
        Ok(self.call(|Call { store, api, providers }| {
            api.store().call_export_provider(store, providers, handle)
        })??)
    }

    /// Puts into a new instance what can be, where all of it failed: the state if it goes in, and each observation that
    /// does. The rest is dropped, unless there is no instance to be had.
    fn salvage(
        &mut self,
        name: &str,
        state: &mut Vec<u8>,
        journal: &mut Journal,
        failed: &EngineError,
    ) -> Result<u32, EngineError> {
        let (mut kept_state, mut kept) = (state.clone(), Journal::default());
        self.instance = None;
        let mut handle = match self.restore(name, &mut kept_state, &mut kept) {
            Ok(handle) => handle,
            Err(error) => {
                self.instance = None;
                kept_state.clear();
                let handle = self.restore(name, &mut kept_state, &mut kept)?;
                tracing::error!(provider = %name, %error, "a state that the engine fails at is dropped");
                handle
            }
        };
        let mut dropped = 0;
        for (observation, reading) in journal.entries() {
            if self.tell(handle, &mut Journal::of(observation, reading)).is_ok() {
                kept.push_told(observation, reading);
            } else {
                dropped += 1;
                self.instance = None;
                handle = self.restore(name, &mut kept_state, &mut kept)?;
            }
        }
        tracing::error!(provider = %name, error = %failed, dropped, "observations that the engine fails at are dropped");
        (*state, *journal) = (kept_state, kept);
        Ok(handle)
    }

    /// Keeps a provider's present state outside of the instance.
    ///
    /// Where that fails, the observations are kept instead, as many as fit.
    pub(super) fn checkpoint(&mut self, place: Place) {
        let Some(handle) = self.handle_now(place) else { return };
        let state = self.export(handle);
        let most = self.journal_bytes();
        let Some(provider) = self.providers.get_mut(place.0) else { return };
        match state {
            Ok(state) => {
                provider.state = state;
                provider.journal.clear(most);
            }
            Err(error) => {
                tracing::error!(provider = %provider.name, %error, "the state cannot be exported");
                provider.journal.shorten(most);
            }
        }
    }
}
