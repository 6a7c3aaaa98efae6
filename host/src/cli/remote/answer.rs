//! What a service answers.

use http::StatusCode;
use runtime_signals::config::ServiceAddress;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::error::{RemoteError, shown};

/// A whole answer: what was asked for, or that there is nothing of that name.
#[derive(Debug)]
pub(in crate::cli) struct Answer {
    address: ServiceAddress,
    /// `None`: 404.
    body: Option<Vec<u8>>,
}

/// What is read of a problem document.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Problem {
    detail: String,
    refusals: Vec<Refusal>,
}

/// A line that the service did not record.
#[derive(Clone, Debug, Deserialize)]
pub(in crate::cli) struct Refusal {
    /// Counted from 1.
    pub(in crate::cli) line: u64,
    /// Why.
    pub(in crate::cli) reason: String,
}

impl Answer {
    pub(super) fn new(
        address: &ServiceAddress,
        status: StatusCode,
        body: Vec<u8>,
    ) -> Result<Self, RemoteError> {
        let address = address.clone();
        let problem: Option<Problem> = serde_json::from_slice(&body).ok();
        match status {
            StatusCode::OK => Ok(Self { address, body: Some(body) }),
            StatusCode::UNAUTHORIZED => Err(RemoteError::Token(address)),
            // Another server has other documents for what it does not have.
            StatusCode::NOT_FOUND if problem.as_ref().is_some_and(|problem| !problem.detail.is_empty()) => {
                Ok(Self { address, body: None })
            }
            // All lines were bad; which, is told as where some were.
            StatusCode::UNPROCESSABLE_ENTITY
                if problem.as_ref().is_some_and(|problem| !problem.refusals.is_empty()) =>
            {
                Ok(Self { address, body: Some(body) })
            }
            status => match problem {
                Some(Problem { detail, .. }) if !detail.is_empty() => {
                    Err(RemoteError::Refused { address, status, detail: shown(&detail) })
                }
                _ => Err(RemoteError::strange(&address, format!("it answers {status}"))),
            },
        }
    }

    /// The JSON; `None` where there is nothing of that name.
    pub(in crate::cli) fn read<T: DeserializeOwned>(&self) -> Result<Option<T>, RemoteError> {
        let Some(body) = &self.body else { return Ok(None) };
        let strange = |error: serde_json::Error| RemoteError::strange(&self.address, error.to_string());
        serde_json::from_slice(body).map(Some).map_err(strange)
    }

    /// The JSON as it is, in one line.
    pub(in crate::cli) fn line(self) -> Option<Vec<u8>> {
        let mut line = self.body?;
        // Line ends within JSON stand between tokens.
        line.iter_mut().filter(|byte| matches!(byte, b'\n' | b'\r')).for_each(|byte| *byte = b' ');
        line.push(b'\n');
        Some(line)
    }
}
