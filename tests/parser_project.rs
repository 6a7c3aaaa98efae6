//! Projects of parsers: what `parser new` writes is built by `parser build`, with the tool chain of the components.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use runtime_signals_component::{STATEMENT_SECTION, stated};

use crate::cli::{Ended, Home};

const SDK: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../guest/parsers/sdk");

/// A built component of this workspace.
fn component(name: &str) -> PathBuf {
    Path::new(env!("RUNTIME_SIGNALS_ENGINE_WASM")).with_file_name(name)
}

/// `parser build` with what cargo needs to find its tools. What it builds stays for the next run.
fn build(home: &Home, project: &str) -> Ended {
    let mut build = home.command(&["parser", "build", project]);
    with_cargo(&mut build);
    let environment = fs::read_to_string(component("toolchain.env")).unwrap();
    build.envs(environment.lines().filter_map(|line| line.split_once('=')));
    build.env("CARGO_TARGET_DIR", Path::new(env!("CARGO_TARGET_TMPDIR")).join("parser-project"));
    Ended::from(build.output().unwrap())
}

fn with_cargo(command: &mut Command) {
    let home = std::env::home_dir().unwrap();
    for (name, folder) in [("CARGO_HOME", ".cargo"), ("RUSTUP_HOME", ".rustup")] {
        command.env(name, std::env::var_os(name).unwrap_or_else(|| home.join(folder).into()));
    }
    command.env("CARGO", env!("CARGO")).env("PATH", std::env::var_os("PATH").unwrap());
}

#[test]
fn a_new_project_builds_at_once_and_passes_its_cases() {
    let home = Home::new();
    let project = home.path("night-shift").display().to_string();
    let new = home.run(&["parser", "new", "night-shift", "--path", &project, "--sdk", SDK]);
    assert_eq!((new.status, new.stderr.as_str()), (0, ""), "{}", new.stdout);
    // The versions that this workspace has been tested with, and nothing to ask for.
    fs::copy(Path::new(SDK).join("../../../Cargo.lock"), home.path("night-shift/Cargo.lock")).unwrap();

    let built = build(&home, &project);
    assert_eq!(built.status, 0, "{}", built.stderr);
    assert!(built.stdout.contains("night-shift 0.1.0, interface 0.1.0, "), "{}", built.stdout);
    assert!(built.stdout.ends_with(" bytes, 2 cases\n"), "{}", built.stdout);
    let file = built.stdout.split_once(": ").unwrap().0;
    let parser = fs::read(file).unwrap();
    assert!(parser.len() < 32 * 1024, "{} bytes", parser.len());
    assert_eq!(stated(&parser).unwrap().statement.unwrap().name, "night-shift");

    let tested = home.run(&["parser", "test", file]);
    assert_eq!((tested.status, tested.stderr.as_str()), (0, ""), "{}", tested.stdout);
    assert!(tested.stdout.contains("a refusal says when to come back"), "{}", tested.stdout);
}

#[test]
fn a_project_is_never_written_over_what_is_there() {
    let home = Home::new();
    fs::create_dir_all(home.path("mine")).unwrap();
    fs::write(home.path("mine/cases.toml"), "mine").unwrap();
    let refused = home.run(&[
        "parser",
        "new",
        "mine",
        "--path",
        &home.path("mine").display().to_string(),
        "--sdk",
        SDK,
    ]);
    assert_eq!(refused.status, 1);
    assert!(refused.stderr.contains("cases.toml cannot be written"), "{}", refused.stderr);
    assert_eq!(fs::read_to_string(home.path("mine/cases.toml")).unwrap(), "mine");
}

#[test]
fn a_name_that_no_provider_type_has_is_refused() {
    for name in ["", "Acme", "9", "a b", "../up", "a_b"] {
        let refused = Home::new().run(&["parser", "new", name]);
        assert_eq!(refused.status, 2, "{name:?}");
        assert!(refused.stderr.contains("write a letter"), "{}", refused.stderr);
    }
}

#[test]
fn a_project_that_cargo_cannot_build_is_told_by_cargo() {
    let home = Home::new();
    fs::create_dir_all(home.path("broken")).unwrap();
    fs::write(home.path("broken/Cargo.toml"), "this is no manifest").unwrap();
    let broken = build(&home, &home.path("broken").display().to_string());
    assert_eq!((broken.status, broken.stdout.as_str()), (1, ""));
    assert!(broken.stderr.contains("this is no manifest"), "{}", broken.stderr);
    assert!(broken.stderr.contains("cargo could not build it"), "{}", broken.stderr);
}

#[test]
fn a_component_of_another_tool_chain_is_told_what_it_is() {
    let home = Home::new();
    fs::write(home.path("cases.toml"), "").unwrap();
    let [from, cases, to] = [component("acme-parser.wasm"), home.path("cases.toml"), home.path("out.wasm")]
        .map(|path| path.display().to_string());
    let line = ["parser", "build", "--component", &from, "--cases", &cases, "--output", &to];
    let built = home.run(&[&line[..], &["--name", "other", "--version", "2.0.0"]].concat());
    assert_eq!((built.status, built.stderr.as_str()), (0, ""));
    assert!(built.stdout.contains(": other 2.0.0, interface 0.1.0, "), "{}", built.stdout);
    let parser = fs::read(&to).unwrap();
    let found = stated(&parser).unwrap();
    assert_eq!((found.statement.unwrap().name.as_str(), found.cases), ("other", None));
    let sections =
        parser.windows(STATEMENT_SECTION.len()).filter(|text| *text == STATEMENT_SECTION.as_bytes());
    assert_eq!(sections.count(), 1, "the old statement is still there");

    let nameless = home.run(&line);
    assert_eq!(nameless.status, 2, "{}", nameless.stderr);
}
