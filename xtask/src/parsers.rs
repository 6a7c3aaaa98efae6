//! Builds the parsers of other tool chains, in JavaScript and Python, and has them read their own cases.
//!
//! The tool chains are installed into a private folder. The components are of several MB, with an interpreter each.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result};
use runtime_signals_component::{Statement, Version, state};

use crate::gateways::programs;
use crate::suite;
use crate::workspace::{Workspace, run, run_through};

/// The contract that they are made for.
const WIT: &str = "wit/released/0.1.0";
/// What they are: version.
const VERSION: Version = Version::new(1, 0, 0);

/// Builds all into `<target>/components/parsers`, and tests them.
pub(crate) fn test(workspace: &Workspace) -> Result<ExitCode> {
    let parsers = workspace.components().join("parsers");
    fs::create_dir_all(&parsers).with_context(|| format!("{} cannot be made", parsers.display()))?;
    let raw = workspace.target.join("raw-parser.wasm");
    let put = |name: &str, file: &str, cases: &Path| {
        let component = fs::read(&raw).with_context(|| format!("{file} was not written"))?;
        let cases =
            fs::read_to_string(cases).with_context(|| format!("{} cannot be read", cases.display()))?;
        let parser = state(&component, &Statement::new(name, VERSION)?, &cases)?;
        let file = parsers.join(file);
        eprintln!("parser {}: {} bytes", file.display(), parser.len());
        fs::write(&file, parser).with_context(|| format!("{} cannot be written", file.display()))
    };
    let (js, python) = (workspace.root.join("guest/parsers/js"), workspace.root.join("guest/parsers/python"));
    build_js(workspace, &js, &raw)?;
    put("acme-js", "acme-js.wasm", &js.join("cases.toml"))?;
    // Once without anything of the system, and once with what its libraries import.
    for (file, wasi) in [("acme-python.wasm", false), ("acme-python-wasi.wasm", true)] {
        build_python(workspace, &python, &raw, wasi)?;
        put("acme-python", file, &python.join("cases.toml"))?;
    }
    fs::remove_file(&raw).with_context(|| format!("{} cannot be removed", raw.display()))?;
    run_through(suite::of_host().args(["parser_languages", "--", "--ignored"]))
}

fn build_js(workspace: &Workspace, sources: &Path, to: &Path) -> Result<()> {
    let copy = programs::from_npm(workspace, "componentize-js", sources)?;
    let mut node = Command::new("node");
    run(node.current_dir(&copy).arg("build.js").args([&wit(workspace), to]))
}

fn build_python(workspace: &Workspace, sources: &Path, to: &Path, wasi: bool) -> Result<()> {
    let programs = programs::from_pypi(workspace, "componentize-py", &sources.join("requirements.txt"))?;
    let mut build = Command::new(programs.join("bin/componentize-py"));
    build.arg("--quiet").arg("--wit-path").arg(wit(workspace)).args(["--world", "header-parser"]);
    build.args(["componentize", "parser", "--python-path"]).arg(sources).arg("--output").arg(to);
    if !wasi {
        build.arg("--stub-wasi");
    }
    run(build.env("PYTHONDONTWRITEBYTECODE", "1"))
}

fn wit(workspace: &Workspace) -> PathBuf {
    workspace.root.join(WIT)
}
