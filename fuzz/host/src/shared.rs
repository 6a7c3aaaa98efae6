//! Any bytes in place of a shared server's answers.

use runtime_signals::fuzzing::answer;

/// Most names of news that are kept.
const MOST_NAMES: usize = 4;

/// Takes the bytes for an answer.
///
/// # Panics
/// When something does not hold.
pub fn check(data: &[u8]) {
    let Some([signals, values, names]) = answer(data, MOST_NAMES) else { return };
    assert!(signals <= data.len() || data.contains(&b':'), "{signals} signals");
    assert!(values <= data.len(), "{values} values");
    assert!(names <= MOST_NAMES, "{names} names");
}
