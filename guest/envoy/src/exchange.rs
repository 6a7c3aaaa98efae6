//! One request and its response.

use std::cell::RefCell;
use std::rc::Rc;

use proxy_wasm::hostcalls;
use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::{Action, MapType};
use runtime_signals_core::signal::Status;
use runtime_signals_core::tag::{tag, whole_seconds};
use runtime_signals_core::{Signal, Time};

use crate::envoy;
use crate::ledger::Exchange;
use crate::plugin::Plugin;

/// Responses with more headers are looked at by the names of their status only.
const MOST_HEADERS: usize = 1_000;
/// Longest wait that is told, in seconds.
const MOST_RETRY_AFTER_S: u64 = 86_400;

pub(crate) struct HttpExchange {
    plugin: Option<Rc<RefCell<Plugin>>>,
    sent_at: Time,
    provider: Option<usize>,
}

impl HttpExchange {
    pub(crate) fn new(plugin: Option<Rc<RefCell<Plugin>>>) -> Self {
        Self { plugin, sent_at: Time::UNIX_EPOCH, provider: None }
    }
}

impl Context for HttpExchange {}

impl HttpContext for HttpExchange {
    fn on_http_request_headers(&mut self, _count: usize, _end: bool) -> Action {
        self.sent_at = envoy::now();
        let Some(plugin) = &self.plugin else { return Action::Continue };
        let mut plugin = plugin.borrow_mut();
        self.provider = plugin.recognise();
        let Some(place) = self.provider.filter(|_| plugin.config.fail_fast) else { return Action::Continue };
        match plugin.signal(place, self.sent_at) {
            Some(signal) if signal.status == Status::Exhausted => {
                plugin.count_failed_fast(place);
                refuse(&signal, plugin.config.status_header.as_deref());
                Action::Pause
            }
            _ => Action::Continue,
        }
    }

    fn on_http_response_headers(&mut self, count: usize, _end: bool) -> Action {
        let (Some(plugin), Some(place)) = (&self.plugin, self.provider) else { return Action::Continue };
        let mut plugin = plugin.borrow_mut();
        let details = envoy::attribute(&["response", "code_details"]);
        let Some(origin) = Origin::of(&details) else { return Action::Continue };
        let (status, mut headers) = match origin {
            Origin::Provider => response(count),
            Origin::Envoy(_) => (0, Vec::new()),
        };
        #[cfg(feature = "faults")]
        fail_on_demand(&headers);
        plugin.keep_wanted(place, &mut headers);
        let exchange = Exchange {
            status,
            error: origin.error(),
            headers: &headers,
            sent_at: self.sent_at,
            received_at: envoy::now(),
        };
        let signal = plugin.record(place, &exchange);
        if let (Some(name), Some(signal)) = (plugin.config.status_header.as_deref(), signal) {
            hostcalls::set_map_value(MapType::HttpResponseHeaders, name, Some(&tag(&signal))).ok();
        }
        Action::Continue
    }
}

/// Who made a response.
#[derive(Clone, Copy)]
enum Origin<'a> {
    Provider,
    /// Envoy, since the provider made none for this reason.
    Envoy(&'a str),
}

impl<'a> Origin<'a> {
    /// Read from Envoy's account of the response; `None` where the provider has nothing to do with it.
    fn of(details: &'a str) -> Option<Self> {
        if details == "via_upstream" {
            return Some(Self::Provider);
        }
        let failed = details.starts_with("upstream_") || details == "response_timeout";
        // Envoy's own limit on what it sends at once.
        (failed && !details.contains("overflow")).then_some(Self::Envoy(details))
    }

    fn error(self) -> Option<&'a str> {
        match self {
            Self::Provider => None,
            Self::Envoy(why) => Some(why),
        }
    }
}

/// The status and the headers of the response.
fn response(count: usize) -> (u16, Vec<(String, Vec<u8>)>) {
    let map = MapType::HttpResponseHeaders;
    let status = hostcalls::get_map_value_bytes(map, ":status").ok().flatten().unwrap_or_default();
    let status = String::from_utf8(status).ok().and_then(|status| status.parse().ok()).unwrap_or(0);
    let headers =
        if count > MOST_HEADERS { Vec::new() } else { hostcalls::get_map_bytes(map).unwrap_or_default() };
    (status, headers)
}

/// Answers instead of the provider.
fn refuse(signal: &Signal, status_header: Option<&str>) {
    let reset_at = signal.quota_reset_at.unwrap_or(signal.recorded_at);
    let wait_s = whole_seconds(reset_at.since(signal.recorded_at)).clamp(1, MOST_RETRY_AFTER_S);
    let (retry_after, tag) = (wait_s.to_string(), tag(signal));
    let mut headers = vec![("content-type", "text/plain"), ("retry-after", retry_after.as_str())];
    headers.extend(status_header.map(|name| (name, tag.as_str())));
    let body = format!("the provider {} takes no request for {wait_s} s\n", signal.provider);
    hostcalls::send_http_response(429, headers, Some(body.as_bytes())).ok();
}

/// Traps where the provider's response asks for it.
#[cfg(feature = "faults")]
fn fail_on_demand(headers: &[(String, Vec<u8>)]) {
    if headers.iter().any(|(name, value)| name == "x-fault" && value == b"trap") {
        core::arch::wasm32::unreachable();
    }
}
