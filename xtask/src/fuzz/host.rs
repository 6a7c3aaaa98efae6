//! The targets of what the host reads: one program, which is told by a variable what it is to be.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

use super::instrument;
use crate::workspace::{Workspace, remove_folder};
use crate::{components, suite};

/// Tells the program which target it is.
const VARIABLE: &str = "RUNTIME_SIGNALS_FUZZ_TARGET";
/// The package, and the name of its program.
const PACKAGE: &str = "runtime-signals-host-fuzz";
const PROGRAM: &str = "host_fuzz";

/// Builds the program. What the host depends on is that of its tests; whoever has built these waits for our own crates
/// alone.
pub(super) fn build(workspace: &Workspace, folder: &Path) -> Result<PathBuf> {
    components::build_all(workspace)?;
    let mut build = suite::of_all();
    build.current_dir(&workspace.root).args(["--locked", "--no-run", "--test", PROGRAM]);
    build.arg("--features").arg(format!("{PACKAGE}/link"));
    build.arg("--message-format=json-render-diagnostics");
    build.env("RUSTC_WORKSPACE_WRAPPER", instrument::wrapper(folder)?).env("CARGO_INCREMENTAL", "0");
    let built = build.stdout(Stdio::piped()).stderr(Stdio::inherit()).output();
    let built = built.context("cargo cannot be run")?;
    ensure!(
        built.status.success(),
        "the fuzz targets of the host cannot be built: they need a C++ compiler, such as g++"
    );
    program(&String::from_utf8_lossy(&built.stdout))
        .context("cargo names no program of the host's fuzz targets")
}

/// The program among the artifacts that cargo tells of, a JSON object a line.
fn program(told: &str) -> Option<PathBuf> {
    let artifacts = told.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let mut ours =
        artifacts.filter(|artifact| artifact.pointer("/target/name").is_some_and(|name| name == PROGRAM));
    ours.find_map(|artifact| artifact.get("executable")?.as_str().map(PathBuf::from))
}

/// A folder for the files that targets write, which is removed when this is dropped: they end without leaving it tidy.
pub(super) struct Scratch(PathBuf);

impl Scratch {
    /// In memory where the system offers it, since targets write and sync files for each input; else in this folder.
    pub(super) fn new(folder: &Path) -> Result<Self> {
        let memory = Path::new("/dev/shm");
        let parent = if memory.is_dir() { memory } else { folder };
        let path = parent.join(format!("runtime-signals-fuzz-{}", std::process::id()));
        fs::create_dir_all(&path).with_context(|| format!("{} cannot be made", path.display()))?;
        Ok(Self(path))
    }

    /// Makes the program one of its targets, which leaves what it writes here.
    pub(super) fn configure(&self, command: &mut Command, target: &str) {
        command.env(VARIABLE, target).env("TMPDIR", &self.0);
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(error) = remove_folder(&self.0) {
            eprintln!("{error:#}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_is_found_among_what_was_built() {
        let told = "not JSON\n{\"target\":{\"name\":\"runtime_signals\"},\"executable\":null}\n\
            {\"target\":{\"name\":\"host_fuzz\"},\"executable\":\"/t/debug/deps/host_fuzz-1\"}\n{\"success\":true}\n";
        assert_eq!(program(told), Some("/t/debug/deps/host_fuzz-1".into()));
        assert_eq!(program("{}"), None);
    }
}
