//! The engine component in Node, transpiled by jco.

use std::process::Command;

use anyhow::Result;

use super::{conformance, programs, run_bounded};
use crate::workspace::{Workspace, run};

pub(super) fn test(workspace: &Workspace) -> Result<()> {
    let host = programs::from_npm(workspace, "node", &workspace.root.join("hosts/node"))?;
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
