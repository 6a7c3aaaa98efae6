//! What is learnt of calls, recorded one batch at a time on a thread that may block: calls do not wait for it.

use std::mem;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use http::HeaderMap;
use tokio::sync::oneshot;

use super::super::state::AppState;
use crate::observation::{Counts, Observation};

/// Reports that may wait; more are lost, and counted.
const MOST_WAITING: usize = 4096;

/// An observation that owns what it tells.
pub(super) struct Report {
    pub(super) provider: String,
    pub(super) provider_type: String,
    pub(super) status: Option<u16>,
    pub(super) headers: HeaderMap,
    pub(super) body: Option<Vec<u8>>,
    pub(super) latency: Duration,
    pub(super) ttfb: Option<Duration>,
    pub(super) error: Option<String>,
    pub(super) received_at: SystemTime,
    pub(super) counts: Counts,
    /// Is told when it is recorded.
    pub(super) done: Option<oneshot::Sender<()>>,
}

impl Report {
    fn observation(&self) -> Observation<'_> {
        Observation {
            status: self.status,
            body: self.body.as_deref(),
            ttfb: self.ttfb,
            error: self.error.as_deref(),
            received_at: Some(self.received_at),
            counts: self.counts,
            ..Observation::new(&self.provider, &self.provider_type, &self.headers, self.latency)
        }
    }
}

/// Records reports.
#[derive(Default)]
pub(in super::super) struct Recorder {
    queue: Mutex<Queue>,
    /// Held while a batch is recorded, so that what belongs to one provider stays in order.
    turn: Mutex<()>,
    lost: AtomicU64,
}

#[derive(Default)]
struct Queue {
    waiting: Vec<Report>,
    /// Somebody is about to take what waits.
    is_attended: bool,
}

impl Recorder {
    /// Reports that were lost because too many waited.
    pub(in super::super) fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes what waits; `None`, and nobody attends to it any more, where nothing does.
    fn next_batch(&self) -> Option<Vec<Report>> {
        let mut queue = self.queue();
        queue.is_attended = !queue.waiting.is_empty();
        queue.is_attended.then(|| mem::take(&mut queue.waiting))
    }
}

/// Records a report soon.
pub(super) fn record(state: &AppState, report: Report) {
    let recorder = &state.proxy.recorder;
    let mut queue = recorder.queue();
    if queue.waiting.len() >= MOST_WAITING {
        recorder.lost.fetch_add(1, Ordering::Relaxed);
        return;
    }
    queue.waiting.push(report);
    if !mem::replace(&mut queue.is_attended, true) {
        let state = state.clone();
        // By a task of its own, which comes after this one: the thread is woken when the response is on its way.
        tokio::spawn(async move { tokio::task::spawn_blocking(move || record_waiting(&state)).await });
    }
}

/// Records all that waits. It may block.
pub(in super::super) fn record_waiting(state: &AppState) {
    let recorder = &state.proxy.recorder;
    let _turn = recorder.turn.lock().unwrap_or_else(PoisonError::into_inner);
    while let Some(batch) = recorder.next_batch() {
        let observations: Vec<_> = batch.iter().map(Report::observation).collect();
        for (observation, outcome) in observations.iter().zip(state.service.observe_batch(&observations)) {
            match outcome {
                Ok(()) => state.recorded(observation),
                Err(error) => {
                    tracing::warn!(provider = observation.provider, %error, "a call that was passed on is not recorded");
                }
            }
        }
        drop(observations);
        // Who was told nothing has gone away.
        batch.into_iter().filter_map(|report| report.done).for_each(|done| _ = done.send(()));
    }
}
