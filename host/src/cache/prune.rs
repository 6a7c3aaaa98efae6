//! What is cached, and the removal of what is not needed any more.

use std::collections::BTreeSet;
use std::fs::DirEntry;
use std::io;
use std::path::Path;
use std::time::{Duration, SystemTime};

use super::dir::TierDir;
use super::error::CacheError;
use super::fault::{self, Point};
use super::file::modified;
use super::lock::Section;
use super::marker::{self, MarkerState};
use super::name::{FileRole, Source, owner_of};
use super::options::CacheOptions;
use super::process;
use super::time::age;

/// A private file exists for one sync of the disk. One as old as this is abandoned even if its process lives.
const OLDEST_TEMP: Duration = Duration::from_secs(60 * 60);

/// What [`SignalCache::prune`](super::SignalCache::prune) did. Sorted by name.
#[derive(Debug, Default)]
pub struct PruneReport {
    /// The sources whose files were removed.
    pub removed: Vec<Source>,
    /// The sources left alone because they are being refreshed.
    pub refreshing: Vec<Source>,
    /// The sources that could not be removed, and why.
    pub failed: Vec<(Source, CacheError)>,
    /// How many abandoned private files were removed.
    pub temp_files: usize,
}

pub(super) fn list(tier: &Path) -> Result<Vec<Source>, CacheError> {
    let mut sources = BTreeSet::new();
    for entry in entries(tier)? {
        if let Some((source, FileRole::Data)) = entry.file_name().to_str().and_then(owner_of)
            && entry.file_type().is_ok_and(|kind| kind.is_file())
        {
            sources.insert(source);
        }
    }
    Ok(sources.into_iter().collect())
}

pub(super) fn prune(
    tier: &Path,
    active: &BTreeSet<Source>,
    options: &CacheOptions,
) -> Result<PruneReport, CacheError> {
    let mut report = PruneReport::default();
    let Some(dir) = TierDir::open(tier)? else { return Ok(report) };
    let mut unlisted = BTreeSet::new();
    for entry in entries(tier)? {
        let name = entry.file_name();
        let Some(name) = name.to_str() else { continue };
        if let Some((source, _)) = owner_of(name) {
            if !active.contains(&source) {
                unlisted.insert(source);
            }
        } else if is_abandoned_temp(&entry, name, options.clock.now()) && dir.remove(name)? {
            fault::pass(Point::PrunedPrivate);
            report.temp_files = report.temp_files.saturating_add(1);
        }
    }
    for source in unlisted {
        match remove(&dir, &source, options) {
            Ok(true) => report.removed.push(source),
            Ok(false) => report.refreshing.push(source),
            Err(error) => report.failed.push((source, error)),
        }
    }
    Ok(report)
}

/// Removes all files of a source, unless it is being refreshed: then `false`.
fn remove(dir: &TierDir, source: &Source, options: &CacheOptions) -> Result<bool, CacheError> {
    // Takes over an abandoned lock file and removes it at the end.
    let _section = Section::enter(dir, source, options, options.lock_timeout)?;
    if let Some(marker) = marker::look(dir, source, options)? {
        if marker.state == MarkerState::Running {
            return Ok(false);
        }
        dir.remove(&source.marker_file())?;
        fault::pass(Point::PrunedMarker);
    }
    dir.remove(&source.data_file())?;
    fault::pass(Point::PrunedEntry);
    dir.remove(&source.foreign_temp_file())?;
    Ok(true)
}

fn is_abandoned_temp(entry: &DirEntry, name: &str, now: SystemTime) -> bool {
    let Some(owner) = process::temp_owner(name) else { return false };
    !process::is_alive(owner, None)
        || entry.metadata().is_ok_and(|meta| age(modified(&meta), now) > OLDEST_TEMP)
}

fn entries(tier: &Path) -> Result<Vec<DirEntry>, CacheError> {
    let failed = || CacheError::io("list", tier);
    match std::fs::read_dir(tier) {
        Ok(entries) => entries.collect::<Result<_, _>>().map_err(failed()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(failed()(error)),
    }
}
