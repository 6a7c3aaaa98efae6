//! A program that shares the directory and not our code: it makes its lock by exclusive creation and fills it after,
//! takes over only locks whose process is dead, replaces files outside its lock, and knows no guard.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use runtime_signals::cache::LOCK_TIMEOUT;

use super::support::{record, rfc3339, version_of};
use super::worker::next_version;

pub(super) struct ForeignProgram {
    directory: PathBuf,
    lock: Option<File>,
}

impl ForeignProgram {
    pub(super) fn new(root: &Path) -> Self {
        Self { directory: root.join("runtime"), lock: None }
    }

    pub(super) fn obey(&mut self, words: &[&str]) -> String {
        let name = words[1];
        let done = match words[0] {
            "mark" => self.mark(name),
            "unmark" => std::fs::remove_file(self.file(name, "refreshing")),
            "replace" => self.replace(name, words[2].parse().unwrap()),
            "lock" => self.create_lock(name),
            "fill" => self.fill_lock(),
            "unlock" => return self.unlock(name),
            "steal" => return self.steal(name),
            "run" => return self.run(&words[1..]),
            other => return format!("unknown command {other}"),
        };
        done.map_or_else(|error| format!("error: {error}"), |()| "done".to_owned())
    }

    fn file(&self, name: &str, extension: &str) -> PathBuf {
        self.directory.join(format!("{name}.{extension}"))
    }

    fn mark(&self, name: &str) -> std::io::Result<()> {
        let now = SystemTime::now();
        let deadline = rfc3339(now + Duration::from_secs(5));
        let content = format!(
            r#"{{"pid":{},"started_at":"{}","deadline":"{deadline}"}}"#,
            std::process::id(),
            rfc3339(now)
        );
        File::create_new(self.file(name, "refreshing"))?.write_all(content.as_bytes())
    }

    fn replace(&self, name: &str, version: u64) -> std::io::Result<()> {
        let temp = self.file(name, "json.tmp");
        std::fs::write(&temp, record(version))?;
        std::fs::rename(temp, self.file(name, "json"))
    }

    fn create_lock(&mut self, name: &str) -> std::io::Result<()> {
        self.lock = Some(File::create_new(self.file(name, "lock"))?);
        Ok(())
    }

    fn fill_lock(&mut self) -> std::io::Result<()> {
        let content =
            format!(r#"{{"pid":{},"started_at":"{}"}}"#, std::process::id(), rfc3339(SystemTime::now()));
        self.lock.as_mut().unwrap().write_all(content.as_bytes())
    }

    /// Removes the lock; says whether it was still its own.
    fn unlock(&mut self, name: &str) -> String {
        use std::os::unix::fs::MetadataExt;
        let own = self.lock.take().unwrap().metadata().unwrap();
        let path = self.file(name, "lock");
        let intact = std::fs::symlink_metadata(&path).is_ok_and(|standing| standing.ino() == own.ino());
        if intact {
            std::fs::remove_file(path).unwrap();
        }
        if intact { "unlocked".to_owned() } else { "my lock was taken".to_owned() }
    }

    /// Takes a lock over if it can be read and its process is dead.
    fn steal(&mut self, name: &str) -> String {
        let path = self.file(name, "lock");
        match owner(&path) {
            None => "cannot be read".to_owned(),
            Some(pid) if lives(pid) => "its process lives".to_owned(),
            Some(_) => {
                std::fs::remove_file(path).unwrap();
                self.create_lock(name)
                    .map_or_else(|error| format!("error: {error}"), |()| "taken over".to_owned())
            }
        }
    }

    /// Works by itself: `<seed> <operations> <source>…`. Of a source whose name begins with `plain` it also writes
    /// what it got elsewhere, without a marker. Says `ran <writes> <dropped>`.
    fn run(&mut self, words: &[&str]) -> String {
        let mut random = fastrand::Rng::with_seed(words[0].parse().unwrap());
        let operations: u64 = words[1].parse().unwrap();
        let names = &words[2..];
        let (mut written, mut dropped) = (0, 0);
        for _ in 0..operations {
            let name = names[random.usize(..names.len())];
            let marks = !name.starts_with("plain") || random.bool();
            let io = Duration::from_micros(random.u64(..3_000));
            match self.write_as_it_does(name, marks, io) {
                true => written += 1,
                false => dropped += 1,
            }
            if std::fs::read(self.file(name, "json")).is_ok_and(|bytes| version_of(&bytes).is_none()) {
                return format!("broken: {name} is torn");
            }
        }
        format!("ran {written} {dropped}")
    }

    /// One write, of a refresh of its own or not. Whether it was done: not beside another's refresh, nor without the
    /// lock.
    fn write_as_it_does(&mut self, name: &str, marks: bool, io: Duration) -> bool {
        if !self.wait_for_lock(name) {
            return false;
        }
        let marker = self.file(name, "refreshing");
        let mut free = !marker.exists();
        if !free && owner(&marker).is_some_and(|pid| !lives(pid)) {
            free = std::fs::remove_file(&marker).is_ok();
        }
        if free && marks {
            // Ours may have appeared by now.
            free = self.mark(name).is_ok();
        }
        self.remove_lock(name);
        if !free {
            return false;
        }
        // What it has to write is older than what others write during its I/O.
        let version = next_version();
        std::thread::sleep(io);
        self.replace(name, version).unwrap();
        if marks {
            let locked = self.wait_for_lock(name);
            std::fs::remove_file(marker).unwrap_or_default();
            if locked {
                self.remove_lock(name);
            }
        }
        true
    }

    /// Waits as long as we do.
    fn wait_for_lock(&mut self, name: &str) -> bool {
        let path = self.file(name, "lock");
        let began = Instant::now();
        while began.elapsed() < LOCK_TIMEOUT {
            if self.create_lock(name).is_ok() {
                self.fill_lock().unwrap();
                return true;
            }
            match owner(&path) {
                Some(pid) if !lives(pid) => std::fs::remove_file(&path).unwrap_or_default(),
                _ => std::thread::sleep(Duration::from_millis(1)),
            }
        }
        false
    }

    /// Whosever it is by now.
    fn remove_lock(&mut self, name: &str) {
        self.lock = None;
        std::fs::remove_file(self.file(name, "lock")).unwrap_or_default();
    }
}

/// The process that a lock or marker names, where it can be read.
fn owner(path: &Path) -> Option<i32> {
    let content: serde_json::Value = serde_json::from_slice(&std::fs::read(path).ok()?).ok()?;
    i32::try_from(content["pid"].as_i64()?).ok()
}

fn lives(pid: i32) -> bool {
    rustix::process::Pid::from_raw(pid).is_some_and(|pid| rustix::process::test_kill_process(pid).is_ok())
}
