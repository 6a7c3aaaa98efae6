//! Why signals cannot be shared.

use std::path::PathBuf;

/// Why signals cannot be shared. No message holds a password.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SharedError {
    /// The settings are of no use.
    #[error("`shared.url` {url} cannot be used: {reason}; correct `[shared]`")]
    Settings {
        /// The server, without user and password.
        url: String,
        /// Why.
        reason: String,
    },
    /// The certificates cannot be read.
    #[error("`shared.ca_file` {}: it cannot be read: {error}; name a file with PEM certificates", path.display())]
    Certificates {
        /// The file.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// The server is out of reach, or refuses.
    #[error("the shared server {url}: {error}")]
    Server {
        /// The server, without user and password.
        url: String,
        /// Why.
        error: redis::RedisError,
    },
    /// The server answers something that nobody has asked.
    #[error("the shared server {url} answers {what}; see that `shared.prefix` is used by nothing else")]
    Answer {
        /// The server, without user and password.
        url: String,
        /// What.
        what: &'static str,
    },
    /// The connection is gone.
    #[error("the connection to the shared server {url} is lost")]
    Lost {
        /// The server, without user and password.
        url: String,
    },
}
