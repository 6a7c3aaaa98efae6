//! The tests of the workspace, and the program that they build. Whoever needs either builds it here: with the features of
//! all packages together, so that nothing large is compiled a second time with others.

use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;

use crate::components::COMPONENTS;
use crate::gateways::plugins;
use crate::workspace::{Workspace, cargo, run};

/// The test program of the host, and the host's own program with it.
const HOST: [&str; 2] = ["--test", "runtime-signals"];

/// What is compiled in for tests only: where they have a process die.
pub(crate) const FEATURES: [&str; 2] = ["--features", "runtime-signals/fault-points"];

/// `cargo test`, for packages that the caller names.
pub(crate) fn of_some() -> Command {
    let mut test = cargo();
    test.arg("test");
    test
}

/// `cargo test` for all packages that run on this machine by themselves.
pub(crate) fn of_all() -> Command {
    let mut test = of_some();
    test.args(["--workspace", "--exclude", plugins::PACKAGE]).args(FEATURES);
    for component in COMPONENTS.iter().filter(|component| component.is_for_the_sandbox_only()) {
        test.args(["--exclude", component.package]);
    }
    test
}

/// `cargo test` for the host's tests from outside.
pub(crate) fn of_host() -> Command {
    let mut test = of_all();
    test.args(HOST);
    test
}

/// The program of the host, built.
pub(crate) fn program(workspace: &Workspace) -> Result<PathBuf> {
    run(of_host().current_dir(&workspace.root).arg("--no-run"))?;
    Ok(workspace.target.join("debug/runtime-signals"))
}
