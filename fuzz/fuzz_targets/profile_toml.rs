//! Texts that may be profiles: see `runtime_signals_fuzz::profile_toml`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| runtime_signals_fuzz::profile_toml::check(data));
