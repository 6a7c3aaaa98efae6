//! What keeps the parsers of a long-lived process up to date: its directory, its references, and what other processes
//! put into service.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::directory::Directory;
use super::file::FileError;
use super::pinned::{Fetched, Pinned};
use super::reference::Reference;
use super::watch::{Intake, Watch, WatchOptions};
use crate::parsers::{Candidate, Digest, Install, ParserError, ParserState, Parsers};

/// From one look at what other processes have changed to the next.
const LOOK: Duration = Duration::from_secs(1);
/// From one try of a reference that could not be had to the next.
const TRY_AGAIN: Duration = Duration::from_secs(60);

/// Keeps parsers up to date until it is dropped.
#[derive(Debug)]
pub struct Feed {
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
    _watch: Option<Watch>,
}

impl Feed {
    /// Begins to watch the directory of the options, to fetch what their `sources` name, and to take in what other
    /// processes change. What is refused is logged.
    ///
    /// # Errors
    ///
    /// The system has no thread left, or cannot wait for the network.
    pub fn start(parsers: &Arc<Parsers>) -> io::Result<Self> {
        let options = parsers.options();
        let watch = options.directory.as_ref().map(|path| {
            let directory = Directory::new(path, options.most_component_bytes() as u64);
            Watch::start(directory, WatchOptions::default(), ParserFiles::new(parsers, path))
        });
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (stop, stopped) = oneshot::channel();
        let (weak, sources) = (Arc::downgrade(parsers), options.sources.clone());
        let pinned = options.pinned();
        let thread = std::thread::Builder::new().name("parser-feed".into()).spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    _ = stopped => {}
                    () = feed(&weak, pinned, sources) => {}
                }
            });
            // A credential helper that hangs is not waited for.
            runtime.shutdown_background();
        })?;
        Ok(Self { stop: Some(stop), thread: Some(thread), _watch: watch.transpose()? })
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        drop(self.stop.take());
        // A panic has been told by its own message.
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

async fn feed(parsers: &Weak<Parsers>, pinned: Result<Pinned, ParserError>, mut missing: Vec<Reference>) {
    let mut try_at = Instant::now();
    let mut ticks = interval(LOOK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let Some(parsers) = parsers.upgrade() else { return };
        if let Err(error) = parsers.refresh() {
            tracing::warn!(%error, "what other processes have changed is not known");
        }
        if !missing.is_empty() && try_at <= Instant::now() {
            let pinned = match &pinned {
                Ok(pinned) => pinned,
                Err(error) => {
                    tracing::error!(%error, "no parser is fetched");
                    missing.clear();
                    continue;
                }
            };
            let mut still = Vec::new();
            for reference in missing {
                if !fetch(&parsers, pinned, &reference).await {
                    still.push(reference);
                }
            }
            missing = still;
            try_at = Instant::now() + TRY_AGAIN;
        }
    }
}

/// Puts a component of a registry into service. Whether it need not be tried again.
async fn fetch(parsers: &Parsers, pinned: &Pinned, reference: &Reference) -> bool {
    let Fetched { candidate, digest, moved } = match pinned.fetch(reference, false).await {
        Ok(fetched) => fetched,
        Err(error) => {
            tracing::warn!(%error, "a parser cannot be had; it is tried again in a minute");
            return false;
        }
    };
    if let Some(now) = moved {
        tracing::warn!(%reference, locked = %digest, %now, "a tag was moved; `parser add --update` takes what it names now");
    }
    // Parsers log what they refuse.
    if let Ok(installed) = parsers.install(&candidate, Install::default())
        && let Err(error) = pinned.note(&installed.name, reference, digest)
    {
        tracing::warn!(%error, "a parser is not noted in the lock file");
    }
    true
}

/// The files of the directory, and what of them is in service.
struct ParserFiles {
    parsers: Weak<Parsers>,
    serving: HashMap<PathBuf, Digest>,
}

impl ParserFiles {
    /// With what is in service from files of this directory.
    fn new(parsers: &Arc<Parsers>, directory: &Path) -> Self {
        let current = parsers.list().into_iter().filter(|status| status.state == ParserState::Current);
        let from_here = current.filter_map(|status| {
            let file = PathBuf::from(status.origin?);
            (file.parent() == Some(directory)).then_some((file, status.digest))
        });
        Self { parsers: Arc::downgrade(parsers), serving: from_here.collect() }
    }
}

impl Intake for ParserFiles {
    fn known(&self) -> Vec<PathBuf> {
        self.serving.keys().cloned().collect()
    }

    fn is_signed(&self, candidate: &Candidate) -> bool {
        self.parsers.upgrade().is_some_and(|parsers| parsers.is_signed(candidate))
    }

    fn take(&mut self, file: &Path, candidate: Candidate) {
        let Some(parsers) = self.parsers.upgrade() else { return };
        // What was there serves on where the new one is refused; parsers log it.
        if let Ok(installed) = parsers.install(&candidate, Install::default()) {
            self.serving.insert(file.to_owned(), installed.digest);
        }
    }

    fn withdraw(&mut self, file: &Path) {
        let (Some(parsers), Some(digest)) = (self.parsers.upgrade(), self.serving.remove(file)) else {
            return;
        };
        let origin = file.display().to_string();
        let is_from_here = |origin_of: Option<String>| origin_of.is_some_and(|other| other == origin);
        if !parsers.list().into_iter().any(|one| one.digest == digest && is_from_here(one.origin)) {
            return;
        }
        if let Err(error) = parsers.remove(digest) {
            tracing::error!(%error, "a parser whose file is gone cannot be taken out of service");
        }
    }

    fn refuse(&mut self, error: FileError) {
        tracing::warn!(%error, "a parser is not taken in");
    }
}
