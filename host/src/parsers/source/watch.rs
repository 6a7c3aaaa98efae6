//! A directory that is watched: what is added, replaced or removed takes effect.
//!
//! One thread looks at the directory when the system tells of a change, and every few seconds in case that it does
//! not: events get lost, some file systems have none, and a directory can be replaced.

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use notify::event::{AccessKind, AccessMode, EventKind};
use notify::{Event, RecommendedWatcher, RecursiveMode, Watcher};

use super::directory::Directory;
use super::file::{FileError, FileProblem};
use super::tracker::{Due, Tracker};
use crate::parsers::Candidate;

/// Least time between two looks, however much happens.
const PAUSE: Duration = Duration::from_millis(2);
/// How often to look where the system tells of nothing.
const WITHOUT_EVENTS: Duration = Duration::from_millis(500);

/// What becomes of the components of a directory. Called on the thread of the watch, one call after the other.
pub trait Intake: Send + 'static {
    /// The files of the directory whose components were taken before, by another watch: those that are gone are
    /// [withdrawn](Self::withdraw).
    fn known(&self) -> Vec<PathBuf> {
        Vec::new()
    }
    /// Is it signed by a key that is trusted? Then it is whole and is taken at once. Asked often; must be cheap.
    fn is_signed(&self, candidate: &Candidate) -> bool;
    /// Takes the component in this file: a new one, or in place of the one that was there.
    fn take(&mut self, file: &Path, candidate: Candidate);
    /// The file is gone.
    fn withdraw(&mut self, file: &Path);
    /// The file, or the directory, is not taken.
    fn refuse(&mut self, error: FileError);
}

/// How a directory is watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WatchOptions {
    /// How long a file has to rest before it is taken without a good signature, and how long one has to be gone
    /// before it is missed. 250 ms by default.
    pub rest: Duration,
    /// How often the directory is looked at although nothing was told. 2 s by default.
    pub rescan: Duration,
}

impl Default for WatchOptions {
    fn default() -> Self {
        Self { rest: Duration::from_millis(250), rescan: Duration::from_secs(2) }
    }
}

/// A directory that is being watched. The watch ends when it is dropped.
#[derive(Debug)]
pub struct Watch {
    bell: Arc<Bell>,
    thread: Option<JoinHandle<()>>,
}

impl Watch {
    /// Begins to watch a directory. It need not exist yet.
    ///
    /// # Errors
    ///
    /// When the system has no thread left.
    pub fn start(directory: Directory, options: WatchOptions, intake: impl Intake) -> io::Result<Self> {
        let bell = Arc::new(Bell::default());
        let mut tracker = Tracker::new(options.rest);
        for file in intake.known() {
            file.file_name().into_iter().for_each(|name| tracker.expect(name, Instant::now()));
        }
        let mut watcher =
            Looker { directory, options, intake, tracker, bell: bell.clone(), events: None, problem: None };
        let thread = std::thread::Builder::new().name("parser-watch".into()).spawn(move || watcher.run())?;
        Ok(Self { bell, thread: Some(thread) })
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.bell.ring(|state| state.end = true);
        // A panic of the intake has been told by its own message.
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

/// What wakes the thread.
#[derive(Debug, Default)]
struct Bell {
    state: Mutex<Rung>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Rung {
    look: bool,
    end: bool,
}

impl Bell {
    fn ring(&self, how: impl FnOnce(&mut Rung)) {
        how(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner));
        self.changed.notify_all();
    }

    /// Waits until there is something to look at, at the latest until `latest`. Whether to go on.
    fn wait(&self, earliest: Instant, latest: Instant) -> bool {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let now = Instant::now();
            let until = if state.look { earliest } else { latest.max(earliest) };
            if state.end || until <= now {
                state.look = false;
                return !state.end;
            }
            let waited = self.changed.wait_timeout(state, until - now);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

/// What the thread works on.
struct Looker<I> {
    directory: Directory,
    options: WatchOptions,
    intake: I,
    tracker: Tracker,
    bell: Arc<Bell>,
    /// The directory that the system tells of.
    events: Option<((u64, u64), RecommendedWatcher)>,
    /// The last that was told of the directory.
    problem: Option<String>,
}

impl<I: Intake> Looker<I> {
    fn run(&mut self) {
        loop {
            // Before the look, so that nothing gets lost between the two.
            self.follow_directory();
            let looked_at = Instant::now();
            self.look(looked_at);
            let rescan = if self.events.is_some() { self.options.rescan } else { WITHOUT_EVENTS };
            let mut latest = looked_at + rescan.min(self.options.rescan);
            if let Some(due) = self.tracker.next() {
                latest = latest.min(due);
            }
            if !self.bell.wait(Instant::now() + PAUSE, latest) {
                return;
            }
        }
    }

    fn look(&mut self, now: Instant) {
        let (listing, problem) = match self.directory.list() {
            Ok(listing) => listing,
            // A directory that cannot be read says nothing of what was in it.
            Err(error) => return self.tell(Some(error)),
        };
        self.tell(problem);
        for due in self.tracker.look(&listing, now) {
            match due {
                Due::Try(name) => self.attempt(&name),
                Due::Take(name) => self.take(&name),
                Due::Withdraw(name) => self.intake.withdraw(&self.directory.path().join(name)),
            }
        }
    }

    /// Takes a file that is signed. What is wrong with another is told when it has rested.
    fn attempt(&mut self, name: &OsStr) {
        if let Ok(candidate) = self.directory.read(name)
            && self.intake.is_signed(&candidate)
        {
            self.tracker.done(name);
            self.intake.take(&self.directory.path().join(name), candidate);
        }
    }

    fn take(&mut self, name: &OsStr) {
        match self.directory.read(name) {
            Ok(candidate) => self.intake.take(&self.directory.path().join(name), candidate),
            Err(FileError { problem: FileProblem::Changing, .. }) => {
                self.tracker.disturbed(name, Instant::now());
            }
            Err(error) => self.intake.refuse(error),
        }
    }

    /// Tells of the directory, once.
    fn tell(&mut self, problem: Option<FileError>) {
        let text = problem.as_ref().map(ToString::to_string);
        if let Some(problem) = problem.filter(|_| text != self.problem) {
            self.intake.refuse(problem);
        }
        self.problem = text;
    }

    /// Lets the system tell of the directory that stands there now.
    fn follow_directory(&mut self) {
        let identity = self.directory.identity();
        if identity == self.events.as_ref().map(|(followed, _)| *followed) {
            return;
        }
        self.events = None;
        let Some(identity) = identity else { return };
        let bell = self.bell.clone();
        let path = self.directory.path().to_owned();
        let watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
            if event.is_ok_and(|event| !may_matter(&event, &path)) {
                return;
            }
            bell.ring(|state| state.look = true);
        });
        let followed = watcher.and_then(|mut watcher| {
            watcher.watch(self.directory.path(), RecursiveMode::NonRecursive)?;
            Ok(watcher)
        });
        match followed {
            Ok(watcher) => self.events = Some((identity, watcher)),
            Err(error) => tracing::debug!(%error, "the parsers' directory is looked at twice a second"),
        }
    }
}

/// Can it be about a component, a signature, or the directory?
fn may_matter(event: &Event, directory: &Path) -> bool {
    let is_only_read = match event.kind {
        EventKind::Access(AccessKind::Close(AccessMode::Write)) => false,
        EventKind::Access(_) => true,
        _ => false,
    };
    let is_of_interest = |path: &Path| {
        path == directory || path.extension().is_some_and(|ext| ext == "wasm" || ext == "minisig")
    };
    event.need_rescan() || !is_only_read && event.paths.iter().any(|path| is_of_interest(path))
}
