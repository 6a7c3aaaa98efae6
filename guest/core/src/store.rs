//! The store: all providers of one instance, by handle.

use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use crate::evidence::Evidence;
use crate::json::{self, Unreadable};
use crate::limit::Scope;
use crate::merge::{self, Outcome};
use crate::packed::{self, Malformed, Observation};
use crate::profile::Profiles;
use crate::provider::{Judged, Provider};
use crate::reading::{Plain, Reader, Reading};
use crate::signal::Signal;
use crate::state::State;
use crate::time::Time;
use crate::wait::{Need, Wait};

/// Version of the exported state: the first byte of it.
const STATE_VERSION: u8 = 4;
/// Room for the state of a provider with some limits, in bytes. That for its latencies is added to it.
const USUAL_STATE_BYTES: usize = 1024;

/// Everything known about a set of providers.
#[derive(Debug, Default)]
pub struct Store {
    latency_window: usize,
    providers: Vec<Option<Provider>>,
    /// Handles that were dropped and can be given out again.
    free: Vec<u32>,
    profiles: Profiles,
    /// What the last plain response said.
    plain: Plain,
    reader: Reader,
    /// The last reading, whose memory the next one uses.
    reading: Reading,
}

/// Why an input was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InputError {
    /// A handle that this store never gave out.
    UnknownProvider(u32),
    /// A handle of no profile.
    UnknownProfile(u16),
    /// Bytes that are no observations.
    Malformed(Malformed),
    /// Bytes that are no signal of the provider.
    NotASignal(Unreadable),
    /// Bytes that are no state of this version.
    NotAState(&'static str),
    /// Bytes that are no profile, or one too many.
    NotAProfile,
}

/// Why observations were refused. Nothing of a refused call took effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusedRecord {
    /// A handle that this store never gave out.
    UnknownProvider(u32),
    /// A handle of no profile.
    UnknownProfile(u16),
    /// Bytes that are no observations.
    Malformed(Malformed),
}

impl From<Malformed> for RefusedRecord {
    fn from(malformed: Malformed) -> Self {
        Self::Malformed(malformed)
    }
}

impl fmt::Display for InputError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownProvider(handle) => write!(f, "no provider has the handle {handle}"),
            Self::UnknownProfile(handle) => write!(f, "no profile has the handle {handle}"),
            Self::Malformed(malformed) => malformed.fmt(f),
            Self::NotASignal(why) => write!(f, "not a signal: {why}"),
            Self::NotAState(why) => write!(f, "not a state: {why}"),
            Self::NotAProfile => f.write_str("not a profile of this version, or more than 256"),
        }
    }
}

impl From<Malformed> for InputError {
    fn from(malformed: Malformed) -> Self {
        Self::Malformed(malformed)
    }
}

#[inline(always)]
fn provider_of(providers: &mut [Option<Provider>], handle: u32) -> Option<&mut Provider> {
    usize::try_from(handle).ok().and_then(|index| providers.get_mut(index))?.as_mut()
}

const NOTHING: Malformed = Malformed { offset: 0, what: "there is none" };

impl Store {
    /// A store that keeps `latency_window` samples a provider; 0 means 100, and at most 65,536 are kept.
    #[must_use]
    pub fn new(latency_window: usize) -> Self {
        Self { latency_window, ..Self::default() }
    }

    /// A new handle for a provider of this name, of which nothing is known yet.
    ///
    /// Names are not looked up here: who asks knows what handles it has.
    pub fn add_provider(&mut self, name: &str) -> u32 {
        let handle = self.free.pop().unwrap_or_else(|| {
            self.providers.push(None);
            u32::try_from(self.providers.len() - 1).unwrap_or(u32::MAX)
        });
        if let Some(place) = usize::try_from(handle).ok().and_then(|index| self.providers.get_mut(index)) {
            *place = Some(Provider::new(name.into(), self.latency_window));
        }
        handle
    }

    pub(crate) fn get(&self, handle: u32) -> Result<&Provider, InputError> {
        let provider = usize::try_from(handle).ok().and_then(|index| self.providers.get(index));
        provider.and_then(Option::as_ref).ok_or(InputError::UnknownProvider(handle))
    }

    fn get_mut(&mut self, handle: u32) -> Result<&mut Provider, InputError> {
        provider_of(&mut self.providers, handle).ok_or(InputError::UnknownProvider(handle))
    }

    /// A provider that is asked about at `now`.
    fn get_at(&mut self, handle: u32, now: Time) -> Result<&mut Provider, InputError> {
        let provider = self.get_mut(handle)?;
        provider.keep_to(now);
        Ok(provider)
    }

    /// The profiles, for a look at how a provider type is read.
    pub const fn profiles(&mut self) -> &mut Profiles {
        &mut self.profiles
    }

    /// Reads one packed observation without recording it.
    ///
    /// # Errors
    /// Malformed bytes, an unknown profile.
    pub fn parse(&mut self, bytes: &[u8]) -> Result<Reading, InputError> {
        let observation = packed::observations(bytes).next().ok_or(NOTHING)??;
        self.profiles.unpack_for(&observation);
        let read_by = self.profiles.get_for(&observation);
        let (profile, common) = read_by.ok_or(InputError::UnknownProfile(observation.profile))?;
        Ok(self.reader.summarize(profile, common, &observation))
    }

    /// Records packed observations: all of them, or none and an error.
    ///
    /// # Errors
    /// Malformed bytes, an unknown provider or profile.
    pub fn record(&mut self, bytes: &[u8]) -> Result<(), RefusedRecord> {
        // Nearly all calls tell of one.
        let mut rest = bytes;
        if let Ok(only) = packed::take(&mut rest)
            && rest.is_empty()
        {
            self.check(&only)?;
            self.record_one(&only);
            return Ok(());
        }
        for observation in packed::observations(bytes) {
            self.check(&observation?)?;
        }
        packed::checked_observations(bytes).for_each(|observation| self.record_one(&observation));
        Ok(())
    }

    /// Records packed observations, and gives the signal of a provider, judged at `now`, in its packed form.
    ///
    /// # Errors
    /// Malformed bytes, an unknown provider or profile. Nothing was recorded.
    pub fn observe(&mut self, bytes: &[u8], handle: u32, now: Time) -> Result<Judged, RefusedRecord> {
        let unknown = |_| RefusedRecord::UnknownProvider(handle);
        self.get_at(handle, now).map_err(unknown)?;
        self.record(bytes)?;
        self.collect_packed(handle, &Evidence::None, now).map_err(unknown)
    }

    /// Records one observation: the long way whatever it is, as the size of those who come here matters more than time.
    ///
    /// # Errors
    /// An unknown provider or profile.
    pub fn record_observation(&mut self, observation: &Observation<'_>) -> Result<(), RefusedRecord> {
        self.check(observation)?;
        self.record_any(observation);
        Ok(())
    }

    /// Are the provider and the profile of an observation known?
    fn check(&mut self, observation: &Observation<'_>) -> Result<(), RefusedRecord> {
        let Observation { provider, profile, .. } = *observation;
        self.get(provider).map_err(|_| RefusedRecord::UnknownProvider(provider))?;
        if self.profiles.unpack_for(observation) {
            Ok(())
        } else {
            Err(RefusedRecord::UnknownProfile(profile))
        }
    }

    /// Records an observation that has been checked.
    #[inline(never)]
    fn record_one(&mut self, observation: &Observation<'_>) {
        if self.record_plain(observation).is_none() {
            self.record_any(observation);
        }
    }

    /// Records an observation that has been checked, if it is plain.
    #[inline(always)]
    fn record_plain(&mut self, observation: &Observation<'_>) -> Option<()> {
        let provider = provider_of(&mut self.providers, observation.provider)?;
        let profile = self.profiles.get(observation.profile)?;
        self.plain.read(profile, observation)?;
        provider.record_plain(observation, profile, &self.plain);
        Some(())
    }

    /// Records any observation that has been checked.
    #[inline(never)]
    fn record_any(&mut self, observation: &Observation<'_>) {
        let provider = provider_of(&mut self.providers, observation.provider);
        if let (Some(provider), Some((profile, common))) = (provider, self.profiles.get_for(observation)) {
            self.reader.read(profile, common, observation, &mut self.reading);
            provider.record(observation, &self.reading);
        }
    }

    /// Records one packed observation that has been read already.
    ///
    /// # Errors
    /// Malformed bytes, an unknown provider.
    pub fn record_reading(&mut self, bytes: &[u8], mut reading: Reading) -> Result<(), InputError> {
        let observation = packed::observations(bytes).next().ok_or(NOTHING)??;
        reading.complete(observation.received_at);
        self.get_mut(observation.provider)?.record(&observation, &reading);
        Ok(())
    }

    /// The signal of a provider, judged at `now`.
    ///
    /// # Errors
    /// An unknown provider.
    pub fn collect(&mut self, handle: u32, evidence: &Evidence, now: Time) -> Result<Signal, InputError> {
        let provider = self.get_at(handle, now)?;
        provider.learn(evidence, now);
        Ok(provider.judge(now))
    }

    /// The same in its packed form.
    ///
    /// # Errors
    /// An unknown provider.
    pub fn collect_packed(
        &mut self,
        handle: u32,
        evidence: &Evidence,
        now: Time,
    ) -> Result<Judged, InputError> {
        let provider = self.get_at(handle, now)?;
        provider.learn(evidence, now);
        Ok(provider.judge_packed(now))
    }

    /// When a request of this size can pass; see [`Provider::wait_for`].
    ///
    /// # Errors
    /// An unknown provider.
    pub fn wait_for(
        &mut self,
        handle: u32,
        scope: &Scope,
        need: Need,
        now: Time,
    ) -> Result<Wait, InputError> {
        Ok(self.get_at(handle, now)?.wait_for(scope, need, now))
    }

    /// Adds a profile in its packed form.
    ///
    /// # Errors
    /// Bytes that are no profile, or one too many.
    pub fn add_profile(&mut self, packed: &[u8]) -> Result<(), InputError> {
        self.profiles.add(packed).map(drop).ok_or(InputError::NotAProfile)
    }

    /// Is anything known about a provider?
    ///
    /// # Errors
    /// An unknown provider.
    pub fn has_evidence(&self, handle: u32) -> Result<bool, InputError> {
        self.get(handle).map(Provider::is_known)
    }

    /// Takes in the evidence of a stored signal.
    ///
    /// # Errors
    /// An unknown provider, bytes that are no signal of it.
    pub fn adopt(&mut self, handle: u32, stored: &[u8]) -> Result<(), InputError> {
        let provider = self.get_mut(handle)?;
        let stored = json::decode(provider.name(), stored).map_err(InputError::NotASignal)?;
        provider.adopt(&stored, stored.recorded_at);
        Ok(())
    }

    /// What to write of a provider where `stored` is on disk; see [`merge::settle`].
    ///
    /// # Errors
    /// An unknown provider.
    pub fn settle(
        &mut self,
        handle: u32,
        stored: Option<&[u8]>,
        now: Time,
        ahead: Duration,
    ) -> Result<Outcome, InputError> {
        Ok(merge::settle(self.get_at(handle, now)?, stored, now, ahead))
    }

    /// The signal that was decided on last has been written; see [`Provider::share`].
    ///
    /// # Errors
    /// An unknown provider.
    pub fn share(&mut self, handle: u32) -> Result<(), InputError> {
        self.get_mut(handle)?.share();
        Ok(())
    }

    /// Forgets refusals and limits: those of one model, or all.
    ///
    /// # Errors
    /// An unknown provider.
    pub fn clear(&mut self, handle: u32, model: Option<&str>) -> Result<(), InputError> {
        self.get_mut(handle)?.clear(model);
        Ok(())
    }

    /// All that is known of a provider.
    ///
    /// # Errors
    /// An unknown provider.
    pub fn export(&self, handle: u32) -> Result<Vec<u8>, InputError> {
        let mut state = Vec::with_capacity(USUAL_STATE_BYTES);
        state.push(STATE_VERSION);
        self.get(handle)?.save(&mut state);
        Ok(state)
    }

    /// Replaces what is known of a provider.
    ///
    /// # Errors
    /// An unknown provider, bytes that are no state of it.
    pub fn import(&mut self, handle: u32, state: &[u8]) -> Result<(), InputError> {
        let provider = self.get_mut(handle)?;
        let Some((&STATE_VERSION, mut state)) = state.split_first() else {
            return Err(InputError::NotAState("another version's"));
        };
        let read = Provider::load(&mut state).filter(|_| state.is_empty());
        let read = read.ok_or(InputError::NotAState("damaged"))?;
        if read.name() != provider.name() {
            return Err(InputError::NotAState("another provider's"));
        }
        *provider = read;
        Ok(())
    }

    /// Drops a provider and its handle.
    pub fn forget(&mut self, handle: u32) {
        let place = usize::try_from(handle).ok().and_then(|index| self.providers.get_mut(index));
        if place.and_then(Option::take).is_some() {
            self.free.push(handle);
        }
    }
}

#[cfg(test)]
mod tests;
