//! What a response costs by each profile: through the product, with all limits on.
#![allow(missing_docs, clippy::expect_used, clippy::unwrap_used, clippy::indexing_slicing)]

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};
use runtime_signals::{Observation, Store};
use serde_json::Value;

/// A response that a provider has sent.
struct Response {
    id: String,
    provider_type: String,
    status: u16,
    headers: Vec<(String, String)>,
    body: Option<String>,
}

fn responses() -> Vec<Response> {
    let vectors: Vec<Value> =
        serde_json::from_str(include_str!("../../tests/vectors/rate-limit-responses.json")).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let response = |vector: &Value| Response {
        id: text(&vector["id"]),
        provider_type: text(&vector["provider_type"]),
        status: u16::try_from(vector["status"].as_u64().unwrap()).unwrap(),
        headers: vector["headers"]
            .as_array()
            .unwrap()
            .iter()
            .map(|pair| (text(&pair[0]), text(&pair[1])))
            .collect(),
        body: vector["body"].as_str().map(str::to_owned),
    };
    vectors.iter().map(response).collect()
}

fn record(criterion: &mut Criterion) {
    let store = Store::with_options(runtime_signals::StoreOptions::default()).unwrap();
    for part in ["headers", "body"] {
        let mut group = criterion.benchmark_group(format!("record, {part}"));
        group
            .warm_up_time(Duration::from_millis(100))
            .measurement_time(Duration::from_millis(300))
            .sample_size(20);
        for response in responses().iter().filter(|response| response.body.is_some() == (part == "body")) {
            let name = format!("{}/{}", response.provider_type, response.id);
            group.bench_function(name, |bencher| {
                let mut observation = Observation::new(
                    &response.provider_type,
                    &response.provider_type,
                    &response.headers,
                    Duration::from_millis(840),
                );
                observation.status = Some(response.status);
                observation.body = response.body.as_deref().map(str::as_bytes);
                bencher.iter(|| store.record(black_box(&observation)).unwrap());
            });
        }
        group.finish();
    }
}

criterion_group!(benches, record);
criterion_main!(benches);
