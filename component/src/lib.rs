//! Makes components of core modules, and reads what a parser component states about itself.
//!
//! A parser carries two custom sections (`wit/header-parser.wit`): a [`Statement`] and its cases. Compilers write
//! them into the core module; [`encode`] moves them outside of it, where they can be read before anything else of the
//! component is. For components of other tool chains [`state`] writes them.
#![forbid(unsafe_code)]

mod sections;
mod statement;

pub use semver::Version;
pub use statement::{INTERFACE, Statement, StatementError};

use sections::Sections;
use wit_component::ComponentEncoder;

/// The custom section with the statement of a parser.
pub const STATEMENT_SECTION: &str = "runtime-signals:parser";
/// The custom section with the cases of a parser.
pub const CASES_SECTION: &str = "runtime-signals:parser-cases";
/// Longest statement, in bytes.
pub const MOST_STATEMENT_BYTES: usize = 4 << 10;
/// Longest text of cases, in bytes.
pub const MOST_CASES_BYTES: usize = 256 << 10;

/// Why bytes could not be made, or are no, component.
#[derive(Debug, thiserror::Error)]
pub enum ComponentError {
    /// The bytes are no WebAssembly.
    #[error("it is no WebAssembly")]
    NoWasm,
    /// The bytes begin like WebAssembly, but end too early or contradict themselves.
    #[error("its WebAssembly is broken: {0}")]
    Broken(#[from] wasmparser::BinaryReaderError),
    /// The module has no description of a world, or another form than it says.
    #[error("the module cannot be made a component: {0}")]
    Module(String),
    /// A section is in there more than once.
    #[error("it has the custom section `{0}` more than once: build it anew")]
    Twice(&'static str),
    /// A section is too long.
    #[error("its custom section `{section}` has {bytes} bytes, of which at most {most} are read: shorten it")]
    TooLong {
        /// The name of the section.
        section: &'static str,
        /// Its length.
        bytes: usize,
        /// How long it may be.
        most: usize,
    },
    /// The statement cannot be understood.
    #[error(transparent)]
    Statement(#[from] StatementError),
    /// The cases are no text.
    #[error("its cases are not UTF-8: build it anew")]
    CasesNotText,
}

/// What a component states about itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stated {
    /// What kind of parser it is; absent where it does not claim to be one.
    pub statement: Option<Statement>,
    /// Its cases, as TOML; absent where it has none.
    pub cases: Option<String>,
}

/// Makes a component of a core module that describes its world, as `wit-bindgen` has it done.
///
/// What a parser states is moved outside. Names for debuggers and notes on who produced it are left out.
///
/// # Errors
/// When the bytes are no module, or one without the description of a world.
pub fn encode(module: &[u8]) -> Result<Vec<u8>, ComponentError> {
    let sections = Sections::of(module)?;
    let own = [STATEMENT_SECTION, CASES_SECTION];
    let inside = sections.without(|name| name == "name" || own.contains(&name));
    let component = ComponentEncoder::default()
        .module(&inside)
        .and_then(|encoder| encoder.validate(true).encode())
        .map_err(|error| ComponentError::Module(format!("{error:#}")))?;
    let mut component = Sections::of(&component)?.without(|_| true);
    for name in own {
        if let Some(bytes) = sections.only(name)? {
            sections::append(&mut component, name, bytes);
        }
    }
    Ok(component)
}

/// A component with this statement and these cases, instead of what it stated before. Its other custom sections, names
/// for debuggers and notes on who produced it, are left out.
///
/// # Errors
/// When the bytes are no WebAssembly, or the cases are too long.
pub fn state(component: &[u8], statement: &Statement, cases: &str) -> Result<Vec<u8>, ComponentError> {
    within(CASES_SECTION, cases.as_bytes(), MOST_CASES_BYTES)?;
    let mut stated = Sections::of(component)?.without(|_| true);
    sections::append(&mut stated, STATEMENT_SECTION, statement.to_json().as_bytes());
    if !cases.is_empty() {
        sections::append(&mut stated, CASES_SECTION, cases.as_bytes());
    }
    Ok(stated)
}

/// Reads what a component states about itself. Nothing in it is compiled or validated.
///
/// # Errors
/// When the bytes are no WebAssembly, or a section is there twice, is too long, or cannot be understood.
pub fn stated(component: &[u8]) -> Result<Stated, ComponentError> {
    let sections = Sections::of(component)?;
    let statement = match sections.only(STATEMENT_SECTION)? {
        Some(bytes) => Some(Statement::from_json(within(STATEMENT_SECTION, bytes, MOST_STATEMENT_BYTES)?)?),
        None => None,
    };
    let cases = match sections.only(CASES_SECTION)? {
        Some(bytes) => {
            let bytes = within(CASES_SECTION, bytes, MOST_CASES_BYTES)?;
            Some(String::from_utf8(bytes.to_vec()).map_err(|_| ComponentError::CasesNotText)?)
        }
        None => None,
    };
    Ok(Stated { statement, cases })
}

fn within<'a>(section: &'static str, bytes: &'a [u8], most: usize) -> Result<&'a [u8], ComponentError> {
    match bytes.len() > most {
        true => Err(ComponentError::TooLong { section, bytes: bytes.len(), most }),
        false => Ok(bytes),
    }
}

#[cfg(test)]
mod tests;
