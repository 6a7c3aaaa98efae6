//! Leases: what is in flight counts, and a hundred waiters do not get the same instant.

use std::collections::HashMap;
use std::time::Duration;

use serde_json::{Value, json};

use super::client::{ALONE, Answer, Service, eventually};
use crate::cli::call;

fn limited(tokens: u64) -> Value {
    let headers = json!({
        "x-ratelimit-limit-tokens": "1000", "x-ratelimit-remaining-tokens": tokens.to_string(),
        "x-ratelimit-reset-tokens": "10m",
    });
    call("mine", 200, headers)
}

fn acquire(service: &Service, more: Value) -> Answer {
    let mut body = json!({"provider": "mine"});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    service.post("/v1/acquire", &body)
}

fn lease(answer: &Answer) -> Value {
    assert_eq!(answer.status, 200, "{answer:?}");
    json!({"lease": answer.json()["lease"]})
}

#[test]
fn what_is_in_flight_counts_until_it_is_released() {
    let service = Service::start();
    service.observe(&[limited(1000)]);
    let first = lease(&acquire(&service, json!({"tokens": 600})));
    let refused = acquire(&service, json!({"tokens": 600}));
    assert_eq!((refused.status, &refused.json()["obstacle"]), (429, &json!("in_flight")), "{refused:?}");
    assert!(refused.header("retry-after").parse::<u64>().unwrap() > 0);
    assert!(refused.problem().contains("in flight to mine"), "{refused:?}");
    assert_eq!(service.get("/v1/rank?tokens=600").json()["best"], json!(null));

    assert_eq!(service.post("/v1/release", &first).status, 204);
    assert_eq!(service.post("/v1/release", &first).status, 404);
    assert_eq!(service.get("/v1/rank?tokens=600").json()["best"], json!("mine"));
}

#[test]
fn a_lease_expires_by_itself() {
    let service = Service::start();
    service.observe(&[limited(1000)]);
    let short = lease(&acquire(&service, json!({"tokens": 900, "ttl_ms": 300})));
    assert_eq!(acquire(&service, json!({"tokens": 900})).status, 429);
    eventually(|| (service.get("/v1/rank?tokens=900").json()["best"] == json!("mine")).then_some(()));
    assert_eq!(service.post("/v1/release", &short).status, 404);
}

#[test]
fn a_hundred_who_wait_for_one_reset_get_times_in_steps() {
    let service = Service::start();
    service.observe(&[call("mine", 429, json!({"retry-after": "600"}))]);
    let mut times: HashMap<String, usize> = HashMap::new();
    for _ in 0..100 {
        let refused = acquire(&service, json!({}));
        assert_eq!((refused.status, &refused.json()["obstacle"]), (429, &json!("refusal")), "{refused:?}");
        *times.entry(refused.json()["until"].as_str().unwrap().to_owned()).or_default() += 1;
    }
    let mut steps: Vec<usize> = times.into_values().collect();
    steps.sort_unstable();
    assert_eq!(steps, [1, 2, 4, 8, 16, 32, 37]);
}

#[test]
fn waiters_are_let_through_in_steps_after_the_reset() {
    let service = Service::start();
    service.observe(&[call("mine", 429, json!({"retry-after": "1"}))]);
    let started = std::time::Instant::now();
    let passed: Vec<Duration> = std::thread::scope(|threads| {
        let waiters: Vec<_> = (0..15)
            .map(|_| {
                threads.spawn(|| {
                    lease(&acquire(&service, json!({"max_wait_ms": 20_000})));
                    started.elapsed()
                })
            })
            .collect();
        waiters.into_iter().map(|waiter| waiter.join().unwrap()).collect()
    });
    let (first, last) = (passed.iter().min().unwrap(), passed.iter().max().unwrap());
    // Steps of 1, 2, 4 and 8: the last ones pass three steps after the first at the earliest.
    assert!(*last - *first >= Duration::from_millis(250), "{passed:?}");
}

#[test]
fn there_are_no_more_leases_than_allowed_and_bad_claims_are_refused() {
    let service = Service::configured(&format!("{ALONE}[service.limits]\nleases = 1\n"));
    service.observe(&[limited(1000)]);
    lease(&acquire(&service, json!({})));
    let full = acquire(&service, json!({}));
    assert_eq!(full.status, 503, "{full:?}");
    assert!(full.problem().contains("service.limits.leases"), "{full:?}");

    assert_eq!(service.post("/v1/acquire", &json!({"provider": "nobody"})).status, 404);
    let too_large = acquire(&service, json!({"tokens": 1001}));
    assert!(matches!(too_large.status, 422 | 503), "{too_large:?}");
    for body in [json!({}), json!({"provider": "a/b"}), json!({"provider": "mine", "tokns": 1}), json!([])] {
        let refused = service.post("/v1/acquire", &body);
        assert_eq!(refused.status, 400, "{refused:?}");
        assert!(!refused.problem().is_empty());
    }
    let plain = service.request("POST", "/v1/acquire", &[("content-type", "text/plain")], b"{}");
    assert_eq!(plain.status, 415);
    assert_eq!(service.post("/v1/release", &json!({"lease": "no number"})).status, 404);
}
