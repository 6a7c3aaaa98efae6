//! Components as files of a directory: `NAME.wasm`, and the signature `NAME.wasm.minisig`.
//!
//! The way to the directory may hold symbolic links, its files may not be any: what lies elsewhere is taken in only
//! when its directory is named.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::file::{FileError, FileProblem, Links, Stamp, read, signature_path};
use crate::parsers::Candidate;

/// Most components of a directory that are taken.
pub const MOST_PARSERS: usize = 64;
/// Most files of a directory that are looked at, whatever they are.
pub const MOST_ENTRIES: usize = 10_000;

const EXTENSION: &str = "wasm";

/// A directory of components.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Directory {
    path: PathBuf,
    most_bytes: u64,
}

/// What stands in a directory: files by name, and why these are not all.
pub(super) type Listing = (BTreeMap<OsString, Stamps>, Option<FileError>);

/// The states of a component and of its signature.
pub(super) type Stamps = (Stamp, Option<Stamp>);

impl Directory {
    /// The directory at this path, of components with at most `most_bytes` each. It need not exist.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>, most_bytes: u64) -> Self {
        Self { path: path.into(), most_bytes }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads the component in this file.
    pub(super) fn read(&self, file: &OsStr) -> Result<Candidate, FileError> {
        read(&self.path.join(file), self.most_bytes, Links::Refused)
    }

    /// The files `*.wasm` that are not hidden; an error where the directory itself cannot be read.
    pub(super) fn list(&self) -> Result<Listing, FileError> {
        let mut names = BTreeMap::new();
        let (mut found, mut looked_at) = (0_usize, 0_usize);
        let failed = |error| FileProblem::io("read")(error).of(&self.path);
        for entry in fs::read_dir(&self.path).map_err(failed)? {
            looked_at += 1;
            if looked_at > MOST_ENTRIES {
                break;
            }
            let name = entry.map_err(failed)?.file_name();
            if is_component(&name) {
                found += 1;
                names.insert(name, ());
                if names.len() > MOST_PARSERS {
                    names.pop_last();
                }
            }
        }
        let problem = if looked_at > MOST_ENTRIES {
            Some(FileProblem::TooManyEntries { most: MOST_ENTRIES })
        } else {
            (found > MOST_PARSERS).then_some(FileProblem::TooManyParsers { found, most: MOST_PARSERS })
        };
        let stamped = names.into_keys().filter_map(|name| {
            let file = self.path.join(&name);
            let signature = stamp(&signature_path(&file));
            Some((name, (stamp(&file)?, signature)))
        });
        Ok((stamped.collect(), problem.map(|problem| problem.of(&self.path))))
    }

    /// What tells the directory apart from another one at its place.
    pub(super) fn identity(&self) -> Option<(u64, u64)> {
        fs::metadata(&self.path).ok().map(|meta| Stamp::of(&meta).identity())
    }
}

fn is_component(name: &OsStr) -> bool {
    !name.as_bytes().starts_with(b".") && Path::new(name).extension() == Some(OsStr::new(EXTENSION))
}

fn stamp(path: &Path) -> Option<Stamp> {
    fs::symlink_metadata(path).ok().map(|meta| Stamp::of(&meta))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn names(directory: &Directory) -> Vec<OsString> {
        directory.list().unwrap().0.into_keys().collect()
    }

    #[test]
    fn components_are_listed_by_name_without_what_is_beside_them() {
        let folder = tempfile::tempdir().unwrap();
        for name in
            ["b.wasm", "a.wasm", ".hidden.wasm", ".wasm", "a.wasm.minisig", "a.wasm~", "a.wat", "wasm"]
        {
            fs::write(folder.path().join(name), "").unwrap();
        }
        symlink("/dev/zero", folder.path().join("link.wasm")).unwrap();
        let directory = Directory::new(folder.path(), 100);
        assert_eq!(names(&directory), ["a.wasm", "b.wasm", "link.wasm"]);
        let error = directory.read(OsStr::new("link.wasm")).unwrap_err();
        assert!(matches!(error.problem, FileProblem::Link));
    }

    #[test]
    fn of_too_many_the_first_are_listed_and_the_rest_is_told() {
        let folder = tempfile::tempdir().unwrap();
        for number in (0..MOST_PARSERS + 3).rev() {
            fs::write(folder.path().join(format!("{number:03}.wasm")), "").unwrap();
        }
        let (listed, problem) = Directory::new(folder.path(), 100).list().unwrap();
        assert_eq!(listed.len(), MOST_PARSERS);
        assert_eq!(listed.into_keys().next_back().unwrap(), "063.wasm");
        assert!(problem.unwrap().to_string().contains("67 components"));
    }

    #[test]
    fn a_directory_that_is_none_is_told() {
        for path in ["/no/such/folder", "/dev/null"] {
            let error = Directory::new(path, 100).list().unwrap_err();
            assert!(error.to_string().starts_with(&format!("{path}: it cannot be read: ")), "{error}");
        }
    }
}
