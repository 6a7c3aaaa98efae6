//! Any bytes in place of a signal that comes out of the sandbox: the host trusts no guest.

use runtime_signals::fuzzing::{pack, unpack};
use runtime_signals_core::Signal;

/// Takes the bytes for a packed signal.
///
/// # Panics
/// When something does not hold.
pub fn check(data: &[u8]) {
    let signal = unpack(data);
    // What the guest itself could have written, the host reads as the guest would.
    if let Some(expected) = Signal::unpack(data) {
        let read = signal.as_ref().map(pack);
        assert_eq!(read, Some(expected.pack()), "the host reads something else than the guest");
    }
    let Some(signal) = signal else { return };
    assert!(signal.limits.len() + signal.cooldowns.len() <= data.len(), "more than the bytes have room for");
    let packed = pack(&signal);
    let again = unpack(&packed).expect("what was packed is unpacked");
    // Times that no clock shows are put into range once, and stay there.
    assert_eq!(pack(&again), pack(&unpack(&pack(&again)).expect("what was packed is unpacked")));
    for time in [signal.quota_reset_at, signal.cooldown_until, Some(signal.recorded_at)].into_iter().flatten()
    {
        let text = runtime_signals::time::rfc3339(time);
        assert!(runtime_signals::time::parse_rfc3339(&text).is_some(), "{text}");
    }
}
