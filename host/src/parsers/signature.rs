//! Who has signed a component.

use minisign_verify::{Error, PublicKey, Signature};

use super::error::{ParserError, ParserProblem};
use super::options::TrustedKey;

/// Longest signature file, in bytes.
pub(super) const MOST_SIGNATURE_BYTES: usize = 4 << 10;

/// The keys that are trusted.
pub(super) struct Keyring(Vec<(TrustedKey, PublicKey)>);

impl Keyring {
    /// Reads the keys of the configuration.
    pub(super) fn new(keys: &[TrustedKey]) -> Result<Self, ParserError> {
        let read = |key: &TrustedKey| {
            let public = PublicKey::from_base64(key.public_key.trim());
            let refuse = |error: Error| {
                ParserProblem::Key(error.to_string()).of(format!("key `{}` under `[parsers]`", key.name))
            };
            public.map(|public| (key.clone(), public)).map_err(refuse)
        };
        keys.iter().map(read).collect::<Result<_, _>>().map(Self)
    }

    /// The key that has signed these bytes.
    pub(super) fn signer(&self, bytes: &[u8], signature: &str) -> Result<&TrustedKey, ParserProblem> {
        if signature.len() > MOST_SIGNATURE_BYTES {
            return Err(ParserProblem::SignatureForm(format!(
                "it has more than {MOST_SIGNATURE_BYTES} bytes"
            )));
        }
        let signature =
            Signature::decode(signature).map_err(|error| ParserProblem::SignatureForm(error.to_string()))?;
        for (key, public) in &self.0 {
            match public.verify(bytes, &signature, false) {
                Ok(()) => return Ok(key),
                // It names another key.
                Err(Error::UnexpectedKeyId) => {}
                Err(Error::UnsupportedLegacyMode) => {
                    return Err(ParserProblem::SignatureForm("it is of minisign's old form".into()));
                }
                Err(_) => return Err(ParserProblem::WrongSignature { key: key.name.clone() }),
            }
        }
        Err(ParserProblem::UnknownKey)
    }
}
