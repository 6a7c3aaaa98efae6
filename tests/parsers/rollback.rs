//! The way back: by hand, and by itself when a parser keeps failing.

use runtime_signals::parsers::Install;

use super::guests::Guest;
use super::{HEADERS, Scene, response};

/// One that traps at each third call of an instance.
fn third_call_traps(version: &'static str) -> Guest {
    let trap = "(if (i32.eq (global.get $calls) (i32.const 3)) (then unreachable))";
    let guest = Guest::reads(version, 20);
    let parse = format!("{trap} {}", guest.parse);
    guest.parse(parse)
}

#[test]
fn a_parser_that_keeps_failing_gives_way_to_the_one_before_and_does_not_come_back_by_itself() {
    let scene = Scene::new();
    scene.install(&Guest::reads("1.0.0", 10)).unwrap();
    let failing = third_call_traps("2.0.0");
    scene.install(&failing).unwrap();
    let read: Vec<_> = (0..12).map(|_| scene.reads()).collect();
    // Each failure is read by the built-in parser; the third one is the last.
    let (good, built_in, before) = (Some(20), Some(5), Some(10));
    let turn = [good, good, built_in];
    assert_eq!(read, [&turn[..], &turn, &turn, &[before; 3]].concat());
    assert_eq!(scene.versions(), (Some("1.0.0".into()), None));

    let withdrawn = scene.parsers().list().pop().unwrap();
    assert!(withdrawn.problem.unwrap().contains("unreachable"));
    let error = scene.install(&failing).unwrap_err().to_string();
    assert!(
        error.starts_with("2.0.0: it was taken out of service 20") && error.contains("trapped"),
        "{error}"
    );
    let again = scene.signer.candidate(failing.build(), "again");
    scene.parsers().install(&again, Install { retry_withdrawn: true, ..Install::default() }).unwrap();
    assert_eq!(scene.reads(), Some(20));
}

#[test]
fn without_one_before_the_built_in_parser_serves_again_also_after_a_start() {
    let scene = Scene::new();
    scene.install(&Guest::reads("1.0.0", u64::MAX)).unwrap();
    for _ in 0..4 {
        scene.store.record(&response(&HEADERS)).unwrap();
    }
    assert_eq!(scene.versions(), (None, None));
    let samples = scene.store.recorded("acme").unwrap().latency.unwrap().count;
    assert_eq!(samples, 4);
    let keys = vec![scene.signer.trusted(&["acme"])];
    let options =
        runtime_signals::parsers::Options { state_dir: Some(scene.state_dir()), keys, ..Default::default() };
    let later = super::store(options).unwrap();
    let [withdrawn] = &later.parsers().unwrap().list()[..] else { panic!("one is remembered") };
    assert!(withdrawn.problem.as_ref().unwrap().contains("`remaining-requests` is out of range"));
}

#[test]
fn what_it_declines_is_no_failure() {
    let scene = Scene::new();
    let declines = "(i32.store8 (i32.const 4096) (i32.const 1))";
    scene.install(&Guest::new("1.0.0").parse(declines)).unwrap();
    (0..10).for_each(|_| assert_eq!(scene.reads(), Some(5)));
    let status = &scene.parsers().list()[0];
    assert_eq!((status.declined, status.faults), (10, 0));
}

#[test]
fn a_rollback_by_hand_goes_back_and_forth_by_type_or_by_name() {
    let scene = Scene::new();
    assert!(scene.parsers().rollback("acme").unwrap_err().to_string().starts_with("acme: no parser or "));
    scene.install(&Guest::reads("1.0.0", 10)).unwrap();
    scene.install(&Guest::reads("2.0.0", 20)).unwrap();
    assert_eq!(scene.parsers().rollback("acme").unwrap(), ["acme"]);
    assert_eq!((scene.reads(), scene.versions()), (Some(10), (Some("1.0.0".into()), Some("2.0.0".into()))));
    scene.parsers().rollback("hostile").unwrap();
    assert_eq!(scene.reads(), Some(20));
    let digest = scene.parsers().list()[0].digest;
    assert_eq!(scene.parsers().remove(digest).unwrap(), ["acme"]);
    assert_eq!((scene.reads(), scene.parsers().remove(digest).unwrap().len()), (Some(5), 0));
    scene.parsers().rollback("acme").unwrap();
    assert_eq!(scene.reads(), Some(20));
}

#[test]
fn another_process_sees_a_change_when_it_looks() {
    let scene = Scene::new();
    let other = super::store(scene.options()).unwrap();
    scene.install(&Guest::reads("1.0.0", 10)).unwrap();
    assert!(other.parsers().unwrap().refresh().unwrap());
    assert!(!other.parsers().unwrap().refresh().unwrap());
    assert_eq!(other.parse(&response(&HEADERS)).unwrap().remaining_requests, Some(10));
    other.parsers().unwrap().rollback("acme").unwrap();
    scene.parsers().refresh().unwrap();
    assert_eq!(scene.reads(), Some(5));
}
