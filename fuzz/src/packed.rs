//! Any bytes in place of those that cross the sandbox: observations, states, profiles, signals.

use runtime_signals_core::evidence::Evidence;
use runtime_signals_core::store::Store;
use runtime_signals_core::time::Time;
use runtime_signals_core::{Signal, json};
use runtime_signals_profile::set::{ProfileSet, encode_set};

/// Most profiles of a set that are looked at.
const MOST_PROFILES: u16 = 8;

/// Takes the bytes for what the first one says.
///
/// # Panics
/// When something does not hold.
pub fn check(data: &[u8]) {
    let Some((kind, bytes)) = data.split_first() else { return };
    match kind % 4 {
        0 => observations(bytes),
        1 => state(bytes),
        2 => profiles(bytes),
        _ => signal(bytes),
    }
}

/// Observations are recorded all, or none.
fn observations(bytes: &[u8]) {
    let mut store = new_store();
    if let Ok(reading) = store.parse(bytes) {
        assert!(store.parse(bytes).as_ref() == Ok(&reading), "read again, a response says something else");
    }
    let before = store.export(0);
    if store.record(bytes).is_err() {
        assert!(store.export(0) == before, "something of a refused call took effect");
    }
    judge(&mut store);
}

/// A state that is taken in is given out again.
fn state(bytes: &[u8]) {
    let mut store = new_store();
    let before = store.export(0);
    if store.import(0, bytes).is_err() {
        assert!(store.export(0) == before, "something of a refused state took effect");
        return;
    }
    let exported = store.export(0).expect("the provider is known");
    let mut moved = new_store();
    moved.import(0, &exported).expect("what was exported is imported");
    assert!(moved.export(0) == Ok(exported), "imported, the state is another one");
    judge(&mut store);
}

/// A profile that is read is the same when it is written and read again.
fn profiles(bytes: &[u8]) {
    let _ = new_store().add_profile(bytes);
    let Some(set) = ProfileSet::read(bytes) else { return };
    let _ = set.find("openai");
    for profile in (0..set.count().min(MOST_PROFILES)).filter_map(|handle| set.profile(handle)) {
        let packed = encode_set(core::slice::from_ref(&profile));
        let read = ProfileSet::read(&packed).and_then(|set| set.profile(0));
        assert_eq!(read.as_ref(), Some(&profile));
    }
}

/// A signal that is unpacked can be written.
fn signal(bytes: &[u8]) {
    let Some(signal) = Signal::unpack(bytes) else { return };
    let packed = signal.pack();
    let again = Signal::unpack(&packed).expect("a packed signal is read back");
    assert!(again.pack() == packed, "unpacked, the signal is another one");
    let written = json::encode(&signal);
    let read = json::decode(&signal.provider, &written);
    assert!(read.is_ok(), "{read:?}: {}", String::from_utf8_lossy(&written));
}

pub(crate) fn new_store() -> Store {
    let mut store = Store::new(10);
    store.add_provider("p");
    store
}

fn judge(store: &mut Store) {
    for now in [Time::MIN, Time::UNIX_EPOCH, Time::MAX] {
        let signal = store.collect(0, &Evidence::None, now).expect("the provider is known");
        assert_eq!(signal.recorded_at, now);
        assert!(!json::encode(&signal).is_empty());
    }
    store.clear(0, None).expect("the provider is known");
}
