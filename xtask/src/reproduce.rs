//! Shows that components do not depend on where they are built.
//!
//! The second build takes a copy of the checkout, a target folder and a tool chain at other paths of other
//! lengths, and starts from nothing. The copy lies in the target folder and goes at the end.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::components::{self, COMPONENTS};
use crate::debian;
use crate::workspace::{Workspace, hash, lock, output, remove_folder};

/// Builds all components here and in a copy; prints and compares their hashes.
pub(crate) fn reproduce(workspace: &Workspace) -> Result<()> {
    components::build_all(workspace)?;
    let folder = workspace.target.join("reproduce");
    let _lock = lock(&folder.with_extension("lock"))?;
    // An interrupted run leaves its copy behind.
    remove_folder(&folder)?;
    let copy = Workspace {
        root: folder.join("a-folder-whose-path-has-another-length/runtime-signals"),
        target: folder.join("t"),
    };
    let compared = build_copy(workspace, &copy).and_then(|()| compare(workspace, &copy));
    remove_folder(&folder)?;
    compared
}

fn build_copy(workspace: &Workspace, copy: &Workspace) -> Result<()> {
    copy_sources(workspace, &copy.root)?;
    fs::create_dir_all(&copy.target)?;
    for unpacked in [Workspace::wasm_toolchain, Workspace::binaryen] {
        if unpacked(workspace).is_dir() {
            debian::copy(&unpacked(workspace), &unpacked(copy))?;
        }
    }
    components::build_all(copy)
}

fn compare(workspace: &Workspace, copy: &Workspace) -> Result<()> {
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
    ensure!(
        differing.is_empty(),
        "other bytes come out of another folder: {}; a path got into the build, see the flags in xtask",
        differing.join(", ")
    );
    Ok(())
}

/// Copies what belongs to the checkout, as it is now: what is tracked, and new files that are not ignored.
fn copy_sources(workspace: &Workspace, to: &Path) -> Result<()> {
    let from = &workspace.root;
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
        // A tracked file that was removed is listed still, and so is a target folder that is not ignored.
        if !source.is_file() || source.starts_with(&workspace.target) {
            continue;
        }
        let parent = copy.parent().context("a source has no folder")?;
        fs::create_dir_all(parent)
            .and_then(|()| fs::copy(&source, &copy))
            .with_context(|| format!("{} cannot be copied", source.display()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(purpose: &str) -> std::path::PathBuf {
        let folder = std::env::temp_dir().join(format!("xtask-{purpose}-{}", std::process::id()));
        remove_folder(&folder).unwrap();
        fs::create_dir(&folder).unwrap();
        folder
    }

    /// A workspace whose components have these bytes.
    fn built(root: std::path::PathBuf, bytes: &[u8]) -> Workspace {
        let workspace = Workspace { target: root.join("target"), root };
        fs::create_dir_all(workspace.components()).unwrap();
        for component in COMPONENTS {
            fs::write(workspace.components().join(component.file_name()), bytes).unwrap();
        }
        workspace
    }

    #[test]
    fn a_component_that_differs_is_named() {
        let folder = folder("compare");
        let [one, same, other] =
            [("one", b"a"), ("same", b"a"), ("other", b"b")].map(|(name, b)| built(folder.join(name), b));
        compare(&one, &same).unwrap();
        let message = compare(&one, &other).unwrap_err().to_string();
        assert!(message.contains("engine.wasm"), "{message}");
        remove_folder(&folder).unwrap();
    }

    #[test]
    fn the_copy_has_new_files_and_nothing_that_was_built() {
        let folder = folder("copy");
        let (from, to) = (folder.join("from"), folder.join("to"));
        fs::create_dir_all(from.join("src")).unwrap();
        fs::write(from.join(".gitignore"), "ignored\n").unwrap();
        fs::write(from.join("src/lib.rs"), "// new\n").unwrap();
        fs::write(from.join("ignored"), "built\n").unwrap();
        let workspace = built(from.clone(), b"built");
        output(Command::new("git").current_dir(&from).args(["init", "--quiet"])).unwrap();

        copy_sources(&workspace, &to).unwrap();
        assert!(to.join("src/lib.rs").is_file());
        assert!(!to.join("ignored").exists() && !to.join("target").exists());
        remove_folder(&folder).unwrap();
    }
}
