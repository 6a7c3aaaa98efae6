//! Commands and webhooks that are told of changes: by a real script and a real HTTP server.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, channel};

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use super::client::{ALONE, PATIENCE, Service, configure, eventually};
use crate::cli::{Home, call};

/// Writes a script that can be run.
fn script(home: &Home, body: &str) -> PathBuf {
    let path = home.path("told.sh");
    fs::write(&path, format!("#!/bin/sh\nset -e\ncd {}\n{body}\n", home.path("").display())).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path
}

/// Notes a change in a line: the variables, then what came on standard input.
const NOTE: &str = "printf '%s %s %s ' \"$RUNTIME_SIGNALS_PROVIDER\" \"$RUNTIME_SIGNALS_PREVIOUS\" \
                    \"$RUNTIME_SIGNALS_STATUS\" > part.$$\ncat >> part.$$\necho >> part.$$\ncat part.$$ >> told";

fn rule(script: &Path, more: &str) -> String {
    format!("{ALONE}[[on_change]]\ncommand = [\"{}\"]\n{more}\n", script.display())
}

fn with_script(body: &str, more: &str) -> Service {
    let home = Home::new();
    let script = script(&home, body);
    configure(&home, &rule(&script, more));
    Service::at(home, &[("RUNTIME_SIGNALS_TOKEN", "")])
}

fn told(service: &Service) -> Vec<String> {
    let text = fs::read_to_string(service.home.path("told")).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

fn refused(provider: &str) -> Value {
    call(provider, 429, json!({"retry-after": "600"}))
}

fn metric(service: &Service, name: &str) -> u64 {
    let text = service.get("/metrics").body;
    let line = text.lines().find_map(|line| line.strip_prefix(&format!("runtime_signals_{name}_total ")));
    line.unwrap_or_else(|| panic!("{text}")).parse().unwrap()
}

#[test]
fn a_command_gets_the_change_on_its_standard_input_and_in_variables() {
    let service = with_script(NOTE, "");
    service.observe(&[call("mine", 200, json!({}))]);
    eventually(|| (told(&service).len() == 1).then_some(()));
    service.observe(&[refused("mine")]);
    eventually(|| (told(&service).len() == 2).then_some(()));
    let lines = told(&service);
    assert!(lines[0].starts_with("mine unknown available {"), "{lines:?}");
    let (variables, document) = lines[1].split_at(lines[1].find('{').unwrap());
    let document: Value = serde_json::from_str(document).unwrap();
    assert_eq!(variables, "mine available exhausted ");
    assert_eq!(
        (&document["signal"]["status"], &document["before"]),
        (&json!("exhausted"), &json!("available"))
    );
    eventually(|| (metric(&service, "on_change_told") == 2).then_some(()));
}

#[test]
fn only_what_is_asked_for_is_told_and_what_was_so_before_is_no_change() {
    let service = with_script(NOTE, "providers = [\"mine\", \"last\"]\nto = [\"exhausted\"]");
    service.observe(&[call("mine", 200, json!({})), refused("other")]);
    service.observe(&[refused("mine"), refused("mine")]);
    eventually(|| (!told(&service).is_empty()).then_some(()));
    service.observe(&[refused("last")]);
    eventually(|| (told(&service).len() >= 2).then_some(()));
    let names: Vec<String> =
        told(&service).iter().map(|line| line.split(' ').next().unwrap().to_owned()).collect();
    assert_eq!(names, ["mine", "last"]);

    // What is stored is known when the service starts anew.
    let script = service.home.path("told.sh");
    let (home, _) = service.end_by(Signal::SIGTERM);
    fs::remove_file(home.path("told")).unwrap();
    configure(&home, &rule(&script, ""));
    let service = Service::at(home, &[]);
    service.observe(&[call("new", 200, json!({}))]);
    eventually(|| (!told(&service).is_empty()).then_some(()));
    assert!(told(&service)[0].starts_with("new "), "{:?}", told(&service));
}

#[test]
fn a_command_that_hangs_is_killed_with_all_that_it_has_started() {
    let hangs = "sleep 600 & echo $! > child.new\nmv child.new child\nwait";
    let service = with_script(hangs, "timeout = \"1s\"");
    // On a busy machine it may be killed before it has started anything: then again.
    let mut times = 0;
    let child = eventually(|| {
        if metric(&service, "on_change_failed") >= times {
            times += 1;
            service.observe(&[call(&format!("provider-{times}"), 200, json!({}))]);
        }
        fs::read_to_string(service.home.path("child")).ok()
    });
    eventually(|| {
        // Who has ended and is not waited for yet has no command line any more.
        let line = fs::read(format!("/proc/{}/cmdline", child.trim())).unwrap_or_default();
        line.is_empty().then_some(())
    });
    eventually(|| (metric(&service, "on_change_failed") == times).then_some(()));
    assert_eq!(service.get("/healthz").status, 200);
    let log = service.end();
    assert!(log.contains("told.sh") && log.contains("did not end in time"), "{log}");
}

#[test]
fn of_what_comes_while_a_command_is_at_work_the_newest_is_told() {
    let service = with_script(&format!("{NOTE}\nwhile [ ! -e go ]; do sleep 0.02; done"), "");
    service.observe(&[call("mine", 200, json!({}))]);
    eventually(|| (told(&service).len() == 1).then_some(()));
    for observed in [call("mine", 500, json!({})), refused("mine")] {
        let wanted = if observed["status"] == json!(500) { "degraded" } else { "exhausted" };
        service.observe(&[observed]);
        eventually(|| (service.signal("mine")["status"] == json!(wanted)).then_some(()));
    }
    // Others are not held up, and whoever comes later in the stream has seen what came before.
    service.observe(&[call("other", 200, json!({}))]);
    eventually(|| (told(&service).len() == 2).then_some(()));
    fs::write(service.home.path("go"), "").unwrap();
    eventually(|| (told(&service).len() == 3).then_some(()));
    assert!(told(&service)[2].starts_with("mine degraded exhausted "), "{:?}", told(&service));
}

#[test]
fn what_cannot_be_started_or_fails_is_logged_and_stops_nothing() {
    let home = Home::new();
    let text = format!(
        "{ALONE}[[on_change]]\ncommand = [\"/nowhere/program\", \"hunter2\"]\n[[on_change]]\ncommand = [\"/bin/false\"]\n"
    );
    configure(&home, &text);
    let service = Service::at(home, &[]);
    service.observe(&[call("mine", 200, json!({}))]);
    eventually(|| (metric(&service, "on_change_failed") == 2).then_some(()));
    let log = service.end();
    assert!(log.contains("cannot be started") && log.contains("exit status: 1"), "{log}");
    assert!(!log.contains("hunter2"), "{log}");
}

#[test]
fn other_rules_take_effect_by_a_reload() {
    let service = with_script(NOTE, "to = [\"unknown\"]");
    service.observe(&[call("mine", 200, json!({}))]);
    assert_eq!(service.signal("mine")["status"], json!("available"));
    configure(&service.home, &rule(&service.home.path("told.sh"), "to = [\"exhausted\"]"));
    service.send(Signal::SIGHUP);
    let mut number = 0;
    eventually(|| {
        number += 1;
        service.observe(&[refused(&format!("provider-{number}"))]);
        (!told(&service).is_empty()).then_some(())
    });
    assert!(told(&service)[0].contains(" exhausted "));
}

/// An HTTP server that answers one request after the other by these statuses, and hands the bodies on.
fn webhook(answers: &[&str]) -> (String, Receiver<(String, String)>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let answers: Vec<String> = answers.iter().map(ToString::to_string).collect();
    let (to, requests) = channel();
    std::thread::spawn(move || {
        for answer in answers {
            let (mut stream, _) = listener.accept().unwrap();
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let mut head = String::new();
            while !head.ends_with("\r\n\r\n") {
                assert!(reader.read_line(&mut head).unwrap() > 0);
            }
            let length = head.to_lowercase();
            let length =
                length.split("content-length: ").nth(1).unwrap().split('\r').next().unwrap().parse().unwrap();
            let mut body = vec![0; length];
            reader.read_exact(&mut body).unwrap();
            let _ = stream.write_all(
                format!("HTTP/1.1 {answer}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n").as_bytes(),
            );
            let _ = to.send((head, String::from_utf8(body).unwrap()));
        }
    });
    (format!("http://{address}"), requests)
}

fn with_webhook(url: &str) -> Service {
    let more = format!("[[on_change]]\nwebhook = \"{url}/hunter2?key=hunter2\"\nto = [\"exhausted\"]\n");
    Service::configured(&format!("{ALONE}{more}"))
}

#[test]
fn a_webhook_is_posted_to_and_again_where_that_may_help() {
    let (url, requests) = webhook(&["503 Busy", "204 No Content"]);
    let service = with_webhook(&url);
    service.observe(&[refused("mine")]);
    let (head, first) = requests.recv_timeout(PATIENCE).unwrap();
    assert!(head.starts_with("POST /hunter2?key=hunter2 HTTP/1.1\r\n"), "{head}");
    assert!(head.to_lowercase().contains("content-type: application/json\r\n"), "{head}");
    let (_, second) = requests.recv_timeout(PATIENCE).unwrap();
    assert_eq!(first, second);
    let document: Value = serde_json::from_str(&first).unwrap();
    assert_eq!((&document["signal"]["provider"], &document["before"]), (&json!("mine"), &json!("unknown")));
    eventually(|| (metric(&service, "on_change_told") == 1).then_some(()));
}

#[test]
fn a_redirect_is_not_followed_and_the_log_shows_no_secret() {
    let (elsewhere, nothing) = webhook(&["200 OK"]);
    let (url, requests) = webhook(&[&format!("307 Elsewhere\r\nlocation: {elsewhere}")]);
    let service = with_webhook(&url);
    service.observe(&[refused("mine")]);
    requests.recv_timeout(PATIENCE).unwrap();
    eventually(|| (metric(&service, "on_change_failed") == 1).then_some(()));
    assert!(nothing.try_recv().is_err());
    let log = service.end();
    assert!(log.contains(&url) && log.contains("307") && !log.contains("hunter2"), "{log}");
}
