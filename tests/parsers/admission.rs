//! The life of a parser, check by check: each refusal says what is wrong, and leaves in service what is there.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use runtime_signals::parsers::{Candidate, Digest, Install, ParserProblem};
use runtime_signals_component::{Statement, Version, state};

use super::guests::{Guest, component};
use super::{Scene, Signer, built, response};

/// Installs and expects a refusal that leaves in service what is there.
fn refused(scene: &Scene, candidate: &Candidate) -> String {
    let before = scene.versions();
    let error = scene.parsers().install(candidate, Install::default()).unwrap_err().to_string();
    assert_eq!(scene.versions(), before, "{error}");
    assert!(error.starts_with(&candidate.origin), "{error}");
    error
}

/// A scene in which version 1.5.0 serves and reads 15.
fn serving() -> Scene {
    let scene = Scene::new();
    scene.install(&Guest::reads("1.5.0", 15)).unwrap();
    scene
}

#[test]
fn a_signed_parser_serves_at_once_and_is_told_with_all_that_is_known_of_it() {
    let scene = Scene::new();
    assert_eq!(scene.reads(), Some(5));
    let bytes = built("acme-parser.wasm");
    let candidate = scene.signer.candidate(bytes.clone(), "acme.wasm");
    let installed = scene.parsers().install(&candidate, Install::default()).unwrap();
    assert_eq!((installed.name.as_str(), installed.version.as_str()), ("acme-parser", "1.0.0"));
    assert_eq!((installed.cases, installed.signer.as_deref()), (3, Some("publisher")));
    assert_eq!((installed.digest, installed.unchanged), (Digest::of(&bytes), false));
    let headers = [("x-acme-calls", "12/60"), ("x-acme-calls-renew", "30s"), ("x-left", "1")];
    let reading = scene.store.parse(&response(&headers)).unwrap();
    assert_eq!((reading.remaining_requests, reading.limits.len()), (Some(12), 1));

    scene.store.record(&response(&headers)).unwrap();
    assert_eq!(scene.store.recorded("acme").unwrap().quota_remaining, Some(12));
    let [status] = &scene.parsers().list()[..] else { panic!("one parser is listed") };
    assert_eq!((status.read, status.faults, status.origin.as_deref()), (5, 0, Some("acme.wasm")));
    assert!(scene.parsers().install(&candidate, Install::default()).unwrap().unchanged);
}

#[test]
fn it_is_kept_for_the_next_start_where_only_its_user_can_read_it() {
    let scene = serving();
    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let folder = scene.state_dir();
    assert_eq!(mode(&folder), 0o700);
    for file in fs::read_dir(folder.join("components")).unwrap().chain(fs::read_dir(&folder).unwrap()) {
        let file = file.unwrap().path();
        assert_eq!(mode(&file), if file.is_dir() { 0o700 } else { 0o600 }, "{}", file.display());
    }
    let keys = vec![scene.signer.trusted(&["acme"])];
    let options = |keys| runtime_signals::parsers::Options {
        state_dir: Some(scene.state_dir()),
        keys,
        ..Default::default()
    };
    let reads =
        |store: &runtime_signals::Store| store.parse(&response(&super::HEADERS)).unwrap().remaining_requests;
    assert_eq!(reads(&super::store(options(keys)).unwrap()), Some(15));
    // A key that is trusted no more takes its parsers with it.
    let distrusting = super::store(options(vec![Signer::new().trusted(&["acme"])])).unwrap();
    assert_eq!(reads(&distrusting), Some(5));
    let problem = distrusting.parsers().unwrap().list()[0].problem.clone().unwrap();
    assert!(problem.contains("a key that is not among `keys`"), "{problem}");
    // So does one whose kept bytes are not the same any more.
    let digest = scene.parsers().list()[0].digest.hex();
    fs::write(folder.join("components").join(digest).with_extension("wasm"), b"changed").unwrap();
    let damaged = super::store(options(vec![scene.signer.trusted(&["acme"])])).unwrap();
    assert_eq!(reads(&damaged), Some(5));
    let problem = damaged.parsers().unwrap().list()[0].problem.clone().unwrap();
    assert!(problem.contains("its digest is sha256:"), "{problem}");
}

#[test]
fn what_is_too_large_is_refused_before_its_signature_is_looked_at() {
    let scene = serving();
    let bytes = vec![0; (1 << 20) + 1];
    let error = refused(&scene, &Candidate::new(bytes, Some("no signature".into()), "huge.wasm"));
    assert!(error.contains("it has 1048577 bytes and may have 1048576"), "{error}");
}

#[test]
fn another_digest_than_the_one_that_was_asked_for_is_refused() {
    let scene = serving();
    let mut candidate = scene.signer.candidate(Guest::reads("2.0.0", 20).build(), "pulled");
    candidate.expected = Some(Digest::of(b"something else"));
    let error = refused(&scene, &candidate);
    assert!(error.contains(&format!("its digest is {}", Digest::of(&candidate.bytes))), "{error}");
    candidate.expected = Some(Digest::of(&candidate.bytes));
    scene.parsers().install(&candidate, Install::default()).unwrap();
    assert_eq!(scene.reads(), Some(20));
}

#[test]
fn a_signature_that_is_missing_foreign_or_of_another_file_is_refused_before_anything_is_parsed() {
    let scene = serving();
    // None of this is WebAssembly: it would be refused otherwise if it were looked into.
    let bytes = b"no component".to_vec();
    let with = |signature| Candidate::new(bytes.clone(), signature, "x.wasm");
    for (signature, problem) in [
        (None, "it is not signed"),
        (Some(String::new()), "its signature cannot be read"),
        (Some("x\n".repeat(10)), "its signature cannot be read"),
        (Some("x".repeat(1 << 20)), "its signature cannot be read: it has more than 4096 bytes"),
        (Some(Signer::new().sign(&bytes)), "a key that is not among `keys`"),
        (Some(scene.signer.sign(b"another file")), "the signature by key `publisher` is not of this file"),
        (Some(scene.signer.sign(&bytes)), "it is no WebAssembly component"),
    ] {
        let error = refused(&scene, &with(signature));
        assert!(error.contains(problem), "{error}");
    }
}

#[test]
fn unsigned_ones_are_accepted_by_an_explicit_setting_only() {
    let scene = Scene::with(|options| {
        options.keys.clear();
        options.allow_unsigned = true;
    });
    let candidate = Candidate::new(Guest::reads("1.0.0", 10).build(), None, "own.wasm");
    let installed = scene.parsers().install(&candidate, Install::default()).unwrap();
    assert_eq!((installed.signer, scene.reads()), (None, Some(10)));
}

#[test]
fn a_skew_of_versions_is_told_before_anything_is_compiled() {
    let scene = serving();
    let statement =
        Statement { interface: Version::new(0, 9, 0), name: "acme".into(), version: Version::new(2, 0, 0) };
    // The body is none that could be compiled.
    let bytes = state(b"\0asm\x0d\0\x01\0", &statement, "").unwrap();
    let error = refused(&scene, &scene.signer.candidate(bytes, "later.wasm"));
    assert_eq!(
        error,
        "later.wasm: it was made for version 0.9.0 of the parser interface, and this program offers 0.1.0; update \
         runtime-signals"
    );
}

#[test]
fn what_states_nothing_is_refused() {
    let scene = serving();
    let module = r#"(module (memory (export "memory") 1)
        (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) unreachable)
        (func (export "runtime-signals:signals/header-parsing@0.1.0#describe") (result i32) unreachable)
        (func (export "runtime-signals:signals/header-parsing@0.1.0#parse")
            (param i32 i32 i32 i32 i32 i32 i64 i32) (result i32) unreachable))"#;
    let bytes = component(module, "header-parser");
    let error = refused(&scene, &scene.signer.candidate(bytes, "mute.wasm"));
    assert!(error.contains("it does not state what it was made for"), "{error}");
}

#[test]
fn an_older_version_is_accepted_only_when_it_is_asked_for() {
    let scene = serving();
    let older = scene.signer.candidate(Guest::reads("1.4.9", 14).build(), "older.wasm");
    let error = refused(&scene, &older);
    assert!(
        error.contains("it is version 1.4.9, and 1.5.0 is in service; use `--allow-downgrade`"),
        "{error}"
    );
    scene.parsers().install(&older, Install { allow_downgrade: true, ..Install::default() }).unwrap();
    assert_eq!(scene.reads(), Some(14));
}

#[test]
fn another_world_and_anything_imported_are_refused() {
    let scene = serving();
    let statement = Statement::new("other", Version::new(1, 0, 0)).unwrap();
    let engine = state(runtime_signals::engine::COMPONENT, &statement, "").unwrap();
    let error = refused(&scene, &scene.signer.candidate(engine, "engine.wasm"));
    assert!(error.contains("it is no header parser: it exports "), "{error}");

    // Wrapped by hand: a parser's exports, and an import.
    for (import, problem) in
        [("wasi:clocks/x@0.2.0", "it imports WASI"), ("acme:net/x@0.1.0", "it imports acme:net/x@0.1.0")]
    {
        let text = format!(
            r#"(component
                (import "{import}" (instance))
                (instance $i)
                (export "runtime-signals:signals/header-parsing@0.1.0" (instance $i)))"#
        );
        let bytes = state(&wat::parse_str(text).unwrap(), &statement, "").unwrap();
        let error = refused(&scene, &scene.signer.candidate(bytes, "importing.wasm"));
        assert!(error.contains(problem), "{error}");
    }
    let empty =
        r#"(component (instance $i) (export "runtime-signals:signals/header-parsing@0.1.0" (instance $i)))"#;
    let bytes = state(&wat::parse_str(empty).unwrap(), &statement, "").unwrap();
    let error = refused(&scene, &scene.signer.candidate(bytes, "empty.wasm"));
    assert!(error.contains("it does not export `describe`"), "{error}");
}

#[test]
fn what_it_says_of_itself_has_to_be_true_and_permitted() {
    let scene = serving();
    let guest = || Guest::reads("2.0.0", 20);
    let statement = Statement::new("hostile", Version::new(3, 0, 0)).unwrap();
    for (guest, problem) in [
        (Guest { stated: Some(statement), ..guest() }, "its name or version is another than its file states"),
        (
            Guest { provider_type: "openai", ..guest() },
            "key `publisher` may not serve provider type `openai`",
        ),
        (Guest { provider_type: "A B", ..guest() }, "a provider type is not of the form"),
        (Guest { header: "X-Left", ..guest() }, "its name is no name in lower case"),
        (
            Guest { header: "authorization", ..guest() },
            "it asks for the header `authorization`, which carries credentials",
        ),
        (Guest { describe: "unreachable", ..guest() }, "it trapped: "),
        (Guest { describe: "(loop (br 0))", ..guest() }, "used more than 5ms of processor time"),
    ] {
        let error = refused(&scene, &scene.signer.candidate(guest.build(), "liar.wasm"));
        assert!(error.contains(problem), "{error}");
    }
    assert_eq!(scene.reads(), Some(15));
}

#[test]
fn its_own_cases_have_to_pass() {
    let scene = serving();
    let case = |expected: u64| {
        format!(
            "[[case]]\nname = \"always\"\nstatus = 200\nheaders = [[\"x-left\", \"1\"]]\n\
             now = \"2026-01-15T12:00:00Z\"\n[case.expect]\nremaining_requests = {expected}\n"
        )
    };
    let with =
        |cases: String| Guest { cases: Box::leak(cases.into_boxed_str()), ..Guest::reads("2.0.0", 20) };
    let error = refused(&scene, &scene.signer.candidate(with(case(21)).build(), "wrong.wasm"));
    let problem = "it does not pass its own cases: case `always`: remaining_requests: 21 expected, 20 found";
    assert!(error.contains(problem), "{error}");
    let error = refused(&scene, &scene.signer.candidate(with("[[case]".into()).build(), "torn.wasm"));
    assert!(error.contains("its cases cannot be read: "), "{error}");
    assert_eq!(scene.install(&with(case(20))).unwrap().cases, 1);
}

#[test]
fn it_is_tried_on_real_responses_before_it_serves() {
    let scene = serving();
    for _ in 0..3 {
        scene.store.record(&response(&super::HEADERS)).unwrap();
    }
    let trapping = Guest::new("2.0.0").parse("unreachable");
    let error = refused(&scene, &scene.signer.candidate(trapping.build(), "trapping.wasm"));
    assert!(error.contains("it trapped: ") && error.contains("on a real response of `acme`"), "{error}");

    let installed = scene.install(&Guest::reads("2.0.0", 20)).unwrap();
    assert_eq!((installed.compared, installed.differences.len()), (3, 3));
    let difference = &installed.differences[0];
    assert_eq!((difference.provider_type.as_str(), difference.status), ("acme", Some(200)));
    assert_eq!(difference.differs, ["remaining_requests: 15 expected, 20 found"]);
    assert_eq!(scene.install(&Guest::reads("2.0.1", 20)).unwrap().differences, []);
}

#[test]
fn a_file_that_is_exchanged_after_it_was_read_changes_nothing() {
    let scene = Scene::new();
    let file = scene.folder.path().join("acme.wasm");
    let good = Guest::reads("1.0.0", 10).build();
    fs::write(&file, &good).unwrap();
    let candidate = Candidate::new(fs::read(&file).unwrap(), Some(scene.signer.sign(&good)), "acme.wasm");
    fs::write(&file, Guest::reads("1.0.0", 66).build()).unwrap();
    let installed = scene.parsers().install(&candidate, Install::default()).unwrap();
    assert_eq!((installed.digest, scene.reads()), (Digest::of(&good), Some(10)));
}

#[test]
fn keys_that_are_none_and_folders_of_others_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let options = |key: &str| runtime_signals::parsers::Options {
        state_dir: Some(folder.path().join("parsers")),
        keys: vec![runtime_signals::parsers::TrustedKey {
            public_key: key.into(),
            ..Signer::new().trusted(&["acme"])
        }],
        ..Default::default()
    };
    let error = super::store(options("RWnone")).err().unwrap().to_string();
    assert!(
        error.starts_with("key `publisher` under `[parsers]`: `public_key` is no minisign key"),
        "{error}"
    );

    let signer = Signer::new();
    fs::create_dir(folder.path().join("parsers")).unwrap();
    fs::set_permissions(folder.path().join("parsers"), fs::Permissions::from_mode(0o755)).unwrap();
    // Nothing is read or written there.
    let store = super::store(options(&signer.public_key())).unwrap();
    let candidate = signer.candidate(Guest::reads("1.0.0", 10).build(), "acme.wasm");
    let installed = store.parsers().unwrap().install(&candidate, Install::default());
    let error = installed.unwrap_err().to_string();
    assert!(error.contains("others may enter it; run `chmod 700` on it"), "{error}");
}

#[test]
fn every_cut_and_random_bytes_are_refused_though_their_signature_is_good() {
    let scene = serving();
    let whole = Guest::reads("2.0.0", 20).build();
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = |below: usize| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        usize::try_from(random % below as u64).unwrap()
    };
    for _ in 0..60 {
        let cut = whole[..next(whole.len())].to_vec();
        let mut flipped = whole.clone();
        let at = next(whole.len());
        flipped[at] ^= 1 << next(8);
        let noise: Vec<u8> = (0..200).map(|_| u8::try_from(next(256)).unwrap()).collect();
        let headed = [b"\0asm\x0d\0\x01\0", &noise[..]].concat();
        for bytes in [cut, noise, headed] {
            let candidate = scene.signer.candidate(bytes, "broken.wasm");
            let refused = scene.parsers().install(&candidate, Install::default()).unwrap_err();
            assert!(!matches!(refused.problem, ParserProblem::WrongSignature { .. }), "{refused}");
        }
        // One bit may be without meaning; whatever comes of it, the process lives and the type is read.
        let _ = scene.parsers().verify(&scene.signer.candidate(flipped, "flipped.wasm"));
    }
    assert_eq!(scene.reads(), Some(15));
}
