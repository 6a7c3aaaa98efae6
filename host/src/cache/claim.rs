//! Claiming the refresh of a source, across processes.
//!
//! A marker is claimed, changed and removed only under the guard, and only by its owner; a stale one by anyone. An
//! owner that comes late finds another's in its place and leaves it there.

use std::path::Path;
use std::time::Duration;

use super::dir::TierDir;
use super::error::CacheError;
use super::fault::{self, Point};
use super::file::OwnFile;
use super::guard::{Guard, Wait};
use super::marker::{self, Marker, MarkerFile, MarkerId, MarkerState};
use super::name::Source;
use super::options::CacheOptions;
use super::process;
use super::time::Rfc3339;

/// The longest error text kept in a marker, in bytes.
const MAX_ERROR_BYTES: usize = 512;

/// The answer to [`claim`].
#[derive(Debug)]
pub(super) enum Claimed {
    /// The refresh is the caller's.
    Ours(Box<Claim>),
    /// Another refreshes.
    Running(MarkerId),
    /// A refresh failed a moment ago.
    Failed { message: String },
}

/// Claims the refresh of a source, in place of a stale claim if there is one.
pub(super) fn claim(tier: &Path, source: &Source, options: &CacheOptions) -> Result<Claimed, CacheError> {
    let dir = TierDir::create(tier)?;
    let name = source.marker_file();
    let mut wait = Wait::new(options.lock_timeout);
    loop {
        let guard = Guard::acquire(&dir, &mut wait)?;
        let free = match marker::look(&dir, source, options)? {
            None => true,
            Some(Marker { state: MarkerState::Stale, file, .. }) => {
                let removed = dir.remove_if(&name, &file.stamp)?;
                fault::pass(Point::MarkerTakenOver);
                removed
            }
            Some(Marker { state: MarkerState::Failed { message }, .. }) => {
                return Ok(Claimed::Failed { message });
            }
            Some(marker) => return Ok(Claimed::Running(marker.id())),
        };
        if free {
            let now = options.clock.now();
            let content = MarkerFile {
                pid: process::own_pid(),
                started_at: Some(Rfc3339(now)),
                deadline: now.checked_add(options.refresh_deadline).map(Rfc3339),
                last_error: None,
                nonce: Some(process::nonce()),
                start: process::own_start(),
            };
            let linked = dir.temp_file(&encode(&content, &dir, &name)?)?.link_to(&name)?;
            if let Some(own) = linked {
                fault::pass(Point::MarkerPublished);
                drop(guard);
                let claim = Claim { dir, name, content, own, options: options.clone(), running: true };
                return Ok(Claimed::Ours(Box::new(claim)));
            }
        }
        // A foreign program put its own there between our look and our link.
        drop(guard);
        wait.pause(&dir, &name, None)?;
    }
}

/// A claimed refresh. Its marker stands until it is released, or taken over as stale.
#[derive(Debug)]
pub(super) struct Claim {
    dir: TierDir,
    name: String,
    content: MarkerFile,
    own: OwnFile,
    options: CacheOptions,
    /// Neither failed nor released.
    running: bool,
}

impl Claim {
    /// Removes our marker. One that another put in its place stays. Where it fails, it may be tried again.
    pub(super) fn release(&mut self) -> Result<(), CacheError> {
        self.remove(&mut Wait::new(self.options.lock_timeout))?;
        self.running = false;
        Ok(())
    }

    /// Whether the marker tells of a failure.
    pub(super) fn has_failed(&self) -> bool {
        !self.running
    }

    /// Turns our marker into that of a failed refresh, whose cool-down begins now.
    pub(super) fn fail(&mut self, message: &str) -> Result<(), CacheError> {
        let _guard = Guard::acquire(&self.dir, &mut Wait::new(self.options.lock_timeout))?;
        if !self.dir.stamp(&self.name)?.is_some_and(|found| found.is_same_file(self.own.stamp())) {
            return Ok(());
        }
        let end = self.options.clock.now().checked_add(self.options.failure_cooldown);
        self.content.deadline = end.map(Rfc3339);
        self.content.last_error = Some(bounded(message));
        let bytes = encode(&self.content, &self.dir, &self.name)?;
        self.own = self.dir.temp_file(&bytes)?.rename_to(&self.name)?;
        fault::pass(Point::MarkerFailed);
        self.running = false;
        Ok(())
    }

    fn remove(&self, wait: &mut Wait) -> Result<(), CacheError> {
        let _guard = Guard::acquire(&self.dir, wait)?;
        self.dir.remove_if(&self.name, self.own.stamp())?;
        fault::pass(Point::MarkerRemoved);
        Ok(())
    }
}

impl Drop for Claim {
    /// A refresh that is cut off, as when its runtime ends, gives its claim back without waiting. A failed one keeps
    /// others away for the rest of its cool-down.
    fn drop(&mut self) {
        if self.running
            && let Err(error) = self.remove(&mut Wait::new(Duration::ZERO))
        {
            tracing::warn!(%error, "a refresh marker of the signal cache stays behind until it is stale");
        }
    }
}

fn encode(content: &MarkerFile, dir: &TierDir, name: &str) -> Result<Vec<u8>, CacheError> {
    serde_json::to_vec(content).map_err(CacheError::io("write", dir.path(name)))
}

/// Never empty: that would read as a refresh that still runs.
fn bounded(message: &str) -> String {
    let end = message.floor_char_boundary(MAX_ERROR_BYTES);
    match message.get(..end) {
        Some(text) if !text.is_empty() => text.to_owned(),
        _ => "the refresh failed".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;
    use crate::cache::name::cache_source;
    use crate::cache::test_support::manual_options;

    fn claim_x(root: &TempDir, options: &CacheOptions) -> Claimed {
        claim(root.path(), &cache_source("x").unwrap(), options).unwrap()
    }

    fn standing(root: &TempDir, options: &CacheOptions) -> MarkerState {
        let dir = TierDir::create(root.path()).unwrap();
        marker::look(&dir, &cache_source("x").unwrap(), options).unwrap().unwrap().state
    }

    #[test]
    fn a_claim_excludes_others_and_its_marker_goes_with_it() {
        let root = tempfile::tempdir().unwrap();
        let options = CacheOptions::default();
        let Claimed::Ours(mut first) = claim_x(&root, &options) else { panic!("not ours") };
        let text = std::fs::read_to_string(root.path().join("x.refreshing")).unwrap();
        let keys: Vec<_> =
            ["\"pid\"", "\"started_at\"", "\"deadline\"", "\"nonce\""].map(|key| text.find(key)).into();
        assert!(
            keys.iter().all(Option::is_some) && keys.is_sorted() && !text.contains("last_error"),
            "{text}"
        );
        assert!(matches!(claim_x(&root, &options), Claimed::Running(_)));
        first.release().unwrap();
        assert!(matches!(claim_x(&root, &options), Claimed::Ours(_)));
    }

    #[test]
    fn a_failed_refresh_keeps_others_away_for_its_cool_down_only() {
        let (options, clock) = manual_options();
        let root = tempfile::tempdir().unwrap();
        let Claimed::Ours(mut claim) = claim_x(&root, &options) else { panic!("not ours") };
        claim.fail("connection refused").unwrap();
        clock.advance(options.failure_cooldown);
        let failed = MarkerState::Failed { message: "connection refused".to_owned() };
        assert_eq!(standing(&root, &options), failed);
        assert!(matches!(claim_x(&root, &options), Claimed::Failed { .. }));
        clock.advance(Duration::from_millis(1));
        assert_eq!(standing(&root, &options), MarkerState::Stale);
        claim.release().unwrap();
        assert!(!root.path().join("x.refreshing").exists());
    }

    #[test]
    fn a_claim_that_was_taken_over_changes_and_removes_only_its_own_marker() {
        let (options, clock) = manual_options();
        let root = tempfile::tempdir().unwrap();
        let Claimed::Ours(mut late) = claim_x(&root, &options) else { panic!("not ours") };
        clock.advance(options.refresh_deadline * 4);
        let Claimed::Ours(mut newer) = claim_x(&root, &options) else { panic!("not taken over") };
        let path = root.path().join("x.refreshing");
        let standing = std::fs::read(&path).unwrap();
        late.fail("too late").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), standing);
        late.release().unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), standing);
        newer.release().unwrap();
        assert!(!path.exists());
    }

    #[test]
    fn a_dropped_claim_gives_its_marker_back() {
        let root = tempfile::tempdir().unwrap();
        drop(claim_x(&root, &CacheOptions::default()));
        assert!(!root.path().join("x.refreshing").exists());
    }

    #[test]
    fn a_long_error_is_cut_between_characters_and_an_empty_one_named() {
        assert_eq!(bounded(&"é".repeat(300)).len(), 512);
        assert_eq!(bounded(&format!("x{}", "é".repeat(300))).len(), 511);
        assert_eq!(bounded(""), "the refresh failed");
    }
}
