//! Local servers that misbehave while the service looks at them: each shows what it is, and none holds up others.

use serde_json::json;

use super::peer::{Fault, Peer};
use crate::serve::client::{ALONE, Service, eventually};

fn provider(name: &str, peer: &Peer) -> String {
    format!(
        "[[providers]]\nname = \"{name}\"\ntype = \"ollama\"\nbase_url = \"{}/SECRET\"\ninterval = \"1s\"\n",
        peer.url()
    )
}

#[test]
fn each_shows_what_it_is_and_a_server_that_answers_is_looked_at_among_them() {
    let faults = [
        (Fault::Silent, "timeout"),
        (Fault::DripsHead, "timeout"),
        (Fault::DripsBody, "timeout"),
        (Fault::RepeatsInterim, "timeout"),
        (Fault::HangsUp, "unreachable"),
        (Fault::Resets, "unreachable"),
        (Fault::Garbage, "unreachable"),
        (Fault::BreaksOff, "unreachable"),
        (Fault::EndlessHead, "unreachable"),
        (Fault::EndlessChunkSize, "unreachable"),
        (Fault::RedirectsToItself, "error"),
    ];
    let peers: Vec<_> = faults.iter().map(|(fault, _)| Peer::start(*fault)).collect();
    let providers = peers.iter().enumerate().map(|(place, peer)| provider(&format!("bad-{place}"), peer));
    let (endless, bomb) = (Peer::start(Fault::EndlessBody), Peer::start(Fault::Bomb));
    let fine = [provider("endless", &endless), provider("bomb", &bomb)];
    let text: String = providers.chain(fine).collect();
    let service = Service::configured(&format!("{ALONE}{text}"));
    for (place, (fault, reason)) in faults.iter().enumerate() {
        let signal = eventually(|| {
            let answer = service.get(&format!("/v1/signals/bad-{place}"));
            (answer.status == 200)
                .then(|| answer.json()["signal"].take())
                .filter(|signal| signal["reason"].is_string())
        });
        assert_eq!(
            (&signal["status"], &signal["reason"]),
            (&json!("degraded"), &json!(reason)),
            "{fault:?}: {signal}"
        );
        let message = signal["last_error_msg"].as_str().unwrap();
        assert!(message.starts_with(&peers[place].url()) && !message.contains("SECRET"), "{signal}");
    }
    for (name, peer) in [("endless", &endless), ("bomb", &bomb)] {
        eventually(|| (peer.asked() > 1).then_some(()));
        assert_eq!(service.signal(name)["status"], json!("available"));
    }
    assert!(service.resident_kib() < 256 << 10, "{} KiB", service.resident_kib());
}

#[test]
fn where_one_at_a_time_is_looked_at_one_that_says_nothing_costs_no_more_than_its_time() {
    let (silent, fine) = (Peer::start(Fault::Silent), Peer::start(Fault::EndlessBody));
    let text = [ALONE, "[refresh]\nat_once = 1\n", &provider("silent", &silent), &provider("fine", &fine)];
    let service = Service::configured(&text.concat());
    eventually(|| (silent.asked() > 1 && fine.asked() > 1).then_some(()));
    assert_eq!(service.signal("fine")["status"], json!("available"));
    assert_eq!(service.signal("silent")["reason"], json!("timeout"));
}

#[test]
fn a_refresh_deadline_that_is_shorter_than_a_check_still_shows_a_server_that_says_nothing() {
    let silent = Peer::start(Fault::Silent);
    let text = [ALONE, "[cache]\nrefresh_deadline = \"500ms\"\n", &provider("silent", &silent)];
    let service = Service::configured(&text.concat());
    let signal = eventually(|| {
        let answer = service.get("/v1/signals/silent");
        (answer.status == 200)
            .then(|| answer.json()["signal"].take())
            .filter(|signal| signal["reason"].is_string())
    });
    assert_eq!((&signal["status"], &signal["reason"]), (&json!("degraded"), &json!("timeout")), "{signal}");
}
