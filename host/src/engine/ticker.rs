//! The epoch: a thread that lets running calls look at their processor time.

use std::thread;

use wasmtime::Engine;

use super::limits::TICK;

/// Ticks for as long as the engine lives.
pub(crate) fn start(engine: &Engine) -> std::io::Result<()> {
    let engine = engine.weak();
    let ticks = move || {
        while let Some(engine) = engine.upgrade() {
            engine.increment_epoch();
            drop(engine);
            thread::sleep(TICK);
        }
    };
    thread::Builder::new().name("runtime-signals-epoch".into()).spawn(ticks).map(drop)
}
