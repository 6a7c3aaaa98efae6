//! Side files as fuzz targets look at them.

use std::path::Path;

use super::dir::TierDir;
use super::lock::Section;
use super::marker::{self, MarkerState};
use super::{CacheError, CacheOptions, Source};

/// What a marker says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Marker {
    /// A refresh is under way.
    Running,
    /// A refresh has failed a moment ago, for this reason.
    Failed(String),
    /// Nobody need heed it.
    Stale,
}

/// Looks at the marker of a source in a tier's folder; `None` where there is none.
///
/// # Errors
/// When the folder cannot be read.
pub fn marker(tier: &Path, source: &Source, options: &CacheOptions) -> Result<Option<Marker>, CacheError> {
    let found = marker::look(&TierDir::create(tier)?, source, options)?;
    Ok(found.map(|found| match found.state {
        MarkerState::Running => Marker::Running,
        MarkerState::Failed { message } => Marker::Failed(message),
        MarkerState::Stale => Marker::Stale,
    }))
}

/// Takes the lock of a source as it stands in a tier's folder, waiting for one lock time-out at most, and gives it back.
///
/// # Errors
/// When another holds it, or the folder cannot be changed.
pub fn lock(tier: &Path, source: &Source, options: &CacheOptions) -> Result<(), CacheError> {
    Section::enter(&TierDir::create(tier)?, source, options, options.lock_timeout).map(drop)
}
