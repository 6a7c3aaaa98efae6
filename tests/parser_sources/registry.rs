//! Components from a real registry: what is pulled is what was asked for, or nothing.

use std::fs;
use std::time::Duration;

use runtime_signals::parsers::Digest;
use runtime_signals::parsers::source::{
    Pulled, Reference, Registry, RegistryError, RegistryOptions, RegistryProblem,
};
use serde_json::json;

use super::docker_registry::DockerRegistry;

const COMPONENT: &[u8] = b"\0asm\x0d\0\x01\0 some bytes";
const SIGNATURE: &str = "untrusted comment: a\nRUQ\ntrusted comment: b\nxyz==\n";

/// Options without the credentials of whoever runs the tests.
pub(crate) fn options() -> RegistryOptions {
    RegistryOptions { docker_config: Some("/no/such/config.json".into()), ..RegistryOptions::default() }
}

pub(crate) fn pull_by(options: RegistryOptions, reference: &Reference) -> Result<Pulled, RegistryError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let pulled = runtime.block_on(Registry::new(options).pull(reference));
    runtime.shutdown_background();
    pulled
}

fn pull(reference: &Reference) -> Result<Pulled, RegistryError> {
    pull_by(options(), reference)
}

#[track_caller]
fn refused(pulled: Result<Pulled, RegistryError>) -> RegistryProblem {
    pulled.expect_err("it is refused").problem
}

#[test]
fn a_component_is_pulled_by_tag_and_by_digest_with_its_signature() {
    let registry = DockerRegistry::start();
    let digest = registry.push("acme/openai-fix", "1.0.0", COMPONENT, Some(SIGNATURE));
    let by_tag = registry.reference("acme/openai-fix:1.0.0");
    let pinned = registry.reference(&format!("acme/openai-fix@{digest}"));
    for reference in [&by_tag, &pinned, &by_tag.at(digest)] {
        let Pulled { digest: found, candidate } = pull(reference).unwrap();
        assert_eq!(found, digest);
        assert_eq!(candidate.bytes, COMPONENT);
        assert_eq!(candidate.signature.as_deref(), Some(SIGNATURE));
        assert_eq!(candidate.expected, Some(Digest::of(COMPONENT)));
        assert_eq!(candidate.origin, reference.at(digest).to_string());
    }
    registry.push("plain", "latest", COMPONENT, None);
    assert_eq!(pull(&registry.reference("plain")).unwrap().candidate.signature, None);
}

#[test]
fn a_tag_that_is_moved_names_another_digest_and_the_first_stays_to_be_had() {
    let registry = DockerRegistry::start();
    let first = registry.push("a", "1", COMPONENT, None);
    let second = registry.push("a", "1", b"another", None);
    assert_ne!(first, second);
    let reference = registry.reference("a:1");
    assert_eq!(pull(&reference).unwrap().digest, second);
    assert_eq!(pull(&reference.at(first)).unwrap().candidate.bytes, COMPONENT);
}

#[test]
fn a_private_registry_is_asked_with_the_users_docker_configuration() {
    let registry = DockerRegistry::start_private();
    registry.push("a", "1", COMPONENT, None);
    let reference = registry.reference("a:1");
    let with = |docker_config| RegistryOptions { docker_config: Some(docker_config), ..options() };
    assert_eq!(pull_by(with(registry.docker_config()), &reference).unwrap().candidate.bytes, COMPONENT);

    let error = pull(&reference).unwrap_err();
    assert!(matches!(error.problem, RegistryProblem::Unauthorized { .. }), "{error}");
    assert!(error.to_string().contains(&format!("`docker login {}`", registry.host())), "{error}");

    let wrong = registry.docker_config();
    let secret = "dGVzdDp3cm9uZw==";
    fs::write(&wrong, json!({"auths": {registry.host(): {"auth": secret}}}).to_string()).unwrap();
    let error = pull_by(with(wrong), &reference).unwrap_err();
    assert!(matches!(error.problem, RegistryProblem::Unauthorized { .. }), "{error}");
    assert!(!error.to_string().contains(secret) && !error.to_string().contains("wrong"), "{error}");
}

#[test]
fn what_is_not_there_and_what_is_no_component_is_told() {
    let registry = DockerRegistry::start();
    registry.push("a", "1", COMPONENT, None);
    let unknown = format!("a@{}", Digest::of(b"unknown"));
    for name in ["a:2", "b:1", &unknown] {
        assert!(matches!(refused(pull(&registry.reference(name))), RegistryProblem::NotFound), "{name}");
    }
    registry.push_changed("image", "1", COMPONENT, None, |manifest| {
        manifest["config"]["mediaType"] = json!("application/vnd.oci.image.config.v1+json");
    });
    let problem = refused(pull(&registry.reference("image:1")));
    assert!(matches!(problem, RegistryProblem::Layout(_)), "{problem}");
    assert!(problem.to_string().contains("it is no WebAssembly"), "{problem}");
}

#[test]
fn a_component_that_is_too_large_is_refused_before_it_is_fetched() {
    let registry = DockerRegistry::start();
    registry.push("a", "1", COMPONENT, None);
    let fits = |most_bytes| pull_by(RegistryOptions { most_bytes, ..options() }, &registry.reference("a:1"));
    assert!(fits(COMPONENT.len() as u64).is_ok());
    // Were it fetched, it would be missing.
    fs::remove_file(registry.blob(Digest::of(COMPONENT))).unwrap();
    let most = COMPONENT.len() as u64 - 1;
    assert!(matches!(refused(fits(most)), RegistryProblem::TooLarge { most: told } if told == most));
    assert!(matches!(refused(fits(most + 1)), RegistryProblem::NotFound));
}

#[test]
fn a_blob_that_was_tampered_with_is_refused() {
    let registry = DockerRegistry::start();
    registry.push("a", "1", COMPONENT, None);
    let blob = registry.blob(Digest::of(COMPONENT));
    let tampered = |bytes: &[u8]| {
        fs::write(&blob, bytes).unwrap();
        refused(pull(&registry.reference("a:1")))
    };
    let (shorter, longer) = (&COMPONENT[..5], [COMPONENT, b"more"].concat());
    assert!(matches!(tampered(shorter), RegistryProblem::Truncated { stated: 19, found: 5 }));
    assert!(matches!(tampered(&longer), RegistryProblem::Longer { stated: 19 }));
    let other = COMPONENT.to_ascii_uppercase();
    let problem = tampered(&other);
    assert!(
        matches!(problem, RegistryProblem::Digest { found, .. } if found == Digest::of(&other)),
        "{problem}"
    );
}

#[test]
fn a_manifest_that_is_not_the_one_asked_for_is_refused() {
    let registry = DockerRegistry::start();
    let digest = registry.push("a", "1", COMPONENT, None);
    let blob = registry.blob(digest);
    let changed = fs::read_to_string(&blob).unwrap().replace("2", "3");
    fs::write(&blob, changed).unwrap();
    let problem = refused(pull(&registry.reference(&format!("a@{digest}"))));
    // The registry may notice it first.
    assert!(matches!(problem, RegistryProblem::Digest { .. } | RegistryProblem::Status(500)), "{problem}");
}

#[test]
fn a_registry_that_is_down_is_told() {
    let registry = DockerRegistry::start();
    registry.push("a", "1", COMPONENT, None);
    let reference = registry.reference("a:1");
    drop(registry);
    let error = pull(&reference).unwrap_err();
    assert!(matches!(error.problem, RegistryProblem::Unreachable(_)), "{error}");
    assert!(error.to_string().starts_with(&format!("{reference}: ")), "{error}");
}

#[test]
fn a_registry_that_never_answers_costs_no_more_than_the_time_allowed() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let reference = format!("{}/a:1", silent.local_addr().unwrap()).parse().unwrap();
    let timeout = Duration::from_millis(50);
    let problem = refused(pull_by(RegistryOptions { timeout, ..options() }, &reference));
    assert!(matches!(problem, RegistryProblem::Timeout(told) if told == timeout), "{problem}");
}
