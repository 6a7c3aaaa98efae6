//! Who we are for a registry: what `docker login` has stored, credential helpers included.

use std::io::Cursor;
use std::path::{Path, PathBuf};

use docker_credential::{CredentialRetrievalError, DockerCredential, get_credential_from_reader};

use super::file::{FileProblem, Links, read_bounded};
use super::registry::RegistryProblem;

/// Largest configuration, in bytes.
const MOST_CONFIG_BYTES: u64 = 1 << 20;
/// What helpers say, with a failure, when they have nothing.
const NOTHING_STORED: &str = "credentials not found";

/// A user of a registry. Not to be shown.
pub(super) struct Credentials {
    pub(super) user: String,
    pub(super) password: String,
}

/// The Docker configuration of the user: `config.json` in `DOCKER_CONFIG`, else in `~/.docker`.
pub(super) fn user_config() -> Option<PathBuf> {
    let folder = |variable| std::env::var_os(variable).filter(|value| !value.is_empty()).map(PathBuf::from);
    let folder = folder("DOCKER_CONFIG").or_else(|| Some(folder("HOME")?.join(".docker")))?;
    Some(folder.join("config.json"))
}

/// What the configuration has for a registry, if there is one and it has something. Waits for a helper.
pub(super) fn look_up(config: &Path, key: &str) -> Result<Option<Credentials>, RegistryProblem> {
    let refuse = |what: String| RegistryProblem::Credentials { config: config.to_owned(), what };
    let read = read_bounded(config, MOST_CONFIG_BYTES, Links::Followed);
    let text = match read.map_err(|problem: FileProblem| refuse(problem.to_string()))? {
        Some(text) => text,
        None => return Ok(None),
    };
    match get_credential_from_reader(Cursor::new(text), key) {
        Ok(DockerCredential::UsernamePassword(user, password)) => Ok(Some(Credentials { user, password })),
        Ok(DockerCredential::IdentityToken(_)) => {
            Err(refuse("it has an identity token; log in with a user and an access token".into()))
        }
        Err(CredentialRetrievalError::NoCredentialConfigured) => Ok(None),
        // What a helper prints may be a secret.
        Err(CredentialRetrievalError::HelperFailure { stdout, stderr, .. })
            if stdout.contains(NOTHING_STORED) || stderr.contains(NOTHING_STORED) =>
        {
            Ok(None)
        }
        Err(CredentialRetrievalError::HelperFailure { helper, .. }) => {
            Err(refuse(format!("`{helper}` failed; try `docker login`")))
        }
        Err(error) => Err(refuse(format!("{error}; try `docker login`"))),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use serde_json::json;

    use super::*;

    fn look_up_in(config: &str, key: &str) -> Result<Option<(String, String)>, String> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("config.json");
        fs::write(&file, config).unwrap();
        let found = look_up(&file, key).map_err(|problem| problem.to_string())?;
        Ok(found.map(|Credentials { user, password }| (user, password)))
    }

    #[test]
    fn a_stored_user_is_found_by_the_registry() {
        // `user:pass word`
        let config = json!({"auths": {"localhost:5000": {"auth": "dXNlcjpwYXNzIHdvcmQ="}}}).to_string();
        assert_eq!(look_up_in(&config, "localhost:5000"), Ok(Some(("user".into(), "pass word".into()))));
        assert_eq!(look_up_in(&config, "localhost:5001"), Ok(None));
    }

    #[test]
    fn without_a_configuration_there_is_nobody() {
        assert!(look_up(Path::new("/no/such/config.json"), "ghcr.io").is_ok_and(|found| found.is_none()));
        assert_eq!(look_up_in("{}", "ghcr.io"), Ok(None));
    }

    #[test]
    fn what_cannot_be_used_is_told_without_what_it_holds() {
        let token = json!({"auths": {"ghcr.io": {"identitytoken": "secret-token"}}}).to_string();
        let damaged = json!({"auths": {"ghcr.io": {"auth": "c2VjcmV0"}}}).to_string();
        let helper = json!({"credHelpers": {"ghcr.io": "no-such-helper-of-ours"}}).to_string();
        for (config, expected) in [
            (token.as_str(), "identity token"),
            (&damaged, "decode"),
            (&helper, "helper"),
            ("{", "docker login"),
        ] {
            let problem = look_up_in(config, "ghcr.io").unwrap_err();
            assert!(problem.contains(expected) && problem.contains("config.json"), "{problem}");
            assert!(!problem.contains("secret"), "{problem}");
        }
    }
}
