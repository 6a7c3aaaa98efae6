//! What is counted of calls for `/metrics`.

use http::StatusCode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;

/// What became of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It was answered with a status of this class, 1 to 9.
    Answered(u16),
    /// The provider did not answer, or its answer broke off.
    Failed,
    /// The client went away before the end.
    Abandoned,
}

impl Outcome {
    pub(super) fn of_status(status: StatusCode) -> Self {
        Self::Answered(status.as_u16() / 100)
    }

    fn label(self) -> String {
        match self {
            Self::Answered(class) => format!("{class}xx"),
            Self::Failed => "failed".to_owned(),
            Self::Abandoned => "abandoned".to_owned(),
        }
    }
}

/// Calls that have ended, by provider and outcome.
#[derive(Default)]
pub(in super::super) struct Traffic(Family<Vec<(&'static str, String)>, Counter>);

impl Traffic {
    pub(super) fn count(&self, provider: &str, outcome: Outcome) {
        let labels = vec![("provider", provider.to_owned()), ("outcome", outcome.label())];
        self.0.get_or_create(&labels).inc();
    }

    /// The counters.
    pub(in super::super) fn requests(&self) -> Family<Vec<(&'static str, String)>, Counter> {
        self.0.clone()
    }
}
