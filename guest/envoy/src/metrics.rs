//! What Envoy's own statistics tell of each provider.

use proxy_wasm::hostcalls;
use proxy_wasm::types::MetricType;
use runtime_signals_core::Signal;
use runtime_signals_core::signal::Status;
use runtime_signals_core::tag::whole_seconds;

/// A counter or gauge of Envoy; where Envoy refuses one, nothing is written.
#[derive(Clone, Copy)]
pub(crate) struct Metric(Option<u32>);

impl Metric {
    fn counter(name: &str) -> Self {
        Self(hostcalls::define_metric(MetricType::Counter, name).ok())
    }

    fn gauge(name: &str) -> Self {
        Self(hostcalls::define_metric(MetricType::Gauge, name).ok())
    }

    /// Adds to a counter.
    pub(crate) fn add(self, count: usize) {
        if let (Some(id), Ok(count)) = (self.0, i64::try_from(count)) {
            hostcalls::increment_metric(id, count).ok();
        }
    }

    fn set(self, value: u64) {
        if let Some(id) = self.0 {
            hostcalls::record_metric(id, value).ok();
        }
    }
}

/// The metrics of one provider: `runtime_signals.provider.<name>.…`
pub(crate) struct ProviderMetrics {
    status: Metric,
    quota_known: Metric,
    quota_remaining: Metric,
    seconds_to_reset: Metric,
    latency_p50_us: Metric,
    /// Responses and failures that were recorded.
    pub(crate) observations: Metric,
    /// Observations that other workers kept overtaking.
    pub(crate) conflicts: Metric,
    /// Requests that were answered at once.
    pub(crate) failed_fast: Metric,
}

impl ProviderMetrics {
    pub(crate) fn new(provider: &str) -> Self {
        // A dot would end the name where Envoy makes a tag of it.
        let name = |metric: &str| format!("runtime_signals.provider.{}.{metric}", provider.replace('.', "_"));
        Self {
            status: Metric::gauge(&name("status")),
            quota_known: Metric::gauge(&name("quota_known")),
            quota_remaining: Metric::gauge(&name("quota_remaining")),
            seconds_to_reset: Metric::gauge(&name("seconds_to_reset")),
            latency_p50_us: Metric::gauge(&name("latency_p50_us")),
            observations: Metric::counter(&name("observations")),
            conflicts: Metric::counter(&name("conflicts")),
            failed_fast: Metric::counter(&name("failed_fast")),
        }
    }

    /// Shows a signal.
    pub(crate) fn show(&self, signal: &Signal) {
        self.status.set(match signal.status {
            Status::Unknown => 0,
            Status::Available => 1,
            Status::Degraded => 2,
            Status::Exhausted => 3,
        });
        self.quota_known.set(u64::from(signal.quota_remaining.is_some()));
        self.quota_remaining.set(signal.quota_remaining.unwrap_or(0));
        let reset = signal.quota_reset_at.map(|reset_at| reset_at.since(signal.recorded_at));
        self.seconds_to_reset.set(reset.map_or(0, whole_seconds));
        self.latency_p50_us.set(signal.recent_p50_latency_ns / 1_000);
    }
}

/// The metrics of reports: `runtime_signals.report.…`
pub(crate) struct ReportMetrics {
    /// Observations that a service took.
    pub(crate) sent: Metric,
    /// Observations that were not delivered: no room, or no service.
    pub(crate) dropped: Metric,
}

impl ReportMetrics {
    pub(crate) fn new() -> Self {
        Self {
            sent: Metric::counter("runtime_signals.report.sent"),
            dropped: Metric::counter("runtime_signals.report.dropped"),
        }
    }
}
