//! Reading without a lock.
//!
//! A file is only ever put in place whole, so a reader sees one version or another, never a part. What cannot be a
//! signal, a link, a directory, a pipe or a file too large, is never read and counts as nothing there.

use std::fs::{File, Metadata};
use std::os::fd::AsFd;
use std::path::Path;
use std::time::{Duration, SystemTime};

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use super::error::CacheError;
use super::file::{modified, read_bounded};
use super::time::{age, lead};

/// The largest stored signal, in bytes.
pub(super) const MAX_BYTES: usize = 1024 * 1024;

/// A stored entry, not decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Raw {
    /// The whole content, at most 1 MiB. Whether it is a signal is for the reader to decide.
    pub bytes: Vec<u8>,
    /// When the file was written, by the file system's clock.
    pub modified: SystemTime,
}

/// How old a stored signal is, and whether it still counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Freshness {
    /// The larger of the times since the file was written and since the signal was recorded, each at least zero.
    pub age: Duration,
    /// The age is below the time to live and neither time is further ahead of now than one refresh deadline.
    pub fresh: bool,
}

impl Freshness {
    /// Judges an entry that was written at `modified` and says it was recorded at `recorded_at`, as of `now`.
    #[must_use]
    pub fn judge(
        modified: SystemTime,
        recorded_at: SystemTime,
        now: SystemTime,
        ttl: Duration,
        refresh_deadline: Duration,
    ) -> Self {
        let age = age(modified, now).max(age(recorded_at, now));
        let ahead = lead(modified, now).max(lead(recorded_at, now));
        Self { age, fresh: age < ttl && ahead <= refresh_deadline }
    }
}

/// What stands under the name of an entry.
#[derive(Debug)]
pub(super) enum Stored {
    Nothing,
    /// Something that cannot be a signal: a link, a socket.
    Unusable,
    Open(File, Metadata),
}

impl Stored {
    pub(super) fn open(at: impl AsFd, name: impl AsRef<Path>, path: &Path) -> Result<Self, CacheError> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        match rustix::fs::openat(at, name.as_ref(), flags, Mode::empty()) {
            Ok(fd) => {
                let file = File::from(fd);
                let meta = file.metadata().map_err(CacheError::io("look at", path))?;
                Ok(Self::Open(file, meta))
            }
            Err(Errno::NOENT) => Ok(Self::Nothing),
            Err(Errno::LOOP | Errno::NXIO) => Ok(Self::Unusable),
            Err(error) => Err(CacheError::io("open", path)(error)),
        }
    }

    pub(super) fn bytes(&self, path: &Path) -> Result<Option<Vec<u8>>, CacheError> {
        let bytes = match self {
            Self::Nothing => return Ok(None),
            Self::Unusable => None,
            Self::Open(file, meta) => {
                read_bounded(file, meta, MAX_BYTES).map_err(CacheError::io("read", path))?
            }
        };
        if bytes.is_none() {
            tracing::debug!(path = %path.display(), "what stands here cannot be a signal and is not read");
        }
        Ok(bytes)
    }
}

/// Reads the entry at `path`.
pub(super) fn read(path: &Path) -> Result<Option<Raw>, CacheError> {
    let stored = Stored::open(rustix::fs::CWD, path, path)?;
    let bytes = stored.bytes(path)?;
    Ok(match (stored, bytes) {
        (Stored::Open(_, meta), Some(bytes)) => Some(Raw { bytes, modified: modified(&meta) }),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TTL: Duration = Duration::from_secs(300);
    const DEADLINE: Duration = Duration::from_secs(5);

    fn judge(modified: i64, recorded: i64) -> Freshness {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000);
        let at = |offset: i64| {
            let shift = Duration::from_millis(offset.unsigned_abs());
            if offset < 0 { now - shift } else { now + shift }
        };
        Freshness::judge(at(modified), at(recorded), now, TTL, DEADLINE)
    }

    #[test]
    fn the_age_is_the_larger_of_both_times_and_never_negative() {
        assert_eq!(judge(-2_000, -3_000).age, Duration::from_secs(3));
        assert_eq!(judge(-4_000, -3_000).age, Duration::from_secs(4));
        assert_eq!(judge(2_000, 1_000).age, Duration::ZERO);
    }

    #[test]
    fn an_entry_is_fresh_below_the_time_to_live() {
        assert!(judge(0, -299_999).fresh);
        assert!(!judge(0, -300_000).fresh);
        assert!(!judge(-300_000, 0).fresh);
    }

    #[test]
    fn a_time_further_ahead_than_the_refresh_deadline_is_stale() {
        assert!(judge(0, 5_000).fresh);
        assert!(!judge(0, 5_001).fresh);
        assert!(!judge(5_001, 0).fresh);
    }

    #[test]
    fn what_cannot_be_a_signal_is_not_read() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("x.json");
        assert_eq!(read(&path).unwrap(), None);

        std::fs::create_dir(&path).unwrap();
        assert_eq!(read(&path).unwrap(), None);
        std::fs::remove_dir(&path).unwrap();

        std::os::unix::fs::symlink("/etc/hostname", &path).unwrap();
        assert_eq!(read(&path).unwrap(), None);
        std::fs::remove_file(&path).unwrap();

        let _socket = std::os::unix::net::UnixListener::bind(&path).unwrap();
        assert_eq!(read(&path).unwrap(), None);
        std::fs::remove_file(&path).unwrap();

        assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
        assert_eq!(read(&path).unwrap(), None);
        std::fs::remove_file(&path).unwrap();

        std::fs::write(&path, vec![b'x'; MAX_BYTES]).unwrap();
        assert_eq!(read(&path).unwrap().unwrap().bytes.len(), MAX_BYTES);
        std::fs::write(&path, vec![b'x'; MAX_BYTES + 1]).unwrap();
        assert_eq!(read(&path).unwrap(), None);
    }

    #[test]
    fn an_unreadable_directory_is_an_error_that_names_the_file() {
        let root = tempfile::tempdir().unwrap();
        std::fs::write(root.path().join("runtime"), b"").unwrap();
        let error = read(&root.path().join("runtime/x.json")).unwrap_err().to_string();
        assert!(error.contains("runtime/x.json"), "{error}");
    }
}
