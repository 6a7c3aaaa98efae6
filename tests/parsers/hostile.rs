//! Parsers that do harm: each ends in an error of its own, the response is read by the built-in parser, and the next
//! call is fine.

use std::time::Instant;

use runtime_signals::parsers::{Candidate, Options, ParserProblem, Stop};

use super::guests::{ANSWER, Guest, limits, malformed, remaining_requests};
use super::{HEADERS, Scene, response};
use crate::support::resident_kib;

/// How often a thing is done: as named by the variable, else few enough for each run of the tests.
fn times(few: usize) -> usize {
    std::env::var("RUNTIME_SIGNALS_PARSER_TEST_TIMES")
        .ok()
        .and_then(|times| times.parse().ok())
        .unwrap_or(few)
}

/// A function that calls itself without an end.
const RECURSION: &str = "(func $deep (param i64) (result i64)
    (i64.add (call $deep (i64.add (local.get 0) (i64.const 1))) (local.get 0)))";

/// What each of them does, and how its end is told.
fn hostile() -> Vec<(&'static str, Guest, &'static str)> {
    let guest = |parse: &str| Guest::new("1.0.0").parse(parse);
    let texts_at = 1024;
    let grow = "(loop (br_if 0 (i32.ne (memory.grow (i32.const 1)) (i32.const -1)))) unreachable";
    let deep = Guest { parts: RECURSION, ..guest("(drop (call $deep (i64.const 0)))") };
    let invalid = "(i32.store (i32.const 8192) (i32.const -1))";
    // A limit of now, with something wrong in it.
    let one_limit = |wrong: &str| {
        let captured = "(i64.store (i32.const 8320) (i64.const 1768478400))";
        guest(&format!("{} {captured} {wrong}", limits(8192, 1)))
    };
    let no_share = "(i32.store8 (i32.const 8280) (i32.const 1)) (i64.store (i32.const 8288) (i64.const 0x7ff8000000000001))";
    let pool = "(i32.store (i32.const 8220) (i32.const 8192)) (i32.store (i32.const 8224) (i32.const 3))";
    let no_reason = format!(
        "(i32.store8 (i32.const {}) (i32.const 1)) (i32.store8 (i32.const {}) (i32.const 99))",
        ANSWER + 92,
        ANSWER + 93
    );
    vec![
        ("an endless loop", guest("(loop (br 0))"), "used more than 5ms of processor time"),
        ("all memory", guest(grow), "needed more than 4194304 bytes of memory"),
        ("deep recursion", deep, "call stack exhausted"),
        ("a trap", guest("unreachable"), "unreachable"),
        ("a trap in the allocator", Guest { allocate: "unreachable", ..guest("") }, "unreachable"),
        ("an allocator that lies", Guest { allocate: "(return (i32.const -8))", ..guest("") }, "trapped"),
        ("an answer outside of memory", guest("(return (i32.const -4))"), "trapped"),
        ("a million limits", guest(&limits(8192, 1_000_000)), "trapped"),
        ("as many limits as fit", guest(&limits(8192, 800)), "trapped: "),
        ("33 limits", guest(&limits(8192, 33)), "more than 32 limits"),
        ("a gigantic text", guest(&malformed(texts_at, 100_000)), "trapped: "),
        ("a text outside of memory", guest(&malformed(texts_at, 1 << 30)), "trapped"),
        ("invalid UTF-8", guest(&format!("{invalid} {}", malformed(8192, 4))), "utf-8"),
        (
            "a number out of range",
            guest(&remaining_requests(u64::MAX)),
            "`remaining-requests` is out of range",
        ),
        ("a share that is none", one_limit(no_share), "`utilization` is out of range"),
        ("a text that tells more than it may", one_limit(pool), "`pool` is not of the form"),
        ("a time long ago", guest(&limits(8192, 1)), "`captured-at` is no time within ten years"),
        ("an enumeration that has no such case", guest(&no_reason), "trapped"),
    ]
}

#[test]
fn each_ends_in_an_error_of_its_own_and_the_next_call_is_fine() {
    for (what, guest, told) in hostile() {
        let scene = Scene::with(|options| options.most_faults = 1000);
        scene.install(&guest).unwrap_or_else(|error| panic!("{what}: {error}"));
        for faults in 1..=2 {
            scene.store.record(&response(&HEADERS)).unwrap();
            assert_eq!(scene.store.recorded("acme").unwrap().quota_remaining, Some(5), "{what}");
            assert_eq!(scene.parsers().list()[0].faults, faults, "{what}");
        }
        // The trial of another version meets the same end, and says it.
        let again = Guest { version: "1.0.1", ..guest };
        match scene.install(&again) {
            Err(error) => {
                assert!(matches!(error.problem, ParserProblem::Shadow { .. }), "{what}: {error}");
                assert!(error.to_string().to_lowercase().contains(told), "{what}: {error}");
            }
            // What is refused of a reading is told as a difference.
            Ok(installed) => {
                let differs = installed.differences[0].differs.join(", ");
                assert!(differs.contains(told), "{what}: {differs}");
            }
        }
        assert_eq!(scene.reads(), Some(5), "{what}");
    }
}

#[test]
fn a_component_cannot_have_more_than_its_memory_by_many_parts() {
    let scene = Scene::new();
    let parts = "(memory 60) (memory 60)";
    let installed = scene.install(&Guest { parts, ..Guest::new("1.0.0") });
    let problem = installed.unwrap_err().problem;
    assert!(
        matches!(problem, ParserProblem::Failed(Stop::OutOfMemory(4_194_304)) | ParserProblem::Compile(_)),
        "{problem}"
    );
    let table = Guest { parts: "(table 600000 funcref)", ..Guest::new("1.0.0") };
    let problem = scene.install(&table).unwrap_err().problem;
    assert!(matches!(problem, ParserProblem::Failed(Stop::OutOfMemory(4_194_304))), "{problem}");
}

#[test]
fn wasi_may_be_imported_where_its_key_allows_it_and_is_the_same_each_time() {
    let guest = Guest { wasi: true, ..Guest::reads("1.0.0", 10) };
    let refused = Scene::new().install(&guest).unwrap_err().to_string();
    assert!(
        refused.contains("it imports WASI; build it without, or mark its key with `allow_wasi`"),
        "{refused}"
    );
    // It tells a random number.
    let tells = "(i32.store8 (i32.const 4104) (i32.const 1))
        (i64.store (i32.const 4112) (i64.and (call $wasi) (i64.const 0xffff)))";
    let random = guest.parse(tells);
    let told = || {
        let scene = Scene::with(|options| options.keys[0].allow_wasi = true);
        scene.install(&random).unwrap();
        let read = [scene.reads(), scene.reads()];
        assert_eq!(scene.parsers().list()[0].faults, 0);
        read
    };
    let first = told();
    assert_ne!(first[0], first[1]);
    assert_eq!(first, told());
}

#[test]
fn what_it_must_not_be_sent_does_not_get_in() {
    let scene = Scene::with(|options: &mut Options| options.deny_headers = vec!["x-private-*".into()]);
    // It tells how many bytes of headers it was sent.
    let tells = "(i32.store8 (i32.const 4104) (i32.const 1))
        (i64.store (i32.const 4112) (i64.extend_i32_u (local.get $length)))";
    let all = Guest { header: "x-", kind: 1, ..Guest::new("1.0.0") }.parse(tells);
    scene.install(&all).unwrap();
    let reads = |headers: [(&'static str, &'static str); 3]| {
        scene.store.parse(&response(&headers)).unwrap().remaining_requests
    };
    assert_eq!(
        reads([("x-api-key", "SECRET"), ("authorization", "SECRET"), ("x-private-a", "SECRET")]),
        Some(0)
    );
    // A frame: number, length, length of the name, name, value.
    assert_eq!(reads([("X-Left", "12"), ("set-cookie", "SECRET"), ("y", "1")]), Some(1 + 2 + 1 + 6 + 2));
}

#[test]
fn bodies_are_sent_of_errors_only_where_they_are_asked_for_and_in_part() {
    // It tells how long the body was that it was sent, and 1 for none.
    let tells = "(i32.store8 (i32.const 4104) (i32.const 1))
        (i64.store (i32.const 4112) (i64.const 1))
        (if (local.get 3) (then (i64.store (i32.const 4112) (i64.extend_i32_u (local.get 5)))))";
    for (wants_body, status, sent) in [(true, 429, 65_536), (true, 200, 1), (false, 429, 1)] {
        let scene = Scene::new();
        scene.install(&Guest { wants_body, ..Guest::new("1.0.0") }.parse(tells)).unwrap();
        let body = vec![b'x'; 100_000];
        let mut response = response(&HEADERS);
        (response.status, response.body) = (Some(status), Some(&body[..]));
        let reading = scene.store.parse(&response).unwrap();
        assert_eq!(reading.remaining_requests, Some(sent), "{wants_body} {status}");
    }
}

#[test]
fn why_a_response_is_malformed_is_not_told_in_words_that_could_carry_a_secret() {
    let scene = Scene::new();
    // It repeats the value of the header.
    let tells = "(i32.store8 (i32.const 4096) (i32.const 1)) (i32.store8 (i32.const 4104) (i32.const 1))
        (i32.store (i32.const 4108) (i32.add (local.get $headers) (i32.const 3)))
        (i32.store (i32.const 4112) (i32.sub (local.get $length) (i32.const 3)))";
    let headers = [("x-left", "Bearer SECRET"), ("x-ratelimit-remaining-requests", "5"), ("y", "1")];
    scene.store.record(&response(&headers)).unwrap();
    let installed = scene.install(&Guest::new("1.0.0").parse(tells)).unwrap();
    assert_eq!(
        installed.differences[0].differs,
        ["it is malformed: it says why in other words than may be shown"]
    );
    assert_eq!(scene.store.parse(&response(&headers)).unwrap().remaining_requests, Some(5));
}

#[test]
fn memory_stays_flat_over_many_hostile_calls() {
    let scene = Scene::with(|options| options.most_faults = u32::MAX);
    let traps = Guest::new("1.0.0").parse(
        "(drop (memory.grow (i32.const 20)))
        (memory.fill (i32.const 131072) (i32.const 7) (i32.const 1310720)) unreachable",
    );
    scene.install(&traps).unwrap();
    let call = || assert_eq!(scene.reads(), Some(5));
    (0..200).for_each(|_| call());
    let before = resident_kib("self");
    let began = Instant::now();
    let calls = times(500);
    (0..calls).for_each(|_| call());
    let after = resident_kib("self");
    eprintln!("{calls} hostile calls in {:?}: {before} KiB, then {after} KiB", began.elapsed());
    // Other tests of this process run beside this one.
    assert!(after < before + allowed_kib(), "{before} KiB grew to {after} KiB");
}

#[test]
fn memory_stays_flat_over_many_swaps() {
    let scene = Scene::new();
    let candidates: Vec<Candidate> = ["1.0.0", "1.0.1"]
        .map(|version| scene.signer.candidate(Guest::reads(version, 10).build(), version))
        .into();
    let how = runtime_signals::parsers::Install { allow_downgrade: true, ..Default::default() };
    let swap = |number: usize| {
        scene.parsers().install(&candidates[number % 2], how).unwrap();
        assert_eq!(scene.reads(), Some(10));
    };
    (0..20).for_each(swap);
    let before = resident_kib("self");
    let began = Instant::now();
    let swaps = times(100);
    (0..swaps).for_each(swap);
    let after = resident_kib("self");
    eprintln!("{swaps} swaps in {:?}: {before} KiB, then {after} KiB", began.elapsed());
    assert!(after < before + allowed_kib(), "{before} KiB grew to {after} KiB");
}

/// Alone, as with `--test-threads 1`, the process may grow by 2 MiB; beside other tests by what those need.
fn allowed_kib() -> u64 {
    let arguments: Vec<_> = std::env::args().collect();
    let alone = arguments.iter().any(|argument| argument == "--test-threads=1")
        || arguments.windows(2).any(|pair| pair == ["--test-threads", "1"]);
    if alone { 2048 } else { 256 * 1024 }
}
