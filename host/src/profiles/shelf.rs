//! What the engine was given of the user's profiles.
//!
//! The engine keeps all that it is given, up to 256 profiles, and refuses every call once it was given more. So this
//! side counts, gives it nothing twice, and nothing that it could not read.
//!
//! Cases are read by a candidate: the same profile under a name that no provider type can have. A file that is loaded
//! again unchanged, good or bad, meets its candidate of before.

use std::collections::HashMap;
use std::path::Path;

use runtime_signals_profile::set::{ProfileSet, encode_set};
use runtime_signals_profile::toml::{self, Source};
use runtime_signals_profile::{Header, NameMatch, Profile};

use super::ProfileFile;
use super::cases;
use super::directory::{self, Links};
use super::error::{ProfileFileError, ProfileProblem};
use crate::engine::Engine;
use crate::observation::Observation;

/// Most profiles that one engine takes in.
const MOST_GIVEN: usize = 256;
/// Most bytes of text of all of them: they lie in the memory of each instance, unpacked.
const MOST_TEXT_BYTES: usize = 2 << 20;
/// The profile whose parts all others have.
const COMMON: &str = "common";
/// Headers, of requests or responses, whose values are credentials.
const CREDENTIALS: &[&str] = &[
    "api-key",
    "authorization",
    "cookie",
    "proxy-authorization",
    "set-cookie",
    "set-cookie2",
    "x-api-key",
    "x-goog-api-key",
];

/// What an engine was given.
#[derive(Default)]
pub(super) struct Shelf {
    given: usize,
    text_bytes: usize,
    /// By the packed profile, the name of its candidate.
    candidates: HashMap<Vec<u8>, String>,
    in_service: Vec<InService>,
}

/// A profile that was not replaced since.
struct InService {
    names: Vec<String>,
    packed: Vec<u8>,
}

/// A profile that passed.
pub(super) struct Passed {
    source: Source,
    text_bytes: usize,
    packed: Vec<u8>,
}

impl Shelf {
    /// Checks a file and puts its profile into service, unless a file that came before reads the same type.
    pub(super) fn take_in(
        &mut self,
        engine: &Engine,
        file: &Path,
        before: &[ProfileFile],
    ) -> Result<ProfileFile, ProfileFileError> {
        let (checked, passed) = self.check(engine, file, Links::Refused)?;
        let refuse = |problem| ProfileFileError::new(file, problem);
        let names = names(&passed.source.profile);
        for earlier in before {
            let has = |name: &&String| **name == earlier.provider_type || earlier.aliases.contains(name);
            if let Some(name) = names.iter().find(has) {
                return Err(refuse(ProfileProblem::Taken { name: name.clone(), by: earlier.path.clone() }));
            }
        }
        if !self.in_service.iter().any(|one| one.packed == passed.packed) {
            self.give(engine, passed.packed.clone(), passed.text_bytes).map_err(refuse)?;
            self.in_service.retain(|one| !one.names.iter().any(|name| names.contains(name)));
            self.in_service.push(InService { names, packed: passed.packed });
        }
        Ok(checked)
    }

    /// Checks a file: its text strictly, then its cases through the engine.
    pub(super) fn check(
        &mut self,
        engine: &Engine,
        file: &Path,
        links: Links,
    ) -> Result<(ProfileFile, Passed), ProfileFileError> {
        let passed = directory::read(file, links).and_then(|text| self.pass(engine, &text));
        let passed = passed.map_err(|problem| ProfileFileError::new(file, problem))?;
        let Source { profile, source, verified, cases, .. } = &passed.source;
        let checked = ProfileFile {
            path: file.to_owned(),
            provider_type: profile.name.clone(),
            aliases: profile.aliases.clone(),
            source: source.clone(),
            verified: verified.clone(),
            cases: cases.len(),
        };
        Ok((checked, passed))
    }

    fn pass(&mut self, engine: &Engine, text: &str) -> Result<Passed, ProfileProblem> {
        let source = toml::parse(text)?;
        let profile = &source.profile;
        if names(profile).iter().any(|name| name == COMMON) {
            return Err(ProfileProblem::Common);
        }
        if let Some(header) = profile.headers.iter().find(|header| asks_for_credentials(header)) {
            return Err(ProfileProblem::Credential(header.name.clone()));
        }
        let packed = pack(profile)?;
        if !source.cases.is_empty() {
            let candidate = self.candidate(engine, profile, &packed, text.len())?;
            let failed = cases::failures(&source.cases, text, |response, now| {
                let response = Observation { provider_type: &candidate, ..*response };
                engine.parse(&response, now).map_err(|error| error.to_string())
            });
            if !failed.is_empty() {
                return Err(ProfileProblem::Cases(failed));
            }
        }
        Ok(Passed { source, text_bytes: text.len(), packed })
    }

    /// The name under which the engine knows a profile that is to be tried.
    fn candidate(
        &mut self,
        engine: &Engine,
        profile: &Profile,
        packed: &[u8],
        text_bytes: usize,
    ) -> Result<String, ProfileProblem> {
        if let Some(name) = self.candidates.get(packed) {
            return Ok(name.clone());
        }
        // No provider type has a colon.
        let name = format!("candidate:{}", self.given);
        let candidate = Profile { name: name.clone(), aliases: Vec::new(), ..profile.clone() };
        self.give(engine, pack(&candidate)?, text_bytes)?;
        self.candidates.insert(packed.to_vec(), name.clone());
        Ok(name)
    }

    fn give(&mut self, engine: &Engine, packed: Vec<u8>, text_bytes: usize) -> Result<(), ProfileProblem> {
        if self.given >= MOST_GIVEN || self.text_bytes + text_bytes > MOST_TEXT_BYTES {
            return Err(ProfileProblem::Full);
        }
        self.given += 1;
        self.text_bytes += text_bytes;
        engine.add_profile(packed);
        Ok(())
    }
}

/// Packs a profile. What the engine would not read as it was is refused here, since there it would end every call.
fn pack(profile: &Profile) -> Result<Vec<u8>, ProfileProblem> {
    let packed = encode_set(std::slice::from_ref(profile));
    let read = ProfileSet::read(&packed).and_then(|set| set.profile(0));
    if read.as_ref() == Some(profile) { Ok(packed) } else { Err(ProfileProblem::Unpackable) }
}

fn names(profile: &Profile) -> Vec<String> {
    [&profile.name].into_iter().chain(&profile.aliases).cloned().collect()
}

fn asks_for_credentials(header: &Header) -> bool {
    CREDENTIALS.iter().any(|name| match header.kind {
        NameMatch::Exact => *name == header.name,
        NameMatch::Prefix => name.starts_with(&header.name),
        NameMatch::Suffix => name.ends_with(&header.name),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn profile_of(text: &str) -> Profile {
        toml::parse(text).unwrap().profile
    }

    #[test]
    fn every_built_in_profile_survives_packing_and_asks_for_no_credential() {
        for (name, text) in toml::builtin() {
            let profile = profile_of(text);
            assert!(pack(&profile).is_ok(), "{name}");
            assert!(!profile.headers.iter().any(asks_for_credentials), "{name}");
        }
    }

    #[test]
    fn credentials_are_found_by_name_and_by_pattern() {
        for (header, found) in [
            ("set-cookie", true),
            ("*-cookie", true),
            ("set-co*", true),
            ("proxy-*", true),
            ("*-api-key", true),
            ("x-cookies-left", false),
            ("x-api-key-limit", false),
        ] {
            let text = format!("type = \"t\"\n[headers]\nmark = \"{header}\"\n");
            assert_eq!(profile_of(&text).headers.iter().any(asks_for_credentials), found, "{header}");
        }
    }

    #[test]
    fn a_profile_out_of_bounds_is_not_packed() {
        let huge = Profile { name: "x".into(), aliases: vec!["y".into(); 1000], ..Profile::default() };
        assert!(matches!(pack(&huge), Err(ProfileProblem::Unpackable)));
    }
}
