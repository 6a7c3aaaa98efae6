//! What clients have met with since the last sample.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

/// Messages that are kept.
const MOST_MESSAGES: usize = 20;

/// Of one sample.
#[derive(Default)]
pub(crate) struct Tally {
    /// From when a request was due to the end of its answer.
    pub(crate) posts: Vec<Duration>,
    /// The same of reads about one provider.
    pub(crate) reads: Vec<Duration>,
    /// The same of reads about all of them.
    pub(crate) lists: Vec<Duration>,
    pub(crate) accepted: u32,
    pub(crate) refused: u32,
    pub(crate) errors: u32,
    pub(crate) events: u32,
    pub(crate) resyncs: u32,
    pub(crate) swaps: u32,
    pub(crate) outages: u32,
}

/// What all clients count in.
#[derive(Default)]
pub(crate) struct Meter {
    tally: Mutex<Tally>,
    messages: Mutex<BTreeMap<String, u32>>,
}

impl Meter {
    pub(crate) fn tally(&self) -> MutexGuard<'_, Tally> {
        self.tally.lock().unwrap()
    }

    /// What was counted, to be counted anew.
    pub(crate) fn take(&self) -> Tally {
        std::mem::take(&mut *self.tally())
    }

    /// Something that should not be.
    pub(crate) fn error(&self, message: String) {
        self.tally().errors += 1;
        let mut messages = self.messages.lock().unwrap();
        if !messages.contains_key(&message) {
            if messages.len() == MOST_MESSAGES {
                return;
            }
            println!("error: {message}");
        }
        *messages.entry(message).or_default() += 1;
    }

    /// What errors said, each once, with how often.
    pub(crate) fn messages(&self) -> BTreeMap<String, u32> {
        self.messages.lock().unwrap().clone()
    }
}
