//! The token that requests have to carry.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use http::HeaderValue;
use subtle::ConstantTimeEq;

/// Holds the token itself, and wins over the file.
const VARIABLE: &str = "RUNTIME_SIGNALS_TOKEN";
/// Shorter ones can be guessed.
const FEWEST_BYTES: usize = 16;

/// A shared secret. It is never shown.
#[derive(Clone)]
pub struct Token(Box<[u8]>);

/// A token that cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// The file cannot be read.
    #[error("the token file {} cannot be read: {error}; correct the `token_file` of the configuration", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// It can be guessed, or cannot be sent.
    #[error("the token in {place} has {what}; make one by `openssl rand -hex 32`")]
    Unfit {
        /// The variable or the file.
        place: String,
        /// What is wrong with it.
        what: &'static str,
    },
}

impl Token {
    /// The token that the environment holds, else the first line of the file.
    ///
    /// # Errors
    /// The file cannot be read, or the token is of no use.
    pub fn find(file: Option<&Path>) -> Result<Option<Self>, TokenError> {
        if let Some(token) = std::env::var_os(VARIABLE).filter(|value| !value.is_empty()) {
            return Self::new(&token.to_string_lossy(), VARIABLE.to_owned()).map(Some);
        }
        let Some(path) = file else { return Ok(None) };
        let text = fs::read_to_string(path)
            .map_err(|error| TokenError::Unreadable { path: path.to_owned(), error })?;
        Self::new(text.lines().next().unwrap_or_default(), path.display().to_string()).map(Some)
    }

    fn new(text: &str, place: String) -> Result<Self, TokenError> {
        let text = text.trim();
        let unfit = |what| Err(TokenError::Unfit { place: place.clone(), what });
        if text.len() < FEWEST_BYTES {
            return unfit("fewer than 16 characters");
        }
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return unfit("blanks or characters beyond ASCII");
        }
        Ok(Self(text.as_bytes().into()))
    }

    /// What a request carries in `Authorization`, marked as a secret.
    #[must_use]
    pub fn bearer(&self) -> HeaderValue {
        // It is printable ASCII, which every header takes.
        let value = HeaderValue::from_bytes(&[b"Bearer ", self.0.as_ref()].concat());
        let mut value = value.unwrap_or_else(|_| HeaderValue::from_static("Bearer"));
        value.set_sensitive(true);
        value
    }

    /// Is it this one? The time it takes tells nothing but the length.
    #[must_use]
    pub fn is(&self, given: &[u8]) -> bool {
        self.0.ct_eq(given).into()
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str("Token(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_of_the_file_is_the_token() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("token");
        fs::write(&file, "0123456789abcdef\nsecond line\n").unwrap();
        let token = Token::find(Some(&file)).unwrap().unwrap();
        assert!(token.is(b"0123456789abcdef"));
        for other in [&b""[..], b"0123456789abcdeg", b"0123456789abcdef\n", b"0123456789abcde"] {
            assert!(!token.is(other));
        }
        assert!(!format!("{token:?}").contains("0123"));
    }

    #[test]
    fn what_is_no_use_is_refused_without_showing_it() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("token");
        for text in ["", "short", "with a blank in its middle", "größe-größe-größe"] {
            fs::write(&file, text).unwrap();
            let error = Token::find(Some(&file)).unwrap_err().to_string();
            assert!(text.is_empty() || !error.contains(text), "{error}");
        }
        let error = Token::find(Some(&folder.path().join("absent"))).unwrap_err().to_string();
        assert!(error.contains("cannot be read"), "{error}");
    }
}
