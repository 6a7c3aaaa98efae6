//! What serves each provider type, for calls to look up.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::SystemTime;

use hashbrown::DefaultHashBuilder;

use super::loaded::Loaded;
use super::policy::Policy;
use super::recent::{Kept, Recent};
use crate::observation::Observation;

/// Provider types of which responses are kept.
const MOST_TYPES: usize = 64;

/// The types that are served or were heard of.
#[derive(Default)]
pub(super) struct Serving {
    types: RwLock<HashMap<Box<str>, Arc<Type>, DefaultHashBuilder>>,
    /// How many are served.
    served: AtomicUsize,
}

#[derive(Default)]
struct Type {
    parser: RwLock<Option<Arc<Loaded>>>,
    recent: Recent,
}

impl Serving {
    /// What serves this type; `None` for the built-in parser.
    pub(super) fn of(&self, provider_type: &str) -> Option<Arc<Loaded>> {
        if self.served.load(Ordering::Acquire) == 0 {
            return None;
        }
        self.find(provider_type)?.parser.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Exchanges all that serves. Each type is served by the one or the other at any time.
    pub(super) fn set<'a>(&self, serving: impl Iterator<Item = (&'a str, Arc<Loaded>)>) {
        let mut serving: HashMap<&str, Arc<Loaded>> = serving.collect();
        let served = serving.len();
        let all: Vec<(Box<str>, Arc<Type>)> = {
            let mut types = self.types.write().unwrap_or_else(PoisonError::into_inner);
            for name in serving.keys() {
                types.entry((*name).into()).or_default();
            }
            types.iter().map(|(name, one)| (name.clone(), one.clone())).collect()
        };
        let mut replaced = Vec::new();
        for (name, one) in all {
            let next = serving.remove(&*name);
            let mut parser = one.parser.write().unwrap_or_else(PoisonError::into_inner);
            replaced.extend(std::mem::replace(&mut *parser, next));
        }
        self.served.store(served, Ordering::Release);
        let types = self.types.read().unwrap_or_else(PoisonError::into_inner);
        let serves = |loaded: &Arc<Loaded>| {
            types.values().any(|one| {
                let parser = one.parser.read().unwrap_or_else(PoisonError::into_inner);
                parser.as_ref().is_some_and(|other| Arc::ptr_eq(other, loaded))
            })
        };
        replaced.iter().filter(|loaded| !serves(loaded)).for_each(|loaded| loaded.cool());
    }

    /// Keeps a response, to try candidates on.
    pub(super) fn note(&self, response: &Observation<'_>, policy: &Policy, now: SystemTime) {
        let (found, is_full) = {
            let types = self.types.read().unwrap_or_else(PoisonError::into_inner);
            (types.get(response.provider_type).cloned(), types.len() >= MOST_TYPES)
        };
        let found = if is_full { found } else { found.or_else(|| self.add(response.provider_type)) };
        found.into_iter().for_each(|one| one.recent.note(response, policy, now));
    }

    /// The responses of a type that are kept.
    pub(super) fn recent(&self, provider_type: &str) -> Vec<Kept> {
        self.find(provider_type).map(|one| one.recent.all()).unwrap_or_default()
    }

    fn find(&self, provider_type: &str) -> Option<Arc<Type>> {
        self.types.read().unwrap_or_else(PoisonError::into_inner).get(provider_type).cloned()
    }

    fn add(&self, provider_type: &str) -> Option<Arc<Type>> {
        let mut types = self.types.write().unwrap_or_else(PoisonError::into_inner);
        if types.len() >= MOST_TYPES {
            return None;
        }
        Some(types.entry(provider_type.into()).or_default().clone())
    }
}
