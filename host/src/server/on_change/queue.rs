//! What waits to be told: one at a time of each provider, the newest instead of older ones, and not without bound.

use std::collections::{HashMap, HashSet, VecDeque};

use super::Job;

/// Whom something is told, by its place in the configuration, and of which provider.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key {
    pub(super) rule: usize,
    pub(super) provider: String,
}

/// Jobs that wait, and those that are being done.
pub(super) struct Queue {
    order: VecDeque<Key>,
    waiting: HashMap<Key, Job>,
    busy: HashSet<Key>,
    most: usize,
}

impl Queue {
    /// At most `most` wait.
    pub(super) fn new(most: usize) -> Self {
        Self { order: VecDeque::new(), waiting: HashMap::new(), busy: HashSet::new(), most }
    }

    /// Adds a job in place of one with the same key. `false`: the one that has waited the longest was dropped for it.
    pub(super) fn push(&mut self, key: Key, job: Job) -> bool {
        if self.waiting.insert(key.clone(), job).is_some() {
            return true;
        }
        self.order.push_back(key);
        if self.order.len() <= self.most {
            return true;
        }
        if let Some(oldest) = self.order.pop_front() {
            self.waiting.remove(&oldest);
        }
        false
    }

    /// What was to be told is not so any more.
    pub(super) fn forget(&mut self, key: &Key) {
        if self.waiting.remove(key).is_some() {
            self.order.retain(|other| other != key);
        }
    }

    /// The job that has waited the longest and has no other of its key at work. It is at work from now on.
    pub(super) fn next(&mut self) -> Option<(Key, Job)> {
        let position = self.order.iter().position(|key| !self.busy.contains(key))?;
        let key = self.order.remove(position)?;
        let job = self.waiting.remove(&key)?;
        self.busy.insert(key.clone());
        Some((key, job))
    }

    /// A job is done.
    pub(super) fn done(&mut self, key: &Key) {
        self.busy.remove(key);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::config::Config;
    use crate::signal::ModelStatus;

    fn key(provider: &str) -> Key {
        Key { rule: 0, provider: provider.to_owned() }
    }

    fn job(status: ModelStatus) -> Job {
        let config = Config::parse("[[on_change]]\ncommand = [\"true\"]\n").unwrap();
        let rule = Arc::new(config.on_change[0].clone());
        let provider = "mine".to_owned();
        Job { rule, provider, status, previous: ModelStatus::Unknown, json: Vec::new() }
    }

    fn next(queue: &mut Queue) -> Option<(String, ModelStatus)> {
        queue.next().map(|(key, job)| (key.provider, job.status))
    }

    #[test]
    fn one_at_a_time_of_each_and_the_newest_instead_of_older_ones() {
        let mut queue = Queue::new(10);
        queue.push(key("a"), job(ModelStatus::Exhausted));
        assert_eq!(next(&mut queue), Some(("a".to_owned(), ModelStatus::Exhausted)));
        queue.push(key("a"), job(ModelStatus::Degraded));
        queue.push(key("b"), job(ModelStatus::Degraded));
        queue.push(key("a"), job(ModelStatus::Available));
        assert_eq!(next(&mut queue), Some(("b".to_owned(), ModelStatus::Degraded)));
        assert_eq!(next(&mut queue), None);
        queue.done(&key("a"));
        assert_eq!(next(&mut queue), Some(("a".to_owned(), ModelStatus::Available)));
        queue.done(&key("a"));
        assert_eq!(next(&mut queue), None);
    }

    #[test]
    fn beyond_the_bound_the_oldest_is_dropped_and_that_is_told() {
        let mut queue = Queue::new(2);
        assert!(queue.push(key("a"), job(ModelStatus::Exhausted)));
        assert!(queue.push(key("b"), job(ModelStatus::Exhausted)));
        assert!(queue.push(key("a"), job(ModelStatus::Degraded)));
        assert!(!queue.push(key("c"), job(ModelStatus::Exhausted)));
        assert_eq!(queue.waiting.len(), 2);
        let names: Vec<String> = std::iter::from_fn(|| next(&mut queue)).map(|(name, _)| name).collect();
        assert_eq!(names, ["b", "c"]);
    }

    #[test]
    fn what_is_not_so_any_more_is_not_told() {
        let mut queue = Queue::new(2);
        queue.push(key("a"), job(ModelStatus::Exhausted));
        queue.forget(&key("a"));
        queue.forget(&key("b"));
        assert_eq!((next(&mut queue), queue.order.len()), (None, 0));
    }
}
