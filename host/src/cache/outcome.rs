//! What came of a refresh.

use std::sync::Arc;
use std::time::Duration;

use super::error::CacheError;
use super::name::Source;
use super::read::Raw;

/// The outcome of a refresh.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refreshed<T> {
    /// The work was done in this process, by this call or one it joined, and gave this.
    Here(T),
    /// Another process refreshed this source.
    Elsewhere {
        /// What is stored now.
        stored: Option<Raw>,
        /// The other's refresh has ended; else it was still under way after one refresh deadline.
        finished: bool,
    },
}

/// A failed refresh, with what is stored all the same.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{error}")]
pub struct RefreshFailure<E> {
    /// What went wrong.
    pub error: RefreshError<E>,
    /// What is stored now.
    pub stored: Option<Raw>,
}

/// Why a refresh failed.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum RefreshError<E> {
    /// The work failed.
    #[error("{0}")]
    Work(E),
    /// The work took longer than the refresh deadline and was cut off.
    #[error(
        "the refresh of {provider} took longer than {limit:?} and was cut off; try again or raise the deadline"
    )]
    Deadline {
        /// The provider.
        provider: Source,
        /// The refresh deadline.
        limit: Duration,
    },
    /// A refresh failed a moment ago, here or in another process, and its cool-down is not over.
    #[error("the refresh of {provider} failed a moment ago: {message}; wait for its cool-down to end")]
    CoolingDown {
        /// The provider.
        provider: Source,
        /// How that refresh failed.
        message: String,
    },
    /// The marker or the stored entry could not be used.
    #[error(transparent)]
    Cache(Arc<CacheError>),
    /// The work panicked, or the runtime it ran on ended.
    #[error("the refresh of {provider} was broken off; try again")]
    Aborted {
        /// The provider.
        provider: Source,
    },
}
