//! Any texts in place of profiles.

use runtime_signals_profile::set::{ProfileSet, encode_set};
use runtime_signals_profile::toml;

/// Takes the bytes for a profile as TOML.
///
/// # Panics
/// When something does not hold.
pub fn check(data: &[u8]) {
    let Ok(text) = core::str::from_utf8(data) else { return };
    match toml::parse(text) {
        Ok(source) => {
            let packed = encode_set(core::slice::from_ref(&source.profile));
            let read = ProfileSet::read(&packed).and_then(|set| set.profile(0));
            assert_eq!(read.as_ref(), Some(&source.profile), "a profile is lost on the way into the sandbox");
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}
