//! What instances are made of.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{PoisonError, RwLock};

use super::EngineError;
use super::bindings::EnginePre;
use super::instance::{Call, Instance};
use super::limits::{Limits, Usage};

/// What instances are made of.
pub(super) struct Template {
    pub(super) prepared: EnginePre<Usage>,
    pub(super) profiles: AddedProfiles,
    pub(super) limits: Limits,
    pub(super) latency_window: u32,
}

/// Profiles that were added, in their packed form. Each instance takes in what it lacks before its next call.
#[derive(Default)]
pub(super) struct AddedProfiles {
    all: RwLock<Vec<Vec<u8>>>,
    count: AtomicUsize,
}

impl AddedProfiles {
    pub(super) fn add(&self, packed: Vec<u8>) {
        let mut all = self.all.write().unwrap_or_else(PoisonError::into_inner);
        all.push(packed);
        self.count.store(all.len(), Ordering::Release);
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.count.load(Ordering::Acquire)
    }

    /// Gives an instance those that it lacks.
    pub(super) fn catch_up(&self, instance: &mut Instance) -> Result<(), EngineError> {
        if instance.profiles == self.count() {
            return Ok(());
        }
        let all = self.all.read().unwrap_or_else(PoisonError::into_inner);
        for packed in all.iter().skip(instance.profiles) {
            instance.call(|Call { store, api, providers }| {
                api.store().call_add_profile(store, providers, packed)
            })??;
            instance.profiles += 1;
        }
        Ok(())
    }
}
