//! Profiles: what each provider type sends, as data.
//!
//! A profile names the headers that matter, and for each what it means. Code reads any profile the same
//! way ([`crate::reading`]); a provider type is added by adding a table.

use crate::limit::Quantity;
use crate::packed::FIRST_HEADER;

mod anthropic;
mod openai;
mod openrouter;

/// Most counters of one profile.
pub const MOST_COUNTERS: usize = 8;

/// How one provider type is read.
#[derive(Debug)]
pub struct Profile {
    /// Its name: that of the provider type it was written for.
    pub name: &'static str,
    /// The headers, by their frame id less 16.
    pub fields: &'static [Field],
    /// The limited quantities that the headers speak of.
    pub counters: &'static [Counter],
}

/// A limited quantity that a provider reports.
#[derive(Clone, Copy, Debug)]
pub struct Counter {
    /// What it counts.
    pub quantity: Quantity,
    /// How its reset is meant.
    pub refill: Refill,
}

/// What a reset means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refill {
    /// The time until the allowance is full again, at a constant rate.
    Continuous,
    /// The end of the window, at which all of it returns.
    WindowEdge,
}

/// One header.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// Its name in lower case.
    pub name: &'static str,
    /// What it means.
    pub meaning: Meaning,
}

/// What a header means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meaning {
    /// A part of the counter of this index.
    Counter(usize, Part),
    /// The same, in an older dialect: read where the present one is silent.
    Legacy(usize, Part),
    /// `Retry-After`: seconds or a date.
    RetryAfter,
    /// The wait in milliseconds, more exact than `Retry-After`.
    RetryAfterMs,
}

/// A part of a counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The allowance.
    Limit,
    /// What is left.
    Remaining,
    /// When it resets.
    Reset,
}

impl Profile {
    /// The meaning of a frame.
    #[must_use]
    pub fn meaning(&self, frame: u8) -> Option<Meaning> {
        let index = usize::from(frame.checked_sub(FIRST_HEADER)?);
        self.fields.get(index).map(|field| field.meaning)
    }
}

/// All profiles, by their handles. The first one reads types that no other names.
static PROFILES: [&Profile; 3] = [&openai::PROFILE, &anthropic::PROFILE, &openrouter::PROFILE];

/// The profile of a handle.
#[must_use]
pub fn by_handle(handle: u16) -> Option<&'static Profile> {
    PROFILES.get(usize::from(handle)).copied()
}

/// The handle and profile that read a provider type.
#[must_use]
pub fn for_type(provider_type: &str) -> (u16, &'static Profile) {
    let name = match provider_type {
        // The subscription answers with the API's headers too.
        "claude" => "anthropic",
        other => other,
    };
    (0..).zip(PROFILES).find(|(_, profile)| profile.name == name).unwrap_or((0, &openai::PROFILE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_that_no_profile_names_are_read_as_openai() {
        for name in ["", "openai", "something-new", "ollama"] {
            assert_eq!(for_type(name).1.name, "openai");
        }
        assert_eq!(for_type("claude").1.name, "anthropic");
    }

    #[test]
    fn every_profile_is_consistent() {
        for (handle, profile) in (0..).zip(PROFILES) {
            assert_eq!(for_type(profile.name).0, handle);
            assert!(profile.counters.len() <= MOST_COUNTERS);
            assert!(profile.fields.len() <= usize::from(u8::MAX - FIRST_HEADER));
            for field in profile.fields {
                assert_eq!(field.name, field.name.to_ascii_lowercase());
                if let Meaning::Counter(index, _) | Meaning::Legacy(index, _) = field.meaning {
                    assert!(index < profile.counters.len(), "{}: {}", profile.name, field.name);
                }
            }
        }
    }
}
