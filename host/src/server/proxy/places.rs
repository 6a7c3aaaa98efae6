//! Places for the calls of each provider, so that a provider that hangs does not take those of the others.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How many calls of each provider are under way.
#[derive(Clone, Default)]
pub(in super::super) struct Places(Arc<Mutex<HashMap<String, usize>>>);

/// The place of one call. It is free again when it is dropped.
pub(super) struct Place {
    places: Places,
    provider: String,
}

impl Places {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a place; `None` where `most` are taken.
    pub(super) fn take(&self, provider: &str, most: usize) -> Option<Place> {
        let mut taken = self.lock();
        match taken.get_mut(provider) {
            Some(count) if *count >= most => return None,
            Some(count) => *count += 1,
            None => _ = taken.insert(provider.to_owned(), 1),
        }
        Some(Place { places: self.clone(), provider: provider.to_owned() })
    }

    /// The calls that are under way, by provider.
    pub(in super::super) fn taken(&self) -> Vec<(String, usize)> {
        self.lock().iter().map(|(provider, count)| (provider.clone(), *count)).collect()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.lock();
        match taken.get_mut(&self.provider) {
            Some(count) if *count > 1 => *count -= 1,
            _ => _ = taken.remove(&self.provider),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_provider_has_so_many_places_and_gets_them_back() {
        let places = Places::default();
        let first = places.take("a", 2).unwrap();
        let second = places.take("a", 2).unwrap();
        assert!(places.take("a", 2).is_none());
        assert!(places.take("b", 2).is_some());
        drop(first);
        assert!(places.take("a", 2).is_some());
        drop(second);
        assert!(places.taken().is_empty());
    }
}
