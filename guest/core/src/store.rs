//! The store: all providers of one instance, by handle.

use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use crate::evidence::Evidence;
use crate::json::{self, Unreadable};
use crate::merge::{self, Outcome};
use crate::packed::{self, Malformed, Observation};
use crate::profile;
use crate::provider::Provider;
use crate::reading::{self, Reading, Response};
use crate::signal::Signal;
use crate::state::State;
use crate::time::Time;

/// Version of the exported state: the first byte of it.
const STATE_VERSION: u8 = 1;

/// Everything known about a set of providers.
#[derive(Debug, Default)]
pub struct Store {
    latency_window: usize,
    providers: Vec<Option<Provider>>,
    /// Handles that were dropped and can be given out again.
    free: Vec<u32>,
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
}

impl fmt::Display for InputError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownProvider(handle) => write!(f, "no provider has the handle {handle}"),
            Self::UnknownProfile(handle) => write!(f, "no profile has the handle {handle}"),
            Self::Malformed(malformed) => malformed.fmt(f),
            Self::NotASignal(why) => write!(f, "not a signal: {why}"),
            Self::NotAState(why) => write!(f, "not a state: {why}"),
        }
    }
}

impl From<Malformed> for InputError {
    fn from(malformed: Malformed) -> Self {
        Self::Malformed(malformed)
    }
}

/// Reads one packed observation without recording it.
///
/// # Errors
/// Malformed bytes, an unknown profile.
pub fn parse(bytes: &[u8]) -> Result<Reading, InputError> {
    let nothing = Malformed { offset: 0, what: "there is none" };
    let observation = packed::observations(bytes).next().ok_or(nothing)??;
    read(&observation)
}

fn read(observation: &Observation<'_>) -> Result<Reading, InputError> {
    let profile =
        profile::by_handle(observation.profile).ok_or(InputError::UnknownProfile(observation.profile))?;
    let response = Response {
        status: observation.status,
        frames: observation.frames,
        received_at: observation.received_at,
    };
    Ok(reading::read(profile, &response))
}

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

    fn get(&self, handle: u32) -> Result<&Provider, InputError> {
        let provider = usize::try_from(handle).ok().and_then(|index| self.providers.get(index));
        provider.and_then(Option::as_ref).ok_or(InputError::UnknownProvider(handle))
    }

    fn get_mut(&mut self, handle: u32) -> Result<&mut Provider, InputError> {
        let provider = usize::try_from(handle).ok().and_then(|index| self.providers.get_mut(index));
        provider.and_then(Option::as_mut).ok_or(InputError::UnknownProvider(handle))
    }

    /// Records packed observations: all of them, or none and an error.
    ///
    /// # Errors
    /// Malformed bytes, an unknown provider or profile.
    pub fn record(&mut self, bytes: &[u8]) -> Result<(), InputError> {
        for observation in packed::observations(bytes) {
            let observation = observation?;
            self.get(observation.provider)?;
            profile::by_handle(observation.profile).ok_or(InputError::UnknownProfile(observation.profile))?;
        }
        for observation in packed::observations(bytes) {
            let observation = observation?;
            let reading = read(&observation)?;
            self.get_mut(observation.provider)?.record(&observation, reading);
        }
        Ok(())
    }

    /// Records one packed observation that has been read already.
    ///
    /// # Errors
    /// Malformed bytes, an unknown provider.
    pub fn record_reading(&mut self, bytes: &[u8], reading: Reading) -> Result<(), InputError> {
        let nothing = Malformed { offset: 0, what: "there is none" };
        let observation = packed::observations(bytes).next().ok_or(nothing)??;
        self.get_mut(observation.provider)?.record(&observation, reading);
        Ok(())
    }

    /// The signal of a provider, judged at `now`.
    ///
    /// # Errors
    /// An unknown provider.
    pub fn collect(&mut self, handle: u32, evidence: &Evidence, now: Time) -> Result<Signal, InputError> {
        let provider = self.get_mut(handle)?;
        provider.learn(evidence, now);
        Ok(provider.judge(now))
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
        Ok(merge::settle(self.get_mut(handle)?, stored, now, ahead))
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
        let mut state = alloc::vec![STATE_VERSION];
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
