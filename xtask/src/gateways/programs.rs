//! Real programs from PyPI and npm, pinned by lock files, in a folder of their own.
//!
//! A folder that is complete bears the hash of its lock file; any other is made anew.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::workspace::{Workspace, hash, remove_folder, run};

/// The file that a complete folder bears.
const STAMP: &str = "complete";

/// A folder with Python packages; programs of theirs are in `bin`.
///
/// `requirements` is a file of `pip` with the version and the hashes of every package, dependencies included.
pub(crate) fn from_pypi(workspace: &Workspace, name: &str, requirements: &Path) -> Result<PathBuf> {
    install(workspace, name, requirements, |folder| {
        run(Command::new("python3").args(["-m", "venv"]).arg(folder))?;
        let mut pip = Command::new(folder.join("bin/python"));
        pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]);
        pip.args(["--require-hashes", "--only-binary=:all:", "--requirement"]).arg(requirements);
        run(&mut pip)
    })
}

/// A copy of `sources` from which the packages of their `package-lock.json` are found. No install scripts are run.
pub(crate) fn from_npm(workspace: &Workspace, name: &str, sources: &Path) -> Result<PathBuf> {
    let lock = &sources.join("package-lock.json");
    let programs = install(workspace, name, lock, |folder| {
        for file in [lock, &lock.with_file_name("package.json")] {
            let copy = folder.join(file.file_name().unwrap_or_default());
            fs::copy(file, copy).with_context(|| format!("{} cannot be copied", file.display()))?;
        }
        let mut npm = Command::new("npm");
        run(npm.current_dir(folder).args(["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"]))
    })?;
    // A module finds packages in the folders above its own.
    let copy = programs.join("sources");
    remove_folder(&copy)?;
    run(Command::new("cp").arg("-R").args([sources, &copy]))?;
    Ok(copy)
}

fn install(
    workspace: &Workspace,
    name: &str,
    lock: &Path,
    fill: impl FnOnce(&Path) -> Result<()>,
) -> Result<PathBuf> {
    let hash = hash(lock)?;
    let folder = workspace.gateways().join(name);
    let stamp = folder.join(STAMP);
    if fs::read_to_string(&stamp).is_ok_and(|present| present == hash) {
        return Ok(folder);
    }
    remove_folder(&folder)?;
    fs::create_dir_all(&folder).with_context(|| format!("the folder {} cannot be made", folder.display()))?;
    fill(&folder).with_context(|| format!("what {} names cannot be had", lock.display()))?;
    fs::write(&stamp, hash).with_context(|| format!("{} cannot be written", stamp.display()))?;
    Ok(folder)
}

#[cfg(test)]
mod tests {
    use anyhow::bail;

    use super::*;

    #[test]
    fn programs_are_installed_again_when_their_lock_changes_or_they_are_incomplete() {
        let target = std::env::temp_dir().join(format!("xtask-programs-{}", std::process::id()));
        let workspace = Workspace { root: target.clone(), target: target.clone() };
        fs::create_dir_all(&target).unwrap();
        let lock = target.join("lock");
        let installs = std::cell::Cell::new(0);
        let install = |works: bool| {
            install(&workspace, "one", &lock, |folder| {
                assert_eq!(fs::read_dir(folder).unwrap().count(), 0);
                installs.set(installs.get() + 1);
                fs::write(folder.join("program"), "")?;
                if works { Ok(()) } else { bail!("no such version") }
            })
        };
        fs::write(&lock, "1").unwrap();
        let error = format!("{:#}", install(false).unwrap_err());
        assert!(error.contains("lock") && error.contains("no such version"), "{error}");
        assert!(install(true).unwrap().join("program").is_file());
        install(true).unwrap();
        assert_eq!(installs.get(), 2);
        fs::write(&lock, "2").unwrap();
        install(true).unwrap();
        assert_eq!(installs.get(), 3);
        fs::remove_dir_all(&target).unwrap();
    }
}
