//! Any bytes in place of a parser component: what it states about itself is read before anything else of it is.

use runtime_signals_component::{MOST_CASES_BYTES, Statement, Version, state, stated};

/// Longest name of a parser, in bytes.
const MOST_NAME_BYTES: usize = 64;

/// Takes the bytes for a component.
///
/// # Panics
/// When something does not hold.
pub fn check(data: &[u8]) {
    match stated(data) {
        Ok(stated) => {
            if let Some(Statement { name, .. }) = &stated.statement {
                let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
                assert!((1..=MOST_NAME_BYTES).contains(&name.len()) && name.bytes().all(fits), "{name:?}");
            }
            assert!(stated.cases.is_none_or(|cases| cases.len() <= MOST_CASES_BYTES.min(data.len())));
        }
        Err(error) => crate::refused(&error.to_string()),
    }
    restated(data);
}

/// What a component is told to state, it states; and it is not changed otherwise by being told twice.
fn restated(data: &[u8]) {
    let statement = Statement::new("acme", Version::new(1, 2, 3)).expect("it is a name");
    let Ok(once) = state(data, &statement, "[[case]]\n") else {
        assert!(stated(data).is_err(), "it states something, but can be told nothing");
        return;
    };
    let found = stated(&once).expect("what was stated is read");
    assert_eq!((found.statement, found.cases.as_deref()), (Some(statement.clone()), Some("[[case]]\n")));
    assert_eq!(state(&once, &statement, "[[case]]\n").ok(), Some(once));
}
