//! Bytes in place of packed ones: see `runtime_signals_fuzz::packed`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| runtime_signals_fuzz::packed::check(data));
