//! The refresh marker `<name>.refreshing`: who refreshes a source, until when, or how that failed.
//!
//! A marker is stale when its process is dead, when now is later than its deadline and two refresh deadlines, when it is older
//! than three refresh deadlines whatever it states, when it cannot be read and is unchanged for one lock time-out,
//! or, for a failed refresh, when its cool-down is over.

use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use super::dir::TierDir;
use super::error::CacheError;
use super::file::{FileStamp, SideFile};
use super::name::Source;
use super::options::CacheOptions;
use super::process;
use super::time::{Rfc3339, age};

/// The content of a marker.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct MarkerFile {
    pub(super) pid: i64,
    pub(super) started_at: Option<Rfc3339>,
    pub(super) deadline: Option<Rfc3339>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) last_error: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) nonce: Option<String>,
    /// See [`process::own_start`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) start: Option<u64>,
}

/// A marker as it stands.
#[derive(Debug)]
pub(super) struct Marker {
    pub(super) state: MarkerState,
    /// Its owner does not run this code.
    pub(super) foreign: bool,
    pub(super) file: SideFile,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum MarkerState {
    Running,
    /// The refresh failed and its cool-down is not over.
    Failed {
        message: String,
    },
    Stale,
}

/// Tells one marker from the next, without keeping it open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct MarkerId {
    stamp: FileStamp,
    bytes: Vec<u8>,
}

impl Marker {
    pub(super) fn id(&self) -> MarkerId {
        MarkerId { stamp: self.file.stamp, bytes: self.file.bytes.clone() }
    }

    pub(super) fn is(&self, id: &MarkerId) -> bool {
        self.file.stamp == id.stamp && self.file.bytes == id.bytes
    }
}

/// The marker of a source, if there is one.
pub(super) fn look(
    dir: &TierDir,
    source: &Source,
    options: &CacheOptions,
) -> Result<Option<Marker>, CacheError> {
    let file = dir.side_file(&source.marker_file())?;
    Ok(file.map(|file| judge(file, options, options.clock.now())))
}

fn judge(file: SideFile, options: &CacheOptions, now: SystemTime) -> Marker {
    let Ok(marker) = serde_json::from_slice::<MarkerFile>(&file.bytes) else {
        let abandoned = age(file.modified, now) >= options.lock_timeout;
        let state = if abandoned { MarkerState::Stale } else { MarkerState::Running };
        return Marker { state, foreign: true, file };
    };
    let deadline = options.refresh_deadline;
    let started = marker.started_at.map_or(file.modified, |started| started.0);
    let too_old = age(started, now).max(age(file.modified, now)) > options.longest_marker();
    let overdue = marker.deadline.map(|stated| age(stated.0, now));
    let state = if too_old
        || overdue.is_some_and(|overdue| overdue > deadline.saturating_mul(2))
        || !process::is_alive(marker.pid, marker.start)
    {
        MarkerState::Stale
    } else {
        match marker.last_error.filter(|message| !message.is_empty()) {
            None => MarkerState::Running,
            Some(_) if overdue.is_none_or(|overdue| !overdue.is_zero()) => MarkerState::Stale,
            Some(message) => MarkerState::Failed { message },
        }
    };
    Marker { state, foreign: marker.nonce.is_none(), file }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use tempfile::TempDir;

    use super::*;
    use crate::cache::name::cache_source;
    use crate::cache::test_support::{DEAD_PID, ManualClock, manual_options, rfc3339, set_modified};
    use crate::clock::Clock;

    const DEADLINE: Duration = Duration::from_secs(5);

    /// A tier with a marker that was written now.
    fn planted(content: impl FnOnce(SystemTime) -> String) -> (TempDir, CacheOptions, Arc<ManualClock>) {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("x.refreshing");
        let (options, clock) = manual_options();
        std::fs::write(&path, content(clock.now())).unwrap();
        set_modified(&path, clock.now());
        (root, options, clock)
    }

    fn marker(pid: i64, started: SystemTime, deadline: SystemTime, rest: &str) -> String {
        format!(
            r#"{{"pid":{pid},"started_at":"{}","deadline":"{}"{rest}}}"#,
            rfc3339(started),
            rfc3339(deadline)
        )
    }

    fn state(root: &TempDir, options: &CacheOptions) -> MarkerState {
        let dir = TierDir::create(root.path()).unwrap();
        look(&dir, &cache_source("x").unwrap(), options).unwrap().unwrap().state
    }

    #[test]
    fn a_dead_owners_marker_is_stale() {
        for pid in [DEAD_PID, 0, -1] {
            let (root, options, _) = planted(|now| marker(pid, now, now + DEADLINE, ""));
            assert_eq!(state(&root, &options), MarkerState::Stale);
        }
    }

    #[test]
    fn a_marker_is_stale_two_refresh_deadlines_after_its_own() {
        let (root, options, clock) = planted(|now| marker(1, now, now + Duration::from_secs(1), ""));
        clock.advance(Duration::from_secs(11));
        assert_eq!(state(&root, &options), MarkerState::Running);
        clock.advance(Duration::from_millis(1));
        assert_eq!(state(&root, &options), MarkerState::Stale);
    }

    #[test]
    fn a_marker_older_than_three_refresh_deadlines_is_stale_whatever_it_states() {
        let far = Duration::from_secs(1_000_000);
        let (root, options, clock) = planted(|now| marker(1, now + far, now + far, ""));
        clock.advance(DEADLINE * 3);
        assert_eq!(state(&root, &options), MarkerState::Running);
        clock.advance(Duration::from_millis(1));
        assert_eq!(state(&root, &options), MarkerState::Stale);
    }

    #[test]
    fn an_unreadable_marker_is_stale_after_one_lock_time_out() {
        for content in ["", "{", "[]", "{}", r#"{"pid":"1"}"#] {
            let (root, options, clock) = planted(|_| content.to_owned());
            assert_eq!(state(&root, &options), MarkerState::Running);
            clock.advance(options.lock_timeout);
            assert_eq!(state(&root, &options), MarkerState::Stale);
        }
    }

    #[test]
    fn a_marker_without_our_nonce_is_foreign() {
        let (root, options, _) = planted(|now| marker(1, now, now + DEADLINE, ""));
        let dir = TierDir::create(root.path()).unwrap();
        assert!(look(&dir, &cache_source("x").unwrap(), &options).unwrap().unwrap().foreign);
        let now = rfc3339(options.clock.now());
        let ours = format!(r#"{{"pid":1,"started_at":"{now}","deadline":"{now}","nonce":"n"}}"#);
        std::fs::write(root.path().join("x.refreshing"), ours).unwrap();
        assert!(!look(&dir, &cache_source("x").unwrap(), &options).unwrap().unwrap().foreign);
    }
}
