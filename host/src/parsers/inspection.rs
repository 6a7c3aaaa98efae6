//! A look into a component without putting it into service.

use std::cell::Cell;
use std::time::{Duration, Instant};

use runtime_signals_profile::toml::Case;
use serde::Serialize;

use super::candidate::{Candidate, Digest};
use super::error::{ParserError, ParserProblem};
use super::loaded::Loaded;
use super::manifest::Manifest;
use super::options::ParserLimits;
use super::{Authentic, Parsers, admission};
use crate::engine::wit::NameMatch;
use crate::profiles::{FailedCase, failures};

/// Calls that are made to measure one.
const CALLS: usize = 200;

/// What a component is.
#[derive(Clone, Debug, Serialize)]
pub struct Inspection {
    /// Where it is from.
    pub origin: String,
    /// Its digest.
    pub digest: Digest,
    /// Its size, in bytes.
    pub bytes: usize,
    /// The key that signed it; `None` where `signature_problem` says why not.
    pub signer: Option<String>,
    /// What is wrong with its signature.
    pub signature_problem: Option<String>,
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The version of the interface that it was made for.
    pub interface: String,
    /// What it exports.
    pub exports: Vec<String>,
    /// What it imports.
    pub imports: Vec<String>,
    /// The provider types that it serves.
    pub provider_types: Vec<String>,
    /// The headers that it asks for and is sent; a star stands for the rest of a name.
    pub headers: Vec<String>,
    /// Does it ask for the bodies of errors?
    pub wants_body: bool,
    /// What it may use.
    pub limits: ParserLimits,
    /// What came of its cases.
    pub cases: Vec<CaseOutcome>,
    /// Time of one call, in nanoseconds: the mean over its cases, warm.
    pub call_ns: u64,
    /// Memory of one instance after its cases, in bytes.
    pub memory_bytes: usize,
}

/// What came of one case.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CaseOutcome {
    /// Its name.
    pub name: String,
    /// What differs from what it expects; empty where it passed.
    pub differences: Vec<String>,
}

impl Inspection {
    /// Did all cases pass?
    #[must_use]
    pub fn passed(&self) -> bool {
        self.cases.iter().all(|case| case.differences.is_empty())
    }
}

impl Parsers {
    /// Goes through all checks of a component but its order among versions and the trial on real responses. Nothing is
    /// put into service.
    ///
    /// # Errors
    /// Why it would be refused.
    pub fn verify(&self, candidate: &Candidate) -> Result<Inspection, ParserError> {
        let refuse = |problem: ParserProblem| problem.of(&candidate.origin);
        let authentic = self.admission.authenticate(candidate).map_err(refuse)?;
        let (inspection, failed) = self.look_into(candidate, &authentic).map_err(refuse)?;
        if failed.is_empty() { Ok(inspection) } else { Err(refuse(ParserProblem::Cases(failed))) }
    }

    /// Looks into a component, signed or not, with the limits that its key has. It runs in the sandbox.
    ///
    /// # Errors
    /// It cannot be run.
    pub fn inspect(&self, candidate: &Candidate) -> Result<Inspection, ParserError> {
        let refuse = |problem: ParserProblem| problem.of(&candidate.origin);
        let unsigned = || self.admission.unsigned(candidate);
        let (authentic, problem) = match self.admission.authenticate(candidate) {
            Ok(authentic) if authentic.key.is_some() => (authentic, None),
            Ok(_) => (unsigned(), None),
            Err(error @ (ParserProblem::TooLarge { .. } | ParserProblem::Digest { .. })) => {
                return Err(refuse(error));
            }
            Err(error) => (unsigned(), Some(error.to_string())),
        };
        let (mut inspection, _) = self.look_into(candidate, &authentic).map_err(refuse)?;
        inspection.signature_problem = problem;
        Ok(inspection)
    }

    fn look_into(
        &self,
        candidate: &Candidate,
        authentic: &Authentic<'_>,
    ) -> Result<(Inspection, Vec<FailedCase>), ParserProblem> {
        let manifest = Manifest::read(&candidate.bytes)?;
        let loaded = self.admission.load(candidate, authentic, manifest)?;
        let cases = admission::cases(&loaded)?;
        let failed = self.admission.failed(&loaded, &cases);
        let call_ns = self.measure(&loaded, &cases);
        let outcomes = cases.into_iter().map(|Case { name, .. }| {
            let found = failed.iter().find(|case| case.name == name);
            CaseOutcome { differences: found.map(|case| case.differences.clone()).unwrap_or_default(), name }
        });
        let Loaded { manifest, .. } = &loaded;
        let inspection = Inspection {
            origin: candidate.origin.clone(),
            digest: loaded.digest,
            bytes: loaded.bytes,
            signer: loaded.signer.clone(),
            signature_problem: None,
            name: manifest.name.clone(),
            version: manifest.version.to_string(),
            interface: manifest.interface.to_string(),
            exports: manifest.exports.clone(),
            imports: manifest.imports.clone(),
            provider_types: loaded.provider_types.clone(),
            headers: loaded.headers.iter().map(|header| pattern(header.kind, &header.name)).collect(),
            wants_body: loaded.wants_body,
            limits: authentic.limits,
            cases: outcomes.collect(),
            call_ns,
            memory_bytes: loaded.memory_bytes(),
        };
        Ok((inspection, failed))
    }

    /// The mean time of a call over all cases, in nanoseconds; 0 without any case.
    fn measure(&self, loaded: &Loaded, cases: &[Case]) -> u64 {
        let spent = Cell::new((Duration::ZERO, 0_u32));
        let runs = if cases.is_empty() { 0 } else { CALLS.div_ceil(cases.len()) };
        for _ in 0..runs {
            let text = &loaded.manifest.cases;
            // What comes of them has been looked at.
            let _ = failures(cases, text, |response, now| {
                let began = Instant::now();
                let reading = self.admission.read(loaded, response, now);
                let (all, calls) = spent.get();
                spent.set((all + began.elapsed(), calls + 1));
                reading
            });
        }
        let (all, calls) = spent.get();
        all.checked_div(calls).map_or(0, |mean| u64::try_from(mean.as_nanos()).unwrap_or(u64::MAX))
    }
}

fn pattern(kind: NameMatch, name: &str) -> String {
    match kind {
        NameMatch::Exact => name.to_owned(),
        NameMatch::Prefix => format!("{name}*"),
        NameMatch::Suffix => format!("*{name}"),
    }
}
