//! What Codex notes about its limits in its session logs.
//!
//! Codex writes `sessions/YYYY/MM/DD/rollout-*.jsonl`, and after each answer a `token_count` event with the
//! `rate_limits` of the response. The newest such event counts. The scan is bounded: the newest days, of them
//! the files written to last, of each its end; it stops when no file left can hold anything newer. A window
//! is known by its length: the slots `primary` and `secondary` mean different windows on different plans.

use std::cmp::Reverse;
use std::fs::{self, DirEntry};
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde_json::{Map, Value};

use super::evidence::{Evidence, MAX_WINDOWS, is_ahead, staleness};
use super::figure::Figure;
use super::{QuotaState, file, lenient};

/// How many days that have a directory are looked into.
const MAX_DAYS: usize = 31;

/// How many directory entries are looked at in all.
const MAX_ENTRIES: usize = 4096;

/// How many files are read.
const MAX_FILES: usize = 16;

/// How much is read of the end of each file, in bytes.
const MAX_TAIL: u64 = 1024 * 1024;

/// Longest line that is looked at, in bytes; a `token_count` event has about one thousand.
const MAX_LINE: usize = 64 * 1024;

/// How many limits are told apart; there have been two so far.
const MAX_LIMITS: usize = 32;

/// The limit of the plan as a whole, as opposed to that of one model.
const PLAN: &str = "codex";

struct Log {
    path: PathBuf,
    modified: SystemTime,
}

/// One `token_count` event with rate limits.
struct Event {
    captured_at: SystemTime,
    limits: Map<String, Value>,
}

/// The newest evidence in the logs below `sessions`; none when there is none within the bounds.
pub(super) fn read(sessions: &Path, now: SystemTime) -> Option<Evidence> {
    let mut events: Vec<Event> = Vec::new();
    for log in newest_logs(sessions) {
        let newest_plan = events.iter().filter(|event| event.is_plan()).map(|event| event.captured_at).max();
        if newest_plan.is_some_and(|newest| newest >= log.modified) {
            break;
        }
        for event in scan(&log) {
            // A clock that once was ahead must not hide everything that came after.
            if !is_ahead(event.captured_at, now) {
                keep_newest(&mut events, event);
            }
        }
    }
    evidence(events, now)
}

/// The logs written to last, newest first.
fn newest_logs(sessions: &Path) -> Vec<Log> {
    let mut entries = MAX_ENTRIES;
    let mut days = vec![sessions.to_owned()];
    for _ in ["year", "month", "day"] {
        days = days
            .iter()
            .flat_map(|parent| numbered_directories(parent, &mut entries))
            .take(MAX_DAYS)
            .collect();
    }
    let mut logs: Vec<Log> =
        days.iter().flat_map(|day| listing(day, &mut entries)).filter_map(|entry| log(&entry)).collect();
    logs.sort_by_key(|log| Reverse(log.modified));
    logs.truncate(MAX_FILES);
    logs
}

/// At most as many entries of a directory as are left; what cannot be listed has none.
fn listing(directory: &Path, left: &mut usize) -> Vec<DirEntry> {
    let Ok(found) = fs::read_dir(directory) else {
        return Vec::new();
    };
    let entries: Vec<DirEntry> = found.take(*left).filter_map(Result::ok).collect();
    *left -= entries.len();
    entries
}

/// Subdirectories with a number for a name, highest first.
fn numbered_directories(parent: &Path, left: &mut usize) -> Vec<PathBuf> {
    let mut found: Vec<(u32, PathBuf)> = listing(parent, left)
        .into_iter()
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path())))
        .collect();
    found.sort_by_key(|(number, _)| Reverse(*number));
    found.into_iter().map(|(_, path)| path).collect()
}

fn log(entry: &DirEntry) -> Option<Log> {
    let path = entry.path();
    if path.extension()? != "jsonl" {
        return None;
    }
    // Of the entry itself: a link is not followed.
    let metadata = entry.metadata().ok().filter(fs::Metadata::is_file)?;
    Some(Log { modified: metadata.modified().ok()?, path })
}

/// The events in the end of a log.
fn scan(log: &Log) -> Vec<Event> {
    tail(&log.path)
        .unwrap_or_default()
        .split(|byte| *byte == b'\n')
        .filter_map(|line| event(line, log.modified))
        .collect()
}

/// The last bytes of a file. Where they begin within a line, that piece is no JSON and is passed over.
fn tail(path: &Path) -> Option<Vec<u8>> {
    let mut file = file::open_regular(path).ok()?;
    let length = file.metadata().ok()?.len();
    let start = length.saturating_sub(MAX_TAIL);
    file.seek(SeekFrom::Start(start)).ok()?;
    let mut bytes = Vec::new();
    file.take(MAX_TAIL).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

fn event(line: &[u8], modified: SystemTime) -> Option<Event> {
    // Most lines are conversation: they are not even parsed.
    if line.len() > MAX_LINE || !str::from_utf8(line).ok()?.contains("\"rate_limits\"") {
        return None;
    }
    let mut line: Value = serde_json::from_slice(line).ok()?;
    if line.get("type")? != "event_msg" || line.pointer("/payload/type")? != "token_count" {
        return None;
    }
    let captured_at = lenient::instant(line.get("timestamp")).unwrap_or(modified);
    let limits = ["/payload/rate_limits", "/payload/info/rate_limits"].into_iter().find_map(|place| {
        match line.pointer_mut(place).map(Value::take) {
            Some(Value::Object(limits)) => Some(limits),
            _ => None,
        }
    })?;
    let event = Event { captured_at, limits };
    event.says_something().then_some(event)
}

impl Event {
    fn limit_id(&self) -> String {
        lenient::text(self.limits.get("limit_id")).unwrap_or_else(|| PLAN.to_owned())
    }

    fn is_plan(&self) -> bool {
        self.limit_id() == PLAN
    }

    /// The refusal that the back end states beside the windows.
    fn reached(&self) -> Option<String> {
        lenient::text(self.limits.get("rate_limit_reached_type"))
    }

    fn says_something(&self) -> bool {
        self.reached().is_some() || self.figures().next().is_some()
    }

    fn figures(&self) -> impl Iterator<Item = Figure> {
        self.limits
            .values()
            .filter_map(Value::as_object)
            .filter(|slot| slot.contains_key("used_percent"))
            .filter_map(|slot| self.figure(slot))
    }

    fn figure(&self, slot: &Map<String, Value>) -> Option<Figure> {
        let mut named = slot.clone();
        for key in ["limit_id", "limit_name"] {
            if let Some(value) = self.limits.get(key) {
                named.insert(key.to_owned(), value.clone());
            }
        }
        Figure::from_json("codex", &named, Some(self.captured_at))
    }
}

/// Keeps one event a limit: the newest, and of several at one time the one written last. Of too many limits the plan's is
/// kept, and those with the newest events.
fn keep_newest(events: &mut Vec<Event>, event: Event) {
    let limit_id = event.limit_id();
    if let Some(known) = events.iter_mut().find(|known| known.limit_id() == limit_id) {
        if known.captured_at <= event.captured_at {
            *known = event;
        }
        return;
    }
    events.push(event);
    if events.len() > MAX_LIMITS {
        let oldest = events.iter().enumerate().min_by_key(|(_, event)| (event.is_plan(), event.captured_at));
        if let Some((index, _)) = oldest {
            events.swap_remove(index);
        }
    }
}

/// The plan's newest event, with the limits of single models as far as they are fresh.
fn evidence(mut events: Vec<Event>, now: SystemTime) -> Option<Evidence> {
    events.sort_by_key(|event| (event.is_plan(), event.captured_at));
    let newest = events.pop()?;
    let mut figures: Vec<Figure> = newest.figures().collect();
    for event in events {
        if staleness(Some(event.captured_at), now).is_none() {
            figures.extend(event.figures());
        }
    }
    figures.truncate(MAX_WINDOWS);
    let reached = newest.reached();
    Some(Evidence {
        source: "codex_sessions".to_owned(),
        captured_at: Some(newest.captured_at),
        account: lenient::text(newest.limits.get("plan_type")),
        stated: reached.is_some().then_some(QuotaState::Blocked),
        reason: reached,
        figures,
    })
}
