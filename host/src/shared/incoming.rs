//! Of which providers the server says that there is another value.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use redis::{PushInfo, PushKind, Value};
use tokio::sync::Notify;

use crate::cache::cache_source;

/// What was announced and not read yet. Values are read when their turn comes, so that a name costs no more than
/// itself, however often it is announced.
#[derive(Debug)]
pub(super) struct Incoming {
    names: Mutex<HashSet<Box<str>>>,
    most: usize,
    /// There were too many names to note: all values have to be read.
    has_missed: AtomicBool,
    is_lost: AtomicBool,
    changed: Notify,
}

impl Incoming {
    /// With room for so many names.
    pub(super) fn new(most: usize) -> Self {
        Self {
            names: Mutex::default(),
            most,
            has_missed: AtomicBool::new(false),
            is_lost: AtomicBool::new(false),
            changed: Notify::new(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashSet<Box<str>>> {
        self.names.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes what the server sends unasked. `origin` is our own name: what we have said ourselves is no news.
    pub(super) fn take_push(&self, push: &PushInfo, origin: &str) {
        match (&push.kind, push.data.as_slice()) {
            (PushKind::Disconnection, _) => self.is_lost.store(true, Ordering::Release),
            (PushKind::Message, [_, Value::BulkString(text)]) => {
                let text = std::str::from_utf8(text).unwrap_or_default();
                match text.split_once(' ') {
                    Some((from, _)) if from == origin => return,
                    Some((_, provider)) if cache_source(provider).is_ok() => self.add(provider),
                    _ => return tracing::debug!("a message on the shared channel is none of ours"),
                }
            }
            _ => return,
        }
        self.changed.notify_one();
    }

    fn add(&self, provider: &str) {
        let mut names = self.lock();
        if names.len() < self.most {
            names.insert(provider.into());
        } else if !names.contains(provider) {
            self.has_missed.store(true, Ordering::Release);
        }
    }

    /// Takes some of the names.
    pub(super) fn take(&self, most: usize) -> Vec<Box<str>> {
        let mut names = self.lock();
        let taken: Vec<_> = names.iter().take(most).cloned().collect();
        for name in &taken {
            names.remove(name);
        }
        taken
    }

    pub(super) fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }

    /// Have announcements been missed since the last time?
    pub(super) fn take_missed(&self) -> bool {
        self.has_missed.swap(false, Ordering::AcqRel)
    }

    pub(super) fn is_lost(&self) -> bool {
        self.is_lost.load(Ordering::Acquire)
    }

    /// Returns when anything has changed, at once if it has since the last time.
    pub(super) async fn wait(&self) {
        self.changed.notified().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(text: &str) -> PushInfo {
        let data = [&b"channel"[..], text.as_bytes()].map(|part| Value::BulkString(part.to_vec()));
        PushInfo { kind: PushKind::Message, data: data.to_vec() }
    }

    #[test]
    fn only_others_and_only_names_count() {
        let incoming = Incoming::new(10);
        for text in ["me mine", "other ../up", "other", "", "other good", "other good", "other two words"] {
            incoming.take_push(&message(text), "me");
        }
        let mut names = incoming.take(10);
        names.sort_unstable();
        assert_eq!(names, ["good", "two words"].map(Box::from));
        assert!(incoming.is_empty() && !incoming.is_lost());
    }

    #[test]
    fn more_names_than_there_is_room_for_are_known_to_be_missed() {
        let incoming = Incoming::new(2);
        for name in ["a", "b", "a"] {
            incoming.take_push(&message(&format!("other {name}")), "me");
        }
        assert!(!incoming.take_missed());
        incoming.take_push(&message("other c"), "me");
        assert_eq!(incoming.take(10).len(), 2);
        assert!(incoming.take_missed() && !incoming.take_missed());
    }
}
