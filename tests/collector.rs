//! The collector component: the same answers as the engine's, whoever drives.

mod ground;
mod steps;

use std::sync::atomic::Ordering;
use std::time::Duration;

use runtime_signals::collector::{COLLECTOR, Collector, CollectorOptions};
use runtime_signals::engine::{CodeCache, EngineError, Limits};
use runtime_signals::time::parse_rfc3339;
use runtime_signals::{CollectInput, Error, Observation, Scope};
use serde_json::json;

use ground::{Ground, files};
use steps::{by_collector, by_service, leave, steps};

const NO_HEADERS: &[(&str, &str)] = &[];

#[tokio::test]
async fn every_step_has_the_same_answer_and_leaves_the_same_files() {
    let (engine, component) = (Ground::new(), Ground::new());
    let (service, collector) = (engine.service(), component.collector(Limits::default()));
    let (mut steps, mut of_engine, mut of_component) = (steps(), Vec::new(), Vec::new());
    for step in &mut steps {
        let at = parse_rfc3339(step["at"].as_str().unwrap()).unwrap();
        for ground in [&engine, &component] {
            ground.clock.set(at);
            *ground.evidence.step.lock().unwrap() = step.clone();
        }
        let id = step["id"].clone();
        of_engine.push(json!({"id": id, "result": by_service(&service, step).await}));
        of_component.push(json!({"id": id, "result": by_collector(&collector, step).await}));
    }
    leave("steps.ndjson", &steps);
    leave("engine.ndjson", &of_engine);
    leave("collector.ndjson", &of_component);
    for (one, other) in of_engine.iter().zip(&of_component) {
        assert_eq!(one, other);
    }
    assert_eq!(files(&engine), files(&component));
    assert!(steps.len() > 130 && files(&engine).len() > 115);
}

#[test]
fn the_collector_imports_its_four_capabilities_and_nothing_else() {
    let engine = wasmtime::Engine::default();
    let component = wasmtime::component::Component::from_binary(&engine, COLLECTOR).unwrap();
    let mut imports: Vec<_> =
        component.component_type().imports(&engine).map(|(name, _)| name.to_owned()).collect();
    imports.sort();
    let expected = ["clock", "probe", "quota-harness", "signal-cache", "types"];
    assert_eq!(imports, expected.map(|name| format!("runtime-signals:signals/{name}@0.1.0")));
}

#[tokio::test]
async fn callers_that_warm_up_one_provider_at_a_time_share_one_check() {
    let ground = Ground::new();
    *ground.evidence.step.lock().unwrap() = json!({"probe": "alive"});
    let collector = ground.collector(Limits::default());
    let input = CollectInput { provider_type: "ollama".into(), base_url: "http://127.0.0.1:1".into() };
    let warmup = async || collector.warmup("studio", &input).await.unwrap();
    let signals: [String; 3] = tokio::join!(warmup(), warmup(), warmup()).into();
    assert!(
        signals.iter().all(|signal| signal == &signals[0] && signal.contains("available")),
        "{signals:?}"
    );
    assert_eq!(ground.evidence.asked.load(Ordering::SeqCst), 1);
    assert_eq!(collector.read_cached("studio").unwrap().unwrap().json, signals[0]);
}

#[test]
fn what_another_process_stores_meanwhile_is_merged_and_nothing_of_it_lost() {
    let ground = Ground::new();
    let (collector, other) = (ground.collector(Limits::default()), ground.service());
    let observe = |model, left: &str| {
        let headers = [("x-ratelimit-remaining-requests", left), ("x-ratelimit-limit-requests", "60")];
        let model = Some(model);
        let call = Observation::new("openai", "openai", &headers, Duration::from_millis(100));
        let observation = Observation { status: Some(200), model, ..call };
        match model {
            Some("ours") => collector.observe_response(&observation).map(drop).unwrap(),
            _ => other.observe_response_durably(&observation).map(drop).unwrap(),
        }
        ground.clock.advance(Duration::from_secs(1));
    };
    observe("ours", "9");
    observe("theirs", "5");
    observe("ours", "8");
    let stored = other.read_cached("openai").unwrap().unwrap().signal;
    let mut left: Vec<_> = stored.limits.iter().map(|limit| (limit.scope.clone(), limit.remaining)).collect();
    left.sort_by(|one, other| one.0.model.cmp(&other.0.model));
    let scope = |model: &str| Scope { account: None, model: Some(model.into()) };
    assert_eq!(left, [(scope("ours"), Some(8)), (scope("theirs"), Some(5))]);
}

#[test]
fn an_instance_that_wants_too_much_memory_is_replaced_and_what_is_on_disk_is_taken_in_again() {
    let ground = Ground::new();
    let limits = Limits { memory_bytes: 3 << 20, ..Limits::default() };
    let collector = ground.collector(limits);
    let call = |name: &str| {
        let call = Observation::new(name, "openai", &NO_HEADERS, Duration::from_millis(100));
        collector.record(&Observation { status: Some(200), ..call })
    };
    let kept = Observation::failed("kept", "openai", "refused by https://me:pw@host/path", Duration::ZERO);
    collector.observe_response(&kept).unwrap();
    let refused = (0..200_000).find_map(|number| call(&format!("provider-{number}")).err());
    let out_of_memory = |error: &Error| matches!(error, Error::Engine(EngineError::OutOfMemory(_)));
    assert!(refused.as_ref().is_some_and(out_of_memory), "{refused:?}");
    call("another").unwrap();
    let signal = collector.observe("kept", "openai", Duration::ZERO, None).unwrap();
    assert!(signal.contains(r#""last_error_msg":"refused by https://host""#), "{signal}");
}

#[test]
fn another_component_is_refused_at_once() {
    let ground = Ground::new();
    let component = Some(runtime_signals::engine::COMPONENT.to_vec());
    let options = CollectorOptions { component, code_cache: CodeCache::Off, ..CollectorOptions::default() };
    let error = Collector::with_options(ground.cache(), options).err().unwrap().to_string();
    assert!(error.contains("cannot be loaded") && error.contains("collection"), "{error}");
}
