//! `wait` and `rank`: when, and to whom.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::client::{ALONE, Service};
use crate::cli::{call, lines};

fn left(provider: &str, remaining: u64, latency_ms: u64) -> Value {
    let headers = json!({
        "x-ratelimit-limit-tokens": "1000", "x-ratelimit-remaining-tokens": remaining.to_string(),
        "x-ratelimit-reset-tokens": "10m",
    });
    let mut call = call(provider, 200, headers);
    call["latency_ms"] = json!(latency_ms);
    call
}

fn names(ranked: &Value) -> Vec<&str> {
    ranked.as_array().unwrap().iter().map(|one| one["provider"].as_str().unwrap()).collect()
}

#[test]
fn a_wait_is_answered_as_on_the_command_line() {
    let service = Service::start();
    service.observe(&[left("mine", 900, 10), call("out", 429, json!({"retry-after": "600"}))]);
    let ask = |query: &str| service.get(&format!("/v1/wait?{query}")).json();
    assert_eq!(ask("provider=mine&tokens=900")["answer"], json!("go"));
    let too_large = ask("provider=mine&tokens=1001");
    assert_eq!((&too_large["answer"], &too_large["limit"]["limit"]), (&json!("too_large"), &json!(1000)));
    let out = ask("provider=out");
    assert_eq!((&out["answer"], &out["refusal"]), (&json!("wait"), &json!("rate")));
    assert!((500_000..=600_000).contains(&out["wait_ms"].as_u64().unwrap()), "{out}");
}

#[test]
fn a_wait_within_the_bound_is_held_back_and_a_longer_one_is_told_at_once() {
    let service = Service::start();
    service.observe(&[
        call("soon", 429, json!({"retry-after": "1"})),
        call("late", 429, json!({"retry-after": "600"})),
    ]);
    let started = Instant::now();
    assert_eq!(service.get("/v1/wait?provider=late&max_wait_ms=20000").json()["answer"], json!("wait"));
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
    assert_eq!(service.get("/v1/wait?provider=soon&max_wait_ms=20000").json()["answer"], json!("go"));
}

#[test]
fn what_is_asked_badly_is_refused() {
    let service = Service::start();
    assert_eq!(service.get("/v1/wait?provider=nobody").status, 404);
    for query in ["", "provider=..%2fup", "provider=a&tokens=-1", "provider=a&token=1", "provider=a&tokens=x"]
    {
        let refused = service.get(&format!("/v1/wait?{query}"));
        assert_eq!(refused.status, 400, "{query}: {refused:?}");
        assert!(!refused.problem().is_empty());
    }
    let refused = service.get("/v1/rank?strategy=best");
    assert_eq!(refused.status, 400);
    assert!(refused.problem().contains("soonest-reset"), "{refused:?}");
    assert_eq!(service.get("/v1/rank?providers=..").status, 400);
}

#[test]
fn providers_are_ranked_by_the_strategy_with_why() {
    let text = "[[providers]]\nname = \"fast\"\ntype = \"openai\"\n[[providers]]\nname = \"roomy\"\ntype = \"openai\"\n\
                order = 7\n[[providers]]\nname = \"out\"\ntype = \"openai\"\n";
    let service = Service::configured(&format!("{ALONE}{text}"));
    service.observe(&[
        left("fast", 300, 10),
        left("roomy", 900, 800),
        call("out", 429, json!({"retry-after": "600"})),
    ]);
    for (query, expected) in [
        ("", ["roomy", "fast"]),
        ("strategy=headroom", ["roomy", "fast"]),
        ("strategy=latency", ["fast", "roomy"]),
        ("strategy=order&providers=out,roomy,fast", ["fast", "roomy"]),
    ] {
        let ranking = service.get(&format!("/v1/rank?{query}")).json();
        assert_eq!(names(&ranking["providers"]), expected, "{ranking}");
        assert_eq!(
            (&ranking["best"], names(&ranking["cooling"])),
            (&json!(expected[0]), vec!["out"]),
            "{ranking}"
        );
        assert_eq!(ranking.get("earliest"), None);
    }
    let ranking = service.get("/v1/rank?providers=unheard,fast").json();
    assert_eq!(names(&ranking["providers"]), ["fast", "unheard"], "{ranking}");
    assert_eq!(service.get("/v1/signals/unheard").status, 404);
    let ranking = service.get("/v1/rank?tokens=500").json();
    assert_eq!(names(&ranking["providers"]), ["roomy"]);
    let roomy = &ranking["providers"][0];
    assert_eq!(roomy["headroom"], json!(0.4));
    assert!(
        roomy["why"].as_str().unwrap().starts_with("it can take the request, 40 % left after it"),
        "{roomy}"
    );
}

#[test]
fn where_all_are_cooling_the_earliest_is_named() {
    let service = Service::start();
    service.observe(&[
        call("late", 429, json!({"retry-after": "600"})),
        call("soon", 429, json!({"retry-after": "60"})),
    ]);
    let ranking = service.get("/v1/rank").json();
    assert_eq!((&ranking["best"], names(&ranking["cooling"])), (&json!(null), vec!["soon", "late"]));
    assert_eq!(ranking["earliest"]["provider"], json!("soon"));
    assert!(ranking["earliest"]["until"].as_str().unwrap().ends_with('Z'), "{ranking}");

    // The same from the command line, from what is stored.
    let home = service.end_by(nix::sys::signal::Signal::SIGTERM).0;
    let ranked = home.run(&["rank"]);
    assert_eq!(
        (ranked.status, &ranked.json()[0]["earliest"]["provider"]),
        (75, &json!("soon")),
        "{ranked:?}"
    );
    assert_eq!(home.run_with(&["ingest"], &lines(&[left("fine", 900, 10)])).status, 0);
    let ranked = home.run(&["rank", "fine", "late", "--tokens", "100"]);
    assert_eq!((ranked.status, &ranked.json()[0]["best"]), (0, &json!("fine")), "{ranked:?}");
    let table = home.run(&["rank", "--format", "table"]).stdout;
    assert!(table.starts_with("PROVIDER") && table.contains("fine") && table.contains("now"), "{table}");
}
