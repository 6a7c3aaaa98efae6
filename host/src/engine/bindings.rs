//! The host's side of the interface, generated from `wit/`.
#![expect(clippy::all, reason = "generated from the documented WIT")]

wasmtime::component::bindgen!({
    path: "../wit",
    world: "engine",
});
