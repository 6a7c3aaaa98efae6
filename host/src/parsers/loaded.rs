//! A parser that is ready to read: its instances, what it is sent, and how it has done.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use super::candidate::Digest;
use super::check::{BadReading, check, is_plain};
use super::error::ParserProblem;
use super::manifest::Manifest;
use super::options::TrustedKey;
use super::policy::{Policy, is_credential};
use super::sandbox::{Description, Instance, ParseError, Prepared, Response, Stop};
use crate::engine::wit::{NameMatch, Reading, WantedHeader};
use crate::engine::{Profile, ToWit};
use crate::observation::{Headers, Observation};

/// Body that a parser is sent, in bytes.
const MOST_BODY_BYTES: usize = 64 << 10;
/// Instances that are kept warm.
const MOST_WARM: usize = 16;
const MOST_TYPES: usize = 32;
const MOST_HEADERS: usize = 64;
/// Numbers below it are the frames' own.
const FIRST_HEADER: u8 = 16;

/// Why a response was not read.
#[derive(Clone, Debug, thiserror::Error)]
pub(super) enum Unread {
    /// It is none of the parser's.
    #[error("it is not for this parser")]
    NotMine,
    /// It contradicts what the parser knows.
    #[error("it is malformed: {0}")]
    Malformed(String),
    /// The parser was stopped.
    #[error("the parser {0}")]
    Stopped(#[from] Stop),
    /// What it read cannot be.
    #[error("its reading is refused: {0}")]
    Bad(#[from] BadReading),
}

impl Unread {
    /// Is it the parser's failure?
    pub(super) const fn is_fault(&self) -> bool {
        matches!(self, Self::Stopped(_) | Self::Bad(_))
    }
}

/// A parser that has been admitted.
pub(super) struct Loaded {
    pub(super) digest: Digest,
    pub(super) manifest: Manifest,
    /// The key that signed it.
    pub(super) signer: Option<String>,
    pub(super) bytes: usize,
    pub(super) provider_types: Vec<String>,
    pub(super) headers: Vec<WantedHeader>,
    pub(super) wants_body: bool,
    wanted: Profile,
    /// Has it patterns, which may match what it must not be sent?
    has_patterns: bool,
    prepared: Prepared,
    warm: Mutex<Vec<Instance>>,
    pub(super) counts: Counts,
    faults: Mutex<VecDeque<Instant>>,
}

/// How a parser has done since the start.
#[derive(Default)]
pub(super) struct Counts {
    pub(super) read: AtomicU64,
    pub(super) declined: AtomicU64,
    pub(super) faults: AtomicU64,
}

impl Loaded {
    /// Asks a component what it is, and refuses what cannot be.
    pub(super) fn new(
        digest: Digest,
        manifest: Manifest,
        key: Option<&TrustedKey>,
        bytes: usize,
        prepared: Prepared,
        policy: &Policy,
    ) -> Result<Self, ParserProblem> {
        let description = prepared.describe()?;
        check_description(&description, &manifest, key)?;
        let Description { provider_types, mut headers, wants_body, .. } = description;
        headers.retain(|header| header.kind != NameMatch::Exact || !policy.denies(&header.name));
        Ok(Self {
            digest,
            manifest,
            signer: key.map(|key| key.name.clone()),
            bytes,
            provider_types,
            has_patterns: headers.iter().any(|header| header.kind != NameMatch::Exact),
            wanted: Profile::of_parser(headers.clone()),
            headers,
            wants_body,
            prepared,
            warm: Mutex::default(),
            counts: Counts::default(),
            faults: Mutex::default(),
        })
    }

    /// Reads a response.
    pub(super) fn parse(
        &self,
        response: &Observation<'_>,
        policy: &Policy,
        now: SystemTime,
    ) -> Result<Reading, Unread> {
        let received_at = response.received_at.unwrap_or(now);
        let read = self.call(self.ask(response, policy, received_at)).map_err(Unread::Stopped)?;
        match read {
            Ok(reading) => {
                check(&reading, received_at)?;
                self.counts.read.fetch_add(1, Ordering::Relaxed);
                Ok(reading)
            }
            Err(error) => {
                self.counts.declined.fetch_add(1, Ordering::Relaxed);
                Err(match error {
                    ParseError::NotMine => Unread::NotMine,
                    ParseError::Malformed(why) if is_plain(&why) => Unread::Malformed(why),
                    // It may hold what the response holds, and would stand in a log.
                    ParseError::Malformed(_) => {
                        Unread::Malformed("it says why in other words than may be shown".into())
                    }
                })
            }
        }
    }

    /// What the parser is sent of a response: no more than it asked for and may have.
    fn ask(&self, response: &Observation<'_>, policy: &Policy, received_at: SystemTime) -> Response {
        let mut headers = Vec::with_capacity(512);
        if self.has_patterns {
            self.wanted.frame(&Allowed { headers: response.headers, policy }, &mut headers);
        } else {
            self.wanted.frame(response.headers, &mut headers);
        }
        let is_error = response.status.is_some_and(|status| status >= 400);
        let body = response.body.filter(|_| self.wants_body && is_error);
        let body = body.map(|body| body.get(..MOST_BODY_BYTES).unwrap_or(body).to_vec());
        Response { status: response.status.unwrap_or(0), headers, body, received_at: received_at.to_wit() }
    }

    /// Makes a call into a warm instance, or a new one. After a stop the instance is dropped.
    fn call(&self, response: Response) -> Result<Result<Reading, ParseError>, Stop> {
        let warm = self.warm.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut instance = match warm {
            Some(instance) => instance,
            None => self.prepared.instantiate().map_err(|problem| match problem {
                ParserProblem::Failed(stop) => stop,
                other => Stop::Trapped(other.to_string()),
            })?,
        };
        let answer = instance.parse(response)?;
        let mut warm = self.warm.lock().unwrap_or_else(PoisonError::into_inner);
        if warm.len() < MOST_WARM {
            warm.push(instance);
        }
        Ok(answer)
    }

    /// Counts a failure; tells whether there were `most` within the window.
    pub(super) fn fault(&self, most: u32, window: Duration) -> bool {
        self.counts.faults.fetch_add(1, Ordering::Relaxed);
        let now = Instant::now();
        let mut faults = self.faults.lock().unwrap_or_else(PoisonError::into_inner);
        faults.push_back(now);
        while faults.front().is_some_and(|at| now.duration_since(*at) > window) {
            faults.pop_front();
        }
        let enough = usize::try_from(most.max(1)).is_ok_and(|most| faults.len() >= most);
        if enough {
            faults.clear();
        }
        enough
    }

    /// Memory of its largest warm instance, in bytes.
    pub(super) fn memory_bytes(&self) -> usize {
        let warm = self.warm.lock().unwrap_or_else(PoisonError::into_inner);
        warm.iter().map(Instance::memory_bytes).max().unwrap_or(0)
    }

    /// Lets go of the instances.
    pub(super) fn cool(&self) {
        self.warm.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

/// The headers that a parser may be sent.
struct Allowed<'a> {
    headers: &'a dyn Headers,
    policy: &'a Policy,
}

impl Headers for Allowed<'_> {
    fn for_each(&self, show: &mut dyn FnMut(&[u8], &[u8])) {
        self.headers.for_each(&mut |name, value| {
            if self.policy.allows(name) {
                show(name, value);
            }
        });
    }
}

fn check_description(
    description: &Description,
    manifest: &Manifest,
    key: Option<&TrustedKey>,
) -> Result<(), ParserProblem> {
    let Description { name, version, provider_types, headers, .. } = description;
    let wrong = |why: String| Err(ParserProblem::Description(why));
    if (name.as_str(), version.as_str()) != (manifest.name.as_str(), manifest.version.to_string().as_str()) {
        return wrong("its name or version is another than its file states".into());
    }
    if provider_types.is_empty() || provider_types.len() > MOST_TYPES {
        return wrong(format!("it serves {} provider types; 1 to {MOST_TYPES}", provider_types.len()));
    }
    if !provider_types.iter().all(|provider_type| is_plain(provider_type)) {
        return wrong("a provider type is not of the form [a-z0-9_.:-]{1,64}".into());
    }
    if headers.len() > MOST_HEADERS {
        return wrong(format!("it asks for {} headers; at most {MOST_HEADERS}", headers.len()));
    }
    for WantedHeader { id, kind, name } in headers {
        if *id < FIRST_HEADER || !is_plain(name) {
            return wrong("a header's number is below 16, or its name is no name in lower case".into());
        }
        if *kind == NameMatch::Exact && is_credential(name) {
            return Err(ParserProblem::Credential(name.clone()));
        }
    }
    let Some(key) = key else { return Ok(()) };
    match provider_types.iter().find(|provider_type| !key.may_serve(provider_type)) {
        None => Ok(()),
        Some(provider_type) => {
            Err(ParserProblem::Type { key: key.name.clone(), provider_type: provider_type.clone() })
        }
    }
}
