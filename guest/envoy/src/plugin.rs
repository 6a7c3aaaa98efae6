//! The plugin in one worker: its configuration, what it knows, and what it does from time to time.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use proxy_wasm::hostcalls;
use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{ContextType, LogLevel};
use runtime_signals_core::{Signal, Time};

use crate::config::{Config, Report, Request};
use crate::envoy::{self, EnvoySharedData};
use crate::exchange::HttpExchange;
use crate::ledger::{Exchange, Ledger};
use crate::metrics::{ProviderMetrics, ReportMetrics};
use crate::queue::{self, Queue};

/// How often what follows from the time alone is shown, where no report asks for another pace.
const TICK: Duration = Duration::from_secs(1);
/// Most posts of one worker that are under way.
const MOST_POSTS: usize = 4;

/// What the exchanges of one worker share.
pub(crate) struct Plugin {
    pub(crate) config: Config,
    ledger: Ledger,
    metrics: Vec<ProviderMetrics>,
    reports: Option<Reports>,
}

impl Plugin {
    fn new(config: Config) -> Self {
        let mut ledger = Ledger::new(&config.providers);
        ledger.prepare(&EnvoySharedData);
        Self {
            ledger,
            metrics: config.providers.iter().map(|provider| ProviderMetrics::new(&provider.name)).collect(),
            reports: config.report.as_ref().map(|report| Reports::new(whole(report.queue))),
            config,
        }
    }

    /// The place of the provider to which the current request goes.
    pub(crate) fn recognise(&self) -> Option<usize> {
        let (host, path) = (envoy::request_header(":authority"), envoy::request_header(":path"));
        let asks = self.config.asks_for_cluster();
        let cluster = if asks { envoy::attribute(&["xds", "cluster_name"]) } else { String::new() };
        self.config.recognise(Request { host: &host, cluster: &cluster, path: &path })
    }

    /// The signal of a provider, which is shown at once.
    pub(crate) fn signal(&mut self, place: usize, now: Time) -> Option<Signal> {
        let signal = self.ledger.signal(&EnvoySharedData, place, now)?;
        self.metrics.get(place)?.show(&signal);
        Some(signal)
    }

    /// Counts a request that was answered at once.
    pub(crate) fn count_failed_fast(&self, place: usize) {
        self.metrics.get(place).into_iter().for_each(|metrics| metrics.failed_fast.add(1));
    }

    /// Keeps of a response's headers those that matter.
    pub(crate) fn keep_wanted(&mut self, place: usize, headers: &mut Vec<(String, Vec<u8>)>) {
        self.ledger.keep_wanted(place, headers);
    }

    /// Takes in a finished exchange, and gives what follows.
    pub(crate) fn record(&mut self, place: usize, exchange: &Exchange<'_>) -> Option<Signal> {
        let recorded = self.ledger.record(&EnvoySharedData, place, exchange);
        let (metrics, provider) = (self.metrics.get(place)?, self.config.providers.get(place)?);
        if recorded {
            metrics.observations.add(1)
        } else {
            metrics.conflicts.add(1)
        }
        if let Some(reports) = &mut self.reports {
            reports.push(queue::line(&provider.name, &provider.provider_type, exchange));
        }
        let signal = self.ledger.judge(place, exchange.received_at)?;
        metrics.show(&signal);
        Some(signal)
    }

    fn tick(&mut self) {
        let now = envoy::now();
        for place in 0..self.metrics.len() {
            self.signal(place, now);
        }
        if let (Some(reports), Some(report)) = (&mut self.reports, &self.config.report) {
            reports.post(report);
        }
    }
}

/// A count that was checked to be small.
fn whole(count: u64) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}

/// Observations on their way to a service.
struct Reports {
    queue: Queue,
    /// Posts under way: their tokens and how many observations each has.
    posts: Vec<(u32, usize)>,
    metrics: ReportMetrics,
}

impl Reports {
    fn new(most_lines: usize) -> Self {
        Self { queue: Queue::new(most_lines), posts: Vec::new(), metrics: ReportMetrics::new() }
    }

    fn push(&mut self, line: String) {
        if !self.queue.push(line) {
            self.metrics.dropped.add(1);
        }
    }

    fn post(&mut self, report: &Report) {
        let headers = vec![
            (":method", "POST"),
            (":path", "/v1/observations"),
            (":authority", report.authority.as_str()),
            ("content-type", "application/x-ndjson"),
        ];
        let timeout = Duration::from_millis(report.timeout_ms);
        while self.posts.len() < MOST_POSTS {
            let Some((batch, lines)) = self.queue.take(whole(report.batch)) else { return };
            let body = Some(batch.as_bytes());
            match hostcalls::dispatch_http_call(&report.cluster, headers.clone(), body, Vec::new(), timeout) {
                Ok(token) => self.posts.push((token, lines)),
                Err(_) => self.metrics.dropped.add(lines),
            }
        }
    }

    fn finish(&mut self, token: u32, delivered: bool) {
        let place = self.posts.iter().position(|(other, _)| *other == token);
        if let Some((_, lines)) = place.map(|place| self.posts.swap_remove(place)) {
            let metric = if delivered { self.metrics.sent } else { self.metrics.dropped };
            metric.add(lines);
        }
    }
}

/// The root context: there is one in each worker, and one on the main thread that tries the configuration.
#[derive(Default)]
pub(crate) struct Root(Option<Rc<RefCell<Plugin>>>);

impl Context for Root {
    fn on_http_call_response(&mut self, token: u32, _headers: usize, _body: usize, _trailers: usize) {
        let status = self.get_http_call_response_header_bytes(":status");
        let delivered = status.is_some_and(|status| status.starts_with(b"2"));
        if let Some(plugin) = &self.0
            && let Some(reports) = &mut plugin.borrow_mut().reports
        {
            reports.finish(token, delivered);
        }
    }
}

impl RootContext for Root {
    fn on_configure(&mut self, _size: usize) -> bool {
        let json = self.get_plugin_configuration().unwrap_or_default();
        match Config::read(&json) {
            Ok(config) => {
                let tick = config.report.as_ref().map(|report| Duration::from_millis(report.interval_ms));
                self.set_tick_period(tick.unwrap_or(TICK));
                self.0 = Some(Rc::new(RefCell::new(Plugin::new(config))));
                true
            }
            Err(why) => {
                let message = format!("runtime-signals: the plugin's configuration is refused: {why}");
                envoy::log(LogLevel::Error, &message);
                false
            }
        }
    }

    fn on_tick(&mut self) {
        self.0.iter().for_each(|plugin| plugin.borrow_mut().tick());
    }

    fn create_http_context(&self, _id: u32) -> Option<Box<dyn HttpContext>> {
        Some(Box::new(HttpExchange::new(self.0.clone())))
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }
}
