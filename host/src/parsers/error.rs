//! Why a component is not put into service: which, what, and what to do.

use std::io;
use std::path::PathBuf;

use super::candidate::Digest;
use super::sandbox::Stop;
use crate::profiles::FailedCase;

/// A parser component that was refused, or an order that could not be carried out. What was in service before is in
/// service still.
#[derive(Debug, thiserror::Error)]
#[error("{origin}: {problem}")]
pub struct ParserError {
    /// What it is about: a file, a reference, a name.
    pub origin: String,
    /// What is wrong.
    #[source]
    pub problem: ParserProblem,
}

/// What is wrong with a parser component, in the order in which it is found.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ParserProblem {
    /// It is larger than what its key may have.
    #[error("it has {bytes} bytes and may have {most}; make it smaller, or raise `component_bytes`")]
    TooLarge {
        /// Its size.
        bytes: usize,
        /// The largest size.
        most: usize,
    },
    /// It is another component than the one that was meant.
    #[error("its digest is {found}, and {expected} was asked for; get it anew from whom you trust")]
    Digest {
        /// What was asked for.
        expected: Digest,
        /// What it is.
        found: Digest,
    },
    /// It has no signature.
    #[error("it is not signed; put its `.minisig` beside it, or set `allow_unsigned` under `[parsers]`")]
    Unsigned,
    /// Its signature is none of minisign's.
    #[error("its signature cannot be read: {0}; sign it with `minisign -S`")]
    SignatureForm(String),
    /// No key that is trusted has made the signature.
    #[error("it is signed by a key that is not among `keys` under `[parsers]`; add the key if you trust it")]
    UnknownKey,
    /// The signature is that of other bytes.
    #[error("the signature by key `{key}` is not of this file; it was changed, or belongs to another")]
    WrongSignature {
        /// The key that it names.
        key: String,
    },
    /// It was taken out of service before.
    #[error(
        "it was taken out of service {at}: {why}; install a corrected version, or this one again by hand"
    )]
    Withdrawn {
        /// When, RFC 3339.
        at: String,
        /// Why.
        why: String,
    },
    /// It is no component, or damaged.
    #[error("it is no WebAssembly component: {0}; build it as one with `runtime-signals parser build`")]
    NotAComponent(String),
    /// It does not say what it is.
    #[error("it does not state what it was made for: {0}; build it with `runtime-signals parser build`")]
    NoManifest(String),
    /// It was made for another version of the interface.
    #[error(
        "it was made for version {wants} of the parser interface, and this program offers {offers}; {}",
        advice(wants, offers)
    )]
    Interface {
        /// What it was made for.
        wants: semver::Version,
        /// What is offered.
        offers: semver::Version,
    },
    /// An older version than the one in service.
    #[error("it is version {offered}, and {current} is in service; use `--allow-downgrade` to go back")]
    Downgrade {
        /// Its version.
        offered: semver::Version,
        /// The version in service.
        current: semver::Version,
    },
    /// It is of another world.
    #[error("it is no header parser: {0}; build it for the world `header-parser`")]
    World(String),
    /// It imports what no parser is given.
    #[error("it imports {}, and parsers are given nothing; build it without", .0.join(", "))]
    Imports(Vec<String>),
    /// It imports WASI, and its key may not.
    #[error("it imports WASI; build it without, or mark its key with `allow_wasi` under `[parsers]`")]
    Wasi,
    /// It cannot be compiled.
    #[error("it cannot be compiled: {0}; build it anew")]
    Compile(String),
    /// It failed before it could be used.
    #[error("it {0} before it was put into service; nothing was changed")]
    Failed(Stop),
    /// What it says of itself cannot be.
    #[error("what it says of itself is wrong: {0}; correct its `describe`")]
    Description(String),
    /// It asks for a header that carries credentials.
    #[error("it asks for the header `{0}`, which carries credentials; none goes into the sandbox")]
    Credential(String),
    /// Its key may not serve a provider type.
    #[error(
        "key `{key}` may not serve provider type `{provider_type}`; add it to the key's `provider_types`"
    )]
    Type {
        /// The key.
        key: String,
        /// The type.
        provider_type: String,
    },
    /// Its cases cannot be read.
    #[error("its cases cannot be read: {0}")]
    CaseForm(String),
    /// It reads something else from its cases than they expect.
    #[error("it does not pass its own cases: {}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Cases(Vec<FailedCase>),
    /// It fails on real responses.
    #[error("it {stop} on a real response of `{provider_type}`; correct it")]
    Shadow {
        /// The provider type.
        provider_type: String,
        /// How.
        stop: Stop,
    },
    /// A key of the configuration is none.
    #[error("`public_key` is no minisign key: {0}; write the line that begins with `RW`")]
    Key(String),
    /// There is no folder to keep parsers in.
    #[error("there is no folder to keep parsers in; set `state_dir` under `[parsers]`")]
    NoFolder,
    /// There is no place for the lock file.
    #[error("there is no folder for the lock file; set `lock` under `[parsers]`")]
    NoLock,
    /// The folder of parsers cannot be used.
    #[error("{path}: {error}; parsers are kept there")]
    Shelf {
        /// The file or folder.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// What is kept is damaged.
    #[error("{path} is damaged: {why}; install the parser anew")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// Nothing of this name is or was in service.
    #[error(
        "no parser or provider type of this name is in service; `runtime-signals parser list` names them"
    )]
    NotFound,
}

impl ParserProblem {
    /// The same, with what it is about.
    pub(crate) fn of(self, origin: impl Into<String>) -> ParserError {
        ParserError { origin: origin.into(), problem: self }
    }
}

fn advice(wants: &semver::Version, offers: &semver::Version) -> &'static str {
    if wants > offers { "update runtime-signals" } else { "build it anew with the present SDK" }
}
