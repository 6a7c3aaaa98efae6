//! Quota facts: snapshot files, session logs, commands and Claude Code's status line.

mod commands;
mod credentials;
mod session_logs;
mod snapshots;
mod status_line;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use runtime_signals::quota::{QuotaCommand, QuotaHarness, QuotaPaths, QuotaSources, QuotaStatus};
use serde_json::{Value, json};
use tempfile::TempDir;

const NOW: &str = "2026-05-01T12:00:00Z";
/// Longer than any test takes.
const LONG: Duration = Duration::from_secs(60);

fn at(text: &str) -> SystemTime {
    text.parse::<Timestamp>().unwrap().try_into().unwrap()
}

fn minutes(count: u64) -> Duration {
    Duration::from_secs(60 * count)
}

/// A home directory of its own for each test.
struct Home {
    directory: TempDir,
    paths: QuotaPaths,
}

impl Home {
    fn new() -> Self {
        let directory = TempDir::new().unwrap();
        let home = directory.path().as_os_str().to_owned();
        let paths = QuotaPaths::from_lookup(|name| (name == "HOME").then(|| home.clone()));
        Self { directory, paths }
    }

    fn path(&self, relative: &str) -> PathBuf {
        let path = self.directory.path().join(relative);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        path
    }

    fn snapshot(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(&format!(".local/state/fizeau/{name}-quota.json"));
        fs::write(&path, content).unwrap();
        path
    }

    fn log(&self, relative: &str, lines: &[String]) -> PathBuf {
        let path = self.path(&format!(".codex/sessions/{relative}"));
        fs::write(&path, lines.concat()).unwrap();
        path
    }

    fn sources(&self) -> QuotaSources {
        QuotaSources::new(self.paths.clone())
    }

    fn status(&self, name: &str, now: SystemTime) -> QuotaStatus {
        self.sources().quota_status(name, now)
    }

    fn with_script(&self, name: &str, script: &str, timeout: Duration) -> QuotaSources {
        let command = QuotaCommand::new(["sh", "-c", script], timeout).unwrap();
        self.sources().with_command(name, command)
    }
}

/// A snapshot of Claude's quota, with some keys changed.
fn claude(changes: Value) -> String {
    let mut document = json!({
        "captured_at": NOW,
        "five_hour_remaining": 58,
        "five_hour_limit": 100,
        "weekly_remaining": 870,
        "weekly_limit": 1000,
        "windows": [
            {"name": "Current session", "limit_id": "session", "window_minutes": 300, "used_percent": 42, "resets_at": "2026-05-01T14:30:00Z", "state": "ok"},
            {"name": "Current week (all models)", "limit_id": "weekly-all", "window_minutes": 10080, "used_percent": 13, "resets_at": "2026-05-04T09:00:00Z", "state": "ok"},
        ],
        "source": "pty",
        "account": {"plan_type": "Claude Max"},
    });
    for (key, value) in changes.as_object().unwrap() {
        document[key] = value.clone();
    }
    document.to_string()
}

fn used(status: &QuotaStatus) -> Vec<(&str, Option<f64>)> {
    let windows = status.windows.iter();
    windows.map(|window| (window.name.as_str(), window.used_percent)).collect()
}

fn make_fifo(path: &Path) {
    rustix::fs::mknodat(
        rustix::fs::CWD,
        path,
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR,
        0,
    )
    .unwrap();
}
