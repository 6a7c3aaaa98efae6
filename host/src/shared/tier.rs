//! What the rest of the service asks of the shared tier.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use super::error::SharedError;
use super::lease::{Lease, Turn};
use super::link::{Connection, Server};
use super::news::News;
use super::reach::Reach;
use super::status::{Counters, SharedState, SharedStatus};
use crate::config::SharedSettings;

/// An attempt to reach the server counts as one of now for so long.
const RECENT: Duration = Duration::from_secs(1);

/// The shared tier of one service.
pub(crate) struct SharedTier {
    pub(super) server: Arc<Server>,
    /// Providers of which there is news here.
    pub(crate) news: Arc<News>,
    pub(super) counters: Counters,
    /// How long a claim lasts at most.
    lease: Duration,
    /// The most providers that there may be.
    pub(super) most: usize,
    link: watch::Sender<Link>,
    /// Wakes up whoever waits to try the server again.
    pub(super) retry: Notify,
    reach: watch::Sender<Option<Reach>>,
    /// Providers that nobody has configured here: do other hosts reach them?
    observed: Mutex<HashMap<Box<str>, bool>>,
    /// Providers whose refresh is claimed.
    held: Mutex<HashSet<Box<str>>>,
    ending: watch::Sender<bool>,
}

#[derive(Clone)]
enum Link {
    Away { since: Instant, tried_at: Instant, attempts: u32, error: Option<String> },
    Up { connection: Connection, claims_from: Instant },
}

impl SharedTier {
    /// The tier of these settings; `None` where they name no server. Nothing is sent yet. `refresh_deadline` is how
    /// long a refresh may take, and `most` how many providers there may be.
    ///
    /// # Errors
    /// The settings cannot be used.
    pub(crate) fn open(
        settings: &SharedSettings,
        refresh_deadline: Duration,
        most: usize,
    ) -> Result<Option<Arc<Self>>, SharedError> {
        let Some(server) = Server::new(settings)? else { return Ok(None) };
        let now = Instant::now();
        Ok(Some(Arc::new(Self {
            server: Arc::new(server),
            news: Arc::default(),
            counters: Counters::default(),
            // A warmup waits for another process for one deadline at most and works for another.
            lease: refresh_deadline.saturating_mul(3),
            most,
            link: watch::Sender::new(Link::Away { since: now, tried_at: now, attempts: 0, error: None }),
            retry: Notify::new(),
            reach: watch::Sender::new(None),
            observed: Mutex::default(),
            held: Mutex::default(),
            ending: watch::Sender::new(false),
        })))
    }

    /// How it is doing.
    pub(crate) fn status(&self) -> SharedStatus {
        let (state, error) = match &*self.link.borrow() {
            Link::Up { .. } => (SharedState::Connected, None),
            Link::Away { error, .. } => (SharedState::Away, error.clone()),
        };
        let Counters { connections, published, taken_in, merged, ignored, left_to_others } = &self.counters;
        SharedStatus {
            state,
            server: self.server.url.clone(),
            error,
            connections: connections.get(),
            published: published.get(),
            taken_in: taken_in.get(),
            merged: merged.get(),
            ignored: ignored.get(),
            left_to_others: left_to_others.get(),
        }
    }

    /// The server is there. Claims wait for refreshes that may still run on hosts that were cut off from it.
    pub(super) fn found(&self, connection: Connection, uptime: Duration) {
        let is_first = self.counters.connections.get() == 0;
        let wait = match &*self.link.borrow() {
            Link::Away { attempts: 0, .. } if is_first => self.lease.saturating_sub(uptime),
            _ => self.lease,
        };
        self.counters.connections.add(1);
        tracing::info!(server = self.server.url, "signals are shared");
        self.link.send_replace(Link::Up { connection, claims_from: Instant::now() + wait });
    }

    /// The server is not there. Returns how often it was not, since it was there last.
    pub(super) fn lost(&self, reason: &SharedError) -> u32 {
        let (now, reason) = (Instant::now(), reason.to_string());
        let (since, attempts, told) = match &*self.link.borrow() {
            Link::Up { .. } => (now, 0, None),
            Link::Away { since, attempts, error, .. } => (*since, attempts.saturating_add(1), error.clone()),
        };
        if told.as_ref() != Some(&reason) {
            tracing::warn!(error = reason, "signals are not shared for now; trying again");
        }
        self.link.send_replace(Link::Away { since, tried_at: now, attempts, error: Some(reason) });
        attempts
    }

    fn observed(&self) -> MutexGuard<'_, HashMap<Box<str>, bool>> {
        self.observed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A call to a provider was observed, of a type whose servers run elsewhere or on this machine.
    pub(crate) fn observe(&self, provider: &str, is_elsewhere: bool) {
        let mut observed = self.observed();
        if let Some(known) = observed.get_mut(provider) {
            *known &= is_elsewhere;
        } else if observed.len() < self.most {
            observed.insert(provider.into(), is_elsewhere);
        }
    }

    /// Another host shares a provider. Is it not this machine's own here?
    pub(super) fn admit(&self, provider: &str) -> bool {
        if let Some(shared) = self.configured(provider) {
            return shared;
        }
        let mut observed = self.observed();
        match observed.get(provider) {
            Some(known) => *known,
            None if observed.len() < self.most => {
                observed.insert(provider.into(), true);
                true
            }
            None => false,
        }
    }

    fn configured(&self, provider: &str) -> Option<bool> {
        self.reach.borrow().as_ref().and_then(|reach| reach.is_shared(provider))
    }

    /// Is a provider shared? What nobody has configured, observed or shared may be this machine's own.
    pub(super) fn shares(&self, provider: &str) -> bool {
        match &*self.reach.borrow() {
            None => return false,
            Some(reach) => {
                if let Some(shared) = reach.is_shared(provider) {
                    return shared;
                }
            }
        }
        self.observed().get(provider).copied().unwrap_or(false)
    }

    pub(super) fn set_reach(&self, reach: Reach) {
        self.reach.send_replace(Some(reach));
    }

    /// Returns when it is known which providers are this machine's own.
    pub(super) async fn providers_are_known(&self) {
        // It fails when there is no service any more.
        let _ = self.reach.subscribe().wait_for(Option::is_some).await;
    }

    /// Whose turn is the refresh of a provider?
    pub(crate) async fn turn(self: &Arc<Self>, provider: &str) -> Turn {
        self.providers_are_known().await;
        if !self.shares(provider) {
            return Turn::Ours(None);
        }
        let link = self.link.borrow().clone();
        let (connection, claims_from) = match link {
            Link::Up { connection, claims_from } => (connection, claims_from),
            Link::Away { since, .. } if since.elapsed() < self.lease => {
                return Turn::Later(self.lease.saturating_sub(since.elapsed()));
            }
            Link::Away { .. } => return self.turn_alone().await,
        };
        let left = claims_from.saturating_duration_since(Instant::now());
        if !left.is_zero() {
            return Turn::Later(left);
        }
        match connection.claim(provider, self.lease, self.most).await {
            Ok(Some(true)) => {
                self.held().insert(provider.into());
                Turn::Ours(Some(Lease::new(self.clone(), provider, connection)))
            }
            Ok(Some(false)) => {
                self.counters.left_to_others.add(1);
                Turn::Others
            }
            Ok(None) => {
                tracing::warn!(provider, "there is no room to claim its refresh; it is made all the same");
                Turn::Ours(None)
            }
            Err(error) => {
                tracing::debug!(provider, %error, "its refresh could not be claimed");
                Turn::Later(self.server.timeout)
            }
        }
    }

    /// The server has been away for longer than any claim lasts: nobody can be asked. Unless it is back by now.
    async fn turn_alone(&self) -> Turn {
        let mut link = self.link.subscribe();
        let is_news = |link: &Link| match link {
            Link::Up { .. } => true,
            Link::Away { tried_at, .. } => tried_at.elapsed() < RECENT,
        };
        self.retry.notify_one();
        let patience = self.server.timeout.saturating_mul(3);
        match tokio::time::timeout(patience, link.wait_for(is_news)).await {
            Ok(Ok(link)) if matches!(*link, Link::Up { .. }) => Turn::Later(self.lease),
            Ok(_) | Err(_) => Turn::Ours(None),
        }
    }

    pub(super) fn held(&self) -> MutexGuard<'_, HashSet<Box<str>>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Nothing more will be recorded: what is not published yet is published, claims are given back.
    pub(crate) fn end(&self) {
        self.ending.send_replace(true);
    }

    /// Returns when the tier is to end.
    pub(super) async fn ended(&self) {
        // It fails when there is no service any more.
        let _ = self.ending.subscribe().wait_for(|ending| *ending).await;
    }
}
