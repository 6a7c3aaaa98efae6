//! Why a request failed, in words that may be shown.

use std::error::Error;

/// The innermost cause; `None` where there is none below the error itself. The outer layers repeat the address, which
/// may hold a key.
pub(crate) fn innermost(error: &reqwest::Error) -> Option<&(dyn Error + 'static)> {
    let mut cause = error.source()?;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    Some(cause)
}

/// The same in words.
pub(crate) fn in_words(error: &reqwest::Error) -> String {
    innermost(error).map_or_else(|| "the request failed".to_owned(), ToString::to_string)
}
