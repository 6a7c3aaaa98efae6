//! How provider types are read: asked for once, then looked up.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use hashbrown::DefaultHashBuilder;

use super::instance::Call;
use super::{Engine, EngineError, Profile};

/// Provider types whose profiles are kept.
const MOST_PROFILES: usize = 1024;

thread_local! {
    /// The profile that this thread has used last: nothing that threads share is written to look it up.
    static LATEST: RefCell<Option<Latest>> = const { RefCell::new(None) };
}

/// Tells engines apart.
static ENGINES: AtomicUsize = AtomicUsize::new(0);

/// Profiles by provider type, as far as they were asked for.
pub(super) struct Profiles {
    /// The engine that they belong to.
    engine: usize,
    by_type: RwLock<HashMap<Arc<str>, Arc<Profile>, DefaultHashBuilder>>,
}

/// A profile that was looked up.
struct Latest {
    engine: usize,
    /// How many profiles had been added by then.
    added: usize,
    provider_type: Arc<str>,
    profile: Arc<Profile>,
}

impl Profiles {
    pub(super) fn new() -> Self {
        Self { engine: ENGINES.fetch_add(1, Ordering::Relaxed), by_type: RwLock::default() }
    }
}

impl Engine {
    /// How a provider type is read.
    pub(crate) fn profile(&self, provider_type: &str) -> Result<Arc<Profile>, EngineError> {
        self.look_up(provider_type).map(|(_, profile)| profile)
    }

    /// The same with the name of the type, so that who keeps it need not copy that.
    fn look_up(&self, provider_type: &str) -> Result<(Arc<str>, Arc<Profile>), EngineError> {
        let by_type = &self.profiles.by_type;
        let known = by_type.read().unwrap_or_else(PoisonError::into_inner);
        if let Some((name, profile)) = known.get_key_value(provider_type) {
            return Ok((name.clone(), profile.clone()));
        }
        drop(known);
        let added = self.template.profiles.count();
        let described = self.lock(0).call(|Call { store, api, providers }| {
            api.store().call_describe(store, providers, provider_type)
        })?;
        let found: (Arc<str>, _) = (provider_type.into(), Arc::new(Profile::new(described)));
        let mut known = by_type.write().unwrap_or_else(PoisonError::into_inner);
        // What was described before a profile was added may be outdated.
        if known.len() < MOST_PROFILES && self.template.profiles.count() == added {
            known.insert(found.0.clone(), found.1.clone());
        }
        Ok(found)
    }

    /// Hands over how a provider type is read.
    pub(super) fn with_profile<T>(
        &self,
        provider_type: &str,
        then: impl FnOnce(&Profile) -> T,
    ) -> Result<T, EngineError> {
        let (engine, added) = (self.profiles.engine, self.template.profiles.count());
        LATEST.with_borrow_mut(|latest| {
            let is_it = |latest: &&mut Latest| {
                latest.engine == engine && latest.added == added && *latest.provider_type == *provider_type
            };
            if let Some(latest) = latest.as_mut().filter(is_it) {
                return Ok(then(&latest.profile));
            }
            let (provider_type, profile) = self.look_up(provider_type)?;
            Ok(then(&latest.insert(Latest { engine, added, provider_type, profile }).profile))
        })
    }

    /// Adds a profile in its packed form.
    pub(crate) fn add_profile(&self, packed: Vec<u8>) {
        self.template.profiles.add(packed);
        self.profiles.by_type.write().unwrap_or_else(PoisonError::into_inner).clear();
    }
}
