//! Faults on demand, for tests of the host: an observation whose model is one of these words fails.

use alloc::vec::Vec;

use runtime_signals_core::packed;

/// Fails if one of the observations asks for it.
pub(crate) fn inject(observations: &[u8]) {
    for observation in packed::observations(observations).flatten() {
        match observation.frames.reserved().model {
            Some(b"fault:trap") => core::arch::wasm32::unreachable(),
            Some(b"fault:loop") => spin(),
            Some(b"fault:memory") => hoard(),
            Some(b"fault:stack") => {
                core::hint::black_box(descend(0));
            }
            _ => {}
        }
    }
}

fn spin() {
    let mut turns = 0u64;
    loop {
        turns = core::hint::black_box(turns.wrapping_add(1));
    }
}

fn hoard() {
    let mut all = Vec::new();
    loop {
        all.push(core::hint::black_box(alloc::vec![1u8; 1 << 20]));
    }
}

#[expect(unconditional_recursion, reason = "that is the fault")]
fn descend(depth: u64) -> u64 {
    let frame = core::hint::black_box([depth; 64]);
    descend(depth + 1) + frame.iter().sum::<u64>()
}
