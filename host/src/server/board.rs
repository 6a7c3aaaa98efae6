//! What clients see: the signal of each provider as of now, and what changes of it.
//!
//! A provider is judged anew when something was recorded of it, when a time that its signal names has come, and
//! otherwise at most once a [`GLANCE`]. Changes are told as long as anybody listens.

use std::collections::HashMap;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use tokio::sync::broadcast;

use crate::cache::cache_source;
use crate::error::Error;
use crate::service::Service;
use crate::shared::News;
use crate::signal::{ModelStatus, Signal};

/// A signal that nothing was recorded of is as good as now for so long.
const GLANCE: Duration = Duration::from_secs(1);
/// Changes that a listener may lag behind.
const MOST_PENDING: usize = 1024;

/// The signal of a provider, as it is shown.
#[derive(Debug)]
pub struct Entry {
    /// The signal.
    pub signal: Signal,
    /// The same as JSON.
    pub json: Vec<u8>,
    /// When there was the last news of the provider; `None` for never.
    pub updated_at: Option<SystemTime>,
    /// Changes with the signal, but for the time at which it was judged.
    pub tag: u64,
}

/// A signal that has changed.
#[derive(Clone, Debug)]
pub struct Change {
    /// As it is now.
    pub entry: Arc<Entry>,
    /// The status that it had before; `None` for a provider that is new.
    pub before: Option<ModelStatus>,
}

/// All entries.
pub struct Board {
    service: Service,
    places: Mutex<HashMap<Box<str>, Place>>,
    changes: broadcast::Sender<Change>,
    /// Where other hosts are told.
    news: Option<Arc<News>>,
}

#[derive(Default)]
struct Place {
    entry: Option<Arc<Entry>>,
    /// Something was recorded since it was judged.
    dirty: bool,
    judged_at: Option<SystemTime>,
    /// Judgements that were begun, and the latest of them that has ended.
    begun: u64,
    ended: u64,
    /// When a time comes that the signal names.
    next_change: Option<SystemTime>,
    updated_at: Option<SystemTime>,
    /// The provider type of the last observation.
    observed_type: Option<Box<str>>,
    /// When the stored signal that was taken in was written.
    taken_in: Option<SystemTime>,
}

impl Place {
    /// Is it to be judged again?
    fn is_due(&self, now: SystemTime) -> bool {
        self.dirty || self.next_change.is_some_and(|at| at <= now)
    }

    /// Begins a judgement: what is recorded from here on makes it due again.
    fn begin(&mut self) -> u64 {
        self.dirty = false;
        self.begun += 1;
        self.begun
    }

    /// Ends one. `false`: another that was begun later, and so knows more, has ended before.
    fn end(&mut self, judgement: u64) -> bool {
        let is_latest = judgement > self.ended;
        self.ended = self.ended.max(judgement);
        is_latest
    }

    fn is_good(&self, now: SystemTime) -> bool {
        let age = self.judged_at.map(|at| now.duration_since(at));
        !self.is_due(now) && matches!(age, Some(Ok(age)) if age < GLANCE)
    }
}

impl Board {
    /// An empty board over a service.
    #[must_use]
    pub fn new(service: Service) -> Self {
        Self { service, places: Mutex::default(), changes: broadcast::channel(MOST_PENDING).0, news: None }
    }

    /// Tells of news for other hosts as well.
    pub(super) fn telling(self, news: Option<Arc<News>>) -> Self {
        Self { news, ..self }
    }

    /// What it is over.
    pub(crate) fn service(&self) -> &Service {
        &self.service
    }

    fn tell(&self, provider: &str) {
        if let Some(news) = &self.news {
            news.add(provider);
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Box<str>, Place>> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Listens to changes from now on. Who lags behind is told so.
    #[must_use]
    pub fn listen(&self) -> broadcast::Receiver<Change> {
        self.changes.subscribe()
    }

    /// How many providers it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.lock().len()
    }

    /// Has it none?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }

    /// Is it known of?
    #[must_use]
    pub fn has(&self, provider: &str) -> bool {
        self.lock().contains_key(provider)
    }

    /// The names of all providers, sorted.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = self.lock().keys().map(|name| name.to_string()).collect();
        names.sort_unstable();
        names
    }

    /// Gives a provider a place before there is any news of it.
    pub fn add(&self, provider: &str) {
        self.lock().entry(provider.into()).or_insert_with(|| Place { dirty: true, ..Place::default() });
    }

    /// Gives a provider a place, unless it is new and there are `most` already.
    pub(crate) fn admit(&self, provider: &str, most: usize) -> bool {
        let mut places = self.lock();
        if places.contains_key(provider) {
            return true;
        }
        let has_room = places.len() < most;
        if has_room {
            places.insert(provider.into(), Place { dirty: true, ..Place::default() });
        }
        has_room
    }

    /// Something was recorded of a provider.
    pub fn mark(&self, provider: &str) {
        let now = self.service.store().now();
        let mut places = self.lock();
        if let Some(place) = places.get_mut(provider) {
            (place.dirty, place.updated_at) = (true, Some(now));
        } else {
            places.insert(provider.into(), Place { dirty: true, updated_at: Some(now), ..Place::default() });
        }
        drop(places);
        self.tell(provider);
    }

    /// An observation of a provider was recorded, which was of this type.
    pub(super) fn mark_observed(&self, provider: &str, provider_type: &str) {
        self.mark(provider);
        if let Some(place) = self.lock().get_mut(provider)
            && place.observed_type.as_deref() != Some(provider_type)
        {
            place.observed_type = Some(provider_type.into());
        }
    }

    /// The provider type of the last observation of a provider; `None` where there was none since the start.
    pub(super) fn observed_type(&self, provider: &str) -> Option<Box<str>> {
        self.lock().get(provider)?.observed_type.clone()
    }

    /// Another host knows something of a provider. `false`: it is new, and there are `most` already. See
    /// [`Service::take_in_shared`] for `unchanged`.
    pub(crate) fn take_in_shared(
        &self,
        provider: &str,
        signal: &Signal,
        unchanged: Option<u64>,
        most: usize,
    ) -> Result<bool, Error> {
        if !self.admit(provider, most) {
            return Ok(false);
        }
        self.service.take_in_shared(&cache_source(provider)?, signal, unchanged)?;
        if let Some(place) = self.lock().get_mut(provider) {
            place.dirty = true;
            place.updated_at = place.updated_at.max(Some(signal.recorded_at));
        }
        Ok(true)
    }

    /// The signal of a provider as of now; `None` where it is not known of.
    ///
    /// # Errors
    /// The cache cannot be read, or the engine failed.
    pub fn entry(&self, provider: &str) -> Result<Option<Arc<Entry>>, Error> {
        let now = self.service.store().now();
        match self.lock().get(provider) {
            None => return Ok(None),
            Some(place) if place.is_good(now) => {
                if let Some(entry) = &place.entry {
                    return Ok(Some(entry.clone()));
                }
            }
            Some(_) => {}
        }
        self.judge(provider, now).map(Some)
    }

    /// The signals of all providers as of now, by name.
    ///
    /// # Errors
    /// The cache cannot be read, or the engine failed.
    pub fn entries(&self) -> Result<Vec<Arc<Entry>>, Error> {
        let entries = self.names().into_iter().map(|name| self.entry(&name));
        entries.filter_map(Result::transpose).collect()
    }

    /// Is there news of a provider that is younger than the time-to-live? And how old is it? What a clock has dated
    /// further ahead than a refresh may take is not fresh.
    #[must_use]
    pub fn freshness(&self, entry: &Entry) -> (bool, Option<Duration>) {
        let Some(updated_at) = entry.updated_at else { return (false, None) };
        let age = self.service.store().now().duration_since(updated_at);
        let is_fresh = match &age {
            Ok(age) => *age < self.ttl(),
            Err(ahead) => ahead.duration() <= self.service.cache().options().refresh_deadline,
        };
        (is_fresh, Some(age.unwrap_or_default()))
    }

    /// How long news is fresh.
    #[must_use]
    pub fn ttl(&self) -> Duration {
        self.service.cache().options().ttl
    }

    /// Judges all that are due, where anybody listens.
    pub fn tick(&self) {
        if self.changes.receiver_count() == 0 {
            return;
        }
        let now = self.service.store().now();
        let due: Vec<Box<str>> = {
            let places = self.lock();
            let due = places.iter().filter(|(_, place)| place.entry.is_none() || place.is_due(now));
            due.map(|(name, _)| name.clone()).collect()
        };
        for provider in due {
            if let Err(error) = self.judge(&provider, now) {
                tracing::warn!(%provider, %error, "a signal cannot be judged");
            }
        }
    }

    fn judge(&self, provider: &str, now: SystemTime) -> Result<Arc<Entry>, Error> {
        let (updated_at, judgement) = {
            let mut places = self.lock();
            let place = places.entry(provider.into()).or_default();
            (place.updated_at, place.begin())
        };
        let signal = self.service.recorded(provider)?;
        let json = self.service.store().encode(&signal)?;
        let tag = tag(&json);
        let next_change = next_change(&signal, now);
        let entry = Arc::new(Entry { signal, json, updated_at, tag });

        let mut places = self.lock();
        let place = places.entry(provider.into()).or_default();
        if !place.end(judgement)
            && let Some(later) = &place.entry
        {
            return Ok(later.clone());
        }
        let before = place.entry.replace(entry.clone());
        (place.judged_at, place.next_change) = (Some(now), next_change);
        if before.as_ref().is_none_or(|before| before.tag != tag) {
            let before = before.map(|before| before.signal.status);
            // Still under the lock, so that changes are told in their order. Nobody has to listen.
            let _ = self.changes.send(Change { entry: entry.clone(), before });
        }
        drop(places);
        Ok(entry)
    }

    /// Takes in what other processes have stored since the last time.
    ///
    /// # Errors
    /// The cache cannot be listed.
    pub fn look_at_disk(&self) -> Result<(), Error> {
        let cache = self.service.cache();
        for source in cache.list()? {
            // One that is gone by now is none that is stored.
            let Ok(modified) = fs::metadata(cache.path(&source)).and_then(|file| file.modified()) else {
                continue;
            };
            let name = source.name();
            if self.lock().get(name).is_some_and(|place| place.taken_in == Some(modified)) {
                continue;
            }
            if let Err(error) = self.take_in(name, modified) {
                tracing::warn!(provider = name, %error, "what is stored cannot be taken in");
            }
        }
        Ok(())
    }

    fn take_in(&self, provider: &str, modified: SystemTime) -> Result<(), Error> {
        self.service.take_in(&cache_source(provider)?)?;
        let mut places = self.lock();
        let place = places.entry(provider.into()).or_default();
        // Our own writes come back as well: they are no news.
        (place.dirty, place.taken_in) = (true, Some(modified));
        place.updated_at = place.updated_at.or(Some(modified));
        drop(places);
        self.tell(provider);
        Ok(())
    }
}

/// When the signal changes by itself.
fn next_change(signal: &Signal, now: SystemTime) -> Option<SystemTime> {
    let limits = signal.limits.iter().filter_map(|limit| limit.resets_at);
    let cooldowns = signal.cooldowns.iter().map(|cooldown| cooldown.until);
    let own = [signal.quota_reset_at, signal.cooldown_until].into_iter().flatten();
    limits.chain(cooldowns).chain(own).filter(|at| *at > now).min()
}

/// A hash of the signal's JSON without the time at which it was judged.
fn tag(json: &[u8]) -> u64 {
    const RECORDED_AT: &[u8] = b",\"recorded_at\":\"";
    let mut hasher = DefaultHasher::new();
    // Texts before it cannot hold it: their quotation marks are escaped.
    match json.windows(RECORDED_AT.len()).position(|bytes| bytes == RECORDED_AT) {
        Some(start) => {
            let (before, rest) = json.split_at(start);
            let value = rest.get(RECORDED_AT.len()..).unwrap_or_default();
            let after = value.splitn(2, |byte| *byte == b'"').nth(1).unwrap_or_default();
            (before, after).hash(&mut hasher);
        }
        None => json.hash(&mut hasher),
    }
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_judgement_that_took_long_does_not_replace_a_later_one() {
        let mut place = Place { dirty: true, ..Place::default() };
        let slow = place.begin();
        // News comes while it is at work, and is judged by another.
        place.dirty = true;
        let quick = place.begin();
        assert!(place.end(quick) && !place.end(slow));
        let next = place.begin();
        assert!(place.end(next) && !place.dirty);
    }

    #[test]
    fn the_tag_leaves_out_the_time_of_the_judgement_and_nothing_else() {
        let json = |at: &str, last: &str| format!("{{\"a\":1,\"recorded_at\":\"{at}\",\"b\":{last}}}");
        let tag = |at, last| super::tag(json(at, last).as_bytes());
        assert_eq!(tag("2026-01-15T12:00:00Z", "2"), tag("2026-01-15T12:00:07.5Z", "2"));
        assert_ne!(tag("2026-01-15T12:00:00Z", "2"), tag("2026-01-15T12:00:00Z", "3"));
    }
}
