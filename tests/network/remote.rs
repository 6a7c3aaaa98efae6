//! Commands that ask a service at whose address something misbehaves.

use std::io::Read;
use std::net::SocketAddr;
use std::time::Instant;

use super::peer::{A_LITTLE, Fault, Peer};
use crate::cli::{Ended, Home};
use crate::serve::client::{PATIENCE, configure};

const TOKEN: &str = "0123456789abcdef0123";
/// What a command holds of an answer at most, in bytes.
const MOST: usize = 64 << 20;

/// A user who is not patient with the service.
fn home() -> Home {
    let home = Home::new();
    configure(&home, "[client]\ntimeout = \"500ms\"\n");
    home
}

fn ask(home: &Home, peer: &Peer, arguments: &[&str]) -> Ended {
    let mut command = home.command(&[arguments, &["--service", &peer.url()]].concat());
    Ended::from(command.env("RUNTIME_SIGNALS_TOKEN", TOKEN).output().unwrap())
}

#[test]
fn whatever_answers_in_its_place_ends_a_command_with_an_error_that_names_it() {
    let home = home();
    for (fault, reason) in [
        (Fault::Silent, "no answer in time"),
        (Fault::DripsHead, "no answer in time"),
        (Fault::DripsBody, "no answer in time"),
        (Fault::RepeatsInterim, "no answer in time"),
        (Fault::HangsUp, "cannot be reached"),
        (Fault::Resets, "cannot be reached"),
        (Fault::Garbage, "cannot be reached"),
        (Fault::BreaksOff, "cannot be reached"),
        (Fault::EndlessHead, "cannot be reached"),
        (Fault::EndlessChunkSize, "cannot be reached"),
        (Fault::Bomb, "is no runtime-signals"),
        (Fault::RedirectsToItself, "is no runtime-signals"),
    ] {
        let peer = Peer::start(fault);
        let started = Instant::now();
        let ended = ask(&home, &peer, &["read", "mine"]);
        assert_eq!((ended.status, ended.stdout.as_str()), (1, ""), "{fault:?}: {ended:?}");
        assert!(ended.stderr.contains(reason) && ended.stderr.contains(&peer.url()), "{fault:?}: {ended:?}");
        assert!(!ended.stderr.contains(TOKEN) && ended.stderr.len() < 2_000, "{fault:?}: {ended:?}");
        assert!(started.elapsed() < PATIENCE, "{fault:?}");
        assert_eq!(peer.asked(), 1, "{fault:?}");
    }
}

#[test]
fn an_answer_without_end_is_read_within_bounds() {
    let home = Home::new();
    let peer = Peer::start(Fault::EndlessBody);
    let ended = ask(&home, &peer, &["read", "mine"]);
    assert_eq!((ended.status, ended.stdout.as_str()), (1, ""), "{ended:?}");
    assert!(ended.stderr.contains("it answers more than 64 MiB"), "{ended:?}");
    assert!(peer.poured() < MOST + A_LITTLE);
}

#[test]
fn the_token_is_not_sent_on_to_where_a_redirect_leads() {
    let elsewhere = Peer::start(Fault::HangsUp);
    let peer = Peer::start(Fault::Redirects(SocketAddr::from(([127, 0, 0, 1], elsewhere.address.port()))));
    let ended = ask(&home(), &peer, &["read", "mine"]);
    assert!(ended.status == 1 && ended.stderr.contains("is no runtime-signals"), "{ended:?}");
    assert_eq!((peer.asked(), elsewhere.asked()), (1, 0));
}

#[test]
fn what_is_sent_to_a_service_that_takes_nothing_is_given_up_in_time() {
    let peer = Peer::misbehaving(|stream| {
        let _ = stream.read_exact(&mut [0]);
        std::thread::sleep(PATIENCE);
        0
    });
    let home = home();
    let calls: Vec<_> = (0..20_000).map(|_| crate::cli::call("mine", 200, serde_json::json!({}))).collect();
    let started = Instant::now();
    let ended = home.run_with(&["ingest", "--service", &peer.url()], &crate::cli::lines(&calls));
    assert_eq!(ended.status, 1, "{ended:?}");
    assert!(ended.stderr.contains("no answer in time"), "{ended:?}");
    assert!(started.elapsed() < PATIENCE);
}

#[test]
fn a_refusal_without_end_ends_who_watches() {
    let peer = Peer::answering("500 Oops", Fault::DripsBody);
    let ended = ask(&home(), &peer, &["watch", "--json"]);
    assert_eq!((ended.status, ended.stdout.as_str()), (1, ""), "{ended:?}");
    assert!(ended.stderr.contains("no sign of life") && ended.stderr.contains(&peer.url()), "{ended:?}");
    peer.poured();
}
