//! How a value in the store is recognised, by its writer and by the server: see `scripts/publish.lua`.

/// The SHA-1 of a value in hexadecimal digits; the empty text for none. It tells values apart; it protects nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Digest(String);

impl Digest {
    pub(super) fn of(value: &[u8]) -> Self {
        if value.is_empty() {
            Self::default()
        } else {
            Self(sha1_smol::Sha1::from(value).digest().to_string())
        }
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}
