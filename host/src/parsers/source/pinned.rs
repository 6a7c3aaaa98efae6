//! Components from registries by the lock file: what was taken once is taken again, wherever its tag leads now.

use super::lock::{LockError, LockFile, Locked};
use super::reference::Reference;
use super::registry::{Pulled, Registry, RegistryError};
use crate::parsers::{Candidate, Digest};

/// Registries, and the lock file of what was taken from them.
#[derive(Clone, Debug)]
pub struct Pinned {
    registry: Registry,
    lock: LockFile,
}

/// A component as the lock file wants it.
#[derive(Clone, Debug)]
pub struct Fetched {
    /// The component.
    pub candidate: Candidate,
    /// The digest of its manifest.
    pub digest: Digest,
    /// What the tag names now, where that is something else than what the lock file has and what was fetched.
    pub moved: Option<Digest>,
}

/// A component could not be fetched, or not be noted.
#[derive(Debug, thiserror::Error)]
pub enum PinnedError {
    /// The registry.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// The lock file.
    #[error(transparent)]
    Lock(#[from] LockError),
}

impl Pinned {
    /// Fetches from this registry by this lock file.
    #[must_use]
    pub fn new(registry: Registry, lock: LockFile) -> Self {
        Self { registry, lock }
    }

    /// Everything that the lock file holds.
    ///
    /// # Errors
    ///
    /// The lock file cannot be read.
    pub fn locked(&self) -> Result<Vec<Locked>, LockError> {
        self.lock.read()
    }

    /// Fetches what the lock file has of a reference; what the reference names now where it has nothing, or where
    /// that is asked for by `update`. It needs a Tokio runtime with I/O and time enabled.
    ///
    /// # Errors
    ///
    /// The registry does not have it, or the lock file cannot be read.
    pub async fn fetch(&self, reference: &Reference, update: bool) -> Result<Fetched, PinnedError> {
        let locked = self.lock.read()?.into_iter().find(|entry| entry.reference == *reference);
        let Some(locked) = locked.filter(|_| !update) else {
            let Pulled { digest, candidate } = self.registry.pull(reference).await?;
            return Ok(Fetched { candidate, digest, moved: None });
        };
        let Pulled { digest, candidate } = self.registry.pull(&locked.pinned()).await?;
        let moved = match reference.digest() {
            Some(_) => None,
            // That the tag is gone changes nothing.
            None => self.registry.resolve(reference).await.ok().filter(|now| *now != digest),
        };
        Ok(Fetched { candidate, digest, moved })
    }

    /// Notes what was taken of a reference, in place of what there was of this parser.
    ///
    /// # Errors
    ///
    /// The lock file cannot be read or written.
    pub fn note(&self, name: &str, reference: &Reference, digest: Digest) -> Result<(), LockError> {
        let locked = Locked { name: name.to_owned(), reference: reference.clone(), digest };
        if self.lock.read()?.contains(&locked) {
            return Ok(());
        }
        self.lock.update(|entries| {
            entries.retain(|entry| entry.name != locked.name && entry.reference != locked.reference);
            entries.push(locked);
        })
    }

    /// Forgets a parser.
    ///
    /// # Errors
    ///
    /// The lock file cannot be read or written.
    pub fn forget(&self, name: &str) -> Result<(), LockError> {
        if self.lock.read()?.iter().any(|entry| entry.name == name) {
            self.lock.update(|entries| entries.retain(|entry| entry.name != name))?;
        }
        Ok(())
    }
}
