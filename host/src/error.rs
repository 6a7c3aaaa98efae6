//! What can go wrong, as users of the library see it.

use std::sync::Arc;

use crate::cache::{CacheError, CommitError, NameError, RefreshError};
use crate::engine::EngineError;
use crate::parsers::ParserError;
use crate::probe::ProbeError;
use crate::service::CachedSignal;

/// What can go wrong.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The sandboxed engine failed, or refused an input.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The provider's name cannot be a file name.
    #[error(transparent)]
    Name(#[from] NameError),
    /// The signal cache cannot be read or written.
    #[error(transparent)]
    Cache(#[from] CacheError),
    /// Parser components cannot be kept.
    #[error(transparent)]
    Parsers(#[from] ParserError),
    /// Liveness checks cannot be made.
    #[error(transparent)]
    Probe(#[from] ProbeError),
    /// A refresh failed, here or in another process, or one that failed a moment ago is cooling down.
    #[error("the refresh of {provider} failed: {error}")]
    Refresh {
        /// The provider.
        provider: String,
        /// Why.
        error: RefreshError<Arc<Error>>,
        /// What is stored meanwhile.
        stored: Option<Box<CachedSignal>>,
    },
    /// The collector component could not do what was asked: what the cache told it.
    #[error("{0}")]
    Collector(String),
    /// A thread of our own could not be started.
    #[error("no thread for {task} can be started: {error}; raise the limit on threads")]
    Thread {
        /// What it is for.
        task: &'static str,
        /// Why.
        error: std::io::Error,
    },
    /// The same failure, which several callers share.
    #[error(transparent)]
    Shared(Arc<Error>),
}

impl From<CommitError<Error>> for Error {
    fn from(error: CommitError<Error>) -> Self {
        match error {
            CommitError::Cache(error) => Self::Cache(error),
            CommitError::Decide(error) => error,
        }
    }
}
