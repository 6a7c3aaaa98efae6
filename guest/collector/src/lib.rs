//! The collector component: the whole API over the core, for hosts that offer the capabilities.
//!
//! It imports the clock, the probe, the quota harness and the signal cache, and decides what is asked of them and in
//! which order; what follows from the answers, the core decides.
// A guest: nothing of it is built for the host.
#![cfg(target_arch = "wasm32")]

extern crate alloc;

mod collector;
// The same conversions in both components, over the types of each.
#[path = "../../engine/src/convert/effects.rs"]
mod effects;
mod exports;

#[allow(clippy::all, reason = "generated from the documented WIT")]
mod bindings {
    wit_bindgen::generate!({
        world: "collector",
        path: "../../wit",
        pub_export_macro: true,
    });
    pub(crate) use runtime_signals::signals::types;
}

#[expect(unreachable_pub, unsafe_code, reason = "the exported symbols of the generated bindings")]
mod export {
    use crate::exports::Exports;
    crate::bindings::export!(Exports with_types_in crate::bindings);
}
