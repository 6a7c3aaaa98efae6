//! The hooks that feed a running service, in the clients that they hook into: httpx and LiteLLM in Python, `fetch` in Node;
//! and the clients of OpenAI and Anthropic, whose calls the service passes on.

use std::process::Command;

use anyhow::Result;

use super::{programs, run_bounded};
use crate::suite;
use crate::workspace::Workspace;

pub(super) fn test(workspace: &Workspace) -> Result<()> {
    let service = suite::program(workspace)?;
    let host = workspace.root.join("hosts/python");
    let programs = programs::from_pypi(workspace, "hooks", &host.join("requirements-hooks.txt"))?;
    let mut python = Command::new(programs.join("bin/python"));
    python.current_dir(&host).args(["-m", "unittest", "discover", "--start-directory", "tests/hooks"]);
    python.env("PYTHONPATH", &host).env("RUNTIME_SIGNALS_BIN", &service);
    // The packages' own warnings.
    python.env("PYTHONWARNINGS", "ignore");
    // No compiled Python is left in the checkout.
    python.env("PYTHONDONTWRITEBYTECODE", "1");
    run_bounded(&python)?;

    let mut node = Command::new("node");
    node.current_dir(workspace.root.join("hosts/node")).args(["--test", "tests/fetch.test.js"]);
    node.env("RUNTIME_SIGNALS_BIN", &service);
    run_bounded(&node)
}
