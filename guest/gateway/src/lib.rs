//! runtime-signals in model gateways that host WebAssembly components: parse, tag the response, keep nothing.
//!
//! The worlds of Shepherd Model Gateway (`smg`) and of SGLang's router (`sglang`) differ by their names only. Their
//! hosts give each call a fresh instance, so there is no state, and no clock in the call that sees the response.
#![no_std]

extern crate alloc;

pub mod tagging;

/// The component of one world.
#[cfg(target_arch = "wasm32")]
macro_rules! component {
    ($world:literal, $path:literal, $package:ident :: $interface:ident) => {
        #[allow(clippy::all, missing_docs, unreachable_pub, reason = "generated from the WIT of another project")]
        mod bindings {
            wit_bindgen::generate!({ world: $world, path: $path, pub_export_macro: true });
        }

        use alloc::vec::Vec;

        use bindings::exports::$package::$interface::{middleware_on_request, middleware_on_response};
        use bindings::$package::$interface::middleware_types::{Action, Header, ModifyAction, Request, Response};

        struct Gateway;

        impl middleware_on_request::Guest for Gateway {
            fn on_request(_request: Request) -> Action {
                Action::Continue
            }
        }

        impl middleware_on_response::Guest for Gateway {
            fn on_response(response: Response) -> Action {
                let headers = response.headers.iter().map(|header| (header.name.as_str(), header.value.as_str()));
                match tagging::tag_of(response.status, headers, &response.body) {
                    Some(tag) => Action::Modify(ModifyAction {
                        status: None,
                        headers_set: alloc::vec![Header { name: tagging::HEADER.into(), value: tag }],
                        headers_add: Vec::new(),
                        headers_remove: Vec::new(),
                        body_replace: None,
                    }),
                    None => Action::Continue,
                }
            }
        }

        #[expect(unreachable_pub, unsafe_code, reason = "the exported symbols of the generated bindings")]
        mod export {
            use crate::Gateway;
            crate::bindings::export!(Gateway with_types_in crate::bindings);
        }
    };
}

#[cfg(all(target_arch = "wasm32", feature = "smg"))]
component!("smg", "wit/smg.wit", smg::gateway);
#[cfg(all(target_arch = "wasm32", feature = "sglang"))]
component!("sgl-model-gateway", "wit/sglang.wit", sgl::model_gateway);
