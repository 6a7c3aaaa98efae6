//! `pace`: when allowances will be used up, from the cache and through a service.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::cli::{Home, call, lines};
use crate::serve::client::Service;

/// Claude's five hours, half of them over.
fn half_over(used_percent: u32) -> Value {
    let reset = Timestamp::now().checked_add(SignedDuration::from_mins(150)).unwrap();
    json!({"rate_limits": {"five_hour": {"used_percentage": used_percent, "resets_at": reset.as_second()}}})
}

fn with_claude(used_percent: u32) -> Home {
    let home = Home::new();
    assert_eq!(home.run_with(&["statusline"], half_over(used_percent).to_string().as_bytes()).status, 0);
    home
}

#[test]
fn what_is_spent_too_fast_is_told_with_the_pace_that_lasts() {
    let home = with_claude(80);
    let paced = home.run(&["pace", "claude"]).only_json();
    let pace = &paced["limits"][0]["pace"];
    assert_eq!(
        (&paced["provider"], &pace["lasts"], &pace["basis"]),
        (&json!("claude"), &json!(false), &json!("window"))
    );
    let hours = |key: &str| pace[key].as_f64().unwrap();
    assert!(
        (hours("per_hour") - 0.32).abs() < 0.01 && (hours("lasting_per_hour") - 0.08).abs() < 0.01,
        "{pace}"
    );
    assert!(pace["runs_out_at"].as_str().unwrap() < paced["limits"][0]["resets_at"].as_str().unwrap());
    let table = home.run(&["pace", "--format", "table"]).stdout;
    assert!(table.starts_with("PROVIDER") && table.contains("before the reset; at most 8."), "{table}");
}

#[test]
fn what_lasts_and_what_cannot_be_told_are_said_so() {
    let home = with_claude(30);
    let bucket = json!({"x-ratelimit-limit-requests": "100", "x-ratelimit-remaining-requests": "50",
        "x-ratelimit-reset-requests": "30s"});
    home.run_with(&["ingest"], &lines(&[call("openai", 200, bucket)]));
    let table = home.run(&["pace", "--format", "table"]).stdout;
    assert!(table.contains("lasts until the reset in 2h"), "{table}");
    assert!(table.contains("it fills again all the time"), "{table}");
    let paced = home.run(&["pace", "openai"]).only_json();
    assert_eq!(paced["limits"][0]["untold"], json!("refills"), "{paced}");
    assert_eq!(home.run(&["pace", "nobody"]).status, 3);
    assert_eq!(home.run(&["pace", "--over", "1s"]).status, 2);
}

#[test]
fn a_service_tells_the_same() {
    let service = Service::start();
    let bucket = json!({"x-ratelimit-limit-requests": "100", "x-ratelimit-remaining-requests": "50",
        "x-ratelimit-reset-requests": "30s"});
    service.observe(&[call("mine", 200, bucket)]);
    let asked = service.get("/v1/pace?provider=mine").json();
    let printed = Home::new().run(&["pace", "--service", &format!("http://{}", service.address)]).only_json();
    assert_eq!(asked["providers"], json!([printed]));
    assert_eq!(service.get("/v1/pace").json(), asked);
    assert_eq!(service.get("/v1/pace?provider=nobody").status, 404);
    assert_eq!(service.get("/v1/pace?of=mine").status, 400);
}
