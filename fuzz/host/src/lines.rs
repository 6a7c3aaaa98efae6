//! Any bytes in place of observations and responses as JSON.

use std::time::{Duration, SystemTime};

use runtime_signals::forms::{BadLine, Call, Response};
use runtime_signals::fuzzing::pack_observation;
use runtime_signals_core::packed::observations;

/// What seeds have where a secret may stand: no message repeats what was sent.
const SECRET: &str = "SECRET";

/// Takes the bytes for a line of either kind.
///
/// # Panics
/// When something does not hold.
pub fn check(data: &[u8]) {
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_768_478_400);
    match Call::read(data) {
        Ok(call) => {
            read_carefully_it_says_the_same(data, &call);
            goes_in(&call, now);
        }
        Err(error) => refused(&error),
    }
    match Response::read(data, Some("openai")) {
        Ok(response) => assert!((100..1000).contains(&response.seen.status)),
        Err(error) => refused(&error),
    }
}

fn refused(error: &BadLine) {
    let message = error.to_string();
    crate::refused(&message);
    // A provider's name is none, and is told where it cannot be that of a file.
    assert!(matches!(error, BadLine::Name(_)) || !message.contains(SECRET), "{message}");
}

/// A key that stands there twice has a line read in the careful way, whose last one counts: so two more of one that says
/// nothing change nothing.
fn read_carefully_it_says_the_same(line: &[u8], call: &Call) {
    let start = line.iter().position(|byte| *byte == b'{').expect("a line is an object");
    let (before, rest) = line.split_at(start + 1);
    let careful = [before, br#""error":null,"error":null,"#, rest].concat();
    match Call::read(&careful) {
        Ok(careful) => assert_eq!(careful, *call, "both ways read something else"),
        Err(error) => assert!(is_in_what_is_skipped(&error), "taken in one way only: {error}"),
    }
}

/// Values of keys that nobody asks for are skipped in the quick way, and read in the other: there they have to be such
/// as this program can hold.
fn is_in_what_is_skipped(error: &BadLine) -> bool {
    let BadLine::NoJson { what, .. } = error else { return false };
    [
        "recursion limit exceeded",
        "number out of range",
        "lone leading surrogate in hex escape",
        "unexpected end of hex escape",
    ]
    .contains(&what.as_str())
}

/// The sandbox gets what the line says.
fn goes_in(call: &Call, now: SystemTime) {
    let observation = call.observation();
    let packed = pack_observation(&observation, now);
    let mut read = observations(&packed);
    let inside = read.next().expect("there is one").expect("what was packed is read");
    assert!(read.next().is_none());
    assert_eq!(inside.status, observation.status.unwrap_or(0));
    let latency = u64::try_from(observation.latency.as_nanos()).unwrap_or(u64::MAX);
    assert_eq!(inside.latency_ns, latency);
    let reserved = inside.frames.reserved();
    let told = |inside: Option<&[u8]>, outside: Option<&str>| {
        let inside = inside.unwrap_or_default();
        assert!(outside.unwrap_or_default().as_bytes().starts_with(inside), "{outside:?}");
    };
    told(reserved.account, observation.account);
    told(reserved.model, observation.model);
    let is_failed = observation.error.is_some_and(|error| !error.is_empty());
    assert_eq!(reserved.error.is_some_and(|error| !error.is_empty()), is_failed);
}
