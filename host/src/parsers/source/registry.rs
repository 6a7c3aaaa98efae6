//! Components from OCI registries, by tag or digest.
//!
//! What is pulled has the digest that was asked for, and the size that its manifest states, which is within bounds
//! before the first byte of the component is fetched. Plain HTTP is spoken to this machine and to listed hosts only.

use std::path::PathBuf;
use std::time::Duration;

use super::fetch::Session;
use super::layout::{self, Layer, MANIFEST_TYPE, MOST_MANIFEST_BYTES};
use super::reference::Reference;
use super::transport::PlainHosts;
use crate::parsers::{Candidate, Digest};

/// How registries are asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegistryOptions {
    /// Hosts that are asked without TLS, beside this machine: `host`, or `host:port`.
    pub insecure: Vec<String>,
    /// The Docker configuration with the user's credentials; `None` for that of `DOCKER_CONFIG` or `~/.docker`.
    pub docker_config: Option<PathBuf>,
    /// How long one component may take, with all requests and helpers. 30 seconds by default.
    pub timeout: Duration,
    /// Largest component, in bytes. 1 MiB by default.
    pub most_bytes: u64,
}

impl Default for RegistryOptions {
    fn default() -> Self {
        Self {
            insecure: Vec::new(),
            docker_config: None,
            timeout: Duration::from_secs(30),
            most_bytes: 1 << 20,
        }
    }
}

/// A component could not be had from a registry.
#[derive(Debug, thiserror::Error)]
#[error("{reference}: {problem}")]
pub struct RegistryError {
    /// What was asked for.
    pub reference: String,
    /// What went wrong.
    pub problem: RegistryProblem,
}

/// Why a component could not be had from a registry.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RegistryProblem {
    /// The HTTP client cannot be set up.
    #[error("the HTTP client cannot be set up: {0}")]
    Client(String),
    /// No answer came, or it broke off.
    #[error("the registry cannot be reached: {0}; check its name and the network")]
    Unreachable(String),
    /// It took too long.
    #[error("the registry has not sent it within {0:?}; try again later")]
    Timeout(Duration),
    /// The stored credentials cannot be used.
    #[error("the credentials in {} cannot be used: {what}", config.display())]
    Credentials {
        /// The Docker configuration.
        config: PathBuf,
        /// What is wrong, without what it holds.
        what: String,
    },
    /// The registry does not let this user.
    #[error("the registry does not allow it; log in with `docker login {registry}` as somebody who may")]
    Unauthorized {
        /// The registry.
        registry: String,
    },
    /// The way to a token is closed.
    #[error("the registry wants a token, and {0}; ask who runs it")]
    Token(&'static str),
    /// There is no such thing.
    #[error("the registry has none of this name; check repository, tag and digest")]
    NotFound,
    /// The registry has failed.
    #[error("the registry answers with status {0}; try again later")]
    Status(u16),
    /// What stands there is no component.
    #[error("{0}; push it with `wkg oci push`")]
    Layout(String),
    /// It is larger than allowed.
    #[error("what the registry sends is larger than {most} bytes, the most that is allowed")]
    TooLarge {
        /// The most, in bytes.
        most: u64,
    },
    /// It is shorter than its manifest states.
    #[error(
        "the registry has sent {found} of {stated} bytes; try again, and ask who runs it if that does not help"
    )]
    Truncated {
        /// As the manifest states it.
        stated: u64,
        /// What came.
        found: u64,
    },
    /// It is longer than its manifest states.
    #[error(
        "the registry sends more than the {stated} bytes that are stated; do not use it, and ask who runs it"
    )]
    Longer {
        /// As the manifest states it.
        stated: u64,
    },
    /// It is something else than what was asked for.
    #[error("the registry has sent {found} for {expected}; do not use it, and ask who runs it")]
    Digest {
        /// What was asked for.
        expected: Digest,
        /// What came.
        found: Digest,
    },
}

/// A component that was pulled.
#[derive(Clone, Debug)]
pub struct Pulled {
    /// The digest of its manifest: [`Reference::at`] it is always the same.
    pub digest: Digest,
    /// The component, with the signature if the manifest has one.
    pub candidate: Candidate,
}

/// OCI registries.
#[derive(Clone, Debug)]
pub struct Registry {
    hosts: PlainHosts,
    options: RegistryOptions,
}

impl Registry {
    /// Registries that are asked as the options say.
    #[must_use]
    pub fn new(options: RegistryOptions) -> Self {
        Self { hosts: PlainHosts(options.insecure.clone()), options }
    }

    /// The digest of the manifest that the reference names now.
    ///
    /// # Errors
    ///
    /// [`RegistryError`], also where what stands there is no component.
    pub async fn resolve(&self, reference: &Reference) -> Result<Digest, RegistryError> {
        self.within_time(reference, async {
            let (digest, _) = find(&mut self.session(reference)?, reference).await?;
            Ok(digest)
        })
        .await
    }

    /// Fetches a component and its signature. It needs a Tokio runtime with I/O and time enabled.
    ///
    /// # Errors
    ///
    /// [`RegistryError`] says why not. Nothing that was sent is kept then.
    pub async fn pull(&self, reference: &Reference) -> Result<Pulled, RegistryError> {
        self.within_time(reference, self.pull_component(reference)).await
    }

    async fn pull_component(&self, reference: &Reference) -> Result<Pulled, RegistryProblem> {
        let mut session = self.session(reference)?;
        let (digest, layer) = find(&mut session, reference).await?;
        let Layer { digest: expected, size, signature } = layer;
        let most = self.options.most_bytes;
        if size > most {
            return Err(RegistryProblem::TooLarge { most });
        }
        let bytes = session.get(&format!("blobs/{expected}"), "*/*", size).await;
        let bytes = bytes.map_err(|problem| match problem {
            RegistryProblem::TooLarge { .. } => RegistryProblem::Longer { stated: size },
            other => other,
        })?;
        if (bytes.len() as u64) < size {
            return Err(RegistryProblem::Truncated { stated: size, found: bytes.len() as u64 });
        }
        verify(expected, &bytes)?;
        let origin = reference.at(digest).to_string();
        Ok(Pulled { digest, candidate: Candidate { bytes, signature, origin, expected: Some(expected) } })
    }

    fn session<'a>(&'a self, reference: &'a Reference) -> Result<Session<'a>, RegistryProblem> {
        Session::new(&self.hosts, reference, self.options.docker_config.clone())
    }

    async fn within_time<T>(
        &self,
        reference: &Reference,
        work: impl Future<Output = Result<T, RegistryProblem>>,
    ) -> Result<T, RegistryError> {
        let limit = self.options.timeout;
        let done = tokio::time::timeout(limit, work).await;
        done.unwrap_or(Err(RegistryProblem::Timeout(limit)))
            .map_err(|problem| RegistryError { reference: reference.to_string(), problem })
    }
}

/// The manifest's digest and what it says.
async fn find(session: &mut Session<'_>, reference: &Reference) -> Result<(Digest, Layer), RegistryProblem> {
    let path = format!("manifests/{}", reference.version());
    let manifest = session.get(&path, MANIFEST_TYPE, MOST_MANIFEST_BYTES).await?;
    if let Some(expected) = reference.digest() {
        verify(expected, &manifest)?;
    }
    Ok((Digest::of(&manifest), layout::read(&manifest)?))
}

fn verify(expected: Digest, bytes: &[u8]) -> Result<(), RegistryProblem> {
    let found = Digest::of(bytes);
    if found == expected { Ok(()) } else { Err(RegistryProblem::Digest { expected, found }) }
}
