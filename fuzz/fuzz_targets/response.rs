//! Responses of any kind: see `runtime_signals_fuzz::response`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| runtime_signals_fuzz::response::check(data));
