//! `GET /v1/events`: server-sent events, one for each signal that changes.
//!
//! A stream begins with every signal there is. A client that takes them too slowly misses some, is told `resync`,
//! and gets every signal anew: memory is bounded by the board's channel. One that takes nothing at all is cut off
//! by the listener.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use http::{HeaderName, StatusCode, header};
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};
use tokio_stream::wrappers::ReceiverStream;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::board::{Change, Entry};
use super::problem::Problem;
use super::signals::{write_change, write_entry};
use super::state::AppState;

/// Between two signs of life.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// Events that wait for one client.
const MOST_WAITING: usize = 16;

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(events))
}

/// Every signal, and from then on each that changes: events `signal`, whose data is as that of `/v1/signals/{provider}`
/// with `before`, the status it had. `resync` says that some were missed; every signal follows.
#[utoipa::path(
    get,
    path = "/v1/events",
    tag = "signals",
    responses(
        (status = 200, description = "A stream of events", content_type = "text/event-stream"),
        (status = 503, description = "There are as many streams as may be", body = Problem),
    )
)]
async fn events(State(state): State<AppState>) -> Result<Response, Problem> {
    let Ok(place) = state.streams.clone().try_acquire_owned() else {
        let detail = "there are as many event streams as `service.limits.event_streams` allows";
        let problem = Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail);
        return Err(problem.retry_after(Duration::from_secs(5)));
    };
    let (to, stream) = tokio::sync::mpsc::channel(MOST_WAITING);
    tokio::spawn(Feed { changes: state.board.listen(), state, to, _place: place }.run());
    let stream = Sse::new(ReceiverStream::new(stream)).keep_alive(KeepAlive::new().interval(KEEP_ALIVE));
    let headers = [
        (header::CACHE_CONTROL, "no-store"),
        // Proxies in between hold streams back unless they are told not to.
        (HeaderName::from_static("x-accel-buffering"), "no"),
    ];
    Ok((headers, stream).into_response())
}

/// What one client gets.
struct Feed {
    state: AppState,
    changes: Receiver<Change>,
    to: tokio::sync::mpsc::Sender<Result<Event, Infallible>>,
    _place: OwnedSemaphorePermit,
}

impl Feed {
    /// Sends until the client or the service goes away.
    async fn run(mut self) {
        let (state, to) = (self.state.clone(), self.to.clone());
        tokio::select! {
            _ = self.send_all() => {}
            () = to.closed() => {}
            () = state.ended() => {}
        }
    }

    /// `None`: the client is gone.
    async fn send_all(&mut self) -> Option<()> {
        self.send_every_signal().await?;
        loop {
            match self.changes.recv().await {
                Ok(change) => self.send_change(&change).await?,
                Err(RecvError::Lagged(missed)) => {
                    self.begin_anew(missed).await?;
                    self.send_every_signal().await?;
                }
                Err(RecvError::Closed) => return None,
            }
        }
    }

    /// Sends every signal, then those that have changed meanwhile: not again what is as it was sent. From the start
    /// where so much has changed that some of it is missing.
    async fn send_every_signal(&mut self) -> Option<()> {
        loop {
            let mut sent = HashMap::new();
            for name in self.state.board.names() {
                match self.state.board.entry(&name) {
                    Ok(Some(entry)) => {
                        self.send_signal(&entry).await?;
                        sent.insert(name, entry);
                    }
                    Ok(None) => {}
                    Err(error) => tracing::warn!(provider = name, %error, "a signal cannot be judged"),
                }
            }
            match self.waiting() {
                Ok(changes) => {
                    for change in news(&sent, changes) {
                        self.send_change(&change).await?;
                    }
                    return Some(());
                }
                Err(missed) => self.begin_anew(missed).await?,
            }
        }
    }

    /// The changes that wait; how many were missed where some are gone.
    fn waiting(&mut self) -> Result<Vec<Change>, u64> {
        let mut changes = Vec::new();
        for _ in 0..self.changes.len() {
            match self.changes.try_recv() {
                Ok(change) => changes.push(change),
                Err(TryRecvError::Lagged(missed)) => return Err(missed),
                Err(TryRecvError::Empty | TryRecvError::Closed) => break,
            }
        }
        Ok(changes)
    }

    /// Tells that some changes were missed. What is still in the channel is older than what is to be sent now.
    async fn begin_anew(&mut self, missed: u64) -> Option<()> {
        self.changes = self.changes.resubscribe();
        self.send(Event::default().event("resync").data(format!("{{\"missed\":{missed}}}"))).await
    }

    async fn send_change(&self, Change { entry, before }: &Change) -> Option<()> {
        let mut data = Vec::with_capacity(entry.json.len() + 96);
        write_change(&self.state.board, entry, *before, &mut data);
        self.send_data(&data).await
    }

    async fn send_signal(&self, entry: &Entry) -> Option<()> {
        let mut data = Vec::with_capacity(entry.json.len() + 64);
        write_entry(&self.state.board, entry, &mut data);
        self.send_data(&data).await
    }

    async fn send_data(&self, data: &[u8]) -> Option<()> {
        self.send(Event::default().event("signal").data(String::from_utf8_lossy(data))).await
    }

    async fn send(&self, event: Event) -> Option<()> {
        self.to.send(Ok(event)).await.ok()
    }
}

/// The changes that came after what was sent. An entry that was sent may be among them, after older ones of its
/// provider.
fn news(sent: &HashMap<String, Arc<Entry>>, changes: Vec<Change>) -> Vec<Change> {
    let mut newer: Vec<Change> = Vec::with_capacity(changes.len());
    for change in changes {
        let provider = &change.entry.signal.provider;
        if sent.get(provider).is_some_and(|sent| Arc::ptr_eq(sent, &change.entry)) {
            newer.retain(|older| older.entry.signal.provider != *provider);
        } else {
            newer.push(change);
        }
    }
    newer
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;
    use crate::signal::Signal;

    fn change(provider: &str, tag: u64) -> Change {
        let signal = Signal::unknown(provider.to_owned(), SystemTime::UNIX_EPOCH);
        Change { entry: Arc::new(Entry { signal, json: Vec::new(), updated_at: None, tag }), before: None }
    }

    #[test]
    fn what_is_older_than_what_was_sent_is_not_sent_after_it() {
        let changes = [("a", 1), ("b", 2), ("a", 3), ("a", 4), ("c", 5)].map(|(name, tag)| change(name, tag));
        let [_, _, sent_of_a, ..] = &changes;
        let sent = HashMap::from([
            ("a".to_owned(), sent_of_a.entry.clone()),
            ("b".to_owned(), change("b", 0).entry),
        ]);
        let tags: Vec<u64> = news(&sent, changes.to_vec()).iter().map(|change| change.entry.tag).collect();
        assert_eq!(tags, [2, 4, 5]);
    }
}
