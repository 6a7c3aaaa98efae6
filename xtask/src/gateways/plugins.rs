//! The plugins for gateways, inside these.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use super::{programs, run_bounded};
use crate::suite;
use crate::workspace::{Workspace, cargo, run};

/// The crate with the tests and benchmarks. It is left out where all crates are tested: it needs the programs.
pub(crate) const PACKAGE: &str = "runtime-signals-gateways";

pub(super) fn envoy(workspace: &Workspace) -> Result<()> {
    let envoy = provide_envoy(workspace)?;
    let service = suite::program(workspace)?;
    test(workspace, "envoy", &[("RUNTIME_SIGNALS_ENVOY", envoy), ("RUNTIME_SIGNALS_BIN", service)])
}

pub(super) fn smg(workspace: &Workspace) -> Result<()> {
    let smg = provide(workspace, "smg")?.join("bin/smg");
    test(workspace, "smg", &[("RUNTIME_SIGNALS_SMG", smg)])
}

pub(super) fn sglang(workspace: &Workspace) -> Result<()> {
    let router = provide(workspace, "sglang")?.join("bin/sglang-router");
    test(workspace, "sglang", &[("RUNTIME_SIGNALS_SGLANG", router)])
}

/// Measures what the filter costs in Envoy.
pub(super) fn bench(workspace: &Workspace) -> Result<()> {
    let mut bench = cargo();
    bench.current_dir(&workspace.root).args(["bench", "--package", PACKAGE]);
    bench.env("RUNTIME_SIGNALS_COMPONENTS", workspace.components());
    bench.env("RUNTIME_SIGNALS_ENVOY", provide_envoy(workspace)?);
    run(&mut bench)
}

/// The program itself and not its launcher, which would leave it behind when it is ended.
fn provide_envoy(workspace: &Workspace) -> Result<PathBuf> {
    let folder = provide(workspace, "envoy")?;
    let print = "import envoy, pathlib; print(pathlib.Path(envoy.__file__).parent / '_bin' / 'envoy')";
    let path = crate::workspace::output(Command::new(folder.join("bin/python")).args(["-c", print]))?;
    Ok(Path::new(path.trim()).to_owned())
}

/// The folder with a gateway's program.
fn provide(workspace: &Workspace, name: &str) -> Result<PathBuf> {
    let requirements = workspace.root.join(format!("hosts/gateways/requirements-{name}.txt"));
    programs::from_pypi(workspace, name, &requirements)
}

/// Runs the tests whose names begin so, one after the other: each starts programs with threads of their own.
fn test(workspace: &Workspace, filter: &str, programs: &[(&str, PathBuf)]) -> Result<()> {
    let command = || {
        let mut test = cargo();
        test.current_dir(&workspace.root).args(["test", "--package", PACKAGE]);
        test
    };
    // Building is not what is bounded.
    run(command().arg("--no-run"))?;
    let mut test = command();
    test.env("RUNTIME_SIGNALS_COMPONENTS", workspace.components());
    test.envs(programs.iter().map(|(name, path)| (name, path)));
    run_bounded(test.args(["--", "--test-threads=1", filter]))
}
