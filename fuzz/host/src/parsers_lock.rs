//! Any text in place of `parsers.lock`, and of a reference to a component in a registry.

use std::time::SystemTime;

use runtime_signals::parsers::source::{LockFile, Reference};

use crate::scratch;

/// Takes the bytes for both.
///
/// # Panics
/// When something does not hold.
pub fn check(data: &[u8]) {
    if let Ok(text) = core::str::from_utf8(data) {
        reference(text.trim_end());
    }
    let lock = LockFile::new(scratch::file("parsers.lock", data, SystemTime::UNIX_EPOCH));
    match lock.read() {
        Ok(mut entries) => {
            lock.update(|_| ()).expect("what was read is written");
            entries.sort_by(|one, other| one.name.cmp(&other.name));
            assert_eq!(lock.read().expect("what was written is read"), entries);
        }
        Err(error) => refused(&error.problem.to_string(), data),
    }
}

/// A message repeats the reference that it is about, escaped: it is as long as the text makes it.
fn refused(message: &str, text: &[u8]) {
    assert!(
        !message.is_empty() && message.len() <= 500 + 10 * text.len(),
        "{} bytes: {message}",
        message.len()
    );
}

/// A reference is written as it was read, and names one component.
fn reference(text: &str) {
    match text.parse::<Reference>() {
        Ok(reference) => {
            let written = reference.to_string();
            assert_eq!(written.parse().as_ref(), Ok(&reference));
            // Of a digest, the digits may be in either case.
            let begins = written.get(..text.len()).is_some_and(|start| start.eq_ignore_ascii_case(text));
            assert!(begins, "{text}: {written}");
            let parts = [reference.registry(), reference.repository(), reference.name()];
            assert!(parts.iter().all(|part| !part.is_empty() && !part.contains("..")), "{text}");
            assert!(!reference.name().contains('/'), "{text}");
        }
        Err(error) => refused(&error.to_string(), text.as_bytes()),
    }
}
