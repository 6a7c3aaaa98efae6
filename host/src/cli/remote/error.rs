//! Why the service could not be asked, and what to do.

use http::StatusCode;
use runtime_signals::config::ServiceAddress;

/// The longest text of somebody else's that is repeated, in characters.
const LONGEST: usize = 500;

/// The service could not be asked.
#[derive(Debug, thiserror::Error)]
pub(in crate::cli) enum RemoteError {
    /// No connection, or no answer in time.
    #[error(
        "the service at {address} cannot be reached: {what}; start it by `runtime-signals serve`, name another by \
         --service, or read the cache without it by `--service off`"
    )]
    Unreachable {
        /// Where it was asked.
        address: ServiceAddress,
        /// What happened.
        what: String,
    },
    /// It knows us not.
    #[error(
        "the service at {0} wants its token: put it into RUNTIME_SIGNALS_TOKEN, or name its file by \
         `client.token_file`"
    )]
    Token(ServiceAddress),
    /// It refused the request.
    #[error("the service at {address} refused the request ({}): {detail}", status.as_u16())]
    Refused {
        /// Where it was asked.
        address: ServiceAddress,
        /// Its answer.
        status: StatusCode,
        /// What it says of it.
        detail: String,
    },
    /// It is no service of ours.
    #[error(
        "what answers at {address} is no runtime-signals, or one of another version: {what}; correct --service, \
         RUNTIME_SIGNALS_SERVICE or `client.service`"
    )]
    Strange {
        /// Where it was asked.
        address: ServiceAddress,
        /// What does not fit.
        what: String,
    },
    /// Nothing could be asked.
    #[error("the service at {address} cannot be asked: {error}")]
    Client {
        /// Where it would be.
        address: ServiceAddress,
        /// Why.
        error: String,
    },
}

impl RemoteError {
    pub(super) fn unreachable(address: &ServiceAddress, error: &reqwest::Error) -> Self {
        let what = if error.is_timeout() { "no answer in time".to_owned() } else { innermost(error) };
        Self::Unreachable { address: address.clone(), what }
    }

    pub(super) fn strange(address: &ServiceAddress, what: impl Into<String>) -> Self {
        Self::Strange { address: address.clone(), what: shown(&what.into()) }
    }
}

/// The last cause: those before it repeat the URL.
pub(super) fn innermost(error: &reqwest::Error) -> String {
    anyhow::Chain::new(error).last().map(|cause| shown(&cause.to_string())).unwrap_or_default()
}

/// A text of somebody else's.
pub(super) fn shown(text: &str) -> String {
    crate::cli::printable(&text.chars().take(LONGEST).collect::<String>())
}
