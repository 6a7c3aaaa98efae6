//! The clock is set while the service runs: a day ahead, a day back, and right again.

use std::env::consts::ARCH;
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use runtime_signals::time::parse_rfc3339;
use serde_json::{Value, json};

use super::client::{ALONE, Service, configure, eventually};
use crate::cli::{Home, call};
use crate::support::unpacked;

const TEN_MINUTES: &str = "600";

/// What Debian's libfaketime reads a program's clock from, at each look.
struct Clock(PathBuf);

impl Clock {
    /// Sets it so far off the real time.
    fn set(&self, offset: &str) {
        let new = self.0.with_extension("new");
        fs::write(&new, offset).unwrap();
        fs::rename(new, &self.0).unwrap();
    }
}

/// A service whose clock is right at first.
fn service() -> (Service, Clock) {
    let home = Home::new();
    configure(&home, ALONE);
    let clock = Clock(home.path("clock"));
    clock.set("+0");
    let library =
        unpacked("faketime", &format!("faketime/usr/lib/{ARCH}-linux-gnu/faketime/libfaketimeMT.so.1"));
    let environment = [
        ("LD_PRELOAD", library.to_str().unwrap()),
        ("FAKETIME_TIMESTAMP_FILE", clock.0.to_str().unwrap()),
        ("FAKETIME_NO_CACHE", "1"),
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
    ];
    (Service::at(home, &environment), clock)
}

#[track_caller]
fn told(service: &Service, provider: &str, status: u16, headers: Value) {
    let mut call = call(provider, status, headers);
    // A success ends what was refused before it was sent.
    call["latency_ms"] = json!(0);
    let answer = service.observe(&[call]);
    assert_eq!((answer.status, &answer.json()["accepted"]), (200, &json!(1)), "{answer:?}");
}

fn refused(service: &Service, provider: &str) {
    told(service, provider, 429, json!({"retry-after": TEN_MINUTES}));
    assert_eq!(service.signal(provider)["status"], "exhausted");
}

/// How far a time that is told lies ahead of the real one.
fn ahead(at: &Value) -> Duration {
    let at = parse_rfc3339(at.as_str().unwrap()).unwrap();
    at.duration_since(SystemTime::now()).unwrap_or_default()
}

/// Whatever was told before, it is told at once what counts now, and so is everybody else by the file.
fn goes_on(service: &Service, provider: &str) {
    refused(service, provider);
    let stored = eventually(|| {
        let stored: Value = serde_json::from_slice(&fs::read(service.home.entry(provider)).ok()?).unwrap();
        (stored["status"] == "exhausted" && ahead(&stored["recorded_at"]).is_zero()).then_some(stored)
    });
    assert!(ahead(&stored["quota_reset_at"]) <= Duration::from_secs(600), "{stored}");
    told(service, provider, 200, json!({"x-ratelimit-remaining-requests": "7"}));
    let signal = service.signal(provider);
    assert_eq!((&signal["status"], &signal["quota_remaining"]), (&json!("available"), &json!(7)));
}

#[test]
fn after_a_day_ahead_what_is_told_counts_at_once_and_nothing_is_refused_for_a_day() {
    let (service, clock) = service();
    told(&service, "p", 200, json!({"x-ratelimit-remaining-requests": "59"}));
    clock.set("+1d");
    told(&service, "p", 200, json!({"x-ratelimit-remaining-requests": "58"}));
    refused(&service, "refused");
    assert!(ahead(&service.signal("refused")["quota_reset_at"]) > Duration::from_secs(86_400));
    eventually(|| service.home.entry("refused").is_file().then_some(()));
    clock.set("+0");
    goes_on(&service, "p");
    let signal = service.signal("refused");
    assert_eq!(signal["status"], "exhausted");
    assert!(ahead(&signal["quota_reset_at"]) <= Duration::from_secs(600), "{signal}");
    goes_on(&service, "refused");
    let log = service.end();
    assert!(!log.contains("ERROR"), "{log}");
}

#[test]
fn after_a_day_behind_what_was_refused_then_is_over() {
    let (service, clock) = service();
    told(&service, "p", 200, json!({"x-ratelimit-remaining-requests": "59"}));
    clock.set("-1d");
    refused(&service, "p");
    clock.set("+0");
    eventually(|| (service.signal("p")["status"] == "available").then_some(()));
    goes_on(&service, "p");
    let log = service.end();
    assert!(!log.contains("ERROR"), "{log}");
}
