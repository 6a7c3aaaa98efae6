//! Any texts in place of signals on disk: one, or two of which the second is committed over the first.

use core::time::Duration;

use runtime_signals_core::evidence::Evidence;
use runtime_signals_core::limit::Scope;
use runtime_signals_core::merge::{Outcome, commit};
use runtime_signals_core::time::Time;
use runtime_signals_core::wait::{Need, Wait};
use runtime_signals_core::{Signal, json};

use crate::input::SEPARATOR;
use crate::invariants::{self, AHEAD};
use crate::packed::new_store;

/// After how many seconds what was adopted is judged.
const LATER_S: [u64; 4] = [0, 61, 3_601, 90_000];

/// Takes the bytes for a signal, or for two that are separated by the byte 0x1e.
///
/// # Panics
/// When something does not hold.
pub fn check(data: &[u8]) {
    let mut texts = data.splitn(2, |byte| *byte == SEPARATOR);
    let (first, second) = (texts.next().unwrap_or_default(), texts.next());
    let stored = json::decode("p", first).ok();
    if let Some(stored) = &stored {
        invariants::carried(stored);
        adopt(first, stored);
    }
    let fresh = second.map_or_else(|| stored.clone(), |second| json::decode("p", second).ok());
    if let Some(fresh) = fresh {
        commits(first, &fresh);
    }
}

/// What was stored can be taken in, judged and stored again.
fn adopt(text: &[u8], stored: &Signal) {
    let mut store = new_store();
    store.adopt(0, text).expect("what was decoded is adopted");
    for seconds in LATER_S {
        let now = stored.recorded_at.saturating_add(Duration::from_secs(seconds));
        let signal = store.collect(0, &Evidence::None, now).expect("the provider is known");
        assert!(stored.last_error_msg.starts_with(&signal.last_error_msg), "{signal:?}");
        invariants::judged(&signal, now);
        invariants::carried(&signal);
        let need = Need { requests: 1, tokens: 1_000 };
        let wait = store.wait_for(0, &Scope::EVERYONE, need, now).expect("the provider is known");
        assert!(!matches!(wait, Wait::Until(until, _) if until <= now), "{wait:?} at {now}");
        let outcome = store.settle(0, Some(text), now, AHEAD).expect("the provider is known");
        if let Outcome::Write(signal) = outcome {
            invariants::carried(&signal);
        }
    }
}

/// What a commit writes can be read, and stays when it is committed once more.
fn commits(stored: &[u8], fresh: &Signal) {
    for now in [fresh.recorded_at, Time::UNIX_EPOCH, Time::MAX] {
        let Outcome::Write(written) = commit(Some(stored), fresh.clone(), now, AHEAD) else { continue };
        invariants::carried(&written);
        let text = json::encode(&written);
        if let Outcome::Write(again) = commit(Some(&text), (*written).clone(), now, AHEAD) {
            invariants::carried(&again);
        }
    }
}
