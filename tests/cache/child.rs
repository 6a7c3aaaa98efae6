//! The other process: it does what it is told on stdin, line by line, and says on stdout where it stands.

use std::fs::File;
use std::io::{ErrorKind, Write};
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, SystemTime};

use runtime_signals::cache::{
    CacheError, CacheOptions, CommitError, Committed, Decision, Durability, RefreshError, Refreshed,
    Refresher, SignalCache, Source, cache_source, default_root,
};

use super::foreign_program::ForeignProgram;
use super::support::{WatchedClock, commit_version, newest, record, runtime, version_of, version_stored};
use super::worker::Worker;

/// Set where this binary is to be a child.
pub(super) const ROLE: &str = "RUNTIME_SIGNALS_TEST_ROLE";
/// How many seconds the child's clock is ahead.
pub(super) const CLOCK_AHEAD: &str = "RUNTIME_SIGNALS_TEST_CLOCK_AHEAD";
/// The child's cool-down after a failed refresh, in milliseconds.
pub(super) const COOL_DOWN: &str = "RUNTIME_SIGNALS_TEST_COOL_DOWN";
/// Begins what the child says.
pub(super) const MARK: &str = "child says: ";

/// Not a test: the other process of the tests. Does nothing where it is run as one.
#[test]
#[ignore = "started by the other tests, as a process of its own"]
fn act_as_a_child() {
    if std::env::var_os(ROLE).is_none() {
        return;
    }
    let number = |variable| std::env::var(variable).ok().map(|value| value.parse::<i64>().unwrap());
    let mut options = CacheOptions::default().override_from_env().unwrap();
    if let Some(ahead) = number(CLOCK_AHEAD) {
        options.clock = WatchedClock::new(ahead);
    }
    if let Some(millis) = number(COOL_DOWN) {
        options.failure_cooldown = Duration::from_millis(millis.unsigned_abs());
    }
    let cache = SignalCache::with_options(default_root().unwrap(), options);
    let mut foreign = ForeignProgram::new(cache.root());
    let mut worker = Worker::new(cache.clone());
    let mut thread = None;
    say("ready");
    while let Some(line) = next_line() {
        let words: Vec<&str> = line.split(' ').collect();
        match words[0] {
            "foreign" => say(&foreign.obey(&words[1..])),
            "work" => {
                let said = worker.work(&words[1..]);
                // Whoever rests may still clear away what a refresh left, and lives.
                #[cfg(feature = "fault-points")]
                runtime_signals::cache::die_at("", 0);
                say(&said);
            }
            // By a thread that does nothing but use the cache.
            "thread" => say(&thread.insert(Thread::start(&cache)).id()),
            "in-thread" => thread.as_ref().unwrap().obey(words[1..].join(" ")),
            #[cfg(feature = "fault-points")]
            "die-at" => runtime_signals::cache::die_at(&words[2..].join(" "), words[1].parse().unwrap()),
            _ => say(&obey(&cache, &words)),
        }
    }
}

struct Thread(Sender<String>, Receiver<String>);

impl Thread {
    fn start(cache: &SignalCache) -> Self {
        let (sender, told) = channel::<String>();
        let (answer, answers) = channel();
        let cache = cache.clone();
        std::thread::spawn(move || {
            let own = std::fs::read_link("/proc/thread-self").unwrap();
            answer.send(own.file_name().unwrap().to_str().unwrap().to_owned()).unwrap();
            for line in told {
                answer.send(obey(&cache, &line.split(' ').collect::<Vec<_>>())).unwrap();
            }
        });
        Self(sender, answers)
    }

    fn id(&self) -> String {
        self.1.recv().unwrap()
    }

    fn obey(&self, line: String) {
        self.0.send(line).unwrap();
        say(&self.1.recv().unwrap());
    }
}

/// In one piece: whoever is killed has said a line or has not.
pub(super) fn say(line: &str) {
    std::io::stdout().lock().write_all(format!("\n{MARK}{line}\n").as_bytes()).unwrap();
}

/// `None` when the other side is gone.
fn next_line() -> Option<String> {
    let mut line = String::new();
    match std::io::stdin().read_line(&mut line).unwrap() {
        0 => None,
        _ => Some(line.trim_end().to_owned()),
    }
}

fn obey(cache: &SignalCache, words: &[&str]) -> String {
    let named = |index: usize| cache_source(words[index]).unwrap();
    let number = |index: usize| words[index].parse::<u64>().unwrap();
    match words[0] {
        "write" => told(cache.commit(&named(1), durability(words[3]), newest(number(2)))),
        "write-now" => {
            let now = cache.options().clock.now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
            told(cache.commit(&named(1), Durability::Visible, newest(u64::try_from(now.as_nanos()).unwrap())))
        }
        "versions" => {
            for version in 1..=number(2) {
                cache.commit(&named(1), Durability::Visible, newest(version)).unwrap();
            }
            "done".to_owned()
        }
        "read" => match cache.read(&named(1)) {
            Ok(raw) => format!("{:?}", version_stored(raw.as_ref())),
            Err(error) => format!("error: {error}"),
        },
        "prune" => match cache.prune(&words[1..]) {
            Ok(report) => format!("pruned {} failed {}", report.removed.len(), report.failed.len()),
            Err(error) => format!("error: {error}"),
        },
        "add" => add(cache, &named(1), number(2)),
        "hold" => told(hold(cache, &named(1), number(2))),
        "read-until" => read_until(cache, &named(1), number(2)),
        "race" => race(cache, number(1)),
        "refresh" => refresh(cache, &named(1)),
        "drop-rights" => {
            if rustix::process::geteuid().is_root() {
                nix::unistd::setuid(nix::unistd::Uid::from_raw(65_534)).unwrap();
            }
            "dropped".to_owned()
        }
        other => format!("unknown command {other}"),
    }
}

fn durability(word: &str) -> Durability {
    if word == "durable" { Durability::Durable } else { Durability::Visible }
}

fn told(result: Result<Committed, CommitError<String>>) -> String {
    match result {
        Ok(Committed::Written) => "written".to_owned(),
        Ok(Committed::Kept) => "kept".to_owned(),
        Err(error) => format!("error: {error}"),
    }
}

/// Two threads each add one to a stored number, so many times. Says how often that succeeded.
fn add(cache: &SignalCache, source: &Source, times: u64) -> String {
    let add_in = |durability| {
        let one_more = |stored: Option<&[u8]>| -> Result<Decision, String> {
            Ok(Decision::Write(record(stored.and_then(version_of).unwrap_or(0) + 1)))
        };
        (0..times).filter(|_| cache.commit(source, durability, one_more).is_ok()).count()
    };
    let done = std::thread::scope(|scope| {
        let visible = scope.spawn(|| add_in(Durability::Visible));
        let durable = scope.spawn(|| add_in(Durability::Durable));
        visible.join().unwrap() + durable.join().unwrap()
    });
    format!("added {done}")
}

/// Commits with a stop under the lock. A commit prepares there only after the entry has changed beneath it a few
/// times, so it is touched until the lock is ours.
fn hold(cache: &SignalCache, source: &Source, version: u64) -> Result<Committed, CommitError<String>> {
    let paths = HeldPaths::new(cache, source);
    cache.commit(source, Durability::Visible, move |_| {
        if paths.are_ours() {
            say("held");
            next_line();
        } else {
            paths.touch();
        }
        Ok(Decision::Write(record(version)))
    })
}

struct HeldPaths {
    data: std::path::PathBuf,
    lock: std::path::PathBuf,
}

impl HeldPaths {
    fn new(cache: &SignalCache, source: &Source) -> Self {
        let data = cache.path(source);
        let lock = data.with_file_name(format!("{source}.lock"));
        Self { data, lock }
    }

    /// Whether this process holds the lock now.
    fn are_ours(&self) -> bool {
        let Ok(bytes) = std::fs::read(&self.lock) else { return false };
        let lock: serde_json::Value = serde_json::from_slice(&bytes).unwrap_or_default();
        lock["pid"] == std::process::id()
    }

    fn touch(&self) {
        let file = File::options().append(true).open(&self.data).unwrap();
        let later = file.metadata().unwrap().modified().unwrap() + Duration::from_nanos(1_000);
        file.set_modified(later).unwrap();
    }
}

/// Ten threads read until they have seen the version; none may see a torn one or one older than the last.
fn read_until(cache: &SignalCache, source: &Source, last: u64) -> String {
    say("reading");
    let read_on = || -> Result<u64, String> {
        let (mut seen, mut changes) = (0, 0);
        while seen < last {
            let raw = cache.read(source).map_err(|error| error.to_string())?;
            let bytes = raw.ok_or("the entry is gone")?.bytes;
            let version = version_of(&bytes).ok_or_else(|| format!("torn after version {seen}"))?;
            if version < seen {
                return Err(format!("version {version} after {seen}"));
            }
            changes += u64::from(version > seen);
            seen = version;
            // A hundred that never rest would leave the writer no processor.
            std::thread::sleep(Duration::from_millis(3));
        }
        Ok(changes)
    };
    std::thread::scope(|scope| {
        let readers: Vec<_> = (0..10).map(|_| scope.spawn(read_on)).collect();
        let mut changes = 0;
        for reader in readers {
            match reader.join().unwrap() {
                Ok(seen) => changes += seen,
                Err(error) => return error,
            }
        }
        format!("whole {changes}")
    })
}

/// Takes the lock of every contested source in turn, and tells if it is not alone there.
fn race(cache: &SignalCache, rounds: u64) -> String {
    let mut held = 0;
    for round in 0..rounds {
        let source = cache_source(&format!("contested-{round}")).unwrap();
        let witness = cache.root().join(format!("witness-{round}"));
        loop {
            let (paths, witness) = (HeldPaths::new(cache, &source), witness.clone());
            let committed = cache.commit(&source, Durability::Visible, move |stored| {
                if paths.are_ours() {
                    alone(&witness)?;
                } else {
                    paths.touch();
                }
                let count = stored.and_then(version_of).ok_or("no count is stored")?;
                Ok::<_, String>(Decision::Write(record(count + 1)))
            });
            match committed {
                Ok(_) => break,
                // The others touched it too often: no one's fault.
                Err(CommitError::Cache(CacheError::Contended { .. })) => {}
                Err(error) => return format!("round {round}: {error}"),
            }
        }
        held += 1;
    }
    format!("held {held}")
}

fn alone(witness: &Path) -> Result<(), String> {
    match File::create_new(witness) {
        Ok(_) => std::fs::remove_file(witness).map_err(|error| error.to_string()),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Err("two hold the lock".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

/// Refreshes; the work stops until it is told `finish <version>` or `fail <message>`.
fn refresh(cache: &SignalCache, source: &Source) -> String {
    let refresher = Refresher::<u64, String>::new(cache.clone());
    let work_cache = cache.clone();
    let work = async move {
        say("working");
        let line = tokio::task::spawn_blocking(next_line).await.unwrap().unwrap_or_default();
        match line.split_once(' ') {
            Some(("finish", version)) => commit_version(work_cache, version.parse().unwrap()).await,
            Some(("fail", message)) => Err(message.to_owned()),
            _ => Err(format!("told {line:?}")),
        }
    };
    match runtime().block_on(refresher.refresh(source, work)) {
        Ok(Refreshed::Here(version)) => format!("here {version}"),
        Ok(Refreshed::Elsewhere { stored, finished }) => {
            format!("elsewhere {:?} {finished}", version_stored(stored.as_ref()))
        }
        Err(failure) => match failure.error {
            RefreshError::CoolingDown { message, .. } => format!("cooling down: {message}"),
            error => format!("failed: {error}"),
        },
    }
}
