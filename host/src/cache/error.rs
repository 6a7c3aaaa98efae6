//! What can go wrong with the signal cache. Every message says what was tried, on which file, and what to do.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use super::name::NameError;

/// A failed operation of the signal cache. What was stored before is still stored.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CacheError {
    /// The provider's name cannot be the name of a cache entry.
    #[error(transparent)]
    Name(#[from] NameError),

    /// The operating system refused an operation on a file or directory.
    #[error("cannot {action} {}: {cause}; {}", path.display(), advice(cause))]
    Io {
        /// What was tried, as a verb.
        action: &'static str,
        /// The file or directory it was tried on.
        path: PathBuf,
        /// The operating system's answer.
        cause: io::Error,
    },

    /// Another process held the lock for longer than the lock time-out. Nothing was written.
    #[error(
        "{} is held by {}, waited {waited:?}; nothing was changed: try again, and if it stays held, \
         end or resume that process",
        path.display(),
        holder.map_or_else(|| "another process".to_owned(), |pid| format!("process {pid}"))
    )]
    LockTimeout {
        /// The lock or guard file.
        path: PathBuf,
        /// The process that holds it, where the file says so.
        holder: Option<i64>,
        /// How long this caller waited.
        waited: Duration,
    },

    /// A program that does not take the lock replaced the file each time it was about to be written.
    #[error(
        "{} was replaced {attempts} times in a row while it was to be written, by a program that does not take \
         its lock; nothing was written: find and stop that program",
        path.display()
    )]
    Contended {
        /// The file that keeps changing.
        path: PathBuf,
        /// How many times the commit was prepared.
        attempts: u32,
    },

    /// The value is larger than a reader accepts.
    #[error("{} would have {bytes} bytes, the limit is {limit}; nothing was written: store less", path.display())]
    TooLarge {
        /// The file that was to be written.
        path: PathBuf,
        /// The size of the refused value, in bytes.
        bytes: usize,
        /// The largest size, in bytes.
        limit: usize,
    },

    /// Neither a cache directory is configured nor can the user's own be found.
    #[error("no cache directory: set {variable} to one, or HOME to the user's home directory")]
    NoCacheDirectory {
        /// The environment variable that names the cache directory.
        variable: &'static str,
    },

    /// An environment variable has a value that cannot be used.
    #[error(
        "{variable}={value:?} cannot be used: {reason}; give a positive duration such as 90s, 1.5h or 250ms"
    )]
    Setting {
        /// The environment variable.
        variable: &'static str,
        /// Its value.
        value: String,
        /// Why it cannot be used.
        reason: String,
    },
}

impl CacheError {
    /// What went wrong, without a path: for those who need not know it.
    pub(crate) fn cause(&self) -> String {
        match self {
            Self::Io { cause, .. } => cause.to_string(),
            Self::LockTimeout { .. } => "another process held the lock".to_owned(),
            Self::Contended { .. } => "another program kept replacing the file".to_owned(),
            _ => "the cache cannot be used".to_owned(),
        }
    }

    /// Gives a function that turns the operating system's error into one that names action and path.
    pub(super) fn io<E: Into<io::Error>>(
        action: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(E) -> Self {
        let path = path.into();
        move |cause| Self::Io { action, path, cause: cause.into() }
    }
}

/// A failed [`SignalCache::commit`](super::SignalCache::commit).
#[derive(Debug, thiserror::Error)]
pub enum CommitError<E> {
    /// The cache could not store the value.
    #[error(transparent)]
    Cache(#[from] CacheError),
    /// The callback that decides what to store failed; nothing was written.
    #[error("could not decide what to store, nothing was written: {0}")]
    Decide(E),
}

fn advice(cause: &io::Error) -> &'static str {
    match cause.kind() {
        io::ErrorKind::PermissionDenied => {
            "make it accessible to this user, or set FIZEAU_CACHE_DIR to a directory that is"
        }
        io::ErrorKind::ReadOnlyFilesystem => "set FIZEAU_CACHE_DIR to a directory on a writable file system",
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "free some space or set FIZEAU_CACHE_DIR to another file system; what was stored is unchanged"
        }
        io::ErrorKind::FileTooLarge => {
            "raise this process's file size limit (ulimit -f); what was stored is unchanged"
        }
        io::ErrorKind::NotADirectory => {
            "a part of this path is a file: remove it, or set FIZEAU_CACHE_DIR to a directory"
        }
        io::ErrorKind::IsADirectory | io::ErrorKind::DirectoryNotEmpty => {
            "a directory is in its place: remove it"
        }
        io::ErrorKind::NotFound => "the cache directory was removed meanwhile: try again",
        _ if cause.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error()) => {
            "a symbolic link is in its place, and none is followed: remove it"
        }
        _ if cause.raw_os_error() == Some(rustix::io::Errno::MFILE.raw_os_error()) => {
            "raise this process's limit of open files (ulimit -n)"
        }
        _ => "check the file and its file system",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_io_error_names_the_action_the_file_and_what_to_do() {
        let full = CacheError::io("write", "/c/runtime/studio.json")(rustix::io::Errno::NOSPC);
        let text = full.to_string();
        assert!(text.starts_with("cannot write /c/runtime/studio.json: "), "{text}");
        assert!(text.contains("free some space"), "{text}");
        let link = CacheError::io("open", "/c/runtime/.guard")(rustix::io::Errno::LOOP);
        assert!(link.to_string().contains("symbolic link"), "{link}");
    }

    #[test]
    fn a_lock_timeout_names_the_holder_where_it_is_known() {
        let path = PathBuf::from("/c/runtime/studio.lock");
        let waited = Duration::from_millis(100);
        let known = CacheError::LockTimeout { path: path.clone(), holder: Some(7), waited };
        assert!(
            known.to_string().contains("/c/runtime/studio.lock is held by process 7, waited 100ms"),
            "{known}"
        );
        let unknown = CacheError::LockTimeout { path, holder: None, waited };
        assert!(unknown.to_string().contains("held by another process"), "{unknown}");
    }
}
