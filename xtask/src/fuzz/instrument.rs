//! The compiler as cargo is told to call it for the host's fuzz targets: what is ours is instrumented, and whatever it
//! depends on is taken as the tests have it.
//!
//! Cargo runs `RUSTC_WORKSPACE_WRAPPER` in place of the compiler for crates of the workspace alone, and keeps what comes
//! of it apart from what the compiler makes by itself. That wrapper is this program, under another name.

use std::ffi::OsString;
use std::os::unix::fs::symlink;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::{env, fs, io};

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};

/// Coverage as libFuzzer wants it: counters at each edge, and comparisons told. Stable compilers have it too.
pub(super) const COVERAGE: [&str; 6] = [
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
    "-Cllvm-args=-simplifycfg-branch-fold-threshold=0",
];
/// Speed for more executions, with the checks that the compiler leaves out where it optimises. What is generic in dependencies is compiled, and
/// covered, with the crates that use it.
const SPEED: [&str; 4] =
    ["-Copt-level=2", "-Cdebug-assertions=on", "-Coverflow-checks=on", "-Cdebuginfo=line-tables-only"];
/// What is instrumented. The guest's crates are not: its own targets cover them, and build scripts need them as they are.
const CRATES: [&str; 4] =
    ["host_fuzz", "runtime_signals", "runtime_signals_component", "runtime_signals_host_fuzz"];
/// How the wrapper is called, before what tells its flags apart.
const NAME: &str = "instrumenting-rustc-";

/// The wrapper, in this folder. Its name changes with what it does, which cargo goes by.
pub(super) fn wrapper(folder: &Path) -> Result<PathBuf> {
    let flags = COVERAGE.iter().chain(&SPEED).chain(&CRATES).copied().collect::<Vec<_>>().join(" ");
    let digest: String = Sha256::digest(flags).iter().take(4).map(|byte| format!("{byte:02x}")).collect();
    let wrapper = folder.join(format!("{NAME}{digest}"));
    let made = || -> io::Result<()> {
        fs::create_dir_all(folder)?;
        match fs::remove_file(&wrapper) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => symlink(env::current_exe()?, &wrapper),
        }
    };
    made().with_context(|| format!("{} cannot be made", wrapper.display()))?;
    Ok(wrapper)
}

/// Where this program was called as the wrapper: becomes the compiler. Returns only where it was not, or cannot.
pub(crate) fn as_compiler() -> Option<ExitCode> {
    let mut arguments = env::args_os();
    let program = PathBuf::from(arguments.next()?);
    if !program.file_name()?.to_str()?.starts_with(NAME) {
        return None;
    }
    let compiler = arguments.next()?;
    let arguments: Vec<OsString> = arguments.collect();
    let mut command = Command::new(&compiler);
    command.args(flags(&arguments)).args(&arguments);
    let error = command.exec();
    eprintln!("error: {} cannot be run: {error}", compiler.display());
    Some(ExitCode::FAILURE)
}

/// What the compiler is told besides, for these arguments.
fn flags(arguments: &[OsString]) -> Vec<&'static str> {
    let mut names = arguments.iter().skip_while(|argument| *argument != "--crate-name").skip(1);
    match names.next().and_then(|name| name.to_str()) {
        Some(name) if CRATES.contains(&name) => [&COVERAGE[..], &SPEED[..]].concat(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flags_for(line: &str) -> Vec<&'static str> {
        flags(&line.split(' ').map(OsString::from).collect::<Vec<_>>())
    }

    #[test]
    fn our_own_crates_are_instrumented_and_no_others() {
        let flags = flags_for("--crate-name runtime_signals --edition=2024 lib.rs");
        assert!(flags.contains(&"-Cpasses=sancov-module") && flags.contains(&"-Copt-level=2"), "{flags:?}");
        assert!(
            flags.contains(&"-Cdebug-assertions=on") && flags.contains(&"-Coverflow-checks=on"),
            "{flags:?}"
        );
        for line in
            ["--crate-name build_script_build build.rs", "--crate-name runtime_signals_core lib.rs", "-vV"]
        {
            assert!(flags_for(line).is_empty(), "{line}");
        }
    }
}
