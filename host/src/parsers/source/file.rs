//! Components as files, with the signature beside them: read within bounds, and whatever stands there.

use std::ffi::OsString;
use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use crate::parsers::Candidate;

/// Largest signature file, in bytes. One of minisign is some 300.
const MOST_SIGNATURE_BYTES: u64 = 4 << 10;

const SIGNATURE_SUFFIX: &str = ".minisig";

/// A file cannot be taken as a component.
#[derive(Debug, thiserror::Error)]
#[error("{}: {problem}", path.display())]
pub struct FileError {
    /// The file, or its directory where it is about that.
    pub path: PathBuf,
    /// What is wrong with it.
    pub problem: FileProblem,
}

/// What is wrong with a file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FileProblem {
    /// The system refuses it.
    #[error("it cannot be {action}: {error}; check that it exists and that this user may")]
    Io {
        /// What was attempted: `read` or `written`.
        action: &'static str,
        /// What the system says.
        error: io::Error,
    },
    /// It is something else than a regular file.
    #[error("it is no regular file; put the component itself here")]
    NotAFile,
    /// It is a symbolic link, where none is followed.
    #[error("it is a symbolic link, and none is followed here; put the component itself here")]
    Link,
    /// It is larger than allowed.
    #[error("it is larger than {most} bytes, the most that is allowed")]
    TooLarge {
        /// The most, in bytes.
        most: u64,
    },
    /// The signature is no text.
    #[error("it is no text, and a signature of minisign is; sign the component again")]
    NotText,
    /// Somebody was writing to it.
    #[error("it was changed while it was read; try again when it is complete")]
    Changing,
    /// A directory holds too many of them.
    #[error("it holds {found} components, of which the first {most} by name are taken; remove others")]
    TooManyParsers {
        /// How many there are.
        found: usize,
        /// How many are taken.
        most: usize,
    },
    /// A directory holds too much else.
    #[error("it holds more than {most} files, and not all were looked at; move others elsewhere")]
    TooManyEntries {
        /// How many were looked at.
        most: usize,
    },
}

impl FileProblem {
    pub(super) fn io(action: &'static str) -> impl Fn(io::Error) -> Self {
        move |error| Self::Io { action, error }
    }

    pub(super) fn of(self, path: &Path) -> FileError {
        FileError { path: path.to_owned(), problem: self }
    }
}

/// Are symbolic links followed?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Links {
    /// They are: the caller has named the file.
    Followed,
    /// They are refused.
    Refused,
}

/// Where the signature of a component's file lies: `FILE.minisig`.
#[must_use]
pub fn signature_path(file: &Path) -> PathBuf {
    let mut name = OsString::from(file);
    name.push(SIGNATURE_SUFFIX);
    name.into()
}

/// Reads a component's file, and the signature beside it if there is one. Links are followed.
///
/// # Errors
///
/// [`FileError`] names the file that cannot be read, is larger than `most_bytes`, or changes meanwhile.
pub fn read_file(file: &Path, most_bytes: u64) -> Result<Candidate, FileError> {
    read(file, most_bytes, Links::Followed)
}

pub(super) fn read(file: &Path, most_bytes: u64, links: Links) -> Result<Candidate, FileError> {
    let bytes = read_bounded(file, most_bytes, links).map_err(|problem| problem.of(file))?;
    let bytes =
        bytes.ok_or_else(|| FileProblem::io("read")(io::Error::from(io::ErrorKind::NotFound)).of(file))?;
    let beside = signature_path(file);
    let signature = read_bounded(&beside, MOST_SIGNATURE_BYTES, links)
        .and_then(|bytes| bytes.map(String::from_utf8).transpose().map_err(|_| FileProblem::NotText))
        .map_err(|problem| problem.of(&beside))?;
    Ok(Candidate::new(bytes, signature, file.display().to_string()))
}

/// The content of a file, or `None` if there is none. What is no regular file neither blocks nor is read.
pub(super) fn read_bounded(path: &Path, most: u64, links: Links) -> Result<Option<Vec<u8>>, FileProblem> {
    let no_follow = if links == Links::Refused { OFlags::NOFOLLOW } else { OFlags::empty() };
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC | no_follow;
    let file: File = match rustix::fs::open(path, flags, Mode::empty()) {
        Ok(file) => file.into(),
        Err(Errno::NOENT) => return Ok(None),
        Err(Errno::LOOP) if links == Links::Refused => return Err(FileProblem::Link),
        Err(error) => return Err(FileProblem::io("read")(error.into())),
    };
    let failed = FileProblem::io("read");
    let before = file.metadata().map_err(&failed)?;
    if !before.is_file() {
        return Err(FileProblem::NotAFile);
    }
    if before.len() > most {
        return Err(FileProblem::TooLarge { most });
    }
    let mut bytes = Vec::with_capacity(usize::try_from(before.len()).unwrap_or_default());
    (&file).take(most + 1).read_to_end(&mut bytes).map_err(&failed)?;
    if bytes.len() as u64 > most {
        return Err(FileProblem::TooLarge { most });
    }
    let after = file.metadata().map_err(&failed)?;
    if Stamp::of(&before) != Stamp::of(&after) || bytes.len() as u64 != after.len() {
        return Err(FileProblem::Changing);
    }
    Ok(Some(bytes))
}

/// What tells two states of a file apart without reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Stamp {
    pub(super) fn of(meta: &Metadata) -> Self {
        Self {
            device: meta.dev(),
            inode: meta.ino(),
            size: meta.size(),
            modified: (meta.mtime(), meta.mtime_nsec()),
            changed: (meta.ctime(), meta.ctime_nsec()),
        }
    }

    /// The device and the number that a file keeps as long as it exists.
    pub(super) fn identity(&self) -> (u64, u64) {
        (self.device, self.inode)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixListener;

    use super::*;

    #[test]
    fn a_component_is_read_with_the_signature_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.wasm");
        fs::write(&file, b"\0asm").unwrap();
        let unsigned = read_file(&file, 100).unwrap();
        assert_eq!((unsigned.bytes.as_slice(), unsigned.signature), (b"\0asm".as_slice(), None));

        fs::write(folder.path().join("a.wasm.minisig"), "signed").unwrap();
        assert_eq!(read_file(&file, 100).unwrap().signature.as_deref(), Some("signed"));
    }

    #[test]
    fn an_error_names_the_file_that_it_is_about() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.wasm");
        assert!(read_file(&file, 100).unwrap_err().to_string().contains("a.wasm: it cannot be read: "));
        fs::write(&file, b"\0asm").unwrap();
        let signature = signature_path(&file);
        for (content, problem) in
            [(vec![b'x'; 4097], "it is larger than 4096 bytes"), (b"\xff".to_vec(), "it is no text")]
        {
            fs::write(&signature, content).unwrap();
            let error = read_file(&file, 100).unwrap_err();
            assert_eq!(error.path, signature);
            assert!(error.to_string().contains(problem), "{error}");
        }
    }

    #[test]
    fn only_regular_files_of_a_bounded_size_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::write(path("largest"), [0; 100]).unwrap();
        fs::write(path("larger"), [0; 101]).unwrap();
        symlink(path("largest"), path("link")).unwrap();
        let _socket = UnixListener::bind(path("socket")).unwrap();

        let read = |name: &str| read_bounded(&path(name), 100, Links::Refused);
        assert_eq!(read("largest").unwrap().unwrap().len(), 100);
        assert!(matches!(read("larger"), Err(FileProblem::TooLarge { most: 100 })));
        assert!(matches!(read("link"), Err(FileProblem::Link)));
        assert!(read_bounded(&path("link"), 100, Links::Followed).unwrap().is_some());
        assert!(matches!(read("socket"), Err(FileProblem::Io { .. })));
        assert!(matches!(read(""), Err(FileProblem::NotAFile)));
        assert!(read("absent").unwrap().is_none());
        for device in ["/dev/zero", "/dev/null"] {
            let read = read_bounded(Path::new(device), 100, Links::Refused);
            assert!(matches!(read, Err(FileProblem::NotAFile)));
        }
    }
}
