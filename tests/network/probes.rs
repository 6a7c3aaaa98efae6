//! Liveness checks of servers that misbehave in ways that `tests/probe.rs` does not have.

use std::time::{Duration, Instant};

use runtime_signals::probe::{HttpProbe, Probe, ProbeFailureKind, ProbeOutcome};

use super::peer::{A_LITTLE, Fault, Peer};
use crate::probe::{AMPLE, BRIEF, failure};

async fn check(peer: &Peer, timeout: Duration) -> ProbeOutcome {
    HttpProbe::new(timeout).unwrap().check_alive("vllm", &peer.url()).await
}

#[tokio::test]
async fn a_server_that_resets_or_names_a_chunk_without_end_is_unreachable() {
    for fault in [Fault::Resets, Fault::EndlessChunkSize] {
        let peer = Peer::start(fault);
        let (kind, message) = failure(check(&peer, AMPLE).await);
        assert_eq!(kind, ProbeFailureKind::Unreachable, "{fault:?}: {message}");
        assert!(message.starts_with(&format!("{}: ", peer.url())), "{message}");
        assert!(peer.poured() < A_LITTLE, "{fault:?}");
    }
}

#[tokio::test]
async fn interim_answers_again_and_again_do_not_stretch_the_time() {
    let peer = Peer::start(Fault::RepeatsInterim);
    let started = Instant::now();
    let (kind, message) = failure(check(&peer, BRIEF).await);
    assert_eq!(kind, ProbeFailureKind::Timeout, "{message}");
    assert!(started.elapsed() < AMPLE);
}
