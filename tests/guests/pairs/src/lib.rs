//! The hot call in the shape that was not chosen: names and values as strings, matched in the guest.
// A guest: nothing of it is built for the host.
#![cfg(target_arch = "wasm32")]

use std::cell::RefCell;

use runtime_signals_core::packed::{Counts, FIRST_HEADER, Frames, Observation, push_frame};
use runtime_signals_core::{Store, Time};

#[allow(clippy::all, reason = "generated from the documented WIT")]
mod bindings {
    wit_bindgen::generate!({ world: "pairs", path: "wit", pub_export_macro: true });
}

struct Pairs;

thread_local! {
    /// The store and the one provider that it has.
    static SINGLE: RefCell<Option<(Store, u32)>> = const { RefCell::new(None) };
}

impl bindings::Guest for Pairs {
    fn record_pairs(provider: String, headers: Vec<(String, String)>, latency_ns: u64, received_at_s: i64) {
        SINGLE.with_borrow_mut(|single| {
            let (store, handle) = single.get_or_insert_with(|| {
                let mut store = Store::new(0);
                let handle = store.add_provider(&provider);
                (store, handle)
            });
            record(store, *handle, &headers, latency_ns, received_at_s);
        });
    }
}

fn record(
    store: &mut Store,
    provider: u32,
    headers: &[(String, String)],
    latency_ns: u64,
    received_at_s: i64,
) {
    let profile = store.profiles().find("openai");
    store.profiles().unpack(profile);
    let Some(read) = store.profiles().get(profile) else { return };
    let mut frames = Vec::new();
    for (name, value) in headers {
        let named = read.headers.iter().position(|header| header.name.eq_ignore_ascii_case(name));
        if let Some(id) = named.and_then(|index| u8::try_from(index).ok()) {
            let _ = push_frame(&mut frames, FIRST_HEADER + id, value.as_bytes());
        }
    }
    let received_at = Time::new(received_at_s, 0).unwrap_or(Time::UNIX_EPOCH);
    let observation = Observation {
        provider,
        profile,
        status: 200,
        received_at,
        sent_at: received_at,
        latency_ns,
        ttfb_ns: None,
        counts: Counts::Everything,
        frames: Frames::new(&frames).unwrap_or_default(),
        body: &[],
    };
    let mut packed = Vec::new();
    let _ = observation.pack(&mut packed);
    let _ = store.record(&packed);
}

#[expect(unreachable_pub, unsafe_code, reason = "the exported symbols of the generated bindings")]
mod export {
    use crate::Pairs;
    crate::bindings::export!(Pairs with_types_in crate::bindings);
}
