//! Providers of which there is news here that other hosts may not have.

use std::collections::{HashSet, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// The names of providers, each once, in the order in which their news came.
#[derive(Debug, Default)]
pub(crate) struct News {
    queue: Mutex<Queue>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct Queue {
    order: VecDeque<Box<str>>,
    names: HashSet<Box<str>>,
}

impl News {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// There is news of a provider.
    pub(crate) fn add(&self, provider: &str) {
        let mut queue = self.lock();
        if !queue.names.contains(provider) {
            queue.names.insert(provider.into());
            queue.order.push_back(provider.into());
            drop(queue);
            self.changed.notify_one();
        }
    }

    /// Takes the oldest names.
    pub(super) fn take(&self, most: usize) -> Vec<Box<str>> {
        let mut queue = self.lock();
        let count = most.min(queue.order.len());
        let names: Vec<_> = queue.order.drain(..count).collect();
        for name in &names {
            queue.names.remove(name);
        }
        names
    }

    /// Is there news of a provider that nobody has taken?
    pub(super) fn has(&self, provider: &str) -> bool {
        self.lock().names.contains(provider)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.lock().order.is_empty()
    }

    /// Returns when there is news, at once if there was since the last time.
    pub(super) async fn wait(&self) {
        self.changed.notified().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_name_is_taken_once_in_the_order_of_the_news() {
        let news = News::default();
        ["b", "a", "b", "c"].iter().for_each(|name| news.add(name));
        assert_eq!(news.take(2), ["b", "a"].map(Box::from));
        assert!(news.has("c") && !news.has("b"));
        news.add("b");
        assert_eq!(news.take(9), ["c", "b"].map(Box::from));
        assert!(news.is_empty());
    }
}
