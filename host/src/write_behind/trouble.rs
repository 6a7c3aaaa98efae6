//! What a failing disk keeps in memory, and what is said of it: the first failure of a provider, and the end of it.

use serde::Serialize;

use super::Known;
use crate::error::Error;

/// What a service cannot bring to the disk now. It tries again until it can.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct DiskTrouble {
    /// Of how many providers the present state is in memory only.
    pub unwritten: usize,
    /// Why it could not be written the last time, of one of them. No path is named.
    pub error: String,
}

impl Known {
    /// Notes why it could not be written or taken in.
    pub(super) fn fail(&self, error: &Error) {
        let provider = self.source.name();
        let cause = match error {
            Error::Cache(error) => error.cause(),
            error => error.to_string(),
        };
        if self.marks().failure.replace(cause).is_some() {
            tracing::debug!(provider, %error, "the disk cannot be used for a signal yet");
        } else {
            tracing::warn!(provider, %error, "the disk cannot be used for a signal; trying again");
        }
    }

    /// Notes that it could be written.
    pub(super) fn succeed(&self) {
        if self.marks().failure.take().is_some() {
            tracing::warn!(provider = self.source.name(), "the signal is written again");
        }
    }

    /// Why it could not be written the last time, if that is so.
    pub(super) fn failure(&self) -> Option<String> {
        self.marks().failure.clone()
    }
}
