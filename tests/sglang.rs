//! The component for SGLang's router, in its world. The router that can be had has no switch for components
//! (`hosts/gateways/tests/sglang.rs`), so that it is instantiated here as the router does.

use std::path::Path;

use wasmtime::component::{Component, Linker};
use wasmtime::{Engine, Store};

#[allow(clippy::all, missing_docs, unreachable_pub, reason = "generated from the WIT of another project")]
mod bindings {
    wasmtime::component::bindgen!({
        world: "sgl-model-gateway",
        path: "../guest/gateway/wit/sglang.wit",
    });
}

use bindings::SglModelGateway;
use bindings::sgl::model_gateway::middleware_types::{Action, Header};

type SglangResponse = bindings::exports::sgl::model_gateway::middleware_on_response::Response;
type SglangRequest = bindings::exports::sgl::model_gateway::middleware_on_request::Request;

/// A fresh instance, as each call gets.
fn instance() -> (Store<()>, SglModelGateway) {
    let engine = Engine::default();
    let file = Path::new(env!("RUNTIME_SIGNALS_ENGINE_WASM")).with_file_name("sglang.wasm");
    let component = Component::from_file(&engine, file).unwrap();
    let mut store = Store::new(&engine, ());
    // Nothing is offered: it imports nothing.
    let gateway = SglModelGateway::instantiate(&mut store, &component, &Linker::new(&engine)).unwrap();
    (store, gateway)
}

fn header(name: &str, value: &str) -> Header {
    Header { name: name.into(), value: value.into() }
}

#[test]
fn the_component_tags_a_response_and_passes_requests_on() {
    let (mut store, gateway) = instance();
    let response = SglangResponse {
        status: 429,
        headers: vec![header("date", "Tue, 24 Nov 2026 12:00:00 GMT"), header("retry-after", "30")],
        body: br#"{"error":{"message":"slow down"}}"#.to_vec(),
    };
    let action = gateway.sgl_model_gateway_middleware_on_response().call_on_response(&mut store, &response);
    let Action::Modify(modified) = action.unwrap() else { panic!("no tag") };
    let tags: Vec<_> =
        modified.headers_set.iter().map(|tag| (tag.name.as_str(), tag.value.as_str())).collect();
    assert_eq!(tags, [("x-provider-status", "exhausted;remaining=0;reset=30;reason=rate_limited")]);
    assert!(
        modified.status.is_none() && modified.body_replace.is_none() && modified.headers_remove.is_empty()
    );

    let (mut store, gateway) = instance();
    let request = SglangRequest {
        method: "POST".into(),
        path: "/v1/chat/completions".into(),
        query: String::new(),
        headers: vec![header("authorization", "Bearer secret")],
        body: Vec::new(),
        request_id: "r".into(),
        now_epoch_ms: 0,
    };
    let action = gateway.sgl_model_gateway_middleware_on_request().call_on_request(&mut store, &request);
    assert!(matches!(action.unwrap(), Action::Continue));
}
