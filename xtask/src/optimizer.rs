//! Makes modules better by Binaryen's `wasm-opt`, from Debian's packages like the tool chain: those for size smaller by a
//! tenth or so than the compiler makes them, the others by a 25th, with fewer instructions on their way.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::debian;
use crate::workspace::{Workspace, hash, run};

/// What comes first.
#[derive(Clone, Copy)]
pub(crate) enum Goal {
    Size,
    Speed,
}

/// What compiler and runtimes know today.
const FEATURES: &[&str] = &[
    "--enable-bulk-memory",
    "--enable-multivalue",
    "--enable-mutable-globals",
    "--enable-nontrapping-float-to-int",
    "--enable-reference-types",
    "--enable-sign-ext",
];

/// The same module, smaller or faster. What was made so before is taken from there.
pub(crate) fn optimize(workspace: &Workspace, module: &Path, goal: Goal) -> Result<PathBuf> {
    let (option, extension) = match goal {
        Goal::Size => ("-Oz", "small"),
        Goal::Speed => ("-O3", "fast"),
    };
    let optimized = module.with_extension(format!("{}.{extension}", hash(module)?));
    if !optimized.is_file() {
        let program = debian::program_with_libraries(&workspace.binaryen(), "binaryen", "usr/bin/wasm-opt")?;
        let partial = optimized.with_extension(std::process::id().to_string());
        let mut optimizer = Command::new(program);
        run(optimizer.arg(option).args(FEATURES).arg(module).arg("--output").arg(&partial))?;
        fs::rename(&partial, &optimized)
            .with_context(|| format!("{} cannot be written", optimized.display()))?;
    }
    Ok(optimized)
}
