//! The host's side of the collector's world, generated from `wit/`.
#![allow(
    clippy::all,
    unreachable_pub,
    reason = "generated from the documented WIT, which wants its types public"
)]

wasmtime::component::bindgen!({
    path: "../wit",
    world: "collector",
    imports: { default: trappable },
    with: { "runtime-signals:signals/types": crate::collector::bindings::vocabulary },
});

/// The types are those of the engine. They come without functions, so that nothing of them is linked.
pub mod vocabulary {
    use wasmtime::component::{HasData, Linker};

    pub use crate::engine::wit::*;

    pub trait Host {}
    impl<H: ?Sized> Host for H {}

    pub trait HostWithStore<T>: HasData {}
    impl<T, D: HasData + ?Sized> HostWithStore<T> for D {}

    pub fn add_to_linker<T, D: HasData>(
        _: &mut Linker<T>,
        _: fn(&mut T) -> D::Data<'_>,
    ) -> wasmtime::Result<()> {
        Ok(())
    }
}
