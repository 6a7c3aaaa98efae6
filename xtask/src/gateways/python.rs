//! The collector component in Python, hosted by the `wasmtime` wheel.

use std::process::Command;

use anyhow::Result;

use super::{programs, run_bounded};
use crate::workspace::Workspace;

pub(super) fn test(workspace: &Workspace) -> Result<()> {
    let host = workspace.root.join("hosts/python");
    let programs = programs::from_pypi(workspace, "python", &host.join("requirements.txt"))?;
    let mut python = Command::new(programs.join("bin/python"));
    python.current_dir(&host).args(["-m", "unittest", "discover", "--start-directory", "tests"]);
    python.env("RUNTIME_SIGNALS_COMPONENTS", workspace.components());
    // No compiled Python is left in the checkout.
    python.env("PYTHONDONTWRITEBYTECODE", "1");
    run_bounded(&python)
}
