//! The target that RUNTIME_SIGNALS_FUZZ_TARGET names, for libFuzzer.
#![no_main]

use std::sync::LazyLock;

use runtime_signals_host_fuzz::{Check, TARGETS};

static CHECK: LazyLock<Check> = LazyLock::new(|| {
    let named = std::env::var("RUNTIME_SIGNALS_FUZZ_TARGET").unwrap_or_default();
    let target = TARGETS.iter().find(|(name, _)| *name == named);
    target.expect("RUNTIME_SIGNALS_FUZZ_TARGET names a target").1
});

libfuzzer_sys::fuzz_target!(|data: &[u8]| CHECK(data));
