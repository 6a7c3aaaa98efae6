//! Texts that may be signals: see `runtime_signals_fuzz::signal`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| runtime_signals_fuzz::signal::check(data));
