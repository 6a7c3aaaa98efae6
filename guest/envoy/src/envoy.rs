//! Envoy's side of the interface, as far as the plugin uses it.

use std::time::UNIX_EPOCH;

use proxy_wasm::hostcalls;
use proxy_wasm::types::{LogLevel, MapType};
use runtime_signals_core::Time;

use crate::ledger::SharedData;

/// The memory that the workers of one Envoy process share.
pub(crate) struct EnvoySharedData;

impl SharedData for EnvoySharedData {
    fn get(&self, key: &str) -> (Option<Vec<u8>>, Option<u32>) {
        hostcalls::get_shared_data(key).unwrap_or_default()
    }

    fn set(&self, key: &str, value: &[u8], version: Option<u32>) -> bool {
        hostcalls::set_shared_data(key, Some(value), version).is_ok()
    }
}

/// Envoy's clock.
pub(crate) fn now() -> Time {
    let since_epoch = hostcalls::get_current_time().ok().and_then(|now| now.duration_since(UNIX_EPOCH).ok());
    since_epoch.map_or(Time::UNIX_EPOCH, |since| Time::UNIX_EPOCH.saturating_add(since))
}

/// A text among the attributes of a request, empty where there is none.
pub(crate) fn attribute(path: &[&str]) -> String {
    let value = hostcalls::get_property(path.to_vec()).ok().flatten().unwrap_or_default();
    String::from_utf8(value).unwrap_or_default()
}

/// A request header, empty where there is none.
pub(crate) fn request_header(name: &str) -> String {
    let value = hostcalls::get_map_value_bytes(MapType::HttpRequestHeaders, name).ok().flatten();
    String::from_utf8(value.unwrap_or_default()).unwrap_or_default()
}

/// Writes to Envoy's log, where that fails nowhere.
pub(crate) fn log(level: LogLevel, message: &str) {
    hostcalls::log(level, message).ok();
}
