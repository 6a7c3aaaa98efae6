//! Webhooks whose peers misbehave: each is given up within its time, and those of others are told meanwhile.

use std::time::{Duration, Instant};

use serde_json::json;

use super::peer::{A_LITTLE, Fault, Peer};
use crate::cli::call;
use crate::serve::client::{ALONE, Service, eventually};

/// A change that is told is told in this time.
const ENOUGH: Duration = Duration::from_secs(3);

fn rule(peer: &Peer) -> String {
    format!(
        "[[on_change]]\nwebhook = \"{}/hunter2?key=hunter2\"\nto = [\"exhausted\"]\ntimeout = \"300ms\"\n",
        peer.url()
    )
}

fn metric(service: &Service, name: &str) -> u64 {
    let text = service.get("/metrics").body;
    let line = text.lines().find_map(|line| line.strip_prefix(&format!("runtime_signals_{name}_total ")));
    line.unwrap_or_else(|| panic!("{text}")).parse().unwrap()
}

/// Has statuses change until one of the changes was told. What changes before the service listens to itself is none;
/// returns how many there were.
fn change_until(service: &Service, mut is_told: impl FnMut() -> bool) -> usize {
    for changes in 1..20 {
        service.observe(&[call(&format!("provider-{changes}"), 429, json!({"retry-after": "600"}))]);
        let started = Instant::now();
        while started.elapsed() < ENOUGH {
            if is_told() {
                return changes;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
    panic!("no change is told")
}

/// What the log says of peers with each fault, and how often they are asked.
const GIVEN_UP: [(Fault, &str, usize); 9] = [
    (Fault::Silent, "it did not answer in time", 3),
    (Fault::DripsHead, "it did not answer in time", 3),
    (Fault::RepeatsInterim, "it did not answer in time", 3),
    (Fault::HangsUp, "it cannot be reached: ", 3),
    (Fault::Resets, "it cannot be reached: ", 3),
    (Fault::Garbage, "it cannot be reached: ", 3),
    (Fault::EndlessHead, "it cannot be reached: ", 3),
    (Fault::RedirectsToItself, "it answered 307 ", 1),
    (
        Fault::Redirects(std::net::SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 9)),
        "it answered 307 ",
        1,
    ),
];

#[test]
fn peers_that_misbehave_are_given_up_after_a_few_attempts_and_named_without_their_keys() {
    let peers: Vec<_> = GIVEN_UP.iter().map(|(fault, ..)| Peer::start(*fault)).collect();
    let service = Service::configured(&[ALONE.to_owned(), peers.iter().map(rule).collect()].concat());
    let changes = change_until(&service, || peers.iter().all(|peer| peer.asked() > 0));
    eventually(|| (metric(&service, "on_change_failed") >= peers.len() as u64).then_some(()));
    assert!(service.resident_kib() < 256 << 10, "{} KiB", service.resident_kib());
    let log = service.end();
    for ((fault, reason, times), peer) in GIVEN_UP.iter().zip(&peers) {
        let told = log.lines().find(|line| line.contains(&peer.url()));
        assert!(told.is_some_and(|line| line.contains(reason)), "{fault:?}: {told:?}");
        assert!((*times..=times * changes).contains(&peer.asked()), "{fault:?}: {}", peer.asked());
    }
    assert!(!log.contains("hunter2"), "{log}");
}

#[test]
fn what_is_answered_beyond_the_status_is_not_read() {
    for fault in
        [Fault::EndlessBody, Fault::DripsBody, Fault::BreaksOff, Fault::Bomb, Fault::EndlessChunkSize]
    {
        let peer = Peer::start(fault);
        let service = Service::configured(&[ALONE, &rule(&peer)].concat());
        change_until(&service, || metric(&service, "on_change_told") > 0);
        assert_eq!(metric(&service, "on_change_failed"), 0, "{fault:?}");
        assert!(peer.poured() < A_LITTLE, "{fault:?}");
        assert!(service.resident_kib() < 256 << 10, "{fault:?}: {} KiB", service.resident_kib());
    }
}

#[test]
fn peers_that_say_nothing_do_not_keep_others_from_being_told() {
    let silent: Vec<_> = (0..4).map(|_| Peer::start(Fault::Silent)).collect();
    let fine = Peer::start(Fault::EndlessBody);
    let rules = silent.iter().chain([&fine]).map(rule).collect();
    let service = Service::configured(&[ALONE.to_owned(), rules].concat());
    change_until(&service, || metric(&service, "on_change_told") > 0);
}
