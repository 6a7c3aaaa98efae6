//! Files and folders: the configuration, the cache, compiled code.

use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use runtime_signals::SignalCache;
use runtime_signals::config::{Config, ConfigFile};
use runtime_signals::engine::CodeCache;
use rustix::fs::{Access, access};

use super::report::Report;
use crate::cli::human;

const CONFIGURATION: &str = "configuration";
const CACHE: &str = "cache";
const CODE: &str = "code";
/// Files of the cache that are looked at; more are not counted.
const MOST_FILES: usize = 100_000;
/// Locks are held for microseconds.
const LONGEST_LOCK: Duration = Duration::from_secs(2);

/// Is the configuration taken? `false`: it is refused.
pub(super) fn configuration(file: Option<&Path>, report: &mut Report) -> bool {
    let Some(file) = ConfigFile::find(file) else {
        let place = Config::default_path().map(|path| format!("; yours would be {}", path.display()));
        report
            .note(CONFIGURATION, format!("there is no file: the defaults hold{}", place.unwrap_or_default()));
        return true;
    };
    match file.read() {
        Ok(config) => {
            let (path, providers) = (file.path().display(), config.providers.len());
            report.ok(CONFIGURATION, format!("{path} is valid; providers in it: {providers}"));
            true
        }
        Err(error) => {
            report.error(CONFIGURATION, error);
            false
        }
    }
}

/// Can signals be stored and read?
pub(super) fn cache(cache: &SignalCache, report: &mut Report) {
    let root = cache.root();
    match fs::metadata(root) {
        Ok(found) if !found.is_dir() => {
            let remedy = "name a folder by FIZEAU_CACHE_DIR or `cache.directory`";
            return report.problem(CACHE, format!("{} is no folder", root.display()), remedy);
        }
        Ok(found) => folder(CACHE, root, &found, report),
        Err(_) => {
            let above = root.ancestors().find(|folder| folder.is_dir()).unwrap_or(Path::new("/"));
            if access(above, Access::WRITE_OK | Access::EXEC_OK).is_err() {
                let remedy = "name another by FIZEAU_CACHE_DIR or `cache.directory`";
                return report.problem(CACHE, format!("{} cannot be made", root.display()), remedy);
            }
            return report
                .note(CACHE, format!("{} is not there yet: the first write makes it", root.display()));
        }
    }
    contents(&root.join("runtime"), cache, report);
}

/// Is it ours, and ours alone to write to?
fn folder(area: &'static str, path: &Path, found: &Metadata, report: &mut Report) {
    let shown = path.display();
    let mode = found.mode() & 0o777;
    let user = rustix::process::geteuid().as_raw();
    if access(path, Access::WRITE_OK | Access::EXEC_OK).is_err() {
        let remedy = format!("run this as its owner, or as root: chown {user} {shown}");
        report.problem(
            area,
            format!("{shown} cannot be written to by you (owner {}, mode {mode:04o})", found.uid()),
            remedy,
        );
    } else if mode & 0o002 != 0 {
        let remedy = format!("chmod 0750 {shown}");
        report.problem(area, format!("anybody can write to {shown} (mode {mode:04o})"), remedy);
    } else if found.uid() != user {
        report.note(area, format!("{shown} belongs to user {}; you are {user}", found.uid()));
    } else {
        report.ok(area, format!("{shown} is yours and can be written to (mode {mode:04o})"));
    }
}

/// How much there is, and what others have left behind.
fn contents(tier: &Path, cache: &SignalCache, report: &mut Report) {
    let Ok(entries) = fs::read_dir(tier) else { return };
    let mut bytes = 0;
    let mut left_behind: Vec<(PathBuf, Duration)> = Vec::new();
    let mut signals = 0;
    for entry in entries.flatten().take(MOST_FILES) {
        let path = entry.path();
        let Ok(found) = fs::symlink_metadata(&path) else { continue };
        bytes += found.len();
        let age = found.modified().ok().and_then(|at| SystemTime::now().duration_since(at).ok());
        let longest = match path.extension().and_then(|extension| extension.to_str()) {
            Some("json") => {
                signals += 1;
                continue;
            }
            Some("lock") => LONGEST_LOCK,
            Some("refreshing") => cache.options().refresh_deadline * 3,
            _ => continue,
        };
        left_behind.extend(age.filter(|age| *age > longest).map(|age| (path, age)));
    }
    report.ok(CACHE, format!("stored signals: {signals}, {} KiB in all", bytes.div_ceil(1024)));
    for (path, age) in left_behind {
        let (path, age) = (path.display(), human::span(age));
        report
            .note(CACHE, format!("{path} is {age} old: whoever made it is gone or stuck; it blocks nobody"));
    }
}

/// Is compiled code kept, so that a start takes milliseconds?
pub(super) fn code(report: &mut Report) {
    match CodeCache::User.folder() {
        None => report.problem(
            CODE,
            "there is no place for compiled code: each start takes seconds",
            "set HOME or XDG_CACHE_HOME",
        ),
        Some(path) => match fs::symlink_metadata(&path) {
            Err(_) => report.note(CODE, format!("{} is not there: each start compiles", path.display())),
            Ok(found) if !found.is_dir() || found.mode() & 0o077 != 0 => report.problem(
                CODE,
                format!("{} is no folder of yours alone, so that no code is kept there", path.display()),
                format!("chmod 0700 {0}, or remove it", path.display()),
            ),
            Ok(found) => folder(CODE, &path, &found, report),
        },
    }
}
