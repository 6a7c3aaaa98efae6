//! Shows that components do not depend on where they are built.
//!
//! The second build takes a copy of the checkout, a target folder and a tool chain at other paths of other
//! lengths, and starts from nothing.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};

use crate::components::{self, COMPONENTS};
use crate::debian;
use crate::workspace::{Workspace, output};

/// Builds all components here and in a temporary folder; prints and compares their hashes.
pub(crate) fn reproduce(workspace: &Workspace) -> Result<()> {
    components::build_all(workspace)?;
    let folder = Temporary::create("reproduce")?;
    let copy = Workspace {
        root: folder.0.join("a-folder-whose-path-has-another-length/runtime-signals"),
        target: folder.0.join("t"),
    };
    copy_sources(&workspace.root, &copy.root)?;
    if workspace.wasm_toolchain().is_dir() {
        fs::create_dir_all(&copy.target)?;
        debian::copy(&workspace.wasm_toolchain(), &copy.wasm_toolchain())?;
    }
    components::build_all(&copy)?;

    let mut differing = Vec::new();
    for component in COMPONENTS {
        let file = component.file_name();
        let here = hash(&workspace.components().join(&file))?;
        let there = hash(&copy.components().join(&file))?;
        println!("{here}  {file}  {}", workspace.root.display());
        println!("{there}  {file}  {}", copy.root.display());
        if here != there {
            differing.push(file);
        }
    }
    if !differing.is_empty() {
        bail!("built in another folder, other bytes come out: {}", differing.join(", "));
    }
    Ok(())
}

/// Copies what belongs to the checkout, as it is now: what is tracked, and new files that are not ignored.
fn copy_sources(from: &Path, to: &Path) -> Result<()> {
    let files = output(Command::new("git").current_dir(from).args([
        "ls-files",
        "-z",
        "--cached",
        "--others",
        "--exclude-standard",
    ]))
    .context("the sources cannot be listed; this needs a git checkout")?;
    for file in files.split('\0').filter(|file| !file.is_empty()) {
        let (source, copy) = (from.join(file), to.join(file));
        // A tracked file that was removed is listed still.
        if !source.is_file() {
            continue;
        }
        let parent = copy.parent().context("a source has no folder")?;
        fs::create_dir_all(parent)
            .and_then(|()| fs::copy(&source, &copy))
            .with_context(|| format!("{} cannot be copied", source.display()))?;
    }
    Ok(())
}

fn hash(file: &Path) -> Result<String> {
    let bytes = fs::read(file).with_context(|| format!("{} cannot be read", file.display()))?;
    Ok(Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect())
}

/// A folder that goes with its value.
struct Temporary(PathBuf);

impl Temporary {
    fn create(purpose: &str) -> Result<Self> {
        let name = format!("runtime-signals-{purpose}-{}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        fs::create_dir(&folder).with_context(|| format!("{} cannot be made", folder.display()))?;
        Ok(Self(folder))
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.0) {
            eprintln!("{} cannot be removed: {error}", self.0.display());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_those_of_sha256sum() {
        let folder = Temporary::create("hash").unwrap();
        let file = folder.0.join("abc");
        fs::write(&file, "abc").unwrap();
        let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(hash(&file).unwrap(), expected);
    }

    #[test]
    fn the_copy_has_new_files_and_no_ignored_ones() {
        let folder = Temporary::create("copy").unwrap();
        let (from, to) = (folder.0.join("from"), folder.0.join("to"));
        fs::create_dir_all(from.join("src")).unwrap();
        fs::write(from.join(".gitignore"), "target\n").unwrap();
        fs::write(from.join("src/lib.rs"), "// new\n").unwrap();
        fs::write(from.join("target"), "built\n").unwrap();
        output(Command::new("git").current_dir(&from).args(["init", "--quiet"])).unwrap();

        copy_sources(&from, &to).unwrap();
        assert!(to.join("src/lib.rs").is_file());
        assert!(!to.join("target").exists());
    }
}
