//! Registries that misbehave in ways that `tests/parser_sources/hostile.rs` does not have.

use std::time::{Duration, Instant};

use runtime_signals::parsers::source::{Reference, RegistryError, RegistryOptions, RegistryProblem};

use super::peer::{A_LITTLE, Fault, Peer};
use crate::parser_sources::{options, pull_by};
use crate::serve::client::PATIENCE;

fn pull(peer: &Peer, timeout: Duration) -> RegistryError {
    let reference: Reference = format!("{}/a:1", peer.address).parse().unwrap();
    pull_by(RegistryOptions { timeout, ..options() }, &reference).expect_err("nothing is pulled")
}

#[test]
fn whatever_they_do_costs_no_more_than_the_time_allowed() {
    let timeout = Duration::from_millis(300);
    for fault in [Fault::Silent, Fault::DripsHead, Fault::DripsBody, Fault::RepeatsInterim] {
        let peer = Peer::start(fault);
        let started = Instant::now();
        let error = pull(&peer, timeout);
        assert!(
            matches!(error.problem, RegistryProblem::Timeout(told) if told == timeout),
            "{fault:?}: {error}"
        );
        assert!(started.elapsed() < PATIENCE, "{fault:?}");
        assert!(error.to_string().starts_with(&peer.address.to_string()), "{error}");
        peer.poured();
    }
}

#[test]
fn what_is_no_answer_or_no_whole_one_is_told() {
    for fault in [
        Fault::HangsUp,
        Fault::Resets,
        Fault::Garbage,
        Fault::BreaksOff,
        Fault::EndlessHead,
        Fault::EndlessChunkSize,
        Fault::RedirectsToItself,
    ] {
        let peer = Peer::start(fault);
        let error = pull(&peer, PATIENCE);
        assert!(matches!(error.problem, RegistryProblem::Unreachable(_)), "{fault:?}: {error}");
        assert!(peer.poured() < A_LITTLE, "{fault:?}");
        assert!(peer.asked() <= 7, "{fault:?}: {}", peer.asked());
    }
}

#[test]
fn what_is_packed_is_not_unpacked() {
    let peer = Peer::start(Fault::Bomb);
    let error = pull(&peer, PATIENCE);
    // It is larger than a manifest may be as it is.
    assert!(matches!(error.problem, RegistryProblem::TooLarge { most: 65_536 }), "{error}");
}

#[test]
fn a_registry_elsewhere_leads_to_nothing_on_this_machine() {
    let inside = Peer::start(Fault::EndlessBody);
    let registry = Peer::start(Fault::Redirects(inside.address));
    // Another name of this machine that does not say so.
    let elsewhere = format!("0.0.0.0:{}", registry.address.port());
    let reference: Reference = format!("{elsewhere}/a:1").parse().unwrap();
    let listed = RegistryOptions { insecure: vec![elsewhere], ..options() };
    let error = pull_by(listed, &reference).expect_err("nothing is pulled");
    assert!(error.to_string().contains("a redirect leads to this machine"), "{error}");
    assert_eq!((registry.asked(), inside.asked()), (1, 0));
}

#[test]
fn a_registry_elsewhere_gets_no_token_from_this_machine() {
    let inside = Peer::start(Fault::EndlessBody);
    let realm = format!("{}/token", inside.url());
    let registry = Peer::misbehaving(move |stream| {
        use std::io::Write;
        let asked = crate::serve::upstream::read(&mut std::io::BufReader::new(stream.try_clone().unwrap()));
        let challenge = format!(
            "HTTP/1.1 401 Unauthorized\r\nwww-authenticate: Bearer realm=\"{realm}\"\r\n\
             connection: close\r\ncontent-length: 0\r\n\r\n"
        );
        asked.map_or(0, |_| stream.write_all(challenge.as_bytes()).map_or(0, |()| challenge.len()))
    });
    let elsewhere = format!("0.0.0.0:{}", registry.address.port());
    let reference: Reference = format!("{elsewhere}/a:1").parse().unwrap();
    let listed = RegistryOptions { insecure: vec![elsewhere], ..options() };
    let error = pull_by(listed, &reference).expect_err("nothing is pulled");
    assert!(error.to_string().contains("it names an address on this machine"), "{error}");
    assert_eq!(inside.asked(), 0);
}
