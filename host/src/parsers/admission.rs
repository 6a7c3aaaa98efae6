//! The checks that a component passes before it serves, from the cheapest to the dearest: nothing of it is parsed
//! before its signature is known to be good, and nothing compiled before it is known to fit.

use std::time::SystemTime;

use runtime_signals_profile::toml::{self, Case};

use super::candidate::{Candidate, Digest};
use super::error::ParserProblem;
use super::loaded::Loaded;
use super::manifest::Manifest;
use super::options::{Options, ParserLimits, TrustedKey};
use super::policy::Policy;
use super::sandbox::Prepared;
use super::signature::Keyring;
use crate::engine::{CodeCache, FromWit};
use crate::observation::Observation;
use crate::profiles::{FailedCase, failures};
use crate::signal::Reading;

/// What admits components.
pub(super) struct Admission {
    pub(super) runtime: wasmtime::Engine,
    pub(super) code_cache: CodeCache,
    pub(super) options: Options,
    pub(super) policy: Policy,
    keyring: Keyring,
}

/// A component that may be looked into.
pub(super) struct Authentic<'a> {
    pub(super) digest: Digest,
    pub(super) key: Option<&'a TrustedKey>,
    pub(super) allow_wasi: bool,
    pub(super) limits: ParserLimits,
}

impl Admission {
    pub(super) fn new(
        runtime: wasmtime::Engine,
        code_cache: CodeCache,
        options: Options,
    ) -> Result<Self, super::ParserError> {
        let policy = Policy::new(&options.deny_headers);
        let keyring = Keyring::new(&options.keys)?;
        Ok(Self { runtime, code_cache, options, policy, keyring })
    }

    /// Is it small enough, the one that was meant, and signed by whom we trust? None of its bytes is parsed.
    pub(super) fn authenticate(&self, candidate: &Candidate) -> Result<Authentic<'_>, ParserProblem> {
        let fits = |most| match candidate.bytes.len() {
            bytes if bytes > most => Err(ParserProblem::TooLarge { bytes, most }),
            _ => Ok(()),
        };
        fits(self.options.most_component_bytes())?;
        let digest = Digest::of(&candidate.bytes);
        if let Some(expected) = candidate.expected.filter(|expected| *expected != digest) {
            return Err(ParserProblem::Digest { expected, found: digest });
        }
        let key = match &candidate.signature {
            Some(signature) => Some(self.keyring.signer(&candidate.bytes, signature)?),
            None if self.options.allow_unsigned => None,
            None => return Err(ParserProblem::Unsigned),
        };
        let limits = *self.options.limits_of(key);
        fits(limits.component_bytes)?;
        Ok(Authentic { digest, key, allow_wasi: key.is_some_and(|key| key.allow_wasi), limits })
    }

    /// For a look into a component that does not come into service: the large limits where it needs them.
    pub(super) fn unsigned(&self, candidate: &Candidate) -> Authentic<'_> {
        let Options { limits, large_limits, .. } = &self.options;
        let fits = candidate.bytes.len() <= limits.component_bytes;
        let limits = if fits { *limits } else { *large_limits };
        Authentic { digest: Digest::of(&candidate.bytes), key: None, allow_wasi: true, limits }
    }

    /// Reads what it states, and whether it fits; compiles it, and asks it what it is.
    pub(super) fn load(
        &self,
        candidate: &Candidate,
        authentic: &Authentic<'_>,
        manifest: Manifest,
    ) -> Result<Loaded, ParserProblem> {
        let Authentic { digest, key, allow_wasi, limits } = *authentic;
        manifest.check(allow_wasi)?;
        let limits = limits.of_instance();
        let prepared = Prepared::new(&self.runtime, &candidate.bytes, &manifest, limits, &self.code_cache)?;
        Loaded::new(digest, manifest, key, candidate.bytes.len(), prepared, &self.policy)
    }

    /// Which of its own cases fail.
    pub(super) fn failed(&self, loaded: &Loaded, cases: &[Case]) -> Vec<FailedCase> {
        let text = &loaded.manifest.cases;
        failures(cases, text, |response, now| self.read(loaded, response, now))
    }

    /// Reads a response by a component that does not serve.
    pub(super) fn read(
        &self,
        loaded: &Loaded,
        response: &Observation<'_>,
        now: SystemTime,
    ) -> Result<Reading, String> {
        let reading = loaded.parse(response, &self.policy, now).map_err(|error| error.to_string())?;
        Ok(reading.from_wit())
    }
}

/// Its own cases.
pub(super) fn cases(loaded: &Loaded) -> Result<Vec<Case>, ParserProblem> {
    toml::parse_cases(&loaded.manifest.cases).map_err(|error| ParserProblem::CaseForm(error.to_string()))
}
