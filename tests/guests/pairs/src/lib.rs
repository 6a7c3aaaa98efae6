//! The hot call in the shape that was not chosen: names and values as strings, matched in the guest.
#![cfg_attr(target_arch = "wasm32", no_std)]
// A guest: nothing of it is built for the host.
#![cfg(target_arch = "wasm32")]

extern crate alloc;

use alloc::string::String;
use alloc::vec::Vec;
use core::cell::RefCell;

use runtime_signals_core::packed::{FIRST_HEADER, Frames, Observation, push_frame};
use runtime_signals_core::{Store, Time, profile};

#[allow(clippy::all, reason = "generated from the documented WIT")]
mod bindings {
    wit_bindgen::generate!({ world: "pairs", path: "wit", pub_export_macro: true });
}

#[global_allocator]
static ALLOCATOR: dlmalloc::GlobalDlmalloc = dlmalloc::GlobalDlmalloc;

#[panic_handler]
fn trap(_: &core::panic::PanicInfo<'_>) -> ! {
    core::arch::wasm32::unreachable()
}

struct Pairs;

/// The store and the one provider that it has.
struct Single(RefCell<Option<(Store, u32)>>);

#[expect(unsafe_code, reason = "a component without threads")]
// SAFETY: a component is called by one thread at a time.
unsafe impl Sync for Single {}

static SINGLE: Single = Single(RefCell::new(None));

impl bindings::Guest for Pairs {
    fn record_pairs(provider: String, headers: Vec<(String, String)>, latency_ns: u64, received_at_s: i64) {
        let mut single = SINGLE.0.borrow_mut();
        let (store, handle) = single.get_or_insert_with(|| {
            let mut store = Store::new(0);
            let handle = store.add_provider(&provider);
            (store, handle)
        });
        let (profile_handle, profile) = profile::for_type("openai");
        let mut frames = Vec::new();
        for (name, value) in &headers {
            let named = profile.fields.iter().position(|field| field.name.eq_ignore_ascii_case(name));
            if let Some(id) = named.and_then(|index| u8::try_from(index).ok()) {
                let _ = push_frame(&mut frames, FIRST_HEADER + id, value.as_bytes());
            }
        }
        let received_at = Time::new(received_at_s, 0).unwrap_or(Time::UNIX_EPOCH);
        let observation = Observation {
            provider: *handle,
            profile: profile_handle,
            status: 200,
            received_at,
            sent_at: received_at,
            latency_ns,
            ttfb_ns: None,
            frames: Frames::new(&frames).unwrap_or_default(),
            body: &[],
        };
        let mut packed = Vec::new();
        let _ = observation.pack(&mut packed);
        let _ = store.record(&packed);
    }
}

#[expect(unreachable_pub, unsafe_code, reason = "the exported symbols of the generated bindings")]
mod export {
    use crate::Pairs;
    crate::bindings::export!(Pairs with_types_in crate::bindings);
}
