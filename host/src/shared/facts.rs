//! What is known here of a provider, to be compared with what was known before.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::{Duration, SystemTime};

use crate::cache::cache_source;
use crate::error::Error;
use crate::service::Service;
use crate::signal::{Cooldown, ModelStatus, Signal};

/// What is known here.
pub(super) struct Here {
    /// A hash of what its signal says.
    pub(super) facts: u64,
    pub(super) gist: Gist,
    /// What is on disk then.
    pub(super) stored: Option<u64>,
}

/// What others must know at once.
#[derive(PartialEq)]
pub(super) struct Gist {
    status: ModelStatus,
    cooldowns: Vec<Cooldown>,
    ends_at: Option<SystemTime>,
}

impl Here {
    /// What this signal says, and what is on disk by now.
    pub(super) fn of(service: &Service, signal: &Signal) -> Result<Self, Error> {
        let stored = service.cache().read(&cache_source(&signal.provider)?)?;
        let stored = stored.map(|raw| hash_of(&raw.bytes));
        Ok(Self { facts: facts_of(service, signal)?, gist: Gist::of(signal), stored })
    }

    /// Is it still the same? What is on disk by now may be worded anew.
    pub(super) fn is_still(&mut self, now: &Self) -> bool {
        let same = self.facts == now.facts;
        if same {
            self.stored = now.stored;
        }
        same
    }
}

/// A hash of what a signal says: without what each host measures for itself, and without the time at which it was judged.
pub(super) fn facts_of(service: &Service, signal: &Signal) -> Result<u64, Error> {
    let (recorded_at, recent_p50_latency) = (SystemTime::UNIX_EPOCH, Duration::ZERO);
    let facts = Signal { recorded_at, recent_p50_latency, latency: None, ..signal.clone() };
    Ok(hash_of(&service.store().encode(&facts)?))
}

impl Gist {
    pub(super) fn of(signal: &Signal) -> Self {
        let ends_at = signal.quota_reset_at.filter(|_| signal.status == ModelStatus::Exhausted);
        Self { status: signal.status, cooldowns: signal.cooldowns.clone(), ends_at }
    }
}

/// Tells stored values apart within this process.
pub(crate) fn hash_of(bytes: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    hasher.finish()
}
