//! The profiles of a store: those that are built in, and those that were added at run time.
//!
//! A profile says as data what a provider type sends ([`runtime_signals_profile`]); the code that reads by it
//! is the same for all ([`crate::reading`]). The built-in ones are taken out of their packed form when they
//! are first needed.

use alloc::boxed::Box;
use alloc::vec::Vec;

use crate::packed::Observation;
use runtime_signals_profile::set::{COMMON, GENERIC, ProfileSet};
pub use runtime_signals_profile::{BodyUse, Header, LimitRule, Meaning, NameMatch, Profile, What};

/// Most profiles that can be added.
const MOST_ADDED: usize = 256;

static BUILT_IN: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/profiles.bin"));

/// The profiles of one store, by handle.
#[derive(Debug)]
pub struct Profiles {
    set: Option<ProfileSet<'static>>,
    /// Built-in ones that were needed so far.
    unpacked: Vec<Option<Box<Profile>>>,
    added: Vec<Profile>,
}

impl Default for Profiles {
    fn default() -> Self {
        let set = ProfileSet::read(BUILT_IN);
        let mut unpacked = Vec::new();
        unpacked.resize_with(set.map_or(0, |set| set.count().into()), || None);
        Self { set, unpacked, added: Vec::new() }
    }
}

impl Profiles {
    /// The handle of the profile that reads a provider type: of those that were added the latest, else the
    /// built-in one, else the general one.
    #[must_use]
    pub fn find(&self, provider_type: &str) -> u16 {
        let names = |profile: &Profile| {
            profile.name == provider_type || profile.aliases.iter().any(|alias| alias == provider_type)
        };
        let added = self.added.iter().rposition(names);
        let added = added.and_then(|index| u16::try_from(self.unpacked.len() + index).ok());
        added.or_else(|| self.set?.find(provider_type)).unwrap_or(GENERIC)
    }

    /// Makes a profile ready to be used; `false` where no profile has the handle.
    pub fn unpack(&mut self, handle: u16) -> bool {
        let index = usize::from(handle);
        match self.unpacked.get_mut(index) {
            Some(Some(_)) => true,
            Some(place) => {
                *place = self.set.and_then(|set| set.profile(handle)).map(Box::new);
                place.is_some()
            }
            None => index - self.unpacked.len() < self.added.len(),
        }
    }

    /// The profile of a handle that was unpacked.
    #[must_use]
    #[inline]
    pub fn get(&self, handle: u16) -> Option<&Profile> {
        let index = usize::from(handle);
        match self.unpacked.get(index) {
            Some(profile) => profile.as_deref(),
            None => self.added.get(index - self.unpacked.len()),
        }
    }

    /// The profile that reads a provider type, ready to be used, and its handle.
    pub fn ready(&mut self, provider_type: &str) -> (u16, Option<&Profile>) {
        let handle = self.find(provider_type);
        self.unpack(handle);
        (handle, self.get(handle))
    }

    /// Makes ready what a response needs: its profile, and where it may be a refusal the rules that follow those of
    /// every profile. `false` where no profile has the handle.
    #[inline]
    pub fn unpack_for(&mut self, response: &Observation<'_>) -> bool {
        let may_refuse = !matches!(response.status, 200..=299) || !response.body.is_empty();
        if may_refuse {
            self.unpack(COMMON);
        }
        self.unpack(response.profile)
    }

    /// The profile of a response, and the rules that follow those of every profile, as far as they are unpacked.
    #[must_use]
    #[inline]
    pub fn get_for(&self, response: &Observation<'_>) -> Option<(&Profile, Option<&Profile>)> {
        Some((self.get(response.profile)?, self.get(COMMON)))
    }

    /// Adds the first profile of a packed set and gives its handle; `None` where there is none, or where there
    /// are too many.
    pub fn add(&mut self, packed: &[u8]) -> Option<u16> {
        let profile = ProfileSet::read(packed)?.profile(0).filter(|_| self.added.len() < MOST_ADDED)?;
        let handle = u16::try_from(self.unpacked.len() + self.added.len()).ok()?;
        self.added.push(profile);
        Some(handle)
    }
}

#[cfg(test)]
mod tests {
    use runtime_signals_profile::set::encode_set;

    use super::*;

    #[test]
    fn types_that_no_profile_names_are_read_by_the_general_one() {
        let profiles = Profiles::default();
        let generic = profiles.find("generic");
        for name in ["", "something-new"] {
            assert_eq!(profiles.find(name), generic);
        }
        assert_ne!(profiles.find("openai"), generic);
        assert_eq!(profiles.find("claude"), profiles.find("anthropic-oauth"));
    }

    #[test]
    fn every_built_in_profile_can_be_unpacked() {
        let mut profiles = Profiles::default();
        for handle in 0..u16::try_from(profiles.unpacked.len()).unwrap() {
            assert!(profiles.unpack(handle));
            let profile = profiles.get(handle).unwrap();
            assert_eq!(profiles.find(&profile.name), handle);
            assert!(
                profile
                    .headers
                    .iter()
                    .all(|header| usize::from(header.meaning.limit) < profile.limits.len().max(1))
            );
        }
        assert!(!profiles.unpack(u16::MAX));
    }

    #[test]
    fn an_added_profile_comes_before_a_built_in_one_and_the_latest_first() {
        let mut profiles = Profiles::default();
        let built_in = profiles.find("openai");
        let packed = encode_set(&[Profile { name: "openai".into(), ..Profile::default() }]);
        let first = profiles.add(&packed).unwrap();
        let second = profiles.add(&packed).unwrap();
        assert!(first != built_in && second != first);
        assert_eq!(profiles.find("openai"), second);
        assert!(profiles.unpack(second) && profiles.get(second).is_some());
        assert_eq!(profiles.add(b"garbage"), None);
    }
}
