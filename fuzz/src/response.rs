//! Any responses, by any built-in profile: read, recorded, judged.

use core::cell::RefCell;
use core::time::Duration;

use runtime_signals_core::evidence::Evidence;
use runtime_signals_core::limit::Scope;
use runtime_signals_core::store::Store;
use runtime_signals_core::time::Time;
use runtime_signals_core::wait::{Need, Wait};
use runtime_signals_core::{Signal, body, json};

use crate::input::{Call, calls};
use crate::invariants;

/// After how many seconds signals are judged.
const LATER_S: [u64; 7] = [0, 1, 59, 61, 3_601, 90_000, 3_000_000];
/// What is to be sent, the smaller before the larger.
const NEEDS: [Need; 3] = [
    Need { requests: 1, tokens: 0 },
    Need { requests: 1, tokens: 1_000 },
    Need { requests: u64::MAX, tokens: u64::MAX },
];

/// Takes the bytes for responses of one provider.
///
/// # Panics
/// When something does not hold.
pub fn check(data: &[u8]) {
    STORES.with_borrow_mut(|(store, moved)| {
        for store in [&mut *store, &mut *moved] {
            store.forget(0);
            store.add_provider("p");
        }
        check_calls(&calls(data), store, moved);
    });
}

thread_local! {
    /// Stores whose profiles are unpacked already. Of their providers nothing stays.
    static STORES: RefCell<(Store, Store)> = RefCell::new((Store::new(10), Store::new(10)));
}

fn check_calls(calls: &[Call<'_>], store: &mut Store, moved: &mut Store) {
    read(store, calls);
    for call in calls {
        store.record(&call.pack()).expect("a response is recorded");
    }
    let times = times(calls);
    let once: Vec<_> = times.iter().map(|now| judge(store, *now)).collect();
    let mut carried = None;
    for (now, signal) in times.iter().zip(&once) {
        invariants::judged(signal, *now);
        wait(store, calls, *now, signal);
        // Much of the time goes into JSON: what differs in its time only was written before.
        let timeless = Signal { recorded_at: Time::MIN, ..signal.clone() };
        if carried.as_ref() != Some(&timeless) {
            invariants::carried(signal);
            carried = Some(timeless);
        }
    }
    moves(store, moved, &times, &once);
    adopts_its_own(moved, calls, &times, &once);
    records_again(store, calls, &times, &once);
    // All of it was dated ahead by a wrong clock.
    let moved_back = judge(store, Time::MIN);
    invariants::judged(&moved_back, Time::MIN);
    wait(store, calls, Time::MIN, &moved_back);
}

/// Each response is read as if there were no other.
fn read(store: &mut Store, calls: &[Call<'_>]) {
    let mut read = |call: &Call<'_>| store.parse(&call.pack()).expect("a response is read");
    let first: Vec<_> = calls.iter().map(&mut read).collect();
    for (call, first) in calls.iter().zip(first) {
        assert_eq!(read(call), first, "read again, a response says something else");
        invariants::reading(&first, call.received_at);
        invariants::body(&body::read(call.body, call.received_at));
    }
}

/// When signals are judged: after the last response, as long after it as makes a difference to any, and at the end of
/// time.
fn times(calls: &[Call<'_>]) -> Vec<Time> {
    let latest = calls.iter().map(|call| call.received_at).max();
    let later = |call: &Call<'_>| {
        let received_at = call.received_at;
        LATER_S.map(|seconds| received_at.saturating_add(Duration::from_secs(seconds)))
    };
    let mut times: Vec<_> = calls.iter().flat_map(later).chain([Time::MAX]).collect();
    times.retain(|time| Some(*time) >= latest);
    times.sort();
    times.dedup();
    times
}

fn judge(store: &mut Store, now: Time) -> Signal {
    store.collect(0, &Evidence::None, now).expect("the provider is known")
}

/// A wait ends later than now, and is no shorter for a larger request.
fn wait(store: &mut Store, calls: &[Call<'_>], now: Time, signal: &Signal) {
    let scopes = calls.iter().map(|call| Scope::new(call.account, call.model));
    for scope in scopes.chain([Scope::EVERYONE]) {
        let waits = NEEDS.map(|need| store.wait_for(0, &scope, need, now).expect("the provider is known"));
        for (need, wait) in NEEDS.iter().zip(&waits) {
            match wait {
                Wait::Until(until, _) => assert!(*until > now, "{until} is not after {now}"),
                Wait::TooLarge(limit) => {
                    assert!(limit.limit < Some(need.requests.max(need.tokens)), "{limit:?}");
                }
                Wait::Go | Wait::Unknown => {}
            }
        }
        assert!(waits.is_sorted_by_key(length), "of {signal:?}: {waits:?}");
    }
}

/// Waits by their length.
fn length(wait: &Wait) -> (u8, Option<Time>) {
    match wait {
        Wait::Unknown | Wait::Go => (0, None),
        Wait::Until(until, _) => (1, Some(*until)),
        Wait::TooLarge(_) => (2, None),
    }
}

/// Another instance goes on with what one has exported as if nothing had happened.
fn moves(store: &Store, moved: &mut Store, times: &[Time], signals: &[Signal]) {
    let state = store.export(0).expect("the provider is known");
    moved.import(0, &state).expect("what was exported is imported");
    assert!(moved.export(0).as_ref() == Ok(&state), "imported, the state is another one");
    for (now, signal) in times.iter().zip(signals) {
        assert_eq!(judge(moved, *now), *signal, "imported, the state says something else");
    }
}

/// Recorded a second time, the last response changes nothing but the latencies.
fn records_again(store: &mut Store, calls: &[Call<'_>], times: &[Time], once: &[Signal]) {
    let Some((last, before)) = calls.split_last() else { return };
    let is_same = |other: &Call<'_>| other.received_at == last.received_at || other.sent_at == last.sent_at;
    if last.is_counted || before.iter().any(is_same) || calls.iter().any(|call| is_ambiguous(store, call)) {
        return;
    }
    store.record(&last.pack()).expect("a response is recorded");
    for (now, once) in times.iter().zip(once) {
        let twice = invariants::without_latency(judge(store, *now));
        assert_eq!(twice, invariants::without_latency(once.clone()), "recorded twice, at {now}");
    }
}

/// Does a response tell two limits that only their windows tell apart, and not both windows? Which is which is
/// found out by and by.
fn is_ambiguous(store: &mut Store, call: &Call<'_>) -> bool {
    let limits = store.parse(&call.pack()).expect("a response is read").limits;
    let mut pairs = limits
        .iter()
        .enumerate()
        .flat_map(|(index, limit)| limits.iter().skip(index + 1).map(move |other| (limit, other)));
    pairs.any(|(one, other)| {
        let windows = [one.window_s, other.window_s];
        let is_untold = windows.contains(&None) || one.window_s == other.window_s;
        one.quantity == other.quantity && one.pool == other.pool && is_untold
    })
}

/// Adopted from disk, what one has stored oneself is no news.
fn adopts_its_own(store: &mut Store, calls: &[Call<'_>], times: &[Time], signals: &[Signal]) {
    let last = calls.iter().map(|call| call.received_at).max();
    let Some(stored) = signals.iter().find(|signal| Some(signal.recorded_at) > last) else { return };
    if calls.iter().any(|call| is_ambiguous(store, call)) {
        return;
    }
    store.adopt(0, &json::encode(stored)).expect("what was written is read back");
    let verdict =
        |signal: &Signal| (signal.status, signal.reason, signal.quota_remaining, signal.quota_reset_at);
    for (now, signal) in times.iter().zip(signals).filter(|(now, _)| **now >= stored.recorded_at) {
        assert_eq!(verdict(&judge(store, *now)), verdict(signal), "its own adopted, at {now}");
    }
}
