//! What is to be put into service, and what came of it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use sha2::{Digest as _, Sha256};

/// A component's bytes with all that its admission depends on. The bytes are read once, and everything is done on
/// these: a file that is replaced meanwhile changes nothing.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// The component.
    pub bytes: Vec<u8>,
    /// The text of its minisign signature, `FILE.minisig`.
    pub signature: Option<String>,
    /// Where it is from, for messages: a path or a reference.
    pub origin: String,
    /// The digest that it has to have, where one was stated beside it.
    pub expected: Option<Digest>,
}

impl Candidate {
    /// A candidate of which no digest was stated.
    #[must_use]
    pub fn new(bytes: Vec<u8>, signature: Option<String>, origin: impl Into<String>) -> Self {
        Self { bytes, signature, origin: origin.into(), expected: None }
    }
}

/// The SHA-256 of a component.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest([u8; 32]);

impl Digest {
    /// The digest of these bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// In hexadecimal, without the name of the function.
    #[must_use]
    pub fn hex(&self) -> String {
        self.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "sha256:{}", self.hex())
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, to)
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

/// A text is no digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no digest: write `sha256:` and 64 hexadecimal digits")]
pub struct NoDigest;

impl FromStr for Digest {
    type Err = NoDigest;

    /// Reads 64 hexadecimal digits, with or without `sha256:` in front.
    fn from_str(text: &str) -> Result<Self, NoDigest> {
        let hex = text.strip_prefix("sha256:").unwrap_or(text).as_bytes();
        let mut bytes = [0; 32];
        let (pairs, rest) = hex.as_chunks::<2>();
        if pairs.len() != bytes.len() || !rest.is_empty() {
            return Err(NoDigest);
        }
        let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
            *byte = digit(*high).ok_or(NoDigest)? << 4 | digit(*low).ok_or(NoDigest)?;
        }
        Ok(Self(bytes))
    }
}

/// How a candidate is to be admitted, beside what the [options](super::Options) allow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Install {
    /// Accept a version older than the one in service.
    pub allow_downgrade: bool,
    /// Accept a component that was taken out of service because it failed.
    pub retry_withdrawn: bool,
}

/// A candidate that was put into service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Installed {
    /// The component.
    pub digest: Digest,
    /// The parser's name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The provider types that it serves now.
    pub provider_types: Vec<String>,
    /// The key that signed it; `None` where it is unsigned.
    pub signer: Option<String>,
    /// How many of its own cases it passed.
    pub cases: usize,
    /// How many real responses it was tried on.
    pub compared: usize,
    /// What it reads otherwise than what served before.
    pub differences: Vec<Difference>,
    /// It was in service already.
    pub unchanged: bool,
}

/// A real response that a candidate reads otherwise than what serves now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// The provider type.
    pub provider_type: String,
    /// The response's status; `None` when there was none.
    pub status: Option<u16>,
    /// When it was received, RFC 3339.
    pub received_at: String,
    /// What differs: `expected` is what serves now, `found` the candidate.
    pub differs: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_read_as_it_is_written() {
        let digest = Digest::of(b"");
        assert_eq!(
            digest.to_string(),
            "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
        assert_eq!(digest.to_string().parse(), Ok(digest));
        assert_eq!(digest.hex().to_uppercase().parse(), Ok(digest));
        for wrong in ["", "sha256:", "sha512:00", &digest.hex()[1..], &format!("{}0", digest.hex()), "é"] {
            assert_eq!(wrong.parse::<Digest>(), Err(NoDigest), "{wrong}");
        }
        assert_eq!("zz".repeat(32).parse::<Digest>(), Err(NoDigest));
    }
}
