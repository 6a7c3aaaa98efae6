//! Signals from and to the server, over one connection.
//!
//! As in version control: where only the other side has changed, its value is taken as it is, so that what is no
//! longer in force goes; where both have, they are merged. What was seen over an earlier connection does not count: the
//! server may have come back with an older copy.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::task::block_in_place;
use tokio::time::Instant;

use super::digest::Digest;
use super::error::SharedError;
use super::facts::{Gist, Here, facts_of};
use super::incoming::Incoming;
use super::link::{Connection, Outgoing};
use super::replies::Published;
use super::tier::SharedTier;
use super::{AT_ONCE, KEPT, MOST_VALUE_BYTES};
use crate::cache::{Source, cache_source};
use crate::error::Error;
use crate::server::Board;
use crate::signal::{ModelStatus, Signal};

/// Between two publications of a provider of which only figures have changed.
const PAUSE: Duration = Duration::from_secs(1);
/// For so long after a publication, figures wait until they come to the disk without being written for it.
const PATIENCE: Duration = Duration::from_secs(10);
/// Between two looks at a provider of which there is news without end.
const GLANCE: Duration = Duration::from_millis(200);
/// Providers that are looked at in one go.
const MOST_LOOKED_AT: usize = 1024;

/// What is known of both sides.
pub(super) struct Exchange {
    board: Arc<Board>,
    tier: Arc<SharedTier>,
    connection: Connection,
    book: HashMap<Box<str>, Known>,
    /// They were looked at a moment ago, or only their figures have changed since they were published a moment ago.
    held_back: HashSet<Box<str>>,
    has_warned_of_no_room: bool,
}

/// A provider whose value was seen.
struct Known {
    seen: Digest,
    /// What was known here when the value held all of it.
    here: Option<Here>,
    looked_at: Option<Instant>,
    published_at: Option<Instant>,
}

/// How soon others must know of what is known here.
enum Due {
    /// They know it.
    Never,
    /// Not yet.
    Later,
    /// As far as it is on disk.
    AsWritten,
    Now,
}

impl Known {
    /// Is it too early to look closer, as others know the gist of it since a moment ago?
    fn can_wait(&self, signal: &Signal) -> bool {
        self.published_at.is_some_and(|at| at.elapsed() < PAUSE)
            && self.here.as_ref().is_some_and(|here| here.gist == Gist::of(signal))
    }

    /// How soon others must know of it.
    fn due(&mut self, now: &Here) -> Due {
        let Some(before) = &mut self.here else { return Due::Now };
        let is_written = before.stored != now.stored;
        if before.is_still(now) {
            return Due::Never;
        }
        let age = self.published_at.map(|at| at.elapsed());
        match age.filter(|age| *age < PATIENCE && before.gist == now.gist) {
            Some(_) if is_written => Due::AsWritten,
            Some(_) => Due::Later,
            None => Due::Now,
        }
    }
}

/// A signal on its way out, and what it says.
struct Draft {
    outgoing: Outgoing,
    here: Here,
}

impl Exchange {
    pub(super) fn new(board: Arc<Board>, tier: Arc<SharedTier>, connection: Connection) -> Self {
        let (book, held_back) = (HashMap::new(), HashSet::new());
        Self { board, tier, connection, book, held_back, has_warned_of_no_room: false }
    }

    /// Takes in all that the server has, and removes what has been there for too long.
    pub(super) async fn read_all(&mut self) -> Result<(), SharedError> {
        let mut cursor = Some("0".to_owned());
        while let Some(from) = cursor {
            let page = self.connection.page(&from).await?;
            if page.left_out > 0 {
                tracing::warn!(count = page.left_out, "shared values are too large, and are ignored");
                self.tier.counters.ignored.add(page.left_out);
            }
            let outdated = block_in_place(|| {
                let signals = page.signals.iter();
                let outdated = signals.filter_map(|(provider, value)| self.take_in_one(provider, value));
                outdated.collect::<Vec<_>>()
            });
            if !outdated.is_empty() {
                self.connection.publish(&outdated, self.tier.most).await?;
            }
            cursor = page.next;
        }
        Ok(())
    }

    /// Takes in what was announced.
    pub(super) async fn take_in(&mut self, incoming: &Incoming) -> Result<(), SharedError> {
        let providers = incoming.take(AT_ONCE);
        if providers.is_empty() {
            return Ok(());
        }
        let values = self.connection.read(&providers).await?;
        block_in_place(|| {
            for (provider, value) in providers.iter().zip(&values) {
                self.take_in_one(provider, value);
            }
        });
        Ok(())
    }

    /// Takes in one value. Returns how to remove it where it is too old to be of use to anybody.
    fn take_in_one(&mut self, provider: &str, value: &[u8]) -> Option<Outgoing> {
        let seen = Digest::of(value);
        if self.book.get(provider).is_some_and(|known| known.seen == seen) || !self.tier.admit(provider) {
            return None;
        }
        let known = Known { seen, here: None, looked_at: None, published_at: None };
        let signal = match self.read(provider, value) {
            Ok(Some(signal)) => signal,
            Ok(None) => {
                self.book.insert(provider.into(), known);
                return None;
            }
            Err(error) => {
                tracing::warn!(provider, %error, "a shared value is no signal, and is ignored");
                self.tier.counters.ignored.add(1);
                self.book.insert(provider.into(), known);
                if self.board.has(provider) {
                    self.tier.news.add(provider);
                }
                return None;
            }
        };
        let age = SystemTime::now().duration_since(signal.recorded_at).unwrap_or_default();
        if age > KEPT && signal.cooldowns.is_empty() && signal.limits.is_empty() {
            return Some(Outgoing { provider: provider.into(), seen: known.seen, value: Vec::new() });
        }
        if let Err(error) = self.merge(provider, &signal, known) {
            tracing::warn!(provider, %error, "a shared signal cannot be taken in");
        }
        None
    }

    /// The signal in a value; `None` where there is none, or where it says nothing.
    fn read(&self, provider: &str, value: &[u8]) -> Result<Option<Signal>, Error> {
        if value.is_empty() {
            return Ok(None);
        }
        let signal = self.board.service().store().decode(provider, value)?;
        Ok((signal.status != ModelStatus::Unknown).then_some(signal))
    }

    fn merge(&mut self, provider: &str, signal: &Signal, mut known: Known) -> Result<(), Error> {
        let unchanged = if self.has_changed(provider)? { None } else { self.stored_before(provider) };
        if !self.board.take_in_shared(provider, signal, unchanged, self.tier.most)? {
            tracing::debug!(provider, "there are as many providers as may be");
            return Ok(());
        }
        self.tier.counters.taken_in.add(1);
        known.here = match self.board.entry(provider)? {
            // Both sides know the same now, even where each words it in its own way.
            Some(entry) if unchanged.is_some() => Some(Here::of(self.board.service(), &entry.signal)?),
            _ => Some(Here::of(self.board.service(), signal)?),
        };
        self.book.insert(provider.into(), known);
        Ok(())
    }

    /// Has anything changed here since the value that was seen last held all of it? News alone does not tell: what is
    /// taken in and written here is news as well.
    fn has_changed(&mut self, provider: &str) -> Result<bool, Error> {
        if !self.tier.news.has(provider) && !self.held_back.contains(provider) {
            return Ok(false);
        }
        let Some(entry) = self.board.entry(provider)? else { return Ok(false) };
        let now = Here::of(self.board.service(), &entry.signal)?;
        let before = self.book.get_mut(provider).and_then(|known| known.here.as_mut());
        Ok(before.is_none_or(|before| !before.is_still(&now)))
    }

    /// What was on disk then.
    fn stored_before(&self, provider: &str) -> Option<u64> {
        self.book.get(provider)?.here.as_ref()?.stored
    }

    /// Publishes some of what there is news of.
    pub(super) async fn publish(&mut self) -> Result<(), SharedError> {
        let names = self.tier.news.take(MOST_LOOKED_AT);
        let drafts = block_in_place(|| self.draft(names));
        let mut drafts = drafts.into_iter().peekable();
        while drafts.peek().is_some() {
            let (outgoing, here): (Vec<_>, Vec<_>) =
                drafts.by_ref().take(AT_ONCE).map(|draft| (draft.outgoing, draft.here)).unzip();
            // After a failure they are news for the next connection: it begins with all that is known here.
            let outcomes = self.connection.publish(&outgoing, self.tier.most).await?;
            block_in_place(|| {
                for ((outgoing, here), outcome) in outgoing.into_iter().zip(here).zip(outcomes) {
                    self.note(outgoing, here, outcome);
                }
            });
        }
        Ok(())
    }

    /// Publishes everything that there is news of.
    pub(super) async fn publish_all(&mut self) -> Result<(), SharedError> {
        while !self.tier.news.is_empty() {
            self.publish().await?;
        }
        Ok(())
    }

    /// What was held back is news again.
    pub(super) fn bring_back(&mut self) {
        self.held_back.drain().for_each(|name| self.tier.news.add(&name));
    }

    fn draft(&mut self, names: Vec<Box<str>>) -> Vec<Draft> {
        let mut drafts = Vec::new();
        for name in names {
            if !self.tier.shares(&name) {
                continue;
            }
            match self.draft_one(&name) {
                Ok(draft) => drafts.extend(draft),
                Err(error) => tracing::warn!(provider = %name, %error, "a signal cannot be shared"),
            }
        }
        drafts
    }

    /// What to publish of a provider, if the other hosts do not know it.
    fn draft_one(&mut self, name: &str) -> Result<Option<Draft>, Error> {
        if let Some(known) = self.book.get_mut(name) {
            if known.looked_at.is_some_and(|at| at.elapsed() < GLANCE) {
                self.held_back.insert(name.into());
                return Ok(None);
            }
            known.looked_at = Some(Instant::now());
        }
        let Some(entry) = self.board.entry(name)? else { return Ok(None) };
        if entry.signal.status == ModelStatus::Unknown {
            return Ok(None);
        }
        if self.book.get(name).is_some_and(|known| known.can_wait(&entry.signal)) {
            self.held_back.insert(name.into());
            return Ok(None);
        }
        let here = Here::of(self.board.service(), &entry.signal)?;
        let source = cache_source(name)?;
        let due = self.book.get_mut(name).map_or(Due::Now, |known| known.due(&here));
        if matches!(due, Due::Later | Due::AsWritten) {
            self.held_back.insert(name.into());
        }
        let value = match due {
            Due::Never | Due::Later => None,
            Due::AsWritten => self.board.service().cache().read(&source)?.map(|raw| raw.bytes),
            Due::Now => self.stored(&source, here.facts)?,
        };
        let Some(value) = value else { return Ok(None) };
        if value.len() > MOST_VALUE_BYTES {
            tracing::warn!(provider = name, bytes = value.len(), "its signal is too large to be shared");
            return Ok(None);
        }
        let service = self.board.service();
        let here = Here::of(service, &service.store().decode(name, &value)?)?;
        let seen = self.book.get(name).map(|known| known.seen.clone()).unwrap_or_default();
        Ok(Some(Draft { outgoing: Outgoing { provider: name.into(), seen, value }, here }))
    }

    /// What is on disk of a provider, which is written first unless the same facts are there: what others are told, they
    /// may take back, and that must find it on disk.
    fn stored(&self, source: &Source, facts: u64) -> Result<Option<Vec<u8>>, Error> {
        let service = self.board.service();
        if let Some(raw) = service.cache().read(source)?
            && let Ok(stored) = service.store().decode(source.name(), &raw.bytes)
            && facts_of(service, &stored)? == facts
        {
            return Ok(Some(raw.bytes));
        }
        service.persist(source)?;
        Ok(service.cache().read(source)?.map(|raw| raw.bytes))
    }

    /// Notes what became of a signal that was published.
    fn note(&mut self, outgoing: Outgoing, here: Here, outcome: Published) {
        let Outgoing { provider, value, .. } = outgoing;
        match outcome {
            Published::Done => {
                self.tier.counters.published.add(1);
                let now = Some(Instant::now());
                let known =
                    Known { seen: Digest::of(&value), here: Some(here), looked_at: now, published_at: now };
                self.book.insert(provider, known);
            }
            Published::Full => {
                if !std::mem::replace(&mut self.has_warned_of_no_room, true) {
                    tracing::warn!(%provider, "there is no room for it on the shared server; see `service.limits`");
                }
            }
            Published::Conflict(stored) => {
                self.tier.counters.merged.add(1);
                self.tier.news.add(&provider);
                if stored.is_empty() {
                    self.book.remove(&provider);
                } else {
                    self.take_in_one(&provider, &stored);
                }
            }
        }
    }
}
