//! `/metrics` and the interface's own description.

use serde_json::json;

use super::client::Service;
use crate::cli::call;

#[test]
fn what_is_known_has_a_series_in_base_units_and_what_is_not_has_none() {
    let service = Service::start();
    let headers = json!({
        "x-ratelimit-limit-requests": "60", "x-ratelimit-remaining-requests": "45",
        "x-ratelimit-reset-requests": "10m",
    });
    let mut observed = call("mi\"ne", 200, headers);
    observed["model"] = json!("gpt-4o");
    service.observe(&[observed, call("out", 429, json!({"retry-after": "60"})), json!({})]);
    let answer = service.get("/metrics");
    assert_eq!(answer.header("content-type"), "application/openmetrics-text; version=1.0.0; charset=utf-8");
    let text = answer.body;
    assert!(text.ends_with("# EOF\n"), "{text}");
    let value = |start: &str| -> Option<f64> {
        let line = text.lines().find(|line| line.starts_with(&format!("runtime_signals_{start}")))?;
        Some(line.rsplit(' ').next().unwrap().parse().unwrap())
    };
    assert_eq!(value("provider_status{provider=\"mi\\\"ne\",status=\"available\"}"), Some(1.0), "{text}");
    assert_eq!(value("provider_status{provider=\"out\",status=\"exhausted\"}"), Some(1.0));
    assert_eq!(
        value("limit{provider=\"mi\\\"ne\",model=\"gpt-4o\",quantity=\"requests\""),
        Some(60.0),
        "{text}"
    );
    assert_eq!(value("limit_remaining{provider=\"mi\\\"ne\""), Some(45.0));
    assert_eq!(value("limit_utilization_ratio{provider=\"mi\\\"ne\""), Some(0.25));
    assert_eq!(value("latency_seconds{provider=\"mi\\\"ne\",quantile=\"0.5\"}"), Some(0.84));
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs_f64();
    let reset = value("limit_reset_timestamp_seconds{provider=\"mi\\\"ne\"").unwrap();
    assert!((500.0..700.0).contains(&(reset - now)), "{reset}");
    let end = value("cooldown_end_timestamp_seconds{provider=\"out\"").unwrap();
    assert!((0.0..61.0).contains(&(end - now)), "{end}");
    assert!(value("signal_age_seconds{provider=\"out\"}").unwrap() < 30.0);
    assert_eq!(value("observations_accepted_total"), Some(2.0));
    assert_eq!(value("observations_refused_total"), Some(1.0));
    assert_eq!(value("limit{provider=\"out\""), None);
    assert_eq!(value("time_to_first_byte_seconds"), None);
    assert_eq!(value("last_success_timestamp_seconds{provider=\"out\""), None);
}

#[test]
fn the_interface_describes_itself() {
    let service = Service::start();
    let document = service.get("/v1/openapi.json").json();
    assert!(document["openapi"].as_str().unwrap().starts_with("3."), "{document}");
    let paths: Vec<&str> = document["paths"].as_object().unwrap().keys().map(String::as_str).collect();
    for path in [
        "/v1/signals",
        "/v1/signals/{provider}",
        "/v1/providers",
        "/v1/observations",
        "/v1/events",
        "/v1/wait",
        "/v1/rank",
        "/v1/acquire",
        "/v1/release",
        "/metrics",
        "/healthz",
        "/readyz",
    ] {
        assert!(paths.contains(&path), "{path} is not among {paths:?}");
    }
    // What can be asked without arguments is there.
    for path in paths.iter().filter(|path| !path.contains('{') && **path != "/v1/events") {
        if document["paths"][path].get("get").is_some() {
            assert!(service.get(path).status != 404, "{path}");
        }
    }
}
