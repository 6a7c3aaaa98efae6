//! The start, the check before it, and an end that loses nothing.

use std::fs;
use std::time::Duration;

use nix::sys::signal::Signal;
use runtime_signals::config::Config;
use serde_json::{Value, json};

use super::client::{ALONE, Manager, Service, configure};
use crate::cli::{Home, call};

#[test]
fn the_check_prints_what_would_be_in_force_and_starts_nothing() {
    let home = Home::new();
    configure(&home, "[cache]\nttl = \"7m\"\n[[providers]]\nname = \"a\"\ntype = \"openai\"\n");
    let mut command = home.command(&["serve", "--check", "--listen", "127.0.0.1:9"]);
    let output = command.env("FIZ_LOCK_TIMEOUT", "250ms").output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let config = Config::parse(&String::from_utf8(output.stdout).unwrap()).unwrap();
    assert_eq!(config.cache.ttl, Duration::from_secs(420));
    assert_eq!(config.cache.lock_timeout, Duration::from_millis(250));
    assert_eq!(config.cache.directory, Some(home.cache()));
    assert_eq!(config.service.listen.to_string(), "127.0.0.1:9");
    assert_eq!(config.providers.len(), 1);

    configure(&home, "[refresh]\nintervall = \"1m\"\n");
    let refused = home.run(&["serve", "--check"]);
    assert_eq!(refused.status, 1);
    assert!(refused.stderr.contains("line 2: `refresh.intervall`: unknown key; did you mean `interval`?"));
}

#[test]
fn an_address_in_use_is_told_with_a_remedy() {
    let service = Service::start();
    let second = service.home.run(&["serve", "--listen", &service.address.to_string()]);
    assert_eq!(second.status, 1);
    assert!(second.stderr.contains("cannot listen on 127.0.0.1:"), "{second:?}");
    assert!(second.stderr.contains("name another by --listen"), "{second:?}");
}

#[test]
fn whatever_was_acknowledged_is_on_disk_after_a_polite_end() {
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let service = Service::start();
        let calls: Vec<Value> =
            (0..200).map(|number| call(&format!("p{number}"), 429, json!({"retry-after": "600"}))).collect();
        assert_eq!(service.observe(&calls).json()["accepted"], json!(200));
        let home = service.end_by(signal).0;
        for number in 0..200 {
            let stored = fs::read_to_string(home.entry(&format!("p{number}"))).unwrap();
            assert!(stored.contains("\"status\":\"exhausted\""), "{stored}");
        }
    }
}

#[test]
fn the_service_manager_is_told_of_each_step() {
    let home = Home::new();
    configure(&home, ALONE);
    let manager = Manager::new(&home);
    let service = Service::at(home, &[("NOTIFY_SOCKET", manager.path())]);
    assert_eq!(manager.told(), "READY=1\n");
    service.send(Signal::SIGHUP);
    assert!(manager.told().starts_with("RELOADING=1\nMONOTONIC_USEC="));
    assert_eq!(manager.told(), "READY=1\n");
    service.send(Signal::SIGTERM);
    assert_eq!(manager.told(), "STOPPING=1\n");
}
