//! A disk that fails under a running service: it answers from memory, says so, and brings everything to the disk
//! when that works again.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Command;

use serde_json::{Value, json};

use super::client::{ALONE, Service, configure, eventually};
use crate::cli::{Home, call};
use crate::io_errors::IoErrors;
use crate::small_disk::{self, SmallDisk};

const REFUSED: u16 = 429;

fn exhausted(provider: &str) -> Value {
    call(provider, REFUSED, json!({"retry-after": "600"}))
}

/// The state of a provider that is stored at a place, if there is one.
fn status_at(path: &PathBuf) -> Option<String> {
    let signal: Value = serde_json::from_slice(&fs::read(path).ok()?).unwrap();
    Some(signal["status"].as_str().unwrap().to_owned())
}

#[track_caller]
fn accepted(service: &Service, provider: &str) {
    let answer = service.observe(&[exhausted(provider)]);
    assert_eq!((answer.status, &answer.json()["accepted"]), (200, &json!(1)), "{answer:?}");
    assert_eq!(service.signal(provider)["status"], "exhausted");
}

/// Calls come in before, during and after a fault: of a provider that is stored and of one that is new. `entry` tells
/// where a provider is stored, `error` what the service says of the fault.
fn goes_on(
    service: &Service,
    entry: impl Fn(&str) -> PathBuf,
    error: &str,
    begin: impl FnOnce(),
    end: impl FnOnce(),
) {
    let stored = |provider: &str| eventually(|| status_at(&entry(provider)));
    assert_eq!(service.observe(&[call("known", 200, json!({}))]).status, 200);
    assert_eq!(stored("known"), "available");
    assert!(service.get("/readyz").json().get("cache").is_none());

    begin();
    accepted(service, "known");
    accepted(service, "new");
    let ready = eventually(|| {
        let answer = service.get("/readyz");
        assert_eq!(answer.status, 200, "{answer:?}");
        Some(answer.json()).filter(|ready| ready["cache"]["unwritten"] == 2)
    });
    let told = ready["cache"]["error"].as_str().unwrap();
    assert!(told.contains(error) && !told.contains("runtime"), "{told}");
    assert!(service.get("/metrics").body.contains("\nruntime_signals_cache_unwritten 2\n"));
    assert_eq!(service.get("/healthz").status, 200);
    accepted(service, "known");
    let wait = service.get("/v1/wait?provider=new");
    assert_eq!(wait.status, 200, "{wait:?}");

    end();
    eventually(|| service.get("/readyz").json().get("cache").is_none().then_some(()));
    for provider in ["known", "new"] {
        eventually(|| status_at(&entry(provider)).filter(|status| status == "exhausted"));
    }
    accepted(service, "last");
    assert_eq!(stored("last"), "exhausted");
}

/// What it says of all that, once each.
fn ends_well(service: Service) {
    let log = service.end();
    assert_eq!(log.matches("the disk cannot be used for a signal; trying again").count(), 2, "{log}");
    assert_eq!(log.matches("the signal is written again").count(), 2, "{log}");
}

/// Runs the program that is added as arguments without the right to pass over the modes of files, which root has.
/// `None`, and it is said, where this machine does not let root give that up.
fn without_privilege() -> Option<Command> {
    if !rustix::process::geteuid().is_root() {
        return Some(Command::new("env"));
    }
    let starter = || {
        let mut starter = Command::new("setpriv");
        starter.args(["--bounding-set", "-dac_override,-dac_read_search"]);
        starter
    };
    let tried = starter().arg("true").output();
    if tried.as_ref().is_ok_and(|output| output.status.success()) {
        return Some(starter());
    }
    eprintln!("left out: this machine does not let root give up a right: {tried:?}");
    None
}

/// The directory of a running service gets this mode, and has its own again.
fn a_mode_costs_no_observation(mode: u32) {
    let Some(starter) = without_privilege() else { return };
    let home = Home::new();
    configure(&home, ALONE);
    let service = Service::behind(home, starter);
    let tier = service.home.cache().join("runtime");
    let set = |mode| fs::set_permissions(&tier, Permissions::from_mode(mode)).unwrap();
    goes_on(
        &service,
        |provider| service.home.entry(provider),
        "Permission denied",
        || set(mode),
        || set(0o700),
    );
    ends_well(service);
}

/// A service whose cache lies on a small disk.
fn on_small_disk() -> (Service, SmallDisk) {
    let home = Home::new();
    configure(&home, ALONE);
    let folder = home.cache();
    let service = Service::behind(home, small_disk::starter(&folder));
    let disk = SmallDisk::of(service.id(), &folder);
    (service, disk)
}

#[test]
fn a_full_disk_costs_no_observation() {
    if !small_disk::can_be_had() {
        return;
    }
    let (service, disk) = on_small_disk();
    let entry = |provider: &str| disk.path(&format!("runtime/{provider}.json"));
    goes_on(&service, entry, "No space left", || disk.fill(), || disk.free());
    assert_eq!(disk.names("runtime"), [".guard", "known.json", "last.json", "new.json"]);
    ends_well(service);
}

#[test]
fn a_disk_that_turns_read_only_costs_no_observation() {
    if !small_disk::can_be_had() {
        return;
    }
    let (service, disk) = on_small_disk();
    let entry = |provider: &str| disk.path(&format!("runtime/{provider}.json"));
    goes_on(&service, entry, "Read-only", || disk.turn_read_only(), || disk.turn_writable());
    ends_well(service);
}

#[test]
fn a_disk_that_answers_everything_with_errors_costs_no_observation() {
    let service = Service::start();
    let tier = service.home.cache().join("runtime");
    let errors = std::cell::Cell::new(None);
    goes_on(
        &service,
        |provider| service.home.entry(provider),
        "Input/output error",
        || errors.set(Some(IoErrors::in_process(service.id(), "openat", &tier))),
        || assert!(errors.take().unwrap().end() > 0),
    );
    ends_well(service);
}

#[test]
fn a_directory_that_may_only_be_read_costs_no_observation() {
    a_mode_costs_no_observation(0o555);
}

#[test]
fn a_directory_that_may_not_be_entered_costs_no_observation() {
    a_mode_costs_no_observation(0o000);
}

#[test]
fn a_file_in_the_place_of_the_directory_costs_no_observation() {
    let service = Service::start();
    let tier = service.home.cache().join("runtime");
    goes_on(
        &service,
        |provider| service.home.entry(provider),
        "Not a directory",
        || {
            fs::remove_dir_all(&tier).unwrap();
            fs::write(&tier, "in the way").unwrap();
        },
        || fs::remove_file(&tier).unwrap(),
    );
    ends_well(service);
}

#[test]
fn a_directory_that_is_removed_is_made_again_with_what_is_observed_from_then_on() {
    let service = Service::start();
    accepted(&service, "a");
    eventually(|| status_at(&service.home.entry("a")));
    fs::remove_dir_all(service.home.cache()).unwrap();
    accepted(&service, "a");
    accepted(&service, "b");
    for provider in ["a", "b"] {
        eventually(|| status_at(&service.home.entry(provider)).filter(|status| status == "exhausted"));
    }
    let log = service.end();
    assert!(!log.contains("WARN") && !log.contains("ERROR"), "{log}");
}
