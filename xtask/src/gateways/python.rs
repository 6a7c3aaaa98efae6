//! The collector component in Python, hosted by the `wasmtime` wheel.

use std::process::Command;

use anyhow::Result;

use super::{conformance, programs, run_bounded};
use crate::workspace::Workspace;

pub(super) fn test(workspace: &Workspace) -> Result<()> {
    let host = workspace.root.join("hosts/python");
    let programs = programs::from_pypi(workspace, "python", &host.join("requirements.txt"))?;
    let python = |arguments: &[&str]| {
        let mut python = Command::new(programs.join("bin/python"));
        python.current_dir(&host).args(arguments);
        python.env("RUNTIME_SIGNALS_COMPONENTS", workspace.components());
        python.env("PYTHONPATH", &host);
        // No compiled Python is left in the checkout.
        python.env("PYTHONDONTWRITEBYTECODE", "1");
        python
    };
    run_bounded(&python(&["-m", "unittest", "discover", "--start-directory", "tests"]))?;
    conformance::answer(workspace, "python", &python(&["tests/steps.py"]))
}
