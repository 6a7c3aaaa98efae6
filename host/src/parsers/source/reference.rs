//! The names of components in registries.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::parsers::Digest;

/// Longest repository and longest tag, as the OCI distribution specification and registries have them.
const MOST_REPOSITORY: usize = 255;
const MOST_TAG: usize = 128;
const DEFAULT_TAG: &str = "latest";
const DOCKER_HUB: &str = "docker.io";

/// A component in a registry: `ghcr.io/owner/name:tag`, `ghcr.io/owner/name@sha256:…`, or with both, of which the
/// digest decides. Without either it is the tag `latest`.
///
/// The registry is always named. Leaving it out would mean one that anybody can publish to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct Reference {
    registry: String,
    repository: String,
    tag: Option<String>,
    digest: Option<Digest>,
}

/// A text names no component in a registry.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReferenceError {
    /// The registry is missing or is no host.
    #[error(
        "{0:?} does not begin with a registry's host; write it as `ghcr.io/owner/name:tag`, and a file with its folder, \
         as `./name.wasm`"
    )]
    Registry(String),
    /// The repository is not what registries accept.
    #[error(
        "{0:?} is no repository; write lower-case words, digits and `.`, `_`, `-` between them, parted by `/`"
    )]
    Repository(String),
    /// The tag is not what registries accept.
    #[error(
        "{0:?} is no tag; write at most 128 letters, digits, `.`, `_` and `-`, not beginning with `.` or `-`"
    )]
    Tag(String),
    /// The digest is none, or of another function.
    #[error("{0:?} is no digest; write `sha256:` and 64 hexadecimal digits")]
    Digest(String),
}

impl Reference {
    /// The registry's host, with the port where one is named.
    #[must_use]
    pub fn registry(&self) -> &str {
        &self.registry
    }

    /// The repository in the registry.
    #[must_use]
    pub fn repository(&self) -> &str {
        &self.repository
    }

    /// The digest, if it is named by one.
    #[must_use]
    pub fn digest(&self) -> Option<Digest> {
        self.digest
    }

    /// The same component by the digest that it had.
    #[must_use]
    pub fn at(&self, digest: Digest) -> Self {
        Self { digest: Some(digest), ..self.clone() }
    }

    /// The last part of the repository: what a file of it can be called.
    #[must_use]
    pub fn name(&self) -> &str {
        self.repository.rsplit('/').next().unwrap_or_default()
    }

    /// What stands for the version in a manifest's address.
    pub(super) fn version(&self) -> String {
        match (&self.digest, &self.tag) {
            (Some(digest), _) => digest.to_string(),
            (None, tag) => tag.as_deref().unwrap_or(DEFAULT_TAG).to_owned(),
        }
    }

    /// The host that answers for the registry.
    pub(super) fn api_host(&self) -> &str {
        if self.registry == DOCKER_HUB { "registry-1.docker.io" } else { &self.registry }
    }

    /// Under what a Docker configuration has the registry's credentials.
    pub(super) fn credentials_key(&self) -> &str {
        if self.registry == DOCKER_HUB { "https://index.docker.io/v1/" } else { &self.registry }
    }
}

impl FromStr for Reference {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Self, ReferenceError> {
        let (name, digest) = match text.split_once('@') {
            Some((name, digest)) => (name, Some(read_digest(digest)?)),
            None => (text, None),
        };
        let (registry, path) = name
            .split_once('/')
            .filter(|(registry, _)| is_registry(registry))
            .ok_or_else(|| ReferenceError::Registry(text.to_owned()))?;
        let (repository, tag) = match path.rsplit_once(':') {
            Some((repository, tag)) => (repository, Some(tag)),
            None => (path, None),
        };
        if !is_repository(repository) {
            return Err(ReferenceError::Repository(repository.to_owned()));
        }
        if let Some(tag) = tag.filter(|tag| !is_tag(tag)) {
            return Err(ReferenceError::Tag(tag.to_owned()));
        }
        let tag = tag.or_else(|| digest.is_none().then_some(DEFAULT_TAG)).map(str::to_owned);
        Ok(Self { registry: registry.to_owned(), repository: repository.to_owned(), tag, digest })
    }
}

impl TryFrom<String> for Reference {
    type Error = ReferenceError;

    fn try_from(text: String) -> Result<Self, ReferenceError> {
        text.parse()
    }
}

impl From<Reference> for String {
    fn from(reference: Reference) -> Self {
        reference.to_string()
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.registry, self.repository)?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        if let Some(digest) = &self.digest {
            write!(f, "@{digest}")?;
        }
        Ok(())
    }
}

/// A digest with the name of its function, without which it would be a tag elsewhere.
pub(super) fn read_digest(text: &str) -> Result<Digest, ReferenceError> {
    let digest = text.starts_with("sha256:").then(|| text.parse().ok()).flatten();
    digest.ok_or_else(|| ReferenceError::Digest(text.to_owned()))
}

/// A host with a dot or a port, or this machine, so that the first part of a repository is not taken for one.
fn is_registry(text: &str) -> bool {
    let (host, port) = text.split_once(':').map_or((text, None), |(host, port)| (host, Some(port)));
    let is_label = |label: &str| {
        !label.is_empty()
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let is_port = |port: &str| port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok();
    text.len() <= MOST_REPOSITORY
        && host.split('.').all(is_label)
        && port.is_none_or(is_port)
        && (host.contains('.') || port.is_some() || host == "localhost")
}

fn is_repository(text: &str) -> bool {
    text.len() <= MOST_REPOSITORY && text.split('/').all(is_part)
}

/// Words of lower-case letters and digits, between them one `.`, one or two `_`, or any number of `-`.
fn is_part(part: &str) -> bool {
    let is_word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let separators = || part.split(is_word).filter(|between| !between.is_empty());
    part.starts_with(is_word)
        && part.ends_with(is_word)
        && separators().all(|one| matches!(one, "." | "_" | "__") || one.bytes().all(|byte| byte == b'-'))
}

fn is_tag(text: &str) -> bool {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.len() <= MOST_TAG
        && text.starts_with(is_word)
        && text.chars().all(|c| is_word(c) || matches!(c, '.' | '-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    fn parse(text: &str) -> Reference {
        text.parse().unwrap()
    }

    #[test]
    fn the_parts_of_a_reference_are_told_apart() {
        let tagged = parse("ghcr.io/acme/parsers/openai-fix:1.2.0");
        assert_eq!(tagged.registry(), "ghcr.io");
        assert_eq!(tagged.repository(), "acme/parsers/openai-fix");
        assert_eq!((tagged.name(), tagged.version().as_str()), ("openai-fix", "1.2.0"));

        let pinned = parse(&format!("localhost:5000/p:1@{DIGEST}"));
        assert_eq!((pinned.registry(), pinned.repository()), ("localhost:5000", "p"));
        assert_eq!(pinned.version(), DIGEST);
        assert_eq!(parse("127.0.0.1:5000/p").version(), "latest");
        assert_eq!(tagged.at(DIGEST.parse().unwrap()).version(), DIGEST);
    }

    #[test]
    fn a_reference_is_written_as_it_is_read_and_with_its_tag() {
        for text in
            ["ghcr.io/a/b:1", &format!("ghcr.io/a/b@{DIGEST}"), &format!("h.x:1/a__b-c.d:T_1.-@{DIGEST}")]
        {
            assert_eq!(parse(text).to_string(), *text);
        }
        assert_eq!(parse("ghcr.io/a/b").to_string(), "ghcr.io/a/b:latest");
    }

    #[test]
    fn what_is_no_reference_is_refused_by_its_part() {
        for text in [
            "",
            "name",
            "owner/name:1",
            "./name.wasm",
            "/tmp/x.wasm",
            "-a.io/x",
            "a..b/x",
            "h:x/a",
            "h:99999/a",
        ] {
            assert!(matches!(text.parse::<Reference>(), Err(ReferenceError::Registry(_))), "{text}");
        }
        for path in ["", "A", "a//b", "a/", ".a", "a-", "a..b", "a___b", "a b", "../x", "é", &"a".repeat(256)]
        {
            let parsed = format!("ghcr.io/{path}").parse::<Reference>();
            assert!(matches!(parsed, Err(ReferenceError::Repository(_))), "{path}");
        }
        for tag in ["", ".a", "-a", "a/b:c?", "a b", &"a".repeat(129)] {
            let parsed = format!("ghcr.io/a:{tag}").parse::<Reference>();
            assert!(parsed.is_err(), "{tag}");
        }
        assert!(matches!("ghcr.io/a@sha256:1".parse::<Reference>(), Err(ReferenceError::Digest(_))));
    }
}
