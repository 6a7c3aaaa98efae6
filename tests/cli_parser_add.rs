//! `parser add` and `parser remove`, and what a running service makes of them and of its directory.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde_json::{Value, json};

use crate::cli::{Ended, Home};
use crate::parser_sources::docker_registry::DockerRegistry;
use crate::parsers::Signer;
use crate::parsers::guests::Guest;
use crate::serve::client::{ALONE, Service, configure, eventually};

/// A home whose configuration trusts a publisher, with more of `[parsers]`.
fn trusting(signer: &Signer, parsers: &str) -> Home {
    let home = Home::new();
    let key = signer.public_key();
    configure(
        &home,
        &format!(
            "{ALONE}[parsers]\n{parsers}\n[[parsers.keys]]\nname = \"acme-inc\"\npublic_key = \"{key}\"\n\
             provider_types = [\"acme\"]\n"
        ),
    );
    home
}

/// Writes a signed component, the signature first.
fn put(folder: &Path, name: &str, signer: &Signer, guest: &Guest) -> String {
    let (file, bytes) = (folder.join(name), guest.build());
    fs::write(folder.join(format!("{name}.minisig")), signer.sign(&bytes)).unwrap();
    fs::write(&file, bytes).unwrap();
    file.to_str().unwrap().to_owned()
}

/// Pushes a signed component.
fn push(registry: &DockerRegistry, tag: &str, signer: &Signer, guest: &Guest) -> String {
    let bytes = guest.build();
    registry.push("acme/parser", tag, &bytes, Some(&signer.sign(&bytes))).to_string()
}

/// The requests left that this home reads from a response of `acme`.
fn reads(home: &Home) -> Value {
    let ended = home.run_with(&["parse"], br#"{"type":"acme","status":200,"headers":{"x-left":"1"}}"#);
    ended.json()[0]["remaining_requests"].clone()
}

fn lock(home: &Home) -> String {
    fs::read_to_string(home.path(".config/runtime-signals/parsers.lock")).unwrap_or_default()
}

#[track_caller]
fn done(ended: Ended) -> Ended {
    assert_eq!(ended.status, 0, "{ended:?}");
    ended
}

#[test]
fn a_component_is_added_by_its_file_and_removed_by_its_name() {
    let signer = Signer::new();
    let home = trusting(&signer, "");
    let file = put(&home.path(""), "a.wasm", &signer, &Guest::reads("1.0.0", 10));
    let added = done(home.run(&["parser", "add", &file])).json();
    let told = &added[0];
    assert_eq!(
        (&told["name"], &told["version"], &told["signer"]),
        (&json!("hostile"), &json!("1.0.0"), &json!("acme-inc"))
    );
    assert_eq!(reads(&home), 10);
    let again = done(home.run(&["parser", "add", &file, "--format", "table"]));
    assert!(again.stdout.ends_with(": hostile 1.0.0 reads acme already\n"), "{again:?}");

    let older = put(&home.path(""), "b.wasm", &signer, &Guest::reads("0.9.0", 9));
    let refused = home.run(&["parser", "add", &older]);
    assert!(refused.status == 1 && refused.stderr.contains("`--allow-downgrade`"), "{refused:?}");
    done(home.run(&["parser", "add", &older, "--allow-downgrade"]));
    assert_eq!(reads(&home), 9);

    done(home.run(&["parser", "remove", "hostile"]));
    assert_eq!(reads(&home), Value::Null);
    let unknown = home.run(&["parser", "remove", "hostile"]);
    assert!(unknown.status == 1 && unknown.stderr.contains("no parser hostile is in service"), "{unknown:?}");
    assert_eq!(lock(&home), "");
}

#[test]
fn what_cannot_be_added_is_told_and_the_rest_goes_on() {
    let signer = Signer::new();
    let home = trusting(&signer, "");
    let good = put(&home.path(""), "good.wasm", &signer, &Guest::reads("1.0.0", 10));
    let unsigned = home.path("unsigned.wasm");
    fs::write(&unsigned, Guest::reads("2.0.0", 20).build()).unwrap();
    let sources = ["acme/parser:1", "./absent.wasm", unsigned.to_str().unwrap(), &good];
    let ended = home.run(&[["parser", "add"].as_slice(), &sources].concat());
    assert_eq!((ended.status, ended.json().len()), (1, 1), "{ended:?}");
    for part in [
        "\"acme/parser:1\" does not begin with a registry's host",
        "absent.wasm: it cannot be read",
        "unsigned.wasm: it is not signed",
    ] {
        assert!(ended.stderr.contains(part), "{part} in {}", ended.stderr);
    }
    assert_eq!(reads(&home), 10);
    let nothing = trusting(&signer, "").run(&["parser", "add"]);
    assert!(nothing.status == 1 && nothing.stderr.contains("the lock file has none"), "{nothing:?}");
}

#[test]
fn a_tag_that_is_moved_is_told_and_taken_only_when_asked_for() {
    let (signer, registry) = (Signer::new(), DockerRegistry::start());
    let home = trusting(&signer, "");
    let first = push(&registry, "1", &signer, &Guest::reads("1.0.0", 10));
    let reference = registry.reference("acme/parser:1").to_string();
    let added = done(home.run(&["parser", "add", &reference]));
    assert_eq!((added.stderr.as_str(), &added.json()[0]["locked"]), ("", &json!(first)));
    assert!(
        lock(&home).contains(&format!("reference = \"{reference}\"\ndigest = \"{first}\"\n")),
        "{}",
        lock(&home)
    );

    let second = push(&registry, "1", &signer, &Guest::reads("1.1.0", 11));
    let kept = done(home.run(&["parser", "add", &reference]));
    assert!(kept.stderr.contains(&format!("names {second} now; {first} is taken")), "{kept:?}");
    assert_eq!((reads(&home), kept.json()[0]["unchanged"].clone()), (json!(10), json!(true)));

    // With the same lock file it is the same elsewhere.
    let elsewhere = trusting(&signer, "");
    fs::write(elsewhere.path(".config/runtime-signals/parsers.lock"), lock(&home)).unwrap();
    let same = done(elsewhere.run(&["parser", "add"]));
    assert_eq!(same.json()[0]["digest"], kept.json()[0]["digest"]);
    assert_eq!(reads(&elsewhere), 10);

    let updated = done(home.run(&["parser", "add", "--update", &reference]));
    assert_eq!((updated.stderr.as_str(), &updated.json()[0]["locked"]), ("", &json!(second)));
    assert_eq!(reads(&home), 11);
    assert!(lock(&home).contains(&second) && !lock(&home).contains(&first), "{}", lock(&home));

    done(home.run(&["parser", "remove", "hostile"]));
    assert!(!lock(&home).contains("acme/parser"), "{}", lock(&home));
}

#[test]
fn what_is_refused_is_not_locked() {
    let (signer, registry) = (Signer::new(), DockerRegistry::start());
    let home = trusting(&signer, "");
    push(&registry, "1", &Signer::new(), &Guest::reads("1.0.0", 10));
    let reference = registry.reference("acme/parser:1").to_string();
    let refused = home.run(&["parser", "add", &reference]);
    assert!(refused.status == 1 && refused.stderr.contains("not among `keys`"), "{refused:?}");
    assert_eq!((lock(&home).as_str(), reads(&home)), ("", Value::Null));
}

#[test]
fn credentials_are_taken_from_the_docker_configuration_and_its_helpers() {
    let (signer, registry) = (Signer::new(), DockerRegistry::start_private());
    let home = trusting(&signer, "");
    push(&registry, "1", &signer, &Guest::reads("1.0.0", 10));
    let reference = registry.reference("acme/parser:1").to_string();
    let refused = home.run(&["parser", "add", &reference]);
    assert!(refused.status == 1 && refused.stderr.contains("`docker login "), "{refused:?}");

    let helper = home.path("docker-credential-ours");
    let answer = json!({"ServerURL": registry.host(), "Username": "test", "Secret": "pass word"});
    fs::write(&helper, format!("#!/bin/sh\nread -r server\n[ \"$server\" ] && echo '{answer}'\n")).unwrap();
    fs::set_permissions(&helper, fs::Permissions::from_mode(0o755)).unwrap();
    let folder = home.path("docker");
    fs::create_dir(&folder).unwrap();
    let by_helper = json!({"credHelpers": {registry.host(): "ours"}}).to_string();
    let stored = fs::read_to_string(registry.docker_config()).unwrap();
    for config in [by_helper, stored] {
        fs::write(folder.join("config.json"), config).unwrap();
        let path = std::env::join_paths([&home.path(""), Path::new("/usr/bin"), Path::new("/bin")]).unwrap();
        let mut command = home.command(&["parser", "add", &reference]);
        command.env("DOCKER_CONFIG", &folder).env("PATH", path);
        done(Ended::from(command.output().unwrap()));
    }
    assert_eq!(reads(&home), 10);
}

#[test]
fn a_service_takes_in_its_directory_its_references_and_what_is_added_beside_it() {
    let (signer, registry) = (Signer::new(), DockerRegistry::start());
    let locked = push(&registry, "1", &signer, &Guest::reads("1.0.0", 10));
    let folder = tempfile::tempdir().unwrap();
    let settings =
        format!("directory = {:?}\nsources = [\"{}\"]\n", folder.path(), registry.reference("acme/parser:1"));
    let service = Service::at(trusting(&signer, &settings), &[]);
    let becomes = |requests: Value| eventually(|| (left(&service) == requests).then_some(()));
    becomes(json!(10));
    eventually(|| lock(&service.home).contains(&locked).then_some(()));

    put(folder.path(), "a.wasm", &signer, &Guest::reads("2.0.0", 20));
    becomes(json!(20));
    // One that is refused changes nothing.
    put(folder.path(), "b.wasm", &Signer::new(), &Guest::reads("9.0.0", 90));
    put(folder.path(), "a.wasm", &signer, &Guest::reads("3.0.0", 30));
    becomes(json!(30));
    let kept = service.home.run(&["parser", "remove", "hostile"]);
    assert!(kept.status == 1 && kept.stderr.contains("a.wasm: remove the file"), "{kept:?}");
    fs::remove_file(folder.path().join("a.wasm")).unwrap();
    becomes(Value::Null);

    let file = put(&service.home.path(""), "c.wasm", &signer, &Guest::reads("4.0.0", 40));
    done(service.home.run(&["parser", "add", &file]));
    becomes(json!(40));
    let log = service.end();
    assert!(log.contains("b.wasm: it is signed by a key that is not among `keys`"), "{log}");
}

/// The requests left that a service reads from a response of `acme`, of a provider that nothing is known of.
fn left(service: &Service) -> Value {
    use std::sync::atomic::{AtomicUsize, Ordering};
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let provider = format!("p{}", COUNT.fetch_add(1, Ordering::Relaxed));
    let call = json!({"provider": provider, "type": "acme", "status": 200, "headers": {"x-left": "1"}, "latency_ms": 5});
    service.observe(&[call]);
    service.signal(&provider)["quota_remaining"].clone()
}
