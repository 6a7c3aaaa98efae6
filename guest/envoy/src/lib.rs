//! runtime-signals in Envoy: a proxy-wasm filter over the core.
//!
//! What can be tried without Envoy stands in [`config`], [`ledger`] and [`queue`]; the rest is built for WebAssembly
//! only and calls Envoy.

pub mod config;
pub mod ledger;
pub mod queue;

#[cfg(target_arch = "wasm32")]
mod envoy;
#[cfg(target_arch = "wasm32")]
mod exchange;
#[cfg(target_arch = "wasm32")]
mod metrics;
#[cfg(target_arch = "wasm32")]
mod plugin;

#[cfg(target_arch = "wasm32")]
mod export {
    use proxy_wasm::types::LogLevel;

    use crate::plugin::Root;

    proxy_wasm::main! {{
        proxy_wasm::set_log_level(LogLevel::Warn);
        proxy_wasm::set_root_context(|_| Box::new(Root::default()));
    }}
}
