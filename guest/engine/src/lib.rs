//! The engine component: the `runtime-signals` interface over the core. It has no imports.
//!
//! Nothing is decided here. Each call translates its arguments, asks the core and translates the answer.
// A guest: nothing of it is built for the host.
#![cfg(target_arch = "wasm32")]

extern crate alloc;

mod convert;
mod exports;
#[cfg(feature = "faults")]
mod faults;

#[allow(clippy::all, reason = "generated from the documented WIT")]
mod bindings {
    wit_bindgen::generate!({
        world: "engine",
        path: "../../wit",
        pub_export_macro: true,
    });
    pub(crate) use exports::runtime_signals::signals::types;
}

#[expect(unreachable_pub, unsafe_code, reason = "the exported symbols of the generated bindings")]
mod export {
    use crate::exports::Engine;
    crate::bindings::export!(Engine with_types_in crate::bindings);
}
