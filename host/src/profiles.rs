//! Profiles of the user's own: files that say how the responses of a provider type are read.
//!
//! A profile is data, in the TOML form of the built-in ones. Each file is checked strictly, its cases are read
//! through the engine, and only then it is put into service: for types that no built-in profile names, or in place of
//! one that does. What is refused is told with the reason and changes nothing; the other files go on.
//!
//! The engine cannot take a profile out of service. One whose file is removed or no longer good keeps serving until
//! the process ends.

mod cases;
mod directory;
mod error;
mod shelf;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

pub use self::cases::FailedCase;
pub(crate) use self::cases::{differences, expectation, failures};
pub use self::directory::ProfileDir;
pub use self::error::{ProfileFileError, ProfileProblem};

use self::directory::Links;
use self::shelf::Shelf;
use crate::engine::Engine;

/// A profile that was read from a file and passed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProfileFile {
    /// The file.
    pub path: PathBuf,
    /// The provider type that it reads.
    pub provider_type: String,
    /// Other names of that type.
    pub aliases: Vec<String>,
    /// Where its provider documents what it sends.
    pub source: Vec<String>,
    /// The day on which it was compared with its source, as `2026-11-24`; empty where no day is told.
    pub verified: String,
    /// How many cases it passed.
    pub cases: usize,
}

/// What came of the files of a directory.
#[derive(Debug, Default)]
pub struct LoadedProfiles {
    /// Those that are in service, by the names of their files.
    pub loaded: Vec<ProfileFile>,
    /// Those that were refused, and the directory itself where it cannot be read to its end.
    pub refused: Vec<ProfileFileError>,
}

/// The user's profiles of one store.
#[derive(Default)]
pub(crate) struct Profiles {
    shelf: Mutex<Shelf>,
    /// What came of the last load.
    latest: Mutex<Arc<LoadedProfiles>>,
}

impl Profiles {
    /// What came of the last load.
    pub(crate) fn latest(&self) -> Arc<LoadedProfiles> {
        self.latest.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Takes in the files of a directory, one after the other.
    pub(crate) fn load(&self, engine: &Engine, directory: &Path) -> Arc<LoadedProfiles> {
        let mut shelf = self.shelf.lock().unwrap_or_else(PoisonError::into_inner);
        let mut report = LoadedProfiles::default();
        let (files, problem) = directory::list(directory);
        for file in &files {
            match shelf.take_in(engine, file, &report.loaded) {
                Ok(taken) => report.loaded.push(taken),
                Err(error) => report.refused.push(error),
            }
        }
        report.refused.extend(problem);
        for error in &report.refused {
            tracing::warn!(%error, "a profile is not taken in");
        }
        let report = Arc::new(report);
        *self.latest.lock().unwrap_or_else(PoisonError::into_inner) = report.clone();
        report
    }

    /// Checks a file without putting it into service. A link to it is followed: the caller has named it.
    pub(crate) fn check(&self, engine: &Engine, file: &Path) -> Result<ProfileFile, ProfileFileError> {
        let mut shelf = self.shelf.lock().unwrap_or_else(PoisonError::into_inner);
        shelf.check(engine, file, Links::Followed).map(|(checked, _)| checked)
    }
}
