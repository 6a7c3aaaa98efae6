//! Room for providers: how many may be known, and who is forgotten for a new one.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock, Weak};

use super::Engine;

/// Providers that are known at the same time where nothing else is asked for.
const MOST_PROVIDERS: usize = 20_000;
/// Of a full shard one part in so many is forgotten at once, so that looking for the oldest is paid for seldom.
const PART: usize = 16;

/// Whoever holds more of a provider than the engine does.
pub(crate) trait Keeper: Send + Sync {
    /// Puts away what is not put away yet, since the provider is to be forgotten. `false` if that cannot be done now.
    fn release(&self, provider: &str) -> bool;
}

/// How many providers may be known, and how many were forgotten.
pub(super) struct Room {
    /// Most of one shard.
    most: usize,
    forgotten: AtomicU64,
    keepers: RwLock<Vec<Weak<dyn Keeper>>>,
}

impl Room {
    /// Room for `providers` in so many shards; 0 means 20,000.
    pub(super) fn new(providers: usize, shards: usize) -> Self {
        let providers = if providers == 0 { MOST_PROVIDERS } else { providers };
        let mean = providers.div_ceil(shards.max(1));
        // Names do not fall evenly: of shards that are so much larger than the mean, hardly one is full too early.
        let spread = if shards > 1 { 4 * mean.isqrt() } else { 0 };
        Self { most: mean.saturating_add(spread), forgotten: AtomicU64::new(0), keepers: RwLock::default() }
    }

    /// Most providers of one shard.
    pub(super) const fn most(&self) -> usize {
        self.most
    }

    /// Do all keepers let go of a provider?
    fn released(&self, provider: &str) -> bool {
        let keepers = self.keepers.read().unwrap_or_else(PoisonError::into_inner);
        keepers.iter().filter_map(Weak::upgrade).all(|keeper| keeper.release(provider))
    }
}

impl Engine {
    /// Has a keeper asked before a provider is forgotten, for as long as it lives.
    pub(crate) fn keep(&self, keeper: Weak<dyn Keeper>) {
        let mut keepers = self.room.keepers.write().unwrap_or_else(PoisonError::into_inner);
        keepers.retain(|keeper| keeper.strong_count() > 0);
        keepers.push(keeper);
    }

    /// How many providers were forgotten since there was no room for them.
    pub(crate) fn forgotten(&self) -> u64 {
        self.room.forgotten.load(Ordering::Relaxed)
    }

    /// Forgets those of a shard that were not asked or told about for the longest time.
    ///
    /// No shard is locked while keepers are asked, so a provider that comes back meanwhile stays. One that cannot be
    /// put away stays as well, until there are twice as many as there may be.
    pub(super) fn make_room(&self, index: usize) {
        let most = self.room.most();
        let (oldest, crowded) = {
            let shard = self.lock(index);
            (shard.oldest(most.div_ceil(PART)), shard.count() >= most.saturating_mul(2))
        };
        for (name, used) in oldest {
            let released = self.room.released(&name);
            if !released && crowded {
                tracing::error!(provider = %name, "forgotten before it could be written: there are too many providers");
            }
            if (released || crowded) && self.lock(index).forget(&name, self.hash(&name), used) {
                self.room.forgotten.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}
