//! Why a configuration file is not taken.

use std::io;
use std::path::PathBuf;

use super::problem::ConfigProblem;

/// A configuration file that is not taken. What was in force before is in force still.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// It cannot be read.
    #[error("{}: it cannot be read: {error}; name a file that can be read by --config or {}", path.display(), super::VARIABLE)]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// It is larger than any configuration.
    #[error("{}: it is larger than {most} bytes; leave something out", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The largest size, in bytes.
        most: u64,
    },
    /// Something in it is refused.
    #[error("{}: {problem}", path.display())]
    Refused {
        /// The file.
        path: PathBuf,
        /// What, where, and what to do.
        problem: ConfigProblem,
    },
}
