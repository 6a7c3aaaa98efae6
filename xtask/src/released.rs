//! Released contracts: the folders of `wit/released`, which never change by a byte.
//!
//! Each folder carries the SHA-256 of its files, in the form of `sha256sum`. While the contract in `wit/` has the
//! version of a released one, it also has to say the same about parsers.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};

use crate::workspace::{children, hash};

/// The hashes of a folder's files.
const SUMS: &str = "SHA256SUMS";

/// Fails when a released file was changed, added or removed, or when the contract contradicts its own release.
pub(crate) fn check(root: &Path) -> Result<()> {
    let wit = root.join("wit");
    let types = read(&wit.join("types.wit"))?;
    for folder in children(&wit.join("released"))? {
        unchanged(&folder)?;
        let version = folder.file_name().unwrap_or_default().to_string_lossy();
        if types.contains(&format!("package runtime-signals:signals@{version};")) {
            agrees(&wit, &folder)?;
        }
    }
    Ok(())
}

/// Has each file of a folder the hash that is listed, and are all files listed?
fn unchanged(folder: &Path) -> Result<()> {
    let sums = read(&folder.join(SUMS))?;
    let mut listed = Vec::new();
    for line in sums.lines() {
        let (sum, name) =
            line.split_once("  ").with_context(|| format!("{SUMS} of {} is malformed", folder.display()))?;
        let file = folder.join(name);
        let found = hash(&file)?;
        ensure!(
            found == sum,
            "{} has changed: a released contract stays as it is; make a new version",
            file.display()
        );
        listed.push(file);
    }
    let added = children(folder)?.into_iter().find(|file| !file.ends_with(SUMS) && !listed.contains(file));
    if let Some(file) = added {
        bail!("{} does not belong to its release: make a new version", file.display());
    }
    Ok(())
}

/// Does the contract say of parsers what was released? Its types may have grown by others.
fn agrees(wit: &Path, folder: &Path) -> Result<()> {
    for name in ["types.wit", "header-parser.wit", "worlds.wit"] {
        let (current, released) = (wit.join(name), folder.join(name));
        let text = read(&current)?;
        if let Some(block) = blocks(&read(&released)?).find(|block| !text.contains(block)) {
            bail!(
                "{} no longer says what {} does:\n{block}\nput it back, or raise the version of the package",
                current.display(),
                released.display()
            );
        }
    }
    Ok(())
}

/// The paragraphs of a text that define something; what else it begins with may differ.
fn blocks(text: &str) -> impl Iterator<Item = &str> {
    let body = text.split_once("\ninterface ").map_or(text, |(_, body)| body);
    let body = body.split_once("{\n").map_or(body, |(_, body)| body).trim_end().trim_end_matches('}');
    body.split("\n\n").map(str::trim_end).filter(|block| !block.is_empty())
}

fn read(file: &Path) -> Result<String> {
    fs::read_to_string(file).with_context(|| format!("{} cannot be read", file.display()))
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    fn root() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
    }

    /// A copy of the contract, which one test changes.
    fn copy(name: &str) -> PathBuf {
        let to = std::env::temp_dir().join(format!("xtask-released-{name}-{}", std::process::id()));
        for folder in ["wit", "wit/released/0.1.0"] {
            fs::create_dir_all(to.join(folder)).unwrap();
            for file in children(&root().join(folder)).unwrap().iter().filter(|file| file.is_file()) {
                fs::copy(file, to.join(folder).join(file.file_name().unwrap())).unwrap();
            }
        }
        to
    }

    /// What is wrong after a change of one file.
    fn wrong_after(name: &str, file: &str, change: impl FnOnce(&str) -> String) -> String {
        let root = copy(name);
        let file = root.join("wit").join(file);
        fs::write(&file, change(&fs::read_to_string(&file).unwrap_or_default())).unwrap();
        let checked = check(&root);
        fs::remove_dir_all(&root).unwrap();
        checked.unwrap_err().to_string()
    }

    #[test]
    fn the_contract_agrees_with_its_release() {
        check(&root()).unwrap();
    }

    #[test]
    fn a_released_file_never_changes_by_a_byte() {
        let wrong = wrong_after("byte", "released/0.1.0/types.wit", |text| format!("{text}\n"));
        assert!(wrong.contains("types.wit has changed"), "{wrong}");
    }

    #[test]
    fn nothing_is_added_to_a_release() {
        let wrong = wrong_after("added", "released/0.1.0/more.wit", |_| String::new());
        assert!(wrong.contains("more.wit does not belong"), "{wrong}");
    }

    #[test]
    fn what_parsers_use_cannot_change_within_a_version() {
        let grown = |text: &str| text.replace("        money,\n", "        money,\n        more,\n");
        let wrong = wrong_after("types", "types.wit", grown);
        assert!(wrong.contains("enum refusal-class"), "{wrong}");
        let wrong =
            wrong_after("parsing", "header-parser.wit", |text| text.replace("status: u16", "status: u32"));
        assert!(wrong.contains("record response"), "{wrong}");
    }
}
