//! Errors of the disk at chosen system calls of a program that runs: `strace` answers them in the kernel's place.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::NamedTempFile;

use crate::support::unpacked;

/// Input/output errors, until it is ended.
pub(crate) struct IoErrors {
    tracer: Child,
    log: NamedTempFile,
}

impl IoErrors {
    /// From now on the calls of these names fail that `thread` makes; with `nth` only the nth of them, from 1.
    pub(crate) fn in_thread(thread: u32, calls: &str, nth: Option<u32>) -> Self {
        let when = nth.map(|nth| format!(":when={nth}")).unwrap_or_default();
        Self::start(thread, &[], calls, &when)
    }

    /// From now on the calls of these names fail that any thread of a process makes on `path`, or by a name in that
    /// directory where they are given its descriptor.
    pub(crate) fn in_process(process: u32, calls: &str, path: &Path) -> Self {
        Self::start(process, &["--follow-forks", "--trace-path", path.to_str().unwrap()], calls, "")
    }

    fn start(id: u32, options: &[&str], calls: &str, when: &str) -> Self {
        let log = NamedTempFile::new().unwrap();
        let mut strace = Command::new(unpacked("strace", "strace/strace"));
        strace.args(options).arg("--attach").arg(id.to_string()).arg("--output").arg(log.path());
        strace.args(["--trace", calls, "--inject"]).arg(format!("{calls}:error=EIO{when}"));
        let mut tracer = strace.stderr(Stdio::piped()).spawn().unwrap();
        let mut told = String::new();
        // It says so once it has stopped them, before they go on.
        BufReader::new(tracer.stderr.as_mut().unwrap()).read_line(&mut told).unwrap();
        assert!(told.contains("attached"), "{told}");
        Self { tracer, log }
    }

    /// Ends them. How many there were.
    pub(crate) fn end(mut self) -> usize {
        self.stop();
        let log = std::fs::read_to_string(self.log.path()).unwrap();
        log.lines().filter(|line| line.contains("(INJECTED)")).count()
    }

    fn stop(&mut self) {
        if self.tracer.try_wait().unwrap().is_some() {
            return;
        }
        // It lets go of the program before it ends.
        let _ = kill(Pid::from_raw(self.tracer.id().try_into().unwrap()), Signal::SIGINT);
        self.tracer.wait().unwrap();
    }
}

impl Drop for IoErrors {
    fn drop(&mut self) {
        self.stop();
    }
}
