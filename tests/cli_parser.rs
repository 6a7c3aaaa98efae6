//! `parser list|inspect|verify|test|rollback`, and `parse` by a parser that serves.

use std::fs;
use std::path::{Path, PathBuf};

use runtime_signals::parsers::{Candidate, Install, Options, TrustedKey};
use serde_json::{Value, json};

use crate::cli::Home;
use crate::parsers::guests::Guest;
use crate::parsers::{Signer, built, store};

const CASE: &str = "[[case]]\nname = \"always ten\"\nstatus = 200\nheaders = [[\"x-left\", \"1\"]]\n\
                    now = \"2026-01-15T12:00:00Z\"\n[case.expect]\nremaining_requests = 10\n";

/// A home whose configuration trusts a publisher.
pub(crate) fn trusting(signer: &Signer) -> Home {
    let home = Home::new();
    let folder = home.path(".config/runtime-signals");
    fs::create_dir_all(&folder).unwrap();
    let key = signer.public_key();
    let config = format!(
        "[[parsers.keys]]\nname = \"acme-inc\"\npublic_key = \"{key}\"\nprovider_types = [\"acme\"]\n"
    );
    fs::write(folder.join("runtime-signals.toml"), config).unwrap();
    home
}

fn file(home: &Home, bytes: &[u8], signature: Option<String>) -> PathBuf {
    let file = home.path("acme.wasm");
    fs::write(&file, bytes).unwrap();
    signature.into_iter().for_each(|text| fs::write(home.path("acme.wasm.minisig"), text).unwrap());
    file
}

/// Puts a parser into service in this home.
pub(crate) fn install(home: &Home, signer: &Signer, guest: &Guest) {
    let key = TrustedKey {
        name: "acme-inc".into(),
        public_key: signer.public_key(),
        provider_types: vec!["acme".into()],
        allow_wasi: false,
        large: false,
    };
    let state_dir = Some(home.path("state/runtime-signals/parsers"));
    let store = store(Options { state_dir, keys: vec![key], ..Options::default() }).unwrap();
    let bytes = guest.build();
    let candidate = Candidate::new(bytes.clone(), Some(signer.sign(&bytes)), guest.version);
    store.parsers().unwrap().install(&candidate, Install::default()).unwrap();
}

fn path(file: &Path) -> &str {
    file.to_str().unwrap()
}

#[test]
fn a_component_is_verified_by_the_configured_keys_or_one_that_is_named() {
    let signer = Signer::new();
    let home = trusting(&signer);
    let bytes = built("acme-parser.wasm");
    let file = file(&home, &bytes, Some(signer.sign(&bytes)));
    let ended = home.run(&["parser", "verify", path(&file), "--format", "table"]);
    assert_eq!(ended.status, 0, "{}", ended.stderr);
    assert!(
        ended.stdout.ends_with("acme-parser 1.0.0, signed by acme-inc, passed 3 cases\n"),
        "{}",
        ended.stdout
    );

    fs::write(&file, Guest::reads("1.0.0", 1).build()).unwrap();
    let ended = home.run(&["parser", "verify", path(&file)]);
    assert_eq!((ended.status, ended.stdout.as_str()), (1, ""));
    assert!(ended.stderr.contains("the signature by key `acme-inc` is not of this file"), "{}", ended.stderr);

    fs::write(&file, &bytes).unwrap();
    let stranger = Home::new();
    let ended = stranger.run(&["parser", "verify", path(&file)]);
    assert!(ended.status == 1 && ended.stderr.contains("not among `keys`"), "{}", ended.stderr);
    assert_eq!(stranger.run(&["parser", "verify", path(&file), "--key", &signer.public_key()]).status, 0);
}

#[test]
fn a_component_is_shown_with_all_that_matters_before_it_is_trusted() {
    let home = Home::new();
    let bytes = built("acme-parser.wasm");
    let file = file(&home, &bytes, None);
    let ended = home.run(&["parser", "inspect", path(&file), "--json"]);
    assert_eq!(ended.status, 0, "{}", ended.stderr);
    let shown: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(shown["provider_types"], json!(["acme"]));
    assert_eq!((shown["bytes"].as_u64(), &shown["imports"]), (Some(bytes.len() as u64), &json!([])));
    assert!(shown["headers"].as_array().unwrap().contains(&json!("x-acme-calls")));
    assert!(shown["call_ns"].as_u64().unwrap() > 0 && shown["memory_bytes"].as_u64().unwrap() > 0);
    assert!(shown["signature_problem"].as_str().unwrap().starts_with("it is not signed"));
    let ended = home.run(&["parser", "inspect", path(&file), "--format", "table"]);
    assert!(ended.stdout.contains("\ncases     3 of 3 passed\n"), "{}", ended.stdout);
    assert!(ended.stdout.contains("\nimports   none\n"), "{}", ended.stdout);
}

#[test]
fn cases_are_told_one_by_one_and_one_that_fails_fails_the_test() {
    let home = Home::new();
    for (requests, status, outcome) in [
        (10, 0, "ok      always ten\n"),
        (11, 1, "failed  always ten: remaining_requests: 10 expected, 11 found\n"),
    ] {
        let guest = Guest { cases: CASE, ..Guest::reads("1.0.0", requests) };
        let file = file(&home, &guest.build(), None);
        let ended = home.run(&["parser", "test", path(&file), "--format", "table"]);
        assert_eq!((ended.status, ended.stdout.as_str()), (status, outcome), "{}", ended.stderr);
    }
    let ended = home.run(&["parser", "test", path(&home.path("absent.wasm"))]);
    assert!(
        ended.status == 1 && ended.stderr.contains("absent.wasm: there is no such file"),
        "{}",
        ended.stderr
    );
}

#[test]
fn what_serves_is_listed_reads_and_is_rolled_back() {
    let signer = Signer::new();
    let home = trusting(&signer);
    assert_eq!(home.run(&["parser", "list", "--json"]).stdout, "");
    install(&home, &signer, &Guest::reads("1.0.0", 10));
    install(&home, &signer, &Guest::reads("2.0.0", 20));
    let listed = home.run(&["parser", "list", "--json"]).stdout;
    let listed: Vec<Value> = listed.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let told =
        |status: &Value| [status["state"].clone(), status["version"].clone(), status["signer"].clone()];
    assert_eq!(
        listed.iter().map(told).collect::<Vec<_>>(),
        [
            ["current", "2.0.0", "acme-inc"].map(Value::from),
            ["previous", "1.0.0", "acme-inc"].map(Value::from)
        ]
    );
    let response = br#"{"type":"acme","status":200,"headers":{"x-left":"1"}}"#;
    let reads = || {
        let ended = home.run_with(&["parse"], response);
        serde_json::from_str::<Value>(&ended.stdout).unwrap()["remaining_requests"].clone()
    };
    assert_eq!(reads(), 20);
    let ended = home.run(&["parser", "rollback", "acme", "--format", "table"]);
    assert_eq!((ended.status, ended.stdout.as_str()), (0, "acme: read by hostile 1.0.0 now\n"));
    assert_eq!(reads(), 10);
    let ended = home.run(&["parser", "rollback", "nobody"]);
    assert!(ended.status == 1 && ended.stderr.contains("`runtime-signals parser list` names them"));
}
