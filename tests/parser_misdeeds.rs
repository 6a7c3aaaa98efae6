//! A compiled parser that does harm on demand (`tests/guests/hostile`): whatever it does, the built-in parser reads that
//! response, and the next call is fine.

use std::path::Path;
use std::time::Duration;

use runtime_signals::parsers::{Candidate, Install, Options};
use runtime_signals::{Observation, Store, StoreOptions};

use crate::support::{ManualClock, options};

/// What is read where the built-in parser reads, and where the hostile one does honestly.
const BUILT_IN: Option<u64> = Some(5);
const HONEST: Option<u64> = Some(9);

struct Scene {
    _state: tempfile::TempDir,
    store: Store,
}

impl Scene {
    fn new() -> Self {
        let state = tempfile::tempdir().unwrap();
        let own = Options {
            state_dir: Some(state.path().join("state")),
            allow_unsigned: true,
            most_faults: 1000,
            ..Options::default()
        };
        let store = Store::with_options(StoreOptions { parsers: Some(own), ..options(&ManualClock::new()) });
        let store = store.unwrap();
        let file = Path::new(env!("RUNTIME_SIGNALS_ENGINE_WASM")).with_file_name("hostile-parser.wasm");
        let candidate = Candidate::new(std::fs::read(file).unwrap(), None, "hostile-parser.wasm");
        store.parsers().unwrap().install(&candidate, Install::default()).unwrap();
        Self { _state: state, store }
    }

    /// The requests left that are read while the parser does this.
    fn reads(&self, deed: Option<&str>) -> Option<u64> {
        let mut headers = vec![
            ("x-left", "9"),
            ("x-ratelimit-remaining-requests", "5"),
            ("x-text", "Bearer sk-SECRET of 1,000 letters"),
        ];
        headers.extend(deed.map(|deed| ("x-hostile", deed)));
        let mut response = Observation::new("hostile", "hostile", &headers, Duration::from_millis(5));
        response.status = Some(200);
        self.store.parse(&response).unwrap().remaining_requests
    }

    fn faults(&self) -> u64 {
        self.store.parsers().unwrap().list()[0].faults
    }
}

#[test]
fn a_misdeed_costs_one_reading_of_the_parser_and_nothing_else() {
    let scene = Scene::new();
    let misdeeds = [
        "loop",
        "memory",
        "recursion",
        "trap",
        "limits",
        "string",
        "length",
        "utf8",
        "secret",
        "account",
        "malformed",
        "share",
        "time",
    ];
    for (before, deed) in (0_u64..).zip(misdeeds) {
        assert_eq!(scene.reads(Some(deed)), BUILT_IN, "{deed}");
        assert_eq!(scene.faults(), before + 1, "{deed}");
        assert_eq!(scene.reads(None), HONEST, "after {deed}");
    }
}

#[test]
fn an_instance_that_traps_when_it_is_handed_something_is_not_used_again() {
    let scene = Scene::new();
    scene.reads(Some("allocation"));
    assert_eq!(scene.faults(), 0);
    assert_eq!((scene.reads(None), scene.faults()), (BUILT_IN, 1));
    assert_eq!((scene.reads(None), scene.faults()), (HONEST, 1));
}

#[test]
fn a_trap_at_the_third_call_is_the_first_fault() {
    let scene = Scene::new();
    let reads: Vec<_> = (0..4).map(|_| scene.reads(Some("third"))).collect();
    assert_eq!(reads, [HONEST, HONEST, BUILT_IN, HONEST]);
    assert_eq!(scene.faults(), 1);
}

#[test]
fn a_response_that_is_declined_is_no_fault() {
    let scene = Scene::new();
    assert_eq!((scene.reads(Some("not-mine")), scene.faults()), (BUILT_IN, 0));
}
