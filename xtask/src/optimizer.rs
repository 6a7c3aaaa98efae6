//! Makes modules smaller by Binaryen's `wasm-opt`, from Debian's packages like the tool chain: a tenth or so beyond what
//! the compiler does for size.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::debian;
use crate::workspace::{Workspace, hash, run};

/// For size, with what compiler and runtimes know today.
const OPTIONS: &[&str] = &[
    "-Oz",
    "--enable-bulk-memory",
    "--enable-multivalue",
    "--enable-mutable-globals",
    "--enable-nontrapping-float-to-int",
    "--enable-reference-types",
    "--enable-sign-ext",
];

/// The same module, smaller. What was made smaller before is taken from there.
pub(crate) fn shrink(workspace: &Workspace, module: &Path) -> Result<PathBuf> {
    let small = module.with_extension(format!("{}.small", hash(module)?));
    if !small.is_file() {
        let program = debian::program_with_libraries(&workspace.binaryen(), "binaryen", "usr/bin/wasm-opt")?;
        let partial = small.with_extension(std::process::id().to_string());
        run(Command::new(program).args(OPTIONS).arg(module).arg("--output").arg(&partial))?;
        fs::rename(&partial, &small).with_context(|| format!("{} cannot be written", small.display()))?;
    }
    Ok(small)
}
