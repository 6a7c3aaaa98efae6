//! Small files that other programs write: bounded reads, atomic replacement.

use std::fs::{self, DirBuilder, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, Mode, OFlags};
use rustix::io::Errno;

/// Largest snapshot that is read, in bytes.
const MAX_SNAPSHOT: u64 = 1024 * 1024;

/// How long a writer waits for another one.
const LOCK_TIMEOUT: Duration = Duration::from_millis(100);

/// Why a snapshot file could not be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SnapshotError {
    /// The file system refused.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was tried: `read`, `write` …
        action: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// It is something else than a regular file.
    #[error("{} is no regular file: remove it, or name another path", path.display())]
    NotAFile {
        /// The path.
        path: PathBuf,
    },
    /// It is larger than any snapshot.
    #[error("{} is larger than {MAX_SNAPSHOT} bytes and is left alone", path.display())]
    TooLarge {
        /// The path.
        path: PathBuf,
    },
    /// Another process has been writing it for longer than 100 ms.
    #[error("{} is being written by another process", path.display())]
    Busy {
        /// The path.
        path: PathBuf,
    },
}

impl SnapshotError {
    pub(super) fn io(action: &'static str, path: &Path, source: impl Into<io::Error>) -> Self {
        Self::Io { action, path: path.to_owned(), source: source.into() }
    }
}

/// Opens a regular file. A FIFO or a device in its place neither blocks nor is read.
pub(super) fn open_regular(path: &Path) -> Result<File, SnapshotError> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file: File = rustix::fs::open(path, flags, Mode::empty())
        .map_err(|error| SnapshotError::io("open", path, error))?
        .into();
    let metadata = file.metadata().map_err(|error| SnapshotError::io("read", path, error))?;
    if !metadata.is_file() {
        return Err(SnapshotError::NotAFile { path: path.to_owned() });
    }
    Ok(file)
}

/// The bytes of a snapshot; none when there is no such file.
pub(super) fn read(path: &Path) -> Result<Option<Vec<u8>>, SnapshotError> {
    let file = match open_regular(path) {
        Err(SnapshotError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
            return Ok(None);
        }
        opened => opened?,
    };
    let mut bytes = Vec::new();
    file.take(MAX_SNAPSHOT + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| SnapshotError::io("read", path, error))?;
    if bytes.len() as u64 > MAX_SNAPSHOT {
        return Err(SnapshotError::TooLarge { path: path.to_owned() });
    }
    Ok(Some(bytes))
}

/// Replaces a snapshot by what `change` makes of it, or leaves it where that is nothing. Says which.
///
/// Writers of this program take turns, readers never see half a file. Directories are made with mode 0750,
/// the file has mode 0600.
pub(super) fn update(
    path: &Path,
    change: impl FnOnce(Option<Vec<u8>>) -> Option<Vec<u8>>,
) -> Result<bool, SnapshotError> {
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    DirBuilder::new()
        .recursive(true)
        .mode(0o750)
        .create(directory)
        .map_err(|error| SnapshotError::io("create", directory, error))?;
    let _turn = lock(directory, path)?;
    let Some(bytes) = change(read(path)?) else {
        return Ok(false);
    };
    replace(directory, path, &bytes)?;
    Ok(true)
}

/// Holds the writers' lock, on the directory itself: no lock file is left behind, and it ends with us.
fn lock(directory: &Path, path: &Path) -> Result<File, SnapshotError> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let held: File = rustix::fs::open(directory, flags, Mode::empty())
        .map_err(|error| SnapshotError::io("open", directory, error))?
        .into();
    let deadline = Instant::now() + LOCK_TIMEOUT;
    loop {
        match rustix::fs::flock(&held, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(held),
            Err(Errno::INTR) => {}
            Err(Errno::WOULDBLOCK) if Instant::now() < deadline => {
                std::thread::sleep(Duration::from_millis(2));
            }
            Err(Errno::WOULDBLOCK) => {
                return Err(SnapshotError::Busy { path: path.to_owned() });
            }
            Err(error) => return Err(SnapshotError::io("lock", directory, error)),
        }
    }
}

fn replace(directory: &Path, path: &Path, bytes: &[u8]) -> Result<(), SnapshotError> {
    static COUNTER: AtomicU64 = AtomicU64::new(0);
    let private = directory.join(format!(
        ".runtime-signals-{}-{}",
        std::process::id(),
        COUNTER.fetch_add(1, Ordering::Relaxed)
    ));
    let written = write_new(&private, bytes).and_then(|()| fs::rename(&private, path));
    written.map_err(|error| {
        // What remains is ours and of no use; the error that matters is the first one.
        let _ = fs::remove_file(&private);
        SnapshotError::io("write", path, error)
    })
}

fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut file: File = rustix::fs::open(path, flags, Mode::RUSR | Mode::WUSR)?.into();
    file.write_all(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn add_one(path: &Path) -> Result<bool, SnapshotError> {
        update(path, |stored| {
            let text = String::from_utf8(stored.unwrap_or_default()).unwrap();
            let count: u32 = text.parse().unwrap_or(0);
            Some((count + 1).to_string().into_bytes())
        })
    }

    #[test]
    fn writers_take_turns() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("new/count");
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..100 {
                        while matches!(add_one(&path), Err(SnapshotError::Busy { .. })) {}
                    }
                });
            }
        });
        assert_eq!(read(&path).unwrap().unwrap(), b"400");
    }

    #[test]
    fn a_stuck_writer_does_not_hold_up_the_others_for_long() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("count");
        let _stuck = lock(directory.path(), &path).unwrap();

        assert!(matches!(add_one(&path), Err(SnapshotError::Busy { .. })));
        assert!(!path.exists());
    }

    #[test]
    fn what_cannot_replace_the_file_leaves_nothing_behind() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("taken");
        fs::create_dir(&path).unwrap();

        assert!(matches!(
            replace(directory.path(), &path, b"x"),
            Err(SnapshotError::Io { action: "write", .. })
        ));
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }
}
