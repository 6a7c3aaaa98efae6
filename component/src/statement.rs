//! The statement of a parser: what it is, and which interface it was made for.

use semver::Version;

/// The version of the interface in `wit/` that parsers are made for.
pub const INTERFACE: Version = Version::new(0, 1, 0);
/// Longest name, in bytes.
const LONGEST_NAME: usize = 64;

/// What a parser states about itself.
#[derive(Clone, Debug, PartialEq, Eq, serde::Deserialize)]
pub struct Statement {
    /// The version of the interface that it was made for.
    pub interface: Version,
    /// Its name: a-z, 0-9 and `-`, 1 to 64 bytes.
    pub name: String,
    /// Its own version.
    pub version: Version,
}

/// Why a statement cannot be understood.
#[derive(Debug, thiserror::Error)]
pub enum StatementError {
    /// No JSON, or JSON without what has to be there.
    #[error("its statement is no JSON of `interface`, `name` and `version`: {0}")]
    NotStated(#[from] serde_json::Error),
    /// A name out of form.
    #[error("its name is {0:?}: 1 to 64 of a-z, 0-9 and `-` are expected")]
    Name(String),
}

impl Statement {
    /// The statement of a parser for the interface of this crate.
    ///
    /// # Errors
    /// A name out of form.
    pub fn new(name: &str, version: Version) -> Result<Self, StatementError> {
        Self { interface: INTERFACE, name: name.to_owned(), version }.checked()
    }

    pub(crate) fn from_json(json: &[u8]) -> Result<Self, StatementError> {
        serde_json::from_slice::<Self>(json)?.checked()
    }

    pub(crate) fn to_json(&self) -> String {
        let Self { interface, name, version } = self;
        format!(r#"{{"interface":"{interface}","name":"{name}","version":"{version}"}}"#)
    }

    fn checked(self) -> Result<Self, StatementError> {
        let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        match (1..=LONGEST_NAME).contains(&self.name.len()) && self.name.bytes().all(fits) {
            true => Ok(self),
            false => Err(StatementError::Name(self.name)),
        }
    }
}
