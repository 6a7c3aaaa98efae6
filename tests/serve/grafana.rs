//! The dashboard for Grafana asks for what `/metrics` prints, and for nothing else.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use serde_json::{Value, json};

use super::client::{ALONE, Service};
use crate::cli::call;

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../packaging/grafana/runtime-signals.json");
const PREFIX: &str = "runtime_signals_";
/// Labels that Prometheus adds by itself.
const ADDED: [&str; 2] = ["instance", "job"];

fn dashboard() -> Value {
    serde_json::from_slice(&fs::read(FILE).unwrap()).unwrap()
}

/// The strings under a key, wherever it is.
fn strings<'a>(value: &'a Value, key: &str, found: &mut Vec<&'a str>) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                match value {
                    Value::String(text) if name == key => found.push(text),
                    value => strings(value, key, found),
                }
            }
        }
        Value::Array(values) => values.iter().for_each(|value| strings(value, key, found)),
        _ => {}
    }
}

/// What stands between two marks, each time.
fn between<'a>(text: &'a str, start: &'a str, end: char) -> impl Iterator<Item = &'a str> {
    text.split(start).skip(1).filter_map(move |rest| rest.split(end).next())
}

fn is_name(character: char) -> bool {
    character.is_ascii_alphanumeric() || character == '_'
}

/// The metrics that a query names, each with the labels that it selects by.
fn metrics(query: &str) -> Vec<(String, Vec<&str>)> {
    let starts = query.match_indices(PREFIX).map(|(at, _)| &query[at..]);
    starts
        .map(|rest| {
            let name = rest.split(|character| !is_name(character)).next().unwrap();
            let selector = rest[name.len()..].strip_prefix('{').and_then(|rest| rest.split('}').next());
            let labels =
                selector.unwrap_or_default().split("\",").filter_map(|part| part.split(['=', '!']).next());
            (name.to_owned(), labels.map(str::trim).filter(|label| !label.is_empty()).collect())
        })
        .collect()
}

/// The metrics that a service prints, each with all labels that any of its series has.
fn printed() -> BTreeMap<String, BTreeSet<String>> {
    // Nobody listens there: a call that is passed on ends as one that failed.
    let proxied = "[[providers]]\nname = \"proxied\"\ntype = \"openai\"\nbase_url = \"http://127.0.0.1:1\"\n";
    let service = Service::configured(&format!("{ALONE}{proxied}"));
    assert_eq!(service.get("/proxy/proxied/v1/models").status, 502);
    let mut full = call(
        "mine",
        200,
        json!({
            "x-ratelimit-limit-requests": "60", "x-ratelimit-remaining-requests": "45",
            "x-ratelimit-reset-requests": "15s",
            "x-ratelimit-limit-project-tokens": "1000", "x-ratelimit-remaining-project-tokens": "500",
            "x-ratelimit-reset-project-tokens": "10s",
        }),
    );
    (full["model"], full["account"], full["ttfb_ms"]) = (json!("gpt-4o"), json!("team"), json!(90));
    let mut refused = full.clone();
    (refused["provider"], refused["status"]) = (json!("out"), json!(429));
    refused["headers"] = json!({"retry-after": "60"});
    service.observe(&[full, refused, call("failing", 500, json!({}))]);
    let mut printed: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for line in service.get("/metrics").body.lines().filter(|line| !line.starts_with('#')) {
        let (series, _) = line.rsplit_once(' ').unwrap();
        let (name, labels) = series.split_once('{').unwrap_or((series, ""));
        let labels = labels.trim_end_matches('}').split("\",").filter_map(|label| label.split_once("=\""));
        printed.entry(name.to_owned()).or_default().extend(labels.map(|(label, _)| label.to_owned()));
    }
    printed
}

#[test]
fn all_that_its_queries_name_is_printed() {
    let (dashboard, printed) = (dashboard(), printed());
    let mut targets = Vec::new();
    for panel in dashboard["panels"].as_array().unwrap() {
        targets.extend(panel["targets"].as_array().unwrap());
    }
    assert!(targets.len() > 10);
    for target in targets {
        let (query, legend) = (target["expr"].as_str().unwrap(), target["legendFormat"].as_str().unwrap());
        let mut offered: BTreeSet<&str> = ADDED.into();
        let metrics = metrics(query);
        assert!(!metrics.is_empty(), "{query} names no metric");
        for (metric, selected) in metrics {
            let labels = printed.get(&metric).unwrap_or_else(|| panic!("{metric} of {query} is not printed"));
            for label in selected {
                assert!(labels.contains(label), "{metric} has no label {label:?}: {query}");
            }
            offered.extend(labels.iter().map(String::as_str));
        }
        let grouped = between(query, "by (", ')').flat_map(|labels| labels.split(',')).map(str::trim);
        for label in grouped.chain(between(legend, "{{", '}')) {
            assert!(offered.contains(label), "nothing of {query} has the label {label:?}");
        }
    }
    let mut definitions = Vec::new();
    strings(&dashboard["templating"], "definition", &mut definitions);
    assert_eq!(definitions, ["label_values(runtime_signals_provider_status, provider)"]);
}

#[test]
fn its_panels_are_told_apart_and_ask_the_source_that_the_user_chooses() {
    let dashboard = dashboard();
    let panels = dashboard["panels"].as_array().unwrap();
    let ids: BTreeSet<u64> = panels.iter().map(|panel| panel["id"].as_u64().unwrap()).collect();
    assert_eq!(ids.len(), panels.len());
    let titles: BTreeSet<&str> = panels.iter().map(|panel| panel["title"].as_str().unwrap()).collect();
    assert_eq!(titles.len(), panels.len());
    let variables = dashboard["templating"]["list"].as_array().unwrap();
    let names: Vec<&str> = variables.iter().map(|variable| variable["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["datasource", "provider"]);
    for panel in panels {
        assert_eq!(panel["datasource"]["uid"], json!("${datasource}"), "{}", panel["title"]);
        assert_eq!(panel["datasource"]["type"], json!("prometheus"));
    }
    let mut uids = Vec::new();
    strings(&dashboard["panels"], "uid", &mut uids);
    assert_eq!(uids.iter().find(|uid| **uid != "${datasource}"), None);
}

#[test]
fn its_panels_do_not_lie_on_each_other() {
    let dashboard = dashboard();
    let mut taken = BTreeSet::new();
    for panel in dashboard["panels"].as_array().unwrap() {
        let side = |name: &str| panel["gridPos"][name].as_u64().unwrap();
        assert!(side("x") + side("w") <= 24, "{}", panel["title"]);
        for x in side("x")..side("x") + side("w") {
            for y in side("y")..side("y") + side("h") {
                assert!(taken.insert((x, y)), "{} lies on another", panel["title"]);
            }
        }
    }
}
