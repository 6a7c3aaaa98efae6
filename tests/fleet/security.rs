//! Passwords and certificates: who is let in, and that nothing of it is told.

use nix::sys::signal::Signal;
use serde_json::json;

use super::hosts::{OPENAI, is_connected, knows, refusal, sharing, status};
use super::redis_server::RedisServer;
use crate::cli::Home;
use crate::serve::client::{Service, configure, eventually};

#[test]
fn a_wrong_password_is_told_without_being_shown_and_the_host_goes_on() {
    let server = RedisServer::with(|_| vec!["--requirepass".to_owned(), "hunter2right".to_owned()]);
    let address = format!("127.0.0.1:{}", server.port());
    let wrong = Service::configured(&sharing(&format!("redis://:hunter2wrong@{address}"), OPENAI));
    let right = Service::configured(&sharing(&format!("redis://:hunter2right@{address}"), OPENAI));
    is_connected(&right);
    let told = eventually(|| status(&wrong)["error"].as_str().map(str::to_owned));
    assert!(told.contains(&address), "{told}");
    for host in [&wrong, &right] {
        host.observe(&[refusal("openai", "gpt-5")]);
        assert_eq!(host.signal("openai")["status"], json!("exhausted"));
        let everything = ["/readyz", "/metrics", "/v1/signals"].map(|path| host.get(path).body).concat();
        assert!(!everything.contains("hunter2"), "{everything}");
        let checked = host.home.run(&["serve", "--check"]);
        assert_eq!(checked.status, 0, "{checked:?}");
        assert!(checked.stdout.contains(&address) && !checked.stdout.contains("hunter2"), "{checked:?}");
    }
    for host in [wrong, right] {
        let (_, log) = host.end_by(Signal::SIGTERM);
        assert!(!log.contains("hunter2"), "{log}");
    }
}

#[test]
fn the_environment_may_hold_the_address() {
    let server = RedisServer::with(|_| vec!["--requirepass".to_owned(), "hunter2right".to_owned()]);
    let home = Home::new();
    configure(&home, &sharing("redis://192.0.2.1:1", OPENAI));
    let url = format!("redis://:hunter2right@127.0.0.1:{}", server.port());
    let host = Service::at(home, &[("RUNTIME_SIGNALS_SHARED_URL", &url)]);
    is_connected(&host);
    let mut check = host.home.command(&["serve", "--check"]);
    let refused = check.env("RUNTIME_SIGNALS_SHARED_URL", "hunter2").output().unwrap();
    let said = String::from_utf8(refused.stderr).unwrap();
    assert!(!refused.status.success() && said.contains("RUNTIME_SIGNALS_SHARED_URL: it is no URL"), "{said}");
    assert!(!said.contains("hunter2"), "{said}");
}

#[test]
fn a_user_with_the_documented_rights_is_enough() {
    let server = RedisServer::start();
    let documented = include_str!("../../docs/service.md");
    let (_, rights) = documented.split_once("`ACL SETUSER ").unwrap();
    let (rights, _) = rights.split_once('`').unwrap();
    let mut set = redis::cmd("ACL");
    set.arg("SETUSER").arg(rights.split_whitespace().collect::<Vec<_>>());
    set.exec(&mut server.connection()).unwrap();
    let url = format!("redis://signals:password@127.0.0.1:{}", server.port());
    let often = format!("[refresh]\ninterval = \"200ms\"\n{OPENAI}");
    let hosts = [(); 2].map(|()| Service::configured(&sharing(&url, &often)));
    hosts.iter().for_each(is_connected);
    hosts[0].observe(&[refusal("openai", "gpt-5")]);
    knows(&hosts[1], "openai", &["gpt-5"]);
    let left = || hosts.iter().map(|host| status(host)["left_to_others"].as_u64().unwrap()).sum::<u64>();
    eventually(|| (left() > 0).then_some(()));
}

#[test]
fn what_cannot_be_used_is_refused_by_the_check() {
    let home = Home::new();
    let absent = home.path("absent.pem");
    let absent = absent.display();
    for (table, what) in [
        (
            "url = \"http://h\"".to_owned(),
            "line 2: `shared.url`: its scheme is neither redis nor rediss; write it as",
        ),
        ("prefix = \"two words\"".to_owned(), "line 2: `shared.prefix`: \"two words\" is no prefix; write "),
        ("timeout = \"0s\"".to_owned(), "line 2: `shared.timeout`: a duration of zero; "),
        ("uri = \"redis://h\"".to_owned(), "line 2: `shared.uri`: unknown key; did you mean `url`?"),
        (format!("url = \"redis://h\"\nca_file = \"{absent}\""), "`shared.ca_file` is for rediss:// only"),
        (format!("url = \"rediss://h\"\nca_file = \"{absent}\""), "absent.pem: it cannot be read"),
    ] {
        configure(&home, &format!("[shared]\n{table}\n"));
        let refused = home.run(&["serve", "--check"]);
        assert_eq!(refused.status, 1, "{refused:?}");
        assert!(refused.stderr.contains(what), "{refused:?}");
    }
}

/// A file that `tests/fleet/tls/make` has made.
fn certificate(name: &str) -> String {
    format!("{}/../tests/fleet/tls/{name}", env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn tls_is_used_with_an_authority_of_ones_own_and_refused_without() {
    let [served, key, authority] = ["server.pem", "server.key", "authority.pem"].map(certificate);
    let server = RedisServer::with(|_| {
        ["--tls-port", "{port}", "--tls-cert-file", &served, "--tls-key-file", &key]
            .into_iter()
            .chain(["--tls-auth-clients", "no"])
            .map(str::to_owned)
            .collect()
    });
    let url = format!("rediss://localhost:{}", server.port());
    let trusting =
        |more: &str| Service::configured(&sharing(&url, &format!("ca_file = \"{authority}\"\n{more}")));
    let [first, second] = [trusting(OPENAI), trusting(OPENAI)];
    [&first, &second].into_iter().for_each(is_connected);
    first.observe(&[refusal("openai", "gpt-5")]);
    knows(&second, "openai", &["gpt-5"]);

    let stranger = Service::configured(&sharing(&url, OPENAI));
    let told = eventually(|| status(&stranger)["error"].as_str().map(str::to_owned));
    assert!(told.contains("certificate"), "{told}");
    let plain = format!("redis://localhost:{}", server.port());
    let plain = Service::configured(&sharing(&plain, OPENAI));
    eventually(|| status(&plain)["error"].as_str().map(drop));
    assert_eq!(status(&plain)["connections"], json!(0));
}
