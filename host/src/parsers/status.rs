//! What is in service, for people and programs to see.

use std::sync::atomic::Ordering;

use serde::Serialize;

use super::candidate::Digest;
use super::loaded::Loaded;

/// A parser that serves, served before, or was taken out of service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ParserStatus {
    /// `current`, `previous` or `withdrawn`.
    pub state: ParserState,
    /// The component.
    pub digest: Digest,
    /// Its name; `None` where it cannot be loaded.
    pub name: Option<String>,
    /// Its version.
    pub version: Option<String>,
    /// The provider types for which it has this state.
    pub provider_types: Vec<String>,
    /// The key that signed it.
    pub signer: Option<String>,
    /// Where it is from.
    pub origin: Option<String>,
    /// Its size, in bytes.
    pub bytes: Option<usize>,
    /// Responses that it has read since this process began.
    pub read: u64,
    /// Responses that it left to the built-in parser.
    pub declined: u64,
    /// Traps, overruns and refused readings.
    pub faults: u64,
    /// Why it cannot be loaded, or was taken out of service.
    pub problem: Option<String>,
}

/// What a parser does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ParserState {
    /// It serves.
    Current,
    /// It served before, and serves again after a rollback.
    Previous,
    /// It was taken out of service because it failed.
    Withdrawn,
}

impl ParserStatus {
    pub(super) fn new(state: ParserState, digest: Digest, provider_types: Vec<String>) -> Self {
        Self {
            state,
            digest,
            name: None,
            version: None,
            provider_types,
            signer: None,
            origin: None,
            bytes: None,
            read: 0,
            declined: 0,
            faults: 0,
            problem: None,
        }
    }

    pub(super) fn of(self, loaded: &Loaded) -> Self {
        let count = |count: &std::sync::atomic::AtomicU64| count.load(Ordering::Relaxed);
        Self {
            name: Some(loaded.manifest.name.clone()),
            version: Some(loaded.manifest.version.to_string()),
            signer: loaded.signer.clone(),
            bytes: Some(loaded.bytes),
            read: count(&loaded.counts.read),
            declined: count(&loaded.counts.declined),
            faults: count(&loaded.counts.faults),
            ..self
        }
    }
}
