//! Single-flight refreshes.
//!
//! Within a process one flight per source runs as a task of its own: whoever asks meanwhile joins it and shares its
//! outcome, an error included, and a caller that goes away takes nothing with it. Across processes the refresh marker
//! does it: while another's stands, the flight looks again every few milliseconds, at most for one refresh deadline,
//! until the marker is gone or replaced, and gives what is stored then. If its owner died or the marker went stale,
//! the flight takes over. The work itself is cut off at the refresh deadline; a failure keeps others from trying
//! again until its cool-down is over.

use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use super::SignalCache;
use super::claim::{Claim, Claimed, claim};
use super::dir::TierDir;
use super::error::CacheError;
use super::marker::{self, MarkerId, MarkerState};
use super::name::Source;
use super::outcome::{RefreshError, RefreshFailure, Refreshed};

/// Between two looks at another's marker.
const PAUSE: Duration = Duration::from_millis(5);
/// Between two attempts to give a claim back.
const PAUSE_TO_GIVE_BACK: Duration = Duration::from_millis(50);

type Outcome<T, E> = Result<Refreshed<T>, RefreshFailure<E>>;
type Flight<T, E> = watch::Receiver<Option<Outcome<T, E>>>;
type Flights<T, E> = Arc<Mutex<HashMap<Source, Flight<T, E>>>>;

/// Refreshes the sources of one cache, each at most once at a time. Clones share their flights.
pub struct Refresher<T, E> {
    cache: SignalCache,
    flights: Flights<T, E>,
}

impl<T, E> Clone for Refresher<T, E> {
    fn clone(&self) -> Self {
        Self { cache: self.cache.clone(), flights: Arc::clone(&self.flights) }
    }
}

impl<T, E> fmt::Debug for Refresher<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Refresher").field("cache", &self.cache).finish_non_exhaustive()
    }
}

impl<T, E> Refresher<T, E>
where
    T: Clone + Send + Sync + 'static,
    E: Clone + fmt::Display + Send + Sync + 'static,
{
    /// Refreshes the sources of `cache`.
    #[must_use]
    pub fn new(cache: SignalCache) -> Self {
        Self { cache, flights: Arc::default() }
    }

    /// Refreshes `source` by `work`, or joins the refresh that is under way. `work` collects the signal and commits
    /// it; it is dropped unused where another does it.
    ///
    /// Returns within two refresh deadlines and the lock time-outs: one to wait for another process, one for `work`.
    /// Must be called on a tokio runtime with time enabled, as all that follows runs on it.
    ///
    /// # Errors
    /// [`RefreshFailure`] holds the error, shared by all that joined, and what is stored.
    pub async fn refresh<W>(&self, source: &Source, work: W) -> Result<Refreshed<T>, RefreshFailure<E>>
    where
        W: Future<Output = Result<T, E>> + Send + 'static,
    {
        let (mut flight, _) = self.join(source, work);
        let outcome = flight.wait_for(Option::is_some).await.ok().and_then(|outcome| outcome.clone());
        match outcome {
            Some(outcome) => outcome,
            None => Err(self.failure(source, RefreshError::Aborted { provider: source.clone() }).await),
        }
    }

    /// Starts a refresh of `source` behind the caller's back, as after a read that gave a stale entry. `false`: one was
    /// under way in this process, `work` is dropped.
    ///
    /// Must be called on a tokio runtime with time enabled. A failure is logged.
    pub fn refresh_in_background<W>(&self, source: &Source, work: W) -> bool
    where
        W: Future<Output = Result<T, E>> + Send + 'static,
    {
        self.join(source, work).1
    }

    /// The flight under way, or a new one; whether it is new.
    fn join<W>(&self, source: &Source, work: W) -> (Flight<T, E>, bool)
    where
        W: Future<Output = Result<T, E>> + Send + 'static,
    {
        let mut flights = lock(&self.flights);
        // A flight whose task was dropped with its runtime has no sender any more.
        if let Some(flight) = flights.get(source).filter(|flight| flight.has_changed().is_ok()) {
            return (flight.clone(), false);
        }
        let (sender, flight) = watch::channel(None);
        flights.insert(source.clone(), flight.clone());
        drop(flights);
        let (this, source) = (self.clone(), source.clone());
        tokio::spawn(async move {
            let (outcome, left) = this.fly(&source, work).await;
            if let Err(failure) = &outcome {
                tracing::debug!(provider = %source, error = %failure.error, "refresh failed");
            }
            lock(&this.flights).remove(&source);
            sender.send_replace(Some(outcome));
            drop(sender);
            if let Some(claim) = left {
                this.give_back(claim).await;
            }
        });
        (flight, true)
    }

    /// One flight: the outcome, and the claim that is still to be given back.
    async fn fly<W>(&self, source: &Source, work: W) -> (Outcome<T, E>, Option<Box<Claim>>)
    where
        W: Future<Output = Result<T, E>> + Send + 'static,
    {
        let limit = self.cache.options().refresh_deadline;
        let began = Instant::now();
        loop {
            let claimed = self.blocking(source, |cache, source| claim(cache.tier(), source, cache.options()));
            let outcome = match claimed.await {
                Ok(Claimed::Ours(claim)) => return self.run(source, claim, work).await,
                Ok(Claimed::Failed { message }) => Err(self.cooling_down(source, message).await),
                Ok(Claimed::Running(other)) => {
                    match self.wait_for(source, other, limit.saturating_sub(began.elapsed())).await {
                        Ok(Other::Abandoned) => continue,
                        Ok(Other::Failed { message }) => Err(self.cooling_down(source, message).await),
                        Ok(Other::Finished) => self.elsewhere(source, true).await,
                        Ok(Other::Running) => self.elsewhere(source, false).await,
                        Err(error) => Err(self.failure(source, error).await),
                    }
                }
                Err(error) => Err(self.failure(source, error).await),
            };
            return (outcome, None);
        }
    }

    async fn run<W>(
        &self,
        source: &Source,
        mut claim: Box<Claim>,
        work: W,
    ) -> (Outcome<T, E>, Option<Box<Claim>>)
    where
        W: Future<Output = Result<T, E>> + Send + 'static,
    {
        let limit = self.cache.options().refresh_deadline;
        // A task of its own, so that a panic ends the work only.
        let mut task = tokio::spawn(work);
        let error = match tokio::time::timeout(limit, &mut task).await {
            Ok(Ok(Ok(value))) => {
                let released = self.blocking(source, |_, _| Ok(claim.release().err().map(|_| claim))).await;
                return (Ok(Refreshed::Here(value)), released.unwrap_or_default());
            }
            Ok(Ok(Err(error))) => RefreshError::Work(error),
            Ok(Err(_)) => RefreshError::Aborted { provider: source.clone() },
            Err(_) => {
                task.abort();
                RefreshError::Deadline { provider: source.clone(), limit }
            }
        };
        let message = error.to_string();
        let marked = self.blocking(source, move |_, _| {
            if let Err(error) = claim.fail(&message) {
                tracing::warn!(%error, "a failed refresh could not be marked as such");
            }
            Ok(claim)
        });
        let claim = marked.await.ok();
        (Err(self.failure(source, error).await), claim)
    }

    /// Looks at another's marker until its refresh has ended, at most `left`.
    async fn wait_for(
        &self,
        source: &Source,
        other: MarkerId,
        left: Duration,
    ) -> Result<Other, RefreshError<E>> {
        let began = Instant::now();
        let other = Arc::new(other);
        while began.elapsed() < left {
            tokio::time::sleep(PAUSE.min(left.saturating_sub(began.elapsed()))).await;
            let known = Arc::clone(&other);
            let seen = self.blocking(source, move |cache, source| {
                let Some(dir) = TierDir::open(cache.tier())? else { return Ok(Other::Finished) };
                Ok(match marker::look(&dir, source, cache.options())? {
                    None => Other::Finished,
                    Some(found) => match found.state.clone() {
                        MarkerState::Failed { message } => Other::Failed { message },
                        _ if !found.is(&known) => Other::Finished,
                        MarkerState::Stale => Other::Abandoned,
                        MarkerState::Running => Other::Running,
                    },
                })
            });
            match seen.await? {
                Other::Running => {}
                ended => return Ok(ended),
            }
        }
        Ok(Other::Running)
    }

    /// Keeps a failed marker for its cool-down, then removes it: a foreign program may not write while it stands. Where
    /// the guard or the disk is not to be had, tries again until the marker is stale: others would wait for nothing.
    async fn give_back(&self, mut claim: Box<Claim>) {
        let options = self.cache.options();
        if claim.has_failed() {
            tokio::time::sleep(options.failure_cooldown).await;
        }
        let began = Instant::now();
        loop {
            let release = move || {
                let released = claim.release();
                (claim, released)
            };
            let Ok((unreleased, Err(error))) = tokio::task::spawn_blocking(release).await else { return };
            if began.elapsed() >= options.longest_marker() {
                tracing::warn!(%error, "a refresh marker stayed behind until it was stale");
                return;
            }
            claim = unreleased;
            tokio::time::sleep(PAUSE_TO_GIVE_BACK).await;
        }
    }

    async fn elsewhere(&self, source: &Source, finished: bool) -> Outcome<T, E> {
        match self.blocking(source, |cache, source| cache.read(source)).await {
            Ok(stored) => Ok(Refreshed::Elsewhere { stored, finished }),
            Err(error) => Err(RefreshFailure { error, stored: None }),
        }
    }

    async fn cooling_down(&self, source: &Source, message: String) -> RefreshFailure<E> {
        self.failure(source, RefreshError::CoolingDown { provider: source.clone(), message }).await
    }

    async fn failure(&self, source: &Source, error: RefreshError<E>) -> RefreshFailure<E> {
        let stored = self.blocking(source, |cache, source| cache.read(source)).await;
        RefreshFailure { error, stored: stored.unwrap_or_default() }
    }

    async fn blocking<R: Send + 'static>(
        &self,
        source: &Source,
        work: impl FnOnce(&SignalCache, &Source) -> Result<R, CacheError> + Send + 'static,
    ) -> Result<R, RefreshError<E>> {
        let (cache, owned) = (self.cache.clone(), source.clone());
        match tokio::task::spawn_blocking(move || work(&cache, &owned)).await {
            Ok(done) => done.map_err(|error| RefreshError::Cache(Arc::new(error))),
            Err(_) => Err(RefreshError::Aborted { provider: source.clone() }),
        }
    }
}

/// What became of another's refresh.
enum Other {
    Running,
    Finished,
    Failed { message: String },
    Abandoned,
}

fn lock<T, E>(flights: &Flights<T, E>) -> MutexGuard<'_, HashMap<Source, Flight<T, E>>> {
    flights.lock().unwrap_or_else(PoisonError::into_inner)
}
