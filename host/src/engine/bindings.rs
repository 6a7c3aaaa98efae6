//! The host's side of the interface, generated from `wit/`.
#![allow(clippy::all, reason = "generated from the documented WIT")]

wasmtime::component::bindgen!({
    path: "../wit",
    world: "engine",
});
