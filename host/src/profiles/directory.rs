//! Where profiles lie, and how their files are read: within bounds, and whatever stands there.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use super::error::{ProfileFileError, ProfileProblem};
use crate::folders::user_folder;

/// Most files of a directory that are looked at.
pub(super) const MOST_FILES: usize = 100;
/// Largest file, in bytes.
pub(super) const MOST_BYTES: u64 = 64 << 10;

const VARIABLE: &str = "RUNTIME_SIGNALS_PROFILES";
const FOLDER: &str = "runtime-signals/profiles";

/// A directory of profiles.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProfileDir(PathBuf);

impl ProfileDir {
    /// The user's directory: `RUNTIME_SIGNALS_PROFILES`, else `runtime-signals/profiles` in the user's configuration
    /// directory (`XDG_CONFIG_HOME` or `~/.config`), if there is one. An empty variable counts as not set, a relative
    /// `XDG_CONFIG_HOME` too.
    #[must_use]
    pub fn user() -> Option<Self> {
        Self::from_lookup(|variable| std::env::var_os(variable))
    }

    fn from_lookup(lookup: impl Fn(&str) -> Option<OsString>) -> Option<Self> {
        // One that is named and is not there is worth a warning; the default one need not be there.
        if let Some(named) = lookup(VARIABLE).filter(|value| !value.is_empty()) {
            return Some(Self(named.into()));
        }
        let folder = user_folder(lookup, "XDG_CONFIG_HOME", ".config")?.join(FOLDER);
        folder.try_exists().unwrap_or(true).then_some(Self(folder))
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl From<ProfileDir> for PathBuf {
    fn from(directory: ProfileDir) -> Self {
        directory.0
    }
}

/// Are symbolic links followed?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Links {
    /// They are.
    Followed,
    /// They are refused. The way to the directory may hold links, its files may not be any: what lies elsewhere is
    /// taken in only when its directory is named.
    Refused,
}

/// The files `*.toml` of a directory that are not hidden, by name, and why these are not all.
pub(super) fn list(directory: &Path) -> (Vec<PathBuf>, Option<ProfileFileError>) {
    let mut names = BTreeSet::new();
    let mut found = 0_usize;
    let outcome = fs::read_dir(directory).and_then(|entries| {
        for entry in entries {
            let name = entry?.file_name();
            if is_profile(&name) {
                found += 1;
                names.insert(name);
                if names.len() > MOST_FILES {
                    names.pop_last();
                }
            }
        }
        Ok(())
    });
    let problem = match outcome {
        Err(error) => Some(ProfileProblem::Unreadable(error)),
        Ok(()) if found > MOST_FILES => Some(ProfileProblem::TooManyFiles { found, most: MOST_FILES }),
        Ok(()) => None,
    };
    let files = names.iter().map(|name| directory.join(name)).collect();
    (files, problem.map(|problem| ProfileFileError::new(directory, problem)))
}

fn is_profile(name: &OsStr) -> bool {
    !name.as_bytes().starts_with(b".") && Path::new(name).extension() == Some(OsStr::new("toml"))
}

/// The text of a file. What is no regular file neither blocks nor is read.
pub(super) fn read(file: &Path, links: Links) -> Result<String, ProfileProblem> {
    let no_follow = if links == Links::Refused { OFlags::NOFOLLOW } else { OFlags::empty() };
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC | no_follow;
    let file: File = match rustix::fs::open(file, flags, Mode::empty()) {
        Ok(file) => file.into(),
        Err(Errno::LOOP) if links == Links::Refused => return Err(ProfileProblem::Link),
        Err(error) => return Err(ProfileProblem::Unreadable(error.into())),
    };
    let mut bytes = Vec::new();
    let regular = file.metadata().and_then(|metadata| {
        if metadata.is_file() {
            file.take(MOST_BYTES + 1).read_to_end(&mut bytes)?;
        }
        io::Result::Ok(metadata.is_file())
    });
    if !regular.map_err(ProfileProblem::Unreadable)? {
        return Err(ProfileProblem::NotAFile);
    }
    if bytes.len() as u64 > MOST_BYTES {
        return Err(ProfileProblem::TooLarge { most: MOST_BYTES });
    }
    String::from_utf8(bytes).map_err(|error| {
        let good = error.as_bytes().get(..error.utf8_error().valid_up_to()).unwrap_or_default();
        ProfileProblem::NotText { line: good.iter().filter(|byte| **byte == b'\n').count() + 1 }
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixListener;

    use super::*;

    fn user(environment: &[(&str, &Path)]) -> Option<PathBuf> {
        let found = ProfileDir::from_lookup(|variable| {
            environment
                .iter()
                .find(|(name, _)| *name == variable)
                .map(|(_, value)| value.as_os_str().to_owned())
        });
        found.map(PathBuf::from)
    }

    #[test]
    fn the_users_directory_is_the_named_one_else_that_of_the_configuration_if_it_exists() {
        let home = tempfile::tempdir().unwrap();
        let home = home.path();
        assert_eq!(user(&[]), None);
        assert_eq!(user(&[("HOME", home)]), None);
        let nowhere = Path::new("/no/such/folder");
        assert_eq!(user(&[("RUNTIME_SIGNALS_PROFILES", nowhere), ("HOME", home)]), Some(nowhere.into()));

        let folder = home.join(".config").join(FOLDER);
        fs::create_dir_all(&folder).unwrap();
        let empty = Path::new("");
        for other in [empty, Path::new("relative")] {
            let environment =
                [("HOME", home), ("XDG_CONFIG_HOME", other), ("RUNTIME_SIGNALS_PROFILES", empty)];
            assert_eq!(user(&environment), Some(folder.clone()));
        }
        assert_eq!(user(&[("XDG_CONFIG_HOME", &home.join(".config"))]), Some(folder));
    }

    #[test]
    fn files_are_listed_by_name_without_hidden_ones_and_other_kinds() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["b.toml", "a.toml", ".hidden.toml", ".toml", "a.toml~", "notes.md", "toml"] {
            fs::write(folder.path().join(name), "").unwrap();
        }
        let (files, problem) = list(folder.path());
        assert_eq!(files, [folder.path().join("a.toml"), folder.path().join("b.toml")]);
        assert!(problem.is_none());
    }

    #[test]
    fn of_too_many_files_the_first_are_listed_and_the_rest_is_told() {
        let folder = tempfile::tempdir().unwrap();
        for number in (0..MOST_FILES + 3).rev() {
            fs::write(folder.path().join(format!("{number:03}.toml")), "").unwrap();
        }
        let (files, problem) = list(folder.path());
        assert_eq!(files.len(), MOST_FILES);
        assert_eq!(files.last(), Some(&folder.path().join("099.toml")));
        assert!(problem.unwrap().to_string().contains("103 profiles"));
    }

    #[test]
    fn a_directory_that_is_none_is_told() {
        for directory in ["/no/such/folder", "/dev/null"] {
            let (files, problem) = list(Path::new(directory));
            assert_eq!(files, [] as [PathBuf; 0]);
            assert!(problem.unwrap().to_string().starts_with(&format!("{directory}: it cannot be read: ")));
        }
    }

    #[test]
    fn only_regular_files_of_a_bounded_size_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::write(path("largest"), "#".repeat(64 << 10)).unwrap();
        fs::write(path("larger"), "#".repeat((64 << 10) + 1)).unwrap();
        fs::write(path("binary"), b"type = \"x\"\n\xff\xfe\0").unwrap();
        symlink(path("largest"), path("link")).unwrap();
        let _socket = UnixListener::bind(path("socket")).unwrap();

        let read = |name: &str| super::read(&path(name), Links::Refused);
        assert_eq!(read("largest").unwrap().len(), 64 << 10);
        assert!(matches!(read("larger"), Err(ProfileProblem::TooLarge { .. })));
        assert!(matches!(read("binary"), Err(ProfileProblem::NotText { line: 2 })));
        assert!(matches!(read("link"), Err(ProfileProblem::Link)));
        assert!(super::read(&path("link"), Links::Followed).is_ok());
        assert!(matches!(read("socket"), Err(ProfileProblem::Unreadable(_))));
        assert!(matches!(read("absent"), Err(ProfileProblem::Unreadable(_))));
        assert!(matches!(read(""), Err(ProfileProblem::NotAFile)));
        for device in ["/dev/zero", "/dev/null"] {
            let read = super::read(Path::new(device), Links::Refused);
            assert!(matches!(read, Err(ProfileProblem::NotAFile)));
        }
    }
}
