//! `GET /metrics`: what is known, as OpenMetrics. What is not known has no series.

use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use axum::extract::State;
use http::{HeaderName, StatusCode, header};
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::board::Entry;
use super::problem::Problem;
use super::proxy::Proxy;
use super::state::AppState;
use crate::shared::{SharedState, SharedStatus};
use crate::signal::{Limit, Scope};

const PREFIX: &str = "runtime_signals";
const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// What the service counts by itself.
#[derive(Default)]
pub(super) struct Counters {
    pub(super) accepted: AtomicU64,
    pub(super) refused: AtomicU64,
    pub(super) on_change_told: AtomicU64,
    pub(super) on_change_failed: AtomicU64,
    pub(super) on_change_dropped: AtomicU64,
}

pub(super) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(metrics))
}

/// Limits, times, latencies and ages, by provider, scope and quantity, in base units.
#[utoipa::path(
    get,
    path = "/metrics",
    tag = "service",
    responses((status = 200, description = "OpenMetrics 1.0", content_type = "application/openmetrics-text"))
)]
async fn metrics(
    State(state): State<AppState>,
) -> Result<([(HeaderName, &'static str); 1], String), Problem> {
    let gauges = Gauges::default();
    for entry in state.board.entries()? {
        gauges.take(&entry, state.board.freshness(&entry).1);
    }
    let mut text = String::new();
    match encode(&mut text, &gauges.register(&state)) {
        Ok(()) => Ok(([(header::CONTENT_TYPE, CONTENT_TYPE)], text)),
        Err(error) => Err(Problem::new(StatusCode::INTERNAL_SERVER_ERROR, format!("no metrics: {error}"))),
    }
}

type Labels = Vec<(&'static str, String)>;
type Series = Family<Labels, Gauge<f64, AtomicU64>>;

/// One family a metric.
#[derive(Default)]
struct Gauges {
    status: Series,
    limit: Series,
    remaining: Series,
    utilization: Series,
    reset: Series,
    cooldown: Series,
    latency: Series,
    ttfb: Series,
    age: Series,
    success: Series,
    error: Series,
}

impl Gauges {
    fn take(&self, entry: &Entry, age: Option<Duration>) {
        let signal = &entry.signal;
        let provider = || vec![("provider", signal.provider.clone())];
        let with = |name, value: &str| [provider(), vec![(name, value.to_owned())]].concat();
        set(&self.status, with("status", signal.status.as_str()), 1.0);
        set_known(&self.age, provider(), age.map(|age| age.as_secs_f64()));
        set_known(&self.success, provider(), signal.last_success_at.map(seconds));
        set_known(&self.error, provider(), signal.last_error_at.map(seconds));
        if let Some(latency) = signal.latency {
            let quantiles = [("0.5", signal.recent_p50_latency), ("0.9", latency.p90), ("0.99", latency.p99)];
            for (quantile, value) in quantiles {
                set(&self.latency, with("quantile", quantile), value.as_secs_f64());
            }
            set_known(&self.ttfb, with("quantile", "0.5"), latency.ttfb_p50.map(|ttfb| ttfb.as_secs_f64()));
        }
        for cooldown in &signal.cooldowns {
            let labels =
                [provider(), scope(&cooldown.scope), vec![("class", cooldown.class.as_str().into())]];
            set(&self.cooldown, labels.concat(), seconds(cooldown.until));
        }
        // Two limits that no label tells apart would be one series twice.
        let mut seen = HashSet::new();
        for limit in &signal.limits {
            let labels = [provider(), limit_labels(limit)].concat();
            if seen.insert(labels.clone()) {
                self.take_limit(limit, labels);
            }
        }
    }

    fn take_limit(&self, limit: &Limit, labels: Labels) {
        let share = match (limit.utilization, limit.remaining, limit.limit) {
            (Some(share), ..) => Some(share),
            (None, Some(remaining), Some(whole)) if whole > 0 => {
                Some(whole.saturating_sub(remaining) as f64 / whole as f64)
            }
            _ => None,
        };
        set_known(&self.limit, labels.clone(), limit.limit.map(|limit| limit as f64));
        set_known(&self.remaining, labels.clone(), limit.remaining.map(|remaining| remaining as f64));
        set_known(&self.utilization, labels.clone(), share);
        set_known(&self.reset, labels, limit.resets_at.map(seconds));
    }

    fn register(self, state: &AppState) -> Registry {
        let mut to = Registry::with_prefix(PREFIX);
        let Self {
            status,
            limit,
            remaining,
            utilization,
            reset,
            cooldown,
            latency,
            ttfb,
            age,
            success,
            error,
        } = self;
        to.register("provider_status", "1 for the status that the provider has", status);
        to.register("limit", "Allowance of one window, in what the label quantity says", limit);
        to.register("limit_remaining", "What is left of it", remaining);
        to.register("limit_utilization_ratio", "Share of it that is used, 0 to 1", utilization);
        let seconds = || Unit::Seconds;
        to.register_with_unit("limit_reset_timestamp", "When it resets", seconds(), reset);
        to.register_with_unit("cooldown_end_timestamp", "When a refusal ends", seconds(), cooldown);
        to.register_with_unit("latency", "Of the last 100 calls", seconds(), latency);
        to.register_with_unit("time_to_first_byte", "Of the last 100 calls", seconds(), ttfb);
        to.register_with_unit("signal_age", "Since the last news of the provider", seconds(), age);
        to.register_with_unit("last_success_timestamp", "When the last call succeeded", seconds(), success);
        to.register_with_unit("last_error_timestamp", "When the last call failed", seconds(), error);

        let counters = &state.counters;
        let counter = |outcome: &AtomicU64| ConstCounter::new(outcome.load(Ordering::Relaxed));
        to.register("observations_accepted", "Observations that were recorded", counter(&counters.accepted));
        to.register("observations_refused", "Lines that were no observations", counter(&counters.refused));
        for (name, help, count) in [
            ("on_change_told", "Changes that a command or a webhook was told of", &counters.on_change_told),
            ("on_change_failed", "Changes that one of them could not be told of", &counters.on_change_failed),
            (
                "on_change_dropped",
                "Changes that were dropped, as too many waited",
                &counters.on_change_dropped,
            ),
        ] {
            to.register(name, help, counter(count));
        }
        let forgotten = ConstCounter::new(state.service.store().forgotten());
        to.register("providers_forgotten", "Providers that there was no room for in memory", forgotten);
        register_proxy(&mut to, &state.proxy);
        if let Some(tier) = &state.tier {
            register_shared(&mut to, &tier.status());
        }
        let unwritten = state.service.disk_trouble().map_or(0, |trouble| trouble.unwritten);
        let unwritten = ConstGauge::new(i64::try_from(unwritten).unwrap_or(i64::MAX));
        to.register("cache_unwritten", "Providers whose state is in memory only: the disk fails", unwritten);
        let leases = i64::try_from(state.ledger().len()).unwrap_or(i64::MAX);
        to.register("leases", "Leases that are out", ConstGauge::new(leases));
        to.register("build", "The service", Info::new(vec![("version", env!("CARGO_PKG_VERSION"))]));
        to
    }
}

/// Calls that are passed on.
fn register_proxy(to: &mut Registry, proxy: &Proxy) {
    to.register("proxy_requests", "Calls that were passed on and have ended", proxy.traffic.requests());
    let streams = Series::default();
    for (provider, count) in proxy.places.taken() {
        set(&streams, vec![("provider", provider)], count as f64);
    }
    to.register("proxy_streams", "Calls that are passed on now", streams);
    let lost = ConstCounter::new(proxy.recorder.lost());
    to.register("proxy_unrecorded", "Parts of calls that came faster than they could be recorded", lost);
}

/// How the shared tier is doing.
fn register_shared(to: &mut Registry, status: &SharedStatus) {
    let connected = i64::from(status.state == SharedState::Connected);
    to.register("shared_connected", "1 while the shared server is there", ConstGauge::new(connected));
    for (name, help, count) in [
        ("shared_connections", "Connections to the shared server", status.connections),
        ("shared_published", "Signals that were published", status.published),
        ("shared_taken_in", "Signals of other hosts that were taken in", status.taken_in),
        ("shared_merged", "Signals that another host had changed meanwhile", status.merged),
        ("shared_ignored", "Shared values that are no signals", status.ignored),
        ("shared_left_to_others", "Refreshes that were left to another host", status.left_to_others),
    ] {
        to.register(name, help, ConstCounter::new(count));
    }
}

fn set(series: &Series, labels: Labels, value: f64) {
    series.get_or_create(&labels).set(value);
}

fn set_known(series: &Series, labels: Labels, value: Option<f64>) {
    if let Some(value) = value {
        set(series, labels, value);
    }
}

/// Account and model, as far as they are known.
fn scope(scope: &Scope) -> Labels {
    let known = [("account", &scope.account), ("model", &scope.model)];
    known.into_iter().filter_map(|(name, value)| Some((name, value.clone()?))).collect()
}

fn limit_labels(limit: &Limit) -> Labels {
    let mut labels = scope(&limit.scope);
    labels.push(("quantity", limit.quantity.as_str().into()));
    if !limit.pool.is_empty() {
        labels.push(("pool", limit.pool.clone()));
    }
    if let Some(window) = limit.window {
        labels.push(("window_seconds", window.as_secs().to_string()));
    }
    labels
}

fn seconds(at: SystemTime) -> f64 {
    at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}
