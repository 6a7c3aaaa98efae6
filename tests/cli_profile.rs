//! Profiles of the user's own: checked, put into service, and never in the way of others.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::cli::{Ended, Home, lines};

/// A gateway that no built-in profile knows.
const GATEWAY: &str = r#"
type = "my-gateway"
aliases = ["my-proxy"]
source = ["https://docs.example.com/limits"]
verified = "2026-11-24"

[[limit]]
quantity = "requests"
window = "15m"
refill = "window_edge"
limit = "x-gateway-limit"
remaining = "x-gateway-left"
reset = "x-gateway-reset"

[[case]]
name = "what is left is read"
status = 200
headers = [["X-Gateway-Limit", "100"], ["X-Gateway-Left", "7"], ["X-Gateway-Reset", "2026-01-15T12:10:00Z"]]
now = "2026-01-15T12:00:00Z"
[case.expect]
remaining_requests = 7
reset_at = "2026-01-15T12:10:00Z"

[[case]]
name = "nothing left is exhausted"
status = 429
headers = [["x-gateway-left", "0"], ["retry-after", "30"]]
now = "2026-01-15T12:00:00Z"
[case.expect]
remaining_requests = 0
retry_after_ms = 30000
reset_at = "2026-01-15T12:00:30Z"
exhausted = true
"#;

/// A profile of another type that reads one header.
pub(crate) fn reads(provider_type: &str, header: &str) -> String {
    format!(
        "type = \"{provider_type}\"\n[[limit]]\nquantity = \"requests\"\nrefill = \"window_edge\"\n\
         remaining = \"{header}\"\n"
    )
}

/// The user's profiles, in the default directory.
pub(crate) fn install(home: &Home, profiles: &[(&str, &str)]) -> PathBuf {
    let folder = home.path(".config/runtime-signals/profiles");
    fs::create_dir_all(&folder).unwrap();
    for (name, text) in profiles {
        fs::write(folder.join(name), text).unwrap();
    }
    folder
}

/// The run of `parse` on one response with one header, of each type.
fn parse(home: &Home, header: (&str, &str), types: &[&str]) -> Ended {
    let response = |provider_type: &&str| {
        json!({"type": provider_type, "status": 200, "headers": [[header.0, header.1]], "body": null,
            "now": "2026-01-15T12:00:00Z"})
    };
    let responses: Vec<Value> = types.iter().map(response).collect();
    let ended = home.run_with(&["parse"], &lines(&responses));
    assert_eq!(ended.status, 0, "{ended:?}");
    ended
}

fn remaining(ended: &Ended) -> Vec<Value> {
    ended.json().into_iter().map(|reading| reading["remaining_requests"].clone()).collect()
}

#[test]
fn a_profile_of_the_users_own_reads_a_type_that_was_not_known() {
    let home = Home::new();
    let types = ["my-gateway", "my-proxy", "other"];
    let before = parse(&home, ("x-gateway-left", "7"), &types);
    assert_eq!(remaining(&before), [Value::Null, Value::Null, Value::Null]);

    install(&home, &[("gateway.toml", GATEWAY)]);
    let after = parse(&home, ("X-Gateway-Left", "7"), &types);
    assert_eq!(remaining(&after), [json!(7), json!(7), Value::Null]);
    assert_eq!(after.stderr, "");
    assert_eq!(after.json()[0]["limits"][0]["window_s"], 900);
}

#[test]
fn a_profile_of_the_users_own_replaces_the_built_in_one_of_its_type() {
    let home = Home::new();
    install(&home, &[("openai.toml", &reads("openai", "x-mine-left"))]);
    let types = ["openai", "groq"];
    assert_eq!(remaining(&parse(&home, ("x-mine-left", "5"), &types)), [json!(5), Value::Null]);
    let theirs = parse(&home, ("x-ratelimit-remaining-requests", "5"), &types);
    assert_eq!(remaining(&theirs), [Value::Null, json!(5)]);
}

#[test]
fn the_directory_can_be_named_and_one_that_is_missing_is_told() {
    let home = Home::new();
    let folder = home.path("elsewhere");
    let list = || {
        let mut command = home.command(&["profile", "list"]);
        Ended::from(command.env("RUNTIME_SIGNALS_PROFILES", &folder).output().unwrap())
    };
    let missing = list();
    assert_eq!(missing.status, 0);
    assert!(missing.stderr.contains("elsewhere: it cannot be read: "), "{}", missing.stderr);

    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("gateway.toml"), GATEWAY).unwrap();
    assert!(list().json().iter().any(|profile| profile["type"] == "my-gateway"));
}

#[test]
fn a_profile_whose_case_fails_is_refused_by_its_name_while_others_load() {
    let home = Home::new();
    let wrong = GATEWAY.replace("my-gateway", "wrong").replace("my-proxy", "also-wrong");
    let wrong = wrong.replacen("remaining_requests = 7", "remaining_requests = 8", 1);
    install(&home, &[("a-wrong.toml", &wrong), ("b-good.toml", GATEWAY)]);
    let ended = parse(&home, ("x-gateway-left", "7"), &["wrong", "my-gateway"]);
    assert_eq!(remaining(&ended), [Value::Null, json!(7)]);
    let warning = ended.stderr.lines().next().unwrap();
    for part in
        ["a-wrong.toml:15: ", "case `what is left is read`", "remaining_requests: 8 expected, 7 found"]
    {
        assert!(warning.contains(part), "{warning}");
    }
    assert_eq!(ended.stderr.lines().count(), 1, "{}", ended.stderr);
}

#[test]
fn a_broken_file_names_line_and_key() {
    let home = Home::new();
    let unknown_key = GATEWAY.replace("window = \"15m\"", "windows = \"15m\"");
    let wrong_value = GATEWAY.replace("\"window_edge\"", "\"sometimes\"");
    let folder = install(
        &home,
        &[("key.toml", &unknown_key), ("value.toml", &wrong_value), ("torn.toml", "type = \"x\"\n[[limit")],
    );
    let ended = home.run(&["profile", "list"]);
    assert_eq!(ended.status, 0);
    for part in [
        "key.toml:9: `limit.windows`: there is no such key; write one of ",
        "value.toml:10: `limit.refill`: `sometimes` is no word for it; write one of ",
        "torn.toml:2: ",
    ] {
        assert!(ended.stderr.contains(part), "{part} in {}", ended.stderr);
        let file = folder.join(part.split(':').next().unwrap());
        let checked = home.run(&["profile", "check", file.to_str().unwrap()]);
        assert_eq!((checked.status, checked.stdout.as_str()), (1, ""));
        assert!(checked.stderr.contains(part), "{part} in {}", checked.stderr);
    }
}

#[test]
fn what_is_no_readable_text_file_is_refused_and_ends_nothing() {
    let home = Home::new();
    let folder = install(&home, &[("good.toml", GATEWAY), ("locked.toml", "no profile")]);
    let deep = format!("type = {}", "[".repeat(60 << 10));
    fs::write(folder.join("large.toml"), format!("{GATEWAY}{}", "#".repeat(64 << 10))).unwrap();
    fs::write(folder.join("binary.toml"), b"\x7fELF\0\xff\xfe").unwrap();
    fs::write(folder.join("deep.toml"), deep).unwrap();
    fs::write(folder.join("empty.toml"), "").unwrap();
    fs::write(home.path("outside.toml"), reads("outside", "x-outside-left")).unwrap();
    symlink(home.path("outside.toml"), folder.join("link.toml")).unwrap();
    symlink("/no/such/file", folder.join("dangling.toml")).unwrap();
    symlink("/dev/zero", folder.join("endless.toml")).unwrap();
    fs::create_dir(folder.join("folder.toml")).unwrap();
    let _socket = UnixListener::bind(folder.join("socket.toml")).unwrap();
    rustix::fs::mkfifoat(rustix::fs::CWD, folder.join("pipe.toml"), rustix::fs::Mode::RUSR).unwrap();
    // The superuser reads it all the same, and finds no profile.
    fs::set_permissions(folder.join("locked.toml"), fs::Permissions::from_mode(0o000)).unwrap();

    let ended = parse(&home, ("x-gateway-left", "7"), &["my-gateway"]);
    assert_eq!(remaining(&ended), [json!(7)]);
    for part in [
        "large.toml: it is larger than 65536 bytes",
        "binary.toml:1: it is no text",
        "deep.toml:1: ",
        "empty.toml:1: `type`: it is missing",
        "link.toml: it is a symbolic link",
        "dangling.toml: it is a symbolic link",
        "endless.toml: it is a symbolic link",
        "folder.toml: it is no regular file",
        "socket.toml: it cannot be read",
        "pipe.toml: it is no regular file",
        "locked.toml:",
    ] {
        assert!(ended.stderr.contains(part), "{part} in {}", ended.stderr);
    }
    assert_eq!(ended.stderr.lines().count(), 11, "{}", ended.stderr);
}

#[test]
fn one_type_is_read_by_one_file() {
    let home = Home::new();
    let (first, second) = (reads("twice", "x-first-left"), reads("twice", "x-second-left"));
    install(&home, &[("a.toml", &first), ("b.toml", &second)]);
    let ended = parse(&home, ("x-first-left", "1"), &["twice"]);
    assert_eq!(remaining(&ended), [json!(1)]);
    assert!(ended.stderr.contains("b.toml: the type `twice` is read by "), "{}", ended.stderr);
}

#[test]
fn no_profile_lets_credentials_into_the_sandbox() {
    let home = Home::new();
    install(&home, &[("cookies.toml", "type = \"t\"\n[headers]\nmark = \"*-cookie\"\n")]);
    let ended = home.run(&["profile", "list"]);
    assert!(
        ended.stderr.contains("cookies.toml: the header `-cookie` carries credentials"),
        "{}",
        ended.stderr
    );
}

#[test]
fn check_tells_what_passed_and_each_case_that_fails_with_its_line() {
    let home = Home::new();
    let good = home.path("good.toml");
    fs::write(&good, GATEWAY).unwrap();
    let link = home.path("link.toml");
    symlink(&good, &link).unwrap();
    let checked = home.run(&["profile", "check", link.to_str().unwrap()]).only_json();
    assert_eq!(checked, json!({"file": link, "type": "my-gateway", "cases": 2}));

    let bad = home.path("bad.toml");
    fs::write(&bad, GATEWAY.replace("remaining_requests = ", "remaining_tokens = ")).unwrap();
    let files = [bad.to_str().unwrap(), "/no/such/file", good.to_str().unwrap()];
    let ended = home.run(&["profile", "check", "--format", "table", files[0], files[1], files[2]]);
    assert_eq!(ended.status, 1);
    assert_eq!(ended.stdout, format!("{}: reads my-gateway, passed 2 cases\n", good.display()));
    let told: Vec<&str> = ended.stderr.lines().collect();
    let expected = [
        format!(
            "{}:15: case `what is left is read`: remaining_requests: nothing expected, 7 found, ",
            files[0]
        ),
        format!("{}:24: case `nothing left is exhausted`: ", files[0]),
        format!("{}: it cannot be read: ", files[1]),
    ];
    assert_eq!(told.len(), expected.len(), "{}", ended.stderr);
    for (told, expected) in told.iter().zip(&expected) {
        assert!(told.starts_with(expected), "{told}");
    }
    assert_eq!(home.run(&["profile", "check"]).status, 2);
}

#[test]
fn many_files_are_checked_by_one_command() {
    let home = Home::new();
    let good = home.path("good.toml");
    fs::write(&good, GATEWAY).unwrap();
    let mut arguments = vec!["profile", "check"];
    arguments.resize(302, good.to_str().unwrap());
    let ended = home.run(&arguments);
    assert_eq!((ended.status, ended.stderr.as_str(), ended.json().len()), (0, "", 300));
}

#[test]
fn texts_of_a_file_do_not_steer_the_terminal() {
    let home = Home::new();
    let file = home.path("bad.toml");
    fs::write(&file, "type = \"\\u001b]0;title\\u0007\"\n").unwrap();
    let ended = home.run(&["profile", "check", file.to_str().unwrap()]);
    assert_eq!(ended.status, 1);
    assert!(!ended.stderr.contains('\u{1b}'), "{:?}", ended.stderr);
}

#[test]
fn the_list_tells_type_origin_source_and_day() {
    let home = Home::new();
    let folder =
        install(&home, &[("gateway.toml", GATEWAY), ("openai.toml", &reads("openai", "x-mine-left"))]);
    let listed = home.run(&["profile", "list", "--json"]);
    assert_eq!((listed.status, listed.stderr.as_str()), (0, ""));
    let listed = listed.json();
    let of = |provider_type: &str| -> Vec<&Value> {
        listed.iter().filter(|profile| profile["type"] == provider_type).collect()
    };
    assert_eq!(
        of("my-gateway"),
        [&json!({"type": "my-gateway", "aliases": ["my-proxy"], "file": folder.join("gateway.toml"),
            "source": ["https://docs.example.com/limits"], "verified": "2026-11-24"})]
    );
    assert_eq!(of("openai").len(), 1);
    assert_eq!(of("openai")[0]["file"], json!(folder.join("openai.toml")));
    assert_eq!(of("groq")[0]["file"], Value::Null);
    assert!(of("common").is_empty());

    let table = home.run(&["profile", "list", "--format", "table"]).stdout;
    let row = table.lines().find(|line| line.starts_with("my-gateway ")).unwrap();
    assert!(
        row.contains(folder.join("gateway.toml").to_str().unwrap()) && row.contains("2026-11-24"),
        "{row}"
    );
    assert!(table.lines().any(|line| line.starts_with("groq ") && line.contains("built-in")), "{table}");
}

#[test]
fn what_show_prints_is_a_profile_that_passes() {
    let home = Home::new();
    let ended = home.run(&["profile", "show", "cerebras"]);
    assert_eq!((ended.status, ended.stderr.as_str()), (0, ""));
    let own = ended.stdout.replacen("type = \"cerebras\"", "type = \"mine\"", 1);
    let file = home.path("mine.toml");
    fs::write(&file, own).unwrap();
    assert_eq!(home.run(&["profile", "check", file.to_str().unwrap()]).only_json()["type"], "mine");

    assert!(home.run(&["profile", "show", "claude"]).stdout.contains("type = \"anthropic-oauth\""));
    let unknown = home.run(&["profile", "show", "no-such-type"]);
    assert_eq!((unknown.status, unknown.stdout.as_str()), (1, ""));
    assert!(unknown.stderr.contains("no built-in profile is named \"no-such-type\""), "{}", unknown.stderr);
}
