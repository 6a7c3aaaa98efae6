//! A cache root, records that show every torn or lost byte, and children that are told what to do.

use std::future::Future;
use std::hash::{DefaultHasher, Hasher};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime};

use runtime_signals::cache::{
    CacheError, CacheOptions, CommitError, Committed, Decision, Durability, RefreshFailure, Refreshed,
    Refresher, SignalCache, Source, cache_source,
};
use runtime_signals::clock::Clock;
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::small_disk;

/// Longer than anything here takes: whoever waits this long waits for what never comes.
pub(super) const LONG: Duration = Duration::from_secs(30);

/// A version as it is stored: its number, a checksum, and padding whose size tells it from its neighbours.
pub(super) fn record(version: u64) -> Vec<u8> {
    let padding = "x".repeat(usize::try_from(version % 7 * 1_001).unwrap());
    let body = format!("{version} {padding}");
    format!("{:016x} {body}", checksum(&body)).into_bytes()
}

/// The version of a record that is whole.
pub(super) fn version_of(bytes: &[u8]) -> Option<u64> {
    let (sum, body) = std::str::from_utf8(bytes).ok()?.split_once(' ')?;
    if u64::from_str_radix(sum, 16).ok()? != checksum(body) {
        return None;
    }
    body.split_once(' ')?.0.parse().ok()
}

fn checksum(body: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(body.as_bytes());
    hasher.finish()
}

/// Stores `version` unless a newer one is stored, as every writer of signals does.
pub(super) fn newest(version: u64) -> impl FnMut(Option<&[u8]>) -> Result<Decision, String> + Send + 'static {
    move |stored| match stored.and_then(version_of) {
        Some(stored) if stored > version => Ok(Decision::Keep),
        _ => Ok(Decision::Write(record(version))),
    }
}

pub(super) fn write(
    cache: &SignalCache,
    source: &Source,
    version: u64,
) -> Result<Committed, CommitError<String>> {
    cache.commit(source, Durability::Visible, newest(version))
}

pub(super) fn stored(cache: &SignalCache, source: &Source) -> Option<u64> {
    version_of(&cache.read(source).unwrap()?.bytes)
}

pub(super) fn source() -> Source {
    cache_source("studio").unwrap()
}

pub(super) fn rfc3339(time: SystemTime) -> String {
    jiff::Timestamp::try_from(time).unwrap().to_string()
}

pub(super) fn mode_of(path: &Path) -> u32 {
    std::fs::symlink_metadata(path).unwrap().permissions().mode() & 0o777
}

/// The number of a process that has ended.
pub(super) fn dead_pid() -> u32 {
    let mut child = Command::new("true").spawn().unwrap();
    child.wait().unwrap();
    child.id()
}

/// Waits long enough that a busy machine never fails a test by its own slowness.
pub(super) fn patient() -> CacheOptions {
    CacheOptions { lock_timeout: LONG, refresh_deadline: LONG, ..CacheOptions::default() }
}

/// Waits for locks as long as the default says.
pub(super) fn patient_but_for_locks() -> CacheOptions {
    CacheOptions { lock_timeout: CacheOptions::default().lock_timeout, ..patient() }
}

/// A cache root of its own, removed at the end.
pub(super) struct Root {
    dir: TempDir,
}

impl Root {
    pub(super) fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }

    /// In memory where the system offers that, for what would otherwise wait for the disk most of the time.
    pub(super) fn in_memory() -> Self {
        Self { dir: tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap() }
    }

    pub(super) fn path(&self) -> &Path {
        self.dir.path()
    }

    pub(super) fn cache(&self) -> SignalCache {
        self.cache_with(patient())
    }

    pub(super) fn cache_with(&self, options: CacheOptions) -> SignalCache {
        SignalCache::with_options(self.path(), options)
    }

    /// A file of the runtime tier.
    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.path().join("runtime").join(name)
    }

    /// Puts a file into the runtime tier as any program could.
    pub(super) fn plant(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        std::fs::create_dir_all(self.path().join("runtime")).unwrap();
        std::fs::write(self.file(name), content).unwrap();
        self.file(name)
    }

    /// The names in the runtime tier, sorted.
    pub(super) fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.path().join("runtime")).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// A child on this root, patient unless told otherwise.
    pub(super) fn child(&self) -> ChildSetup {
        let mut setup = ChildSetup { prelude: None, disk: None, settings: Vec::new() };
        setup = setup.set(super::child::ROLE, "child").set("FIZEAU_CACHE_DIR", self.path().to_str().unwrap());
        setup.set("FIZ_LOCK_TIMEOUT", "30s").set("FIZ_REFRESH_DEADLINE_RUNTIME", "30s")
    }
}

/// A child that has not started yet.
pub(super) struct ChildSetup {
    prelude: Option<&'static str>,
    disk: Option<PathBuf>,
    settings: Vec<(String, String)>,
}

impl ChildSetup {
    pub(super) fn set(mut self, variable: &str, value: &str) -> Self {
        self.settings.push((variable.to_owned(), value.to_owned()));
        self
    }

    /// Has a shell run `prelude` first, in the child's own process.
    pub(super) fn after(mut self, prelude: &'static str) -> Self {
        self.prelude = Some(prelude);
        self
    }

    /// With a small disk of its own in the place of the cache root.
    pub(super) fn on_small_disk(mut self, root: &Root) -> Self {
        self.disk = Some(root.path().to_owned());
        self
    }

    pub(super) fn start(self) -> Child {
        let program = std::env::current_exe().unwrap();
        let mut command = match (self.prelude, &self.disk) {
            (_, Some(folder)) => {
                let mut starter = small_disk::starter(folder);
                starter.arg(program);
                starter
            }
            (None, None) => Command::new(program),
            (Some(prelude), None) => {
                let mut shell = Command::new("sh");
                shell.arg("-c").arg(format!("{prelude}; exec \"$0\" \"$@\"")).arg(program);
                shell
            }
        };
        command.args(["--exact", "cache::child::act_as_a_child", "--ignored", "--nocapture"]);
        command.envs(self.settings).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.spawn().unwrap();
        let input = process.stdin.take();
        let output = BufReader::new(process.stdout.take().unwrap());
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                // The test harness writes to the same stream, in part on the same line.
                if let Some((_, said)) = line.split_once(super::child::MARK)
                    && sender.send(said.to_owned()).is_err()
                {
                    return;
                }
            }
        });
        let child = Child { process, input, lines };
        assert_eq!(child.hear(), "ready");
        child
    }
}

/// What comes of listening to a child.
pub(super) enum Heard {
    Nothing,
    Line(String),
    End(ExitStatus),
}

/// A running child. It ends with its handle.
pub(super) struct Child {
    process: std::process::Child,
    input: Option<ChildStdin>,
    lines: Receiver<String>,
}

impl Child {
    pub(super) fn id(&self) -> u32 {
        self.process.id()
    }

    pub(super) fn say(&mut self, line: &str) {
        writeln!(self.input.as_mut().unwrap(), "{line}").unwrap();
    }

    /// What the child says next.
    pub(super) fn hear(&self) -> String {
        self.lines.recv_timeout(LONG).unwrap_or_else(|error| panic!("the child says nothing: {error}"))
    }

    /// What the child has said, if it has in a short while.
    pub(super) fn try_hear(&self) -> Option<String> {
        match self.lines.recv_timeout(Duration::from_millis(2)) {
            Err(RecvTimeoutError::Disconnected) => panic!("the child ended"),
            said => said.ok(),
        }
    }

    /// What the child says next, if it does in a short while, or how it ended.
    pub(super) fn hear_or_end(&mut self) -> Heard {
        match self.lines.recv_timeout(Duration::from_millis(2)) {
            Ok(line) => Heard::Line(line),
            Err(RecvTimeoutError::Timeout) => Heard::Nothing,
            Err(RecvTimeoutError::Disconnected) => Heard::End(self.process.wait().unwrap()),
        }
    }

    pub(super) fn ask(&mut self, line: &str) -> String {
        self.say(line);
        self.hear()
    }

    /// Kills the child where it stands, and waits until it is gone.
    pub(super) fn kill(mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    pub(super) fn stop(&self) {
        self.signal(Signal::STOP);
    }

    pub(super) fn resume(&self) {
        self.signal(Signal::CONT);
    }

    fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.id()).unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // A child that has ended already is no failure of the test.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A clock some seconds off, that tells when it was looked at: every look at a lock or marker does.
pub(super) struct WatchedClock {
    ahead: i64,
    looks: Mutex<u64>,
    looked: Condvar,
}

impl WatchedClock {
    pub(super) fn new(ahead: i64) -> Arc<Self> {
        Arc::new(Self { ahead, looks: Mutex::default(), looked: Condvar::new() })
    }

    /// Waits until `times` more looks.
    pub(super) fn await_looks(&self, times: u64) {
        let looks = self.looks.lock().unwrap();
        let wanted = *looks + times;
        let waited = self.looked.wait_timeout_while(looks, LONG, |looks| *looks < wanted).unwrap();
        assert!(!waited.1.timed_out(), "no one looks");
    }
}

impl Clock for WatchedClock {
    fn now(&self) -> SystemTime {
        *self.looks.lock().unwrap() += 1;
        self.looked.notify_all();
        let shift = Duration::from_secs(self.ahead.unsigned_abs());
        if self.ahead < 0 { SystemTime::now() - shift } else { SystemTime::now() + shift }
    }
}

pub(super) type Outcome = Result<Refreshed<u64>, RefreshFailure<String>>;

pub(super) fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap()
}

/// Refreshes on a thread of its own.
pub(super) fn refresh_behind(
    cache: &SignalCache,
    work: impl Future<Output = Result<u64, String>> + Send + 'static,
) -> JoinHandle<Outcome> {
    refresh_of_behind(cache, &source(), work)
}

pub(super) fn refresh_of_behind(
    cache: &SignalCache,
    source: &Source,
    work: impl Future<Output = Result<u64, String>> + Send + 'static,
) -> JoinHandle<Outcome> {
    let (refresher, source) = (Refresher::new(cache.clone()), source.clone());
    std::thread::spawn(move || runtime().block_on(refresher.refresh(&source, work)))
}

/// The work of most refreshes here: to store a version.
pub(super) async fn commit_version(cache: SignalCache, version: u64) -> Result<u64, String> {
    commit_version_of(cache, source(), version).await
}

pub(super) async fn commit_version_of(
    cache: SignalCache,
    source: Source,
    version: u64,
) -> Result<u64, String> {
    let done = tokio::task::spawn_blocking(move || write(&cache, &source, version)).await;
    done.unwrap().map(|_| version).map_err(|error| error.to_string())
}

pub(super) fn version_stored(raw: Option<&runtime_signals::cache::Raw>) -> Option<u64> {
    version_of(&raw?.bytes)
}

/// The cache's error, where the commit failed by one.
pub(super) fn cache_error(result: Result<Committed, CommitError<String>>) -> CacheError {
    match result {
        Err(CommitError::Cache(error)) => error,
        other => panic!("expected an error of the cache, got {other:?}"),
    }
}
