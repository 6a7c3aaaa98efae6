//! Who is known, of which type, and what reads the responses.

use std::fs;
use std::io::Write;

use serde_json::{Value, json};

use super::client::{ALONE, Service, configure};
use crate::cli::{Home, call, lines};
use crate::parsers::Signer;
use crate::parsers::guests::Guest;
use crate::{cli_parser, cli_profile};

/// What is told of all providers.
fn told(service: &Service) -> Vec<Value> {
    let mut told = service.get("/v1/providers").json();
    serde_json::from_value(told["providers"].take()).unwrap()
}

#[test]
fn each_provider_is_told_with_its_type_and_the_age_of_its_news() {
    let home = Home::new();
    configure(&home, "[[providers]]\nname = \"configured\"\ntype = \"openrouter\"\n");
    assert_eq!(home.run_with(&["ingest"], &lines(&[call("stored", 200, json!({}))])).status, 0);
    let service = Service::at(home, &[]);
    service.observe(&[call("recorded", 200, json!({}))]);
    let told = told(&service);
    let types = told
        .iter()
        .map(|known| [&known["provider"], &known["type"], &known["parser"]["kind"]].map(Value::as_str));
    let expected = [
        [Some("configured"), Some("openrouter"), Some("built_in")],
        [Some("recorded"), Some("openai"), Some("built_in")],
        // The cache does not tell the type.
        [Some("stored"), None, None],
    ];
    assert_eq!(types.collect::<Vec<_>>(), expected);
    for known in &told[1..] {
        assert_eq!(known["fresh"], json!(true), "{known}");
        assert!(known["age_ns"].as_u64().unwrap() < 60_000_000_000, "{known}");
    }
}

#[test]
fn a_profile_of_the_users_own_is_named_as_what_reads_a_type() {
    let home = Home::new();
    cli_profile::install(&home, &[("mine.toml", &cli_profile::reads("my-gateway", "x-left"))]);
    configure(&home, "[[providers]]\nname = \"here\"\ntype = \"my-gateway\"\n");
    let told = told(&Service::at(home, &[]));
    assert_eq!(told[0]["parser"], json!({"kind": "profile", "name": "mine.toml"}), "{told:?}");
}

#[test]
fn a_component_is_named_with_its_version_as_what_reads_a_type() {
    let signer = Signer::new();
    let home = cli_parser::trusting(&signer);
    let config = home.path(".config/runtime-signals/runtime-signals.toml");
    let mut config = fs::OpenOptions::new().append(true).open(config).unwrap();
    config.write_all(ALONE.as_bytes()).unwrap();
    config.write_all(b"[[providers]]\nname = \"here\"\ntype = \"acme\"\n").unwrap();
    cli_parser::install(&home, &signer, &Guest::reads("1.2.3", 10));
    let told = told(&Service::at(home, &[]));
    let parser = &told[0]["parser"];
    assert_eq!((&parser["kind"], &parser["version"]), (&json!("component"), &json!("1.2.3")), "{told:?}");
    assert!(!parser["name"].as_str().unwrap().is_empty(), "{told:?}");
}
