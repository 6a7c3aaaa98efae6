//! The sources of each name, and which of them is believed.
//!
//! A command that has run within the last 15 minutes and came to a verdict (ok, blocked, unauthenticated)
//! speaks for its name. Otherwise the freshest usable evidence among the files does, then the freshest of any
//! kind.

use std::collections::HashMap;
use std::io;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use futures_core::future::BoxFuture;
use serde_json::{Map, Value};

use super::evidence::Evidence;
use super::flight::SingleFlight;
use super::{
    QuotaCommand, QuotaHarness, QuotaPaths, QuotaState, QuotaStatus, SnapshotError, codex_log, file,
};

/// The names of which files of this machine may tell a quota.
pub const SUBSCRIPTIONS: [&str; 3] = ["claude", "codex", "gemini"];

/// The quota sources of this machine: files, and the commands that the user has configured.
#[derive(Debug)]
pub struct QuotaSources {
    paths: QuotaPaths,
    commands: HashMap<String, QuotaCommand>,
    /// What each command said last.
    said: Mutex<HashMap<String, Evidence>>,
    refreshes: SingleFlight<QuotaStatus>,
}

impl QuotaSources {
    /// Sources that read the files at `paths`.
    pub fn new(paths: QuotaPaths) -> Self {
        Self { paths, commands: HashMap::new(), said: Mutex::default(), refreshes: SingleFlight::new() }
    }

    /// Adds a command for `name`, which need not be one that files are known for.
    #[must_use]
    pub fn with_command(mut self, name: impl Into<String>, command: QuotaCommand) -> Self {
        self.commands.insert(name.into(), command);
        self
    }

    async fn refresh(&self, name: &str, now: SystemTime) -> QuotaStatus {
        if let Some(command) = self.commands.get(name) {
            let evidence = command.run(name, now).await;
            self.said.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned(), evidence);
        }
        self.quota_status(name, now)
    }

    fn said(&self, name: &str, now: SystemTime) -> Option<QuotaStatus> {
        let said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        Some(said.get(name)?.clone().judge(now))
    }

    fn files(&self, name: &str, now: SystemTime) -> Vec<QuotaStatus> {
        match name {
            "claude" => vec![snapshot(name, self.paths.claude.as_deref(), now)],
            "gemini" => vec![snapshot(name, self.paths.gemini.as_deref(), now)],
            "codex" => vec![
                sessions(self.paths.codex_sessions.as_deref(), now),
                snapshot(name, self.paths.codex.as_deref(), now),
            ],
            _ => Vec::new(),
        }
    }
}

impl QuotaHarness for QuotaSources {
    fn quota_status(&self, name: &str, now: SystemTime) -> QuotaStatus {
        let said = self.said(name, now);
        let is_verdict =
            |status: &QuotaStatus| is_usable(status) || status.state == QuotaState::Unauthenticated;
        if let Some(verdict) = said.clone().filter(is_verdict) {
            return verdict;
        }
        said.into_iter()
            .chain(self.files(name, now))
            .reduce(|best, next| if rank(&next) > rank(&best) { next } else { best })
            .unwrap_or_else(|| {
                let reason = if self.commands.contains_key(name) {
                    "the quota command has not been run yet: refresh to run it"
                } else {
                    "there is no quota source of this name: configure a command for it"
                };
                QuotaStatus::unavailable("none", reason.to_owned())
            })
    }

    fn refresh_quota<'a>(&'a self, name: &'a str, now: SystemTime) -> BoxFuture<'a, QuotaStatus> {
        Box::pin(self.refreshes.run(name, self.refresh(name, now)))
    }
}

fn is_usable(status: &QuotaStatus) -> bool {
    status.fresh && matches!(status.state, QuotaState::Ok | QuotaState::Blocked)
}

/// Usable before not, some evidence before none, then the time of capture.
fn rank(status: &QuotaStatus) -> (bool, bool, Option<SystemTime>) {
    (is_usable(status), status.state != QuotaState::Unavailable, status.captured_at)
}

fn snapshot(name: &str, path: Option<&Path>, now: SystemTime) -> QuotaStatus {
    let Some(path) = path else {
        return homeless("snapshot");
    };
    match read_snapshot(path) {
        Ok(Some(document)) => Evidence::from_json(name, &document).judge(now),
        Ok(None) => QuotaStatus::unavailable("snapshot", format!("there is no {}", path.display())),
        Err(error) => QuotaStatus::unavailable("snapshot", error.to_string()),
    }
}

fn read_snapshot(path: &Path) -> Result<Option<Map<String, Value>>, SnapshotError> {
    let Some(bytes) = file::read(path)? else {
        return Ok(None);
    };
    serde_json::from_slice(&bytes).map(Some).map_err(|error| {
        // The error's own text may repeat what stands there.
        let place = format!("no JSON object (line {}, column {})", error.line(), error.column());
        SnapshotError::io("understand", path, io::Error::new(io::ErrorKind::InvalidData, place))
    })
}

fn sessions(path: Option<&Path>, now: SystemTime) -> QuotaStatus {
    let Some(path) = path else {
        return homeless("codex_sessions");
    };
    match codex_log::read(path, now) {
        Some(evidence) => evidence.judge(now),
        None => QuotaStatus::unavailable(
            "codex_sessions",
            format!("no session log below {} states rate limits", path.display()),
        ),
    }
}

fn homeless(source: &str) -> QuotaStatus {
    QuotaStatus::unavailable(source, "HOME is not set, so there is no place to look in".to_owned())
}
