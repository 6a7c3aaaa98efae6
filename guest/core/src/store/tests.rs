use super::*;
use crate::signal::Status;
use crate::testing::{AHEAD, at, call};

fn store() -> (Store, u32) {
    let mut store = Store::new(10);
    let handle = store.add_provider("p");
    (store, handle)
}

fn status(store: &mut Store, handle: u32) -> Status {
    store.collect(handle, &Evidence::None, at(5)).unwrap().status
}

#[test]
fn a_batch_is_recorded_in_order() {
    let (mut store, handle) = store();
    let batch = [call(200, 1).took(4).packed(), call(500, 2).took(6).packed()].concat();
    store.record(&batch).unwrap();
    let signal = store.collect(handle, &Evidence::None, at(5)).unwrap();
    assert_eq!((signal.status, signal.last_success_at), (Status::Degraded, Some(at(1))));
    assert_eq!(signal.latency.unwrap().count, 2);
}

#[test]
fn of_a_batch_with_an_error_nothing_is_recorded() {
    let good = call(200, 1).packed();
    let mut of_nobody = good.clone();
    of_nobody[4] = 9;
    let mut unread = good.clone();
    unread[8] = 200;
    let cut = &good[..good.len() - 1];
    for (bad, expected) in [
        (of_nobody.as_slice(), RefusedRecord::UnknownProvider(9)),
        (unread.as_slice(), RefusedRecord::UnknownProfile(200)),
        (cut, RefusedRecord::Malformed(Malformed { offset: 64, what: "ends within its fixed part" })),
    ] {
        let (mut store, handle) = store();
        assert_eq!(store.record(&[&good, bad].concat()), Err(expected));
        assert!(!store.has_evidence(handle).unwrap());
        assert_eq!(status(&mut store, handle), Status::Unknown);
    }
    assert_eq!(store().0.record(&[]), Ok(()));
}

#[test]
fn observing_is_recording_and_collecting_in_one() {
    let ((mut apart, handle), (mut at_once, _)) = (store(), store());
    let refused = call(429, 1).headers(&[("retry-after", "60")]).packed();
    apart.record(&refused).unwrap();
    let collected = apart.collect_packed(handle, &Evidence::None, at(5)).unwrap();
    assert_eq!(at_once.observe(&refused, handle, at(5)), Ok(collected));
    assert_eq!(apart.export(handle), at_once.export(handle));
}

#[test]
fn of_an_observation_whose_signal_cannot_be_given_nothing_is_recorded() {
    let (mut store, handle) = store();
    let good = call(200, 1).packed();
    assert_eq!(store.observe(&good, 9, at(5)), Err(RefusedRecord::UnknownProvider(9)));
    assert!(matches!(store.observe(&good[1..], handle, at(5)), Err(RefusedRecord::Malformed(_))));
    assert!(!store.has_evidence(handle).unwrap());
}

#[test]
fn a_reading_is_the_same_recorded_or_not() {
    let refused = call(429, 1).of_type("anthropic").headers(&[("retry-after", "9")]).packed();
    let (mut by_bytes, handle) = store();
    let reading = by_bytes.parse(&refused).unwrap();
    assert_eq!(reading.retry_after, Some(Duration::from_secs(9)));
    let (mut by_reading, _) = store();
    by_bytes.record(&refused).unwrap();
    by_reading.record_reading(&refused, reading).unwrap();
    assert_eq!(by_bytes.export(handle), by_reading.export(handle));
    assert!(matches!(by_bytes.parse(&[]), Err(InputError::Malformed(_))));
    assert!(matches!(by_bytes.record_reading(&[], Reading::default()), Err(InputError::Malformed(_))));
}

#[test]
fn a_handle_that_was_never_given_out_or_was_forgotten_is_an_error() {
    let (mut store, handle) = store();
    store.forget(handle);
    store.forget(handle);
    for handle in [handle, 7, u32::MAX] {
        let unknown = InputError::UnknownProvider(handle);
        assert_eq!(store.collect(handle, &Evidence::None, at(0)), Err(unknown.clone()));
        assert_eq!(store.has_evidence(handle), Err(unknown.clone()));
        assert_eq!(store.adopt(handle, b"{}"), Err(unknown.clone()));
        assert_eq!(store.settle(handle, None, at(0), AHEAD), Err(unknown.clone()));
        assert_eq!(store.clear(handle, None), Err(unknown.clone()));
        assert_eq!(store.export(handle), Err(unknown.clone()));
        assert_eq!(store.import(handle, &[]), Err(unknown));
    }
}

#[test]
fn a_forgotten_handle_is_given_out_again_once_and_knows_nothing() {
    let (mut store, handle) = store();
    store.record(&call(200, 1).packed()).unwrap();
    store.forget(handle);
    store.forget(handle);
    assert_eq!((store.add_provider("q"), store.add_provider("r")), (handle, handle + 1));
    assert!(!store.has_evidence(handle).unwrap());
}

#[test]
fn what_is_no_signal_of_the_provider_is_not_adopted() {
    let (mut store, handle) = store();
    for stored in [&b"{}"[..], b"", br#"{"provider":"q","status":"available","recent_p50_latency_ns":0}"#] {
        assert!(matches!(store.adopt(handle, stored), Err(InputError::NotASignal(_))));
    }
    assert!(!store.has_evidence(handle).unwrap());
}

#[test]
fn a_settled_signal_can_be_adopted_by_the_next_store() {
    let (mut first, handle) = store();
    first.record(&call(429, 1).headers(&[("retry-after", "60")]).packed()).unwrap();
    let Ok(Outcome::Write(signal)) = first.settle(handle, None, at(2), AHEAD) else { panic!() };
    let (mut second, handle) = store();
    second.adopt(handle, &json::encode(&signal)).unwrap();
    assert!(second.has_evidence(handle).unwrap());
    assert_eq!(status(&mut second, handle), Status::Exhausted);
    second.clear(handle, None).unwrap();
    assert_eq!(status(&mut second, handle), Status::Available);
}

#[test]
fn what_is_no_state_of_the_provider_and_this_version_is_refused_and_changes_nothing() {
    let (mut store, handle) = store();
    store.record(&call(429, 1).headers(&[("retry-after", "60")]).packed()).unwrap();
    let state = store.export(handle).unwrap();
    let other = store.add_provider("q");
    assert_eq!(store.import(other, &state), Err(InputError::NotAState("another provider's")));
    let mut version = state.clone();
    version[0] += 1;
    assert_eq!(store.import(handle, &version), Err(InputError::NotAState("another version's")));
    for cut in 1..state.len() {
        assert_eq!(
            store.import(handle, &state[..cut]),
            Err(InputError::NotAState("damaged")),
            "cut at {cut}"
        );
    }
    assert_eq!(store.import(handle, &[&state[..], b"x"].concat()), Err(InputError::NotAState("damaged")));
    assert_eq!(store.import(handle, &[]), Err(InputError::NotAState("another version's")));
    assert_eq!(store.export(handle).unwrap(), state);
}

#[test]
fn errors_say_what_is_wrong_and_where() {
    use alloc::string::ToString;
    let (mut store, handle) = store();
    let malformed = store.parse(b"short").unwrap_err();
    assert_eq!(malformed.to_string(), "observation at byte 0: ends within its fixed part");
    let not_a_signal = store.adopt(handle, b"nonsense").unwrap_err();
    assert_eq!(not_a_signal.to_string(), "not a signal: an object was expected at byte 0");
    assert_eq!(InputError::UnknownProvider(3).to_string(), "no provider has the handle 3");
    assert_eq!(InputError::UnknownProfile(4).to_string(), "no profile has the handle 4");
    assert_eq!(store.import(handle, b"\x04").unwrap_err().to_string(), "not a state: damaged");
}
