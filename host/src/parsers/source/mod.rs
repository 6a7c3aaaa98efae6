//! Where parser components come from: files, a directory that is watched, and OCI registries.
//!
//! A source hands out [`Candidate`](super::Candidate)s: bytes, the signature that lies beside them, and where both are
//! from. Sizes are bounded here, and what a registry sends has the digest that was asked for; whether a candidate is
//! signed by somebody who may, and what it does, is not looked at.
//!
//! - [`Directory`]: components with their signatures as files; [`Watch`] tells what changes in it.
//! - [`Registry`]: components in the layout that `wkg oci push` writes, named by a [`Reference`].
//! - [`Pinned`]: what the [`LockFile`] has of a reference, wherever its tag leads now.
//! - [`Feed`]: all of it, for as long as a process runs.

mod challenge;
mod credentials;
mod directory;
mod feed;
mod fetch;
mod file;
mod layout;
mod lock;
mod pinned;
mod reference;
mod registry;
mod tracker;
mod transport;
mod watch;

pub use self::directory::{Directory, MOST_ENTRIES, MOST_PARSERS};
pub use self::feed::Feed;
pub use self::file::{FileError, FileProblem, read_file, signature_path};
pub use self::layout::SIGNATURE_ANNOTATION;
pub use self::lock::{LockError, LockFile, LockProblem, Locked};
pub use self::pinned::{Fetched, Pinned, PinnedError};
pub use self::reference::{Reference, ReferenceError};
pub use self::registry::{Pulled, Registry, RegistryError, RegistryOptions, RegistryProblem};
pub use self::watch::{Intake, Watch, WatchOptions};
