//! Where the news of `watch` comes from: a service's events, or the cache on this machine.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use runtime_signals::server::{Board, Change, Entry};
use runtime_signals::{CachedSignal, Error, Service, Store};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::TryRecvError;
use tokio::sync::mpsc::Sender;
use tokio::time::Instant;

use super::model::News;
use crate::cli::remote::{self, Event, Events, Remote, RemoteError, Seen};
use crate::cli::status::add_subscriptions;

/// From one look at the cache to the next.
const LOOK: Duration = Duration::from_secs(1);
/// From one look at types and parsers to the next.
const KINDS: Duration = Duration::from_secs(10);
/// The quotas of subscriptions are looked at so many times more seldom.
const QUOTA_LOOKS: u32 = 5;
/// Before a service that is away is asked again: doubled from the shortest to the longest.
const SHORTEST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// Where signals come from.
pub(super) enum Source {
    Remote(Box<Remote>, Store),
    Cache(Service),
}

impl Source {
    /// What it is called.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Remote(remote, _) => remote.address().to_string(),
            Self::Cache(service) => service.cache().root().display().to_string(),
        }
    }

    /// Tells of everything, then of what changes, until nobody listens.
    ///
    /// # Errors
    /// The cache cannot be read. A service that is away is waited for.
    pub(super) async fn run(self, to: Sender<News>) -> Result<(), Error> {
        match self {
            Self::Remote(remote, store) => follow(&remote, &store, &to).await,
            Self::Cache(service) => look(service, &to).await?,
        }
        Ok(())
    }
}

/// Listens to a service, again and again.
async fn follow(remote: &Remote, store: &Store, to: &Sender<News>) {
    let mut pause = SHORTEST_PAUSE;
    loop {
        let started = Instant::now();
        let Err(error) = listen(remote, store, to).await else { return };
        if to.send(News::Lost(error.to_string())).await.is_err() {
            return;
        }
        if started.elapsed() > LONGEST_PAUSE {
            pause = SHORTEST_PAUSE;
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// Listens to one stream. `Ok`: nobody listens to us any more.
async fn listen(remote: &Remote, store: &Store, to: &Sender<News>) -> Result<(), RemoteError> {
    let mut events = remote.events().await?;
    if to.send(News::Connected).await.is_err() {
        return Ok(());
    }
    tokio::select! {
        heard = hear(&mut events, store, to) => heard,
        () = tell_kinds(remote, to) => Ok(()),
    }
}

/// Tells of types and parsers now and then. It ends when nobody listens to us any more.
async fn tell_kinds(remote: &Remote, to: &Sender<News>) {
    loop {
        // Signals are shown without them as well.
        if let Ok(Some(kinds)) = remote::kinds(remote).await
            && to.send(News::Kinds(kinds)).await.is_err()
        {
            return;
        }
        tokio::time::sleep(KINDS).await;
    }
}

/// Tells of what a stream tells. `Ok`: nobody listens to us any more.
async fn hear(events: &mut Events, store: &Store, to: &Sender<News>) -> Result<(), RemoteError> {
    loop {
        let event = events.next().await?;
        if let Some(entry) = understood(&event, store)
            && to.send(News::Signal(Box::new(entry))).await.is_err()
        {
            return Ok(());
        }
    }
}

/// The signal of an event. What is none, or of no use, is left out: the service may be of a later version.
fn understood(event: &Event, store: &Store) -> Option<CachedSignal> {
    if event.name != "signal" {
        return None;
    }
    let seen: Seen = serde_json::from_slice(&event.data).ok()?;
    seen.cached(store).ok().flatten()
}

/// Looks at the cache, and at the quotas of subscriptions. `Ok`: nobody listens to us any more.
async fn look(service: Service, to: &Sender<News>) -> Result<(), Error> {
    let board = Board::new(service.clone());
    let mut changes = board.listen();
    let mut subscriptions = Subscriptions::default();
    let mut looks = 0_u32;
    if to.send(News::Connected).await.is_err() {
        return Ok(());
    }
    loop {
        let mut news = Vec::new();
        if looks.is_multiple_of(QUOTA_LOOKS) {
            news = subscriptions.look(&service).await?;
        }
        looks = looks.wrapping_add(1);
        board.look_at_disk()?;
        board.tick();
        let stored = changed(&board, &mut changes)?;
        let is_stored = |entry: &&Arc<Entry>| !subscriptions.0.contains_key(&entry.signal.provider);
        news.extend(stored.iter().filter(is_stored).map(|entry| cached(&board, entry)));
        for entry in news {
            if to.send(News::Signal(Box::new(entry))).await.is_err() {
                return Ok(());
            }
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK) => {}
            () = to.closed() => return Ok(()),
        }
    }
}

/// What has changed since the last time; all, where that is more than the board keeps.
fn changed(board: &Board, changes: &mut Receiver<Change>) -> Result<Vec<Arc<Entry>>, Error> {
    let mut entries = Vec::new();
    loop {
        match changes.try_recv() {
            Ok(change) => entries.push(change.entry),
            Err(TryRecvError::Empty | TryRecvError::Closed) => return Ok(entries),
            Err(TryRecvError::Lagged(_)) => {
                *changes = board.listen();
                return board.entries();
            }
        }
    }
}

fn cached(board: &Board, entry: &Entry) -> CachedSignal {
    let (fresh, age) = board.freshness(entry);
    CachedSignal { signal: entry.signal.clone(), fresh, age: age.unwrap_or_default() }
}

/// Subscriptions whose quota stands on disk: what that says comes before what is stored of them.
#[derive(Default)]
struct Subscriptions(BTreeMap<String, CachedSignal>);

impl Subscriptions {
    /// Looks at them, and gives those that have changed.
    async fn look(&mut self, service: &Service) -> Result<Vec<CachedSignal>, Error> {
        let mut found = BTreeMap::new();
        add_subscriptions(service, &mut found).await?;
        let is_new = |entry: &&CachedSignal| {
            let before = self.0.get(&entry.signal.provider);
            before.is_none_or(|before| !before.signal.says_the_same_as(&entry.signal))
        };
        let changed = found.values().filter(is_new).cloned().collect();
        self.0 = found;
        Ok(changed)
    }
}
