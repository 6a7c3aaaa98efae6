//! One call that is passed on: what is learnt of it, and when it is told.
//!
//! Limits and refusals are in the head of the response, and others wait for them: they are recorded when it is there.
//! The latency is known at the end, and recorded then. A client that goes away in between leaves no latency; a
//! response that breaks off is an error of the provider.

use std::time::Instant;

use axum::body::Bytes;
use http::HeaderMap;
use http::response::Parts;
use tokio::sync::oneshot;

use super::super::state::AppState;
use super::excerpt;
use super::places::Place;
use super::recorder::{Report, record};
use super::traffic::Outcome;
use crate::config::ProviderConfig;
use crate::observation::Counts;
use crate::probe::message;

/// One call. Where it is dropped before its end was told, its client has gone away.
pub(super) struct Call {
    state: AppState,
    provider: ProviderConfig,
    label: String,
    sent_at: Instant,
    outcome: Option<Outcome>,
    is_over: bool,
    _place: Place,
}

impl Call {
    /// A call that is about to be sent.
    pub(super) fn new(state: AppState, provider: ProviderConfig, label: String, place: Place) -> Self {
        Self { state, provider, label, sent_at: Instant::now(), outcome: None, is_over: false, _place: place }
    }

    fn report(&self) -> Report {
        Report {
            provider: self.provider.name.as_str().to_owned(),
            provider_type: self.provider.provider_type.clone(),
            status: None,
            headers: HeaderMap::new(),
            body: None,
            latency: self.sent_at.elapsed(),
            ttfb: None,
            error: None,
            received_at: self.state.service.store().now(),
            counts: Counts::Everything,
            done: None,
        }
    }

    /// The head of the response is there.
    pub(super) fn answered(&mut self, head: &Parts) -> Report {
        self.outcome = Some(Outcome::of_status(head.status));
        let report = self.report();
        let ttfb = Some(report.latency);
        let status = Some(head.status.as_u16());
        Report { status, ttfb, headers: head.headers.clone(), counts: Counts::AllButLatency, ..report }
    }

    /// Tells of the head at once.
    pub(super) fn tell(&self, report: Report) {
        record(&self.state, report);
    }

    /// Tells of the head of a refusal with the start of its body. What is returned ends when it is recorded.
    pub(super) fn tell_refusal(&self, report: Report, body: &[Bytes]) -> oneshot::Receiver<()> {
        let (done, recorded) = oneshot::channel();
        let body = excerpt::text(body, &report.headers);
        record(&self.state, Report { body, done: Some(done), ..report });
        recorded
    }

    /// The response has ended.
    pub(super) fn ended(&mut self) {
        if !std::mem::replace(&mut self.is_over, true) {
            record(&self.state, Report { counts: Counts::LatencyOnly, ..self.report() });
        }
    }

    /// There is no response, or it has broken off: by the provider's fault. Returns what may be said of it: scheme, host
    /// and port, and what happened.
    pub(super) fn failed(&mut self, what: &str) -> String {
        let message = message(&self.label, what);
        if !std::mem::replace(&mut self.is_over, true) {
            self.outcome = Some(Outcome::Failed);
            record(&self.state, Report { error: Some(message.clone()), ..self.report() });
        }
        message
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        let outcome = self.outcome.filter(|_| self.is_over).unwrap_or(Outcome::Abandoned);
        self.state.proxy.traffic.count(self.provider.name.as_str(), outcome);
    }
}
