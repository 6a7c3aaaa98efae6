//! Profiles taken in by a store: again and again, without ever harming what it does.

use std::fs;
use std::path::Path;
use std::time::Duration;

use runtime_signals::profiles::ProfileProblem;
use runtime_signals::{Observation, Store, StoreOptions};

use crate::support::{ManualClock, options};

fn store(directory: Option<&Path>) -> Store {
    let options = options(&ManualClock::new());
    Store::with_options(StoreOptions { profiles: directory.map(Path::to_owned), ..options }).unwrap()
}

/// A profile with one header and one case.
fn profile(provider_type: &str, header: &str, expected: u64) -> String {
    format!(
        "type = \"{provider_type}\"\n[[limit]]\nquantity = \"requests\"\nrefill = \"window_edge\"\n\
         remaining = \"{header}\"\n[[case]]\nname = \"three left\"\nstatus = 200\n\
         headers = [[\"{header}\", \"3\"]]\nnow = \"2026-01-15T12:00:00Z\"\n\
         [case.expect]\nremaining_requests = {expected}\n"
    )
}

/// What a store reads from one header of a response of that type.
fn read(store: &Store, provider_type: &str, header: &str) -> Option<u64> {
    let headers = [(header, "9")];
    let response = Observation::new("", provider_type, &headers, Duration::ZERO);
    store.parse(&response).unwrap().remaining_requests
}

#[test]
fn without_a_directory_there_are_no_profiles() {
    let store = store(None);
    assert!(store.profiles().loaded.is_empty() && store.profiles().refused.is_empty());
}

#[test]
fn what_was_recorded_stays_when_profiles_are_loaded_later() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(Some(folder.path()));
    let headers = [("x-ratelimit-remaining-requests", "5")];
    store.record_response("mine", &headers, Duration::from_millis(5), "mine").unwrap();
    assert_eq!(store.recorded("mine").unwrap().quota_remaining, Some(5));

    fs::write(folder.path().join("mine.toml"), profile("mine", "x-mine-left", 3)).unwrap();
    let report = store.load_profiles(folder.path());
    assert_eq!(report.loaded[0].provider_type, "mine");
    assert_eq!(report.loaded[0].cases, 1);
    assert_eq!(store.profiles().loaded, report.loaded);
    assert_eq!(store.recorded("mine").unwrap().quota_remaining, Some(5));
    store.record_response("mine", &[("x-mine-left", "4")], Duration::from_millis(5), "mine").unwrap();
    assert_eq!(store.recorded("mine").unwrap().quota_remaining, Some(4));
}

#[test]
fn a_file_that_is_no_longer_good_leaves_its_profile_in_service() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("mine.toml");
    fs::write(&file, profile("mine", "x-mine-left", 3)).unwrap();
    let store = store(Some(folder.path()));
    assert_eq!(read(&store, "mine", "x-mine-left"), Some(9));

    for bad in [profile("mine", "x-other-left", 4), "type = ".into()] {
        fs::write(&file, bad).unwrap();
        let report = store.load_profiles(folder.path());
        assert!(report.loaded.is_empty());
        assert_eq!(report.refused[0].path, file);
        assert_eq!(read(&store, "mine", "x-mine-left"), Some(9));
        assert_eq!(read(&store, "mine", "x-other-left"), None);
    }

    fs::write(&file, profile("mine", "x-other-left", 3)).unwrap();
    assert!(store.load_profiles(folder.path()).refused.is_empty());
    assert_eq!(read(&store, "mine", "x-other-left"), Some(9));
    assert_eq!(read(&store, "mine", "x-mine-left"), None);
}

#[test]
fn files_that_did_not_change_can_be_loaded_for_ever() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("good.toml"), profile("good", "x-good-left", 3)).unwrap();
    fs::write(folder.path().join("wrong.toml"), profile("wrong", "x-wrong-left", 4)).unwrap();
    let store = store(None);
    for _ in 0..300 {
        let report = store.load_profiles(folder.path());
        assert_eq!((report.loaded.len(), report.refused.len()), (1, 1));
        assert!(matches!(report.refused[0].problem, ProfileProblem::Cases(_)));
    }
    assert_eq!(read(&store, "good", "x-good-left"), Some(9));
}

#[test]
fn more_profiles_than_the_engine_holds_are_refused_and_the_store_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("mine.toml");
    let store = store(None);
    let mut taken = 0;
    for version in 0..300 {
        fs::write(&file, profile("mine", &format!("x-left-{version}"), 3)).unwrap();
        let report = store.load_profiles(folder.path());
        taken += report.loaded.len();
        assert!(report.refused.iter().all(|error| matches!(error.problem, ProfileProblem::Full)));
    }
    assert_eq!(taken, 128);
    assert_eq!(read(&store, "mine", "x-left-127"), Some(9));
    assert_eq!(read(&store, "mine", "x-left-128"), None);
    assert_eq!(read(&store, "openai", "x-ratelimit-remaining-requests"), Some(9));
}

#[test]
fn the_largest_profiles_leave_room_for_everything_else() {
    let folder = tempfile::tempdir().unwrap();
    for number in 0..100 {
        let mut text = format!("extends = \"openai\"\n{}", profile(&format!("t{number}"), "x-mine-left", 3));
        for rule in 0.. {
            let words: Vec<String> =
                (0..32).map(|word| format!("\"{number}-{rule}-{word}-{}\"", "x".repeat(24))).collect();
            let more = format!("[[refusal]]\nclass = \"rate\"\nwords = [{}]\n", words.join(","));
            if rule == 30 || text.len() + more.len() > 64 << 10 {
                break;
            }
            text += &more;
        }
        fs::write(folder.path().join(format!("{number:02}.toml")), text).unwrap();
    }
    let store = store(Some(folder.path()));
    let report = store.profiles();
    assert!(!report.loaded.is_empty(), "{:?}", report.refused.first());
    assert!(
        report.refused.iter().all(|error| matches!(error.problem, ProfileProblem::Full)),
        "{:?}",
        report.refused
    );
    assert_eq!(report.loaded.len() + report.refused.len(), 100);
    assert_eq!(read(&store, "t0", "x-mine-left"), Some(9));
    assert_eq!(read(&store, "openai", "x-ratelimit-remaining-requests"), Some(9));
}

#[test]
fn the_cases_of_every_built_in_profile_pass_as_a_users_own() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(None);
    let mut wrong = Vec::new();
    for (name, text) in runtime_signals_profile::toml::builtin() {
        let file = folder.path().join(format!("{name}.toml"));
        fs::write(&file, text).unwrap();
        if let Err(error) = store.check_profile(&file)
            && *name != "common"
        {
            wrong.push(error.to_string());
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_example_of_the_documentation_passes_and_every_key_is_explained_there() {
    let page = include_str!("../docs/profiles.md");
    let (_, rest) = page.split_once("```toml\n").unwrap();
    let (example, _) = rest.split_once("```\n").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("example.toml");
    fs::write(&file, example).unwrap();
    let checked = store(None).check_profile(&file).unwrap();
    assert_eq!((checked.provider_type.as_str(), checked.cases), ("my-gateway", 2));

    // The parser lists the keys of a table where it finds another one.
    let mut keys = 0;
    for table in ["", "[[limit]]", "[headers]", "[[refusal]]", "[[case]]", "[case.expect]"] {
        let case = if table == "[case.expect]" {
            "[[case]]\nname=\"n\"\nstatus=200\nnow=\"2026-01-15T12:00:00Z\"\n"
        } else {
            ""
        };
        let text = format!(
            "{}{case}{table}\nno-such-key = 1\n",
            if table.is_empty() { "" } else { "type = \"t\"\n" }
        );
        let error = runtime_signals_profile::toml::parse(&text).unwrap_err();
        assert_eq!(error.problem, "there is no such key", "{table}");
        for key in error.remedy.split('`').skip(1).step_by(2) {
            assert!(page.contains(&format!("`{key}`")), "{table} {key}");
            keys += 1;
        }
    }
    assert!(keys > 50, "{keys}");
}
