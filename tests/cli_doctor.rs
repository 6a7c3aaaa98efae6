//! `doctor`: what is wrong is found, and nothing is changed.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;

use serde_json::{Value, json};

use crate::cli::{Ended, Home, call, lines};
use crate::serve::client::{ALONE, Service, configure};

/// Nothing of the machine is asked: no local servers, and a service whose port is free.
fn quiet(home: &Home) -> String {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let text = format!("[discovery]\nlocal_servers = []\n[service]\nlisten = \"{free}\"\n");
    configure(home, &text);
    text
}

fn of<'a>(findings: &'a [Value], area: &str, level: &str) -> Vec<&'a str> {
    let of =
        findings.iter().filter(|finding| finding["area"] == json!(area) && finding["level"] == json!(level));
    of.map(|finding| finding["text"].as_str().unwrap()).collect()
}

#[track_caller]
fn problem(ended: &Ended, area: &str, text: &str) {
    let findings = ended.json();
    let problems = of(&findings, area, "problem");
    assert_eq!(ended.status, 1, "{ended:?}");
    assert!(problems.iter().any(|problem| problem.contains(text)), "{area}: {text}: {findings:?}");
}

#[test]
fn a_user_with_nothing_has_no_problem_and_has_nothing_afterwards() {
    let home = Home::new();
    quiet(&home);
    let before = fs::read_dir(home.path("")).unwrap().count();
    let ended = home.run(&["doctor"]);
    assert_eq!(ended.status, 0, "{ended:?}");
    let findings = ended.json();
    assert!(of(&findings, "cache", "note")[0].contains("not there yet"), "{findings:?}");
    assert!(of(&findings, "service", "note")[0].contains("none runs at http://127.0.0.1:"), "{findings:?}");
    assert_eq!(fs::read_dir(home.path("")).unwrap().count(), before);
    let text = home.run(&["doctor", "--format", "table"]).stdout;
    assert!(text.ends_with("nothing is wrong\n"), "{text}");
}

#[test]
fn what_is_there_is_told() {
    let home = Home::new();
    let text = quiet(&home)
        + "[[providers]]\nname = \"mine\"\ntype = \"openai\"\n[[providers]]\nname = \"new\"\ntype = \"openai\"\n";
    configure(&home, &text);
    home.run_with(&["ingest"], &lines(&[call("mine", 200, json!({}))]));
    let ended = home.run(&["doctor"]);
    assert_eq!(ended.status, 0, "{ended:?}");
    let findings = ended.json();
    assert!(
        of(&findings, "cache", "ok").iter().any(|text| text.contains("stored signals: 1,")),
        "{findings:?}"
    );
    assert!(
        of(&findings, "providers", "ok").iter().any(|text| text.contains("mine (openai): available")),
        "{findings:?}"
    );
    assert!(
        of(&findings, "providers", "note").contains(&"new (openai): nothing is stored yet"),
        "{findings:?}"
    );
}

#[test]
fn each_thing_that_is_wrong_is_told_with_what_to_do() {
    let home = Home::new();
    let valid = quiet(&home);
    home.run_with(&["ingest"], &lines(&[call("mine", 200, json!({}))]));

    let ahead = fs::read_to_string(home.entry("mine")).unwrap();
    let (start, end) = ahead.split_once("\"recorded_at\":\"2").unwrap();
    fs::write(home.entry("mine"), format!("{start}\"recorded_at\":\"3{end}")).unwrap();
    problem(&home.run(&["doctor"]), "clock", "mine is of the future");
    fs::write(home.entry("mine"), "{}").unwrap();
    problem(&home.run(&["doctor"]), "providers", "is no signal");
    fs::remove_file(home.entry("mine")).unwrap();

    fs::set_permissions(home.cache(), fs::Permissions::from_mode(0o777)).unwrap();
    problem(&home.run(&["doctor"]), "cache", "anybody can write");
    fs::set_permissions(home.cache(), fs::Permissions::from_mode(0o750)).unwrap();

    let profiles = home.path(".config/runtime-signals/profiles");
    fs::create_dir_all(&profiles).unwrap();
    fs::write(profiles.join("bad.toml"), "typ = 1\n").unwrap();
    problem(&home.run(&["doctor"]), "profiles", "bad.toml");
    fs::remove_file(profiles.join("bad.toml")).unwrap();

    configure(&home, "[cache]\nttll = \"5m\"\n[discovery]\nlocal_servers = []\n");
    problem(&home.run(&["doctor", "--service", "off"]), "configuration", "did you mean `ttl`?");
    configure(&home, &(valid + "token_file = \"/nowhere/token\"\n"));
    problem(&home.run(&["doctor"]), "service", "cannot be read");
}

#[test]
fn a_lock_that_somebody_left_is_a_note() {
    let home = Home::new();
    quiet(&home);
    home.run_with(&["ingest"], &lines(&[call("mine", 200, json!({}))]));
    let lock = home.entry("mine").with_extension("lock");
    let file = fs::File::create(&lock).unwrap();
    file.set_modified(std::time::SystemTime::now() - std::time::Duration::from_secs(60)).unwrap();
    let ended = home.run(&["doctor"]);
    assert_eq!(ended.status, 0, "{ended:?}");
    assert!(of(&ended.json(), "cache", "note")[0].contains("mine.lock is 1m old"), "{ended:?}");
    assert!(lock.exists());
}

#[test]
fn a_running_service_is_found_and_its_token_is_tried() {
    let home = Home::new();
    configure(&home, ALONE);
    let token = "0123456789abcdef0123";
    let service = Service::at(home, &[("RUNTIME_SIGNALS_TOKEN", token)]);
    let url = format!("http://{}", service.address);
    let home = Home::new();
    quiet(&home);
    problem(&home.run(&["doctor", "--service", &url]), "service", "wants its token");
    let mut command = home.command(&["doctor", "--service", &url]);
    let ended = Ended::from(command.env("RUNTIME_SIGNALS_TOKEN", token).output().unwrap());
    assert_eq!(ended.status, 0, "{ended:?}");
    assert!(of(&ended.json(), "service", "ok")[0].ends_with("with a token"), "{ended:?}");
    assert!(!ended.stdout.contains(token));
    let away = service.address;
    service.end();
    problem(&home.run(&["doctor", "--service", &format!("http://{away}")]), "service", "cannot be reached");
}
