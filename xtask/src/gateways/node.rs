//! The engine component in Node, transpiled by jco.

use std::process::Command;

use anyhow::Result;

use super::{conformance, programs, run_bounded};
use crate::workspace::{Workspace, remove_folder, run};

pub(super) fn test(workspace: &Workspace) -> Result<()> {
    let sources = workspace.root.join("hosts/node");
    let programs = programs::from_npm(workspace, "node", &sources.join("package-lock.json"))?;
    // A module finds packages in the folders above its own.
    let host = programs.join("host");
    remove_folder(&host)?;
    run(Command::new("cp").arg("-R").args([&sources, &host]))?;
    let mut build = Command::new("node");
    run(build.current_dir(&host).arg("build.js").arg(workspace.components().join("engine.wasm")))?;
    let node = |arguments: &[&str]| {
        let mut node = Command::new("node");
        node.current_dir(&host).args(arguments);
        node
    };
    run_bounded(&node(&["--test", "tests/collector.test.js"]))?;
    conformance::answer(workspace, "node", &node(&["tests/steps.js"]))
}
