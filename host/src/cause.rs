//! Why a request failed, in words that may be shown.

use std::error::Error;

/// The cause of all that an error tells; the error itself where there is none below it.
pub(crate) fn innermost<'a>(mut error: &'a (dyn Error + 'static)) -> &'a (dyn Error + 'static) {
    while let Some(deeper) = error.source() {
        error = deeper;
    }
    error
}

/// Did time run out?
pub(crate) fn is_timeout(cause: &(dyn Error + 'static)) -> bool {
    let io = cause.downcast_ref::<std::io::Error>();
    io.is_some_and(|error| error.kind() == std::io::ErrorKind::TimedOut)
}

/// The innermost cause in words. The outer layers repeat the address, which may hold a key.
pub(crate) fn in_words(error: &reqwest::Error) -> String {
    error.source().map_or_else(|| "the request failed".to_owned(), |source| innermost(source).to_string())
}
