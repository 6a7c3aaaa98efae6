//! A program that a test starts and ends.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long something may take to happen.
const PATIENCE: Duration = Duration::from_secs(60);
/// Pause between two looks.
const PAUSE: Duration = Duration::from_millis(10);

/// A running program; it is killed when this is dropped.
pub struct Program {
    child: Child,
    log: PathBuf,
}

impl Program {
    /// Starts it. What it says goes to a file.
    #[must_use]
    pub fn start(command: &mut Command, log: PathBuf) -> Self {
        let file = File::create(&log).unwrap();
        command.stdin(Stdio::null()).stdout(file.try_clone().unwrap()).stderr(file);
        let child = command.spawn().unwrap_or_else(|error| panic!("{command:?} cannot be started: {error}"));
        Self { child, log }
    }

    /// What it has said so far.
    #[must_use]
    pub fn said(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.log).unwrap_or_default()).into_owned()
    }

    /// Processor time that it has taken so far, to a hundredth of a second.
    #[must_use]
    pub fn cpu_time(&self) -> Duration {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap();
        // After the name: state, ten numbers, user time, system time.
        let (_, fields) = stat.rsplit_once(')').unwrap();
        let ticks = fields.split_whitespace().skip(11).take(2).map(|ticks| ticks.parse::<u64>().unwrap());
        Duration::from_millis(ticks.sum::<u64>() * 10)
    }

    /// Waits until it has ended by itself, and tells whether it was content.
    pub fn ended(&mut self) -> bool {
        let child = &mut self.child;
        eventually("it ends", || child.try_wait().unwrap()).success()
    }

    /// Waits for something of a running program.
    pub fn until<T>(&mut self, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
        eventually(what, || {
            if let Some(status) = self.child.try_wait().unwrap() {
                panic!("it ended ({status}) before {what}: {}", self.said());
            }
            look()
        })
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
        if std::thread::panicking() {
            eprintln!("{}", self.said());
        }
    }
}

/// Waits until a look finds something.
pub fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(start.elapsed() < PATIENCE, "not within {PATIENCE:?}: {what}");
        std::thread::sleep(PAUSE);
    }
}

/// A path that the tool has put into the environment.
///
/// # Panics
/// Where it is not there: these tests do not run by themselves.
#[must_use]
pub fn provided(variable: &str) -> PathBuf {
    let path = std::env::var_os(variable);
    path.map(PathBuf::from).unwrap_or_else(|| panic!("no {variable}: run `cargo xtask test --gateways`"))
}

/// A component or module of this workspace.
#[must_use]
pub fn component(name: &str) -> PathBuf {
    let path = provided("RUNTIME_SIGNALS_COMPONENTS").join(name);
    assert!(path.is_file(), "{} is missing: run `cargo xtask components`", path.display());
    path
}

/// A file of the checkout.
#[must_use]
pub fn checkout(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)
}
