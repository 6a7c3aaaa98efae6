//! A program that shares the directory and not our code: it makes its lock by exclusive creation and fills it after,
//! takes over only locks whose process is dead, replaces files outside its lock, and knows no guard.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::support::{record, rfc3339};

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
        let Ok(lock) = serde_json::from_slice::<serde_json::Value>(&std::fs::read(&path).unwrap()) else {
            return "cannot be read".to_owned();
        };
        let pid =
            rustix::process::Pid::from_raw(i32::try_from(lock["pid"].as_i64().unwrap()).unwrap()).unwrap();
        if rustix::process::test_kill_process(pid).is_ok() {
            return "its process lives".to_owned();
        }
        std::fs::remove_file(path).unwrap();
        self.create_lock(name).map_or_else(|error| format!("error: {error}"), |()| "taken over".to_owned())
    }
}
