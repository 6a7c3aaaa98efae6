//! Finds the finished components, which the library embeds.
//!
//! Components are built for another target by another command, `cargo xtask build`, so this script looks for
//! them and builds nothing. `RUNTIME_SIGNALS_COMPONENTS` names their folder; without it they are expected in
//! `components` of the target folder.

use std::env;
use std::path::{Path, PathBuf};

/// File and the variable that hands its absolute path to the library.
const COMPONENTS: [(&str, &str); 2] =
    [("engine.wasm", "RUNTIME_SIGNALS_ENGINE_WASM"), ("collector.wasm", "RUNTIME_SIGNALS_COLLECTOR_WASM")];

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=RUNTIME_SIGNALS_COMPONENTS");
    println!("cargo::rerun-if-env-changed=CARGO_TARGET_DIR");
    let folders = folders();
    for (file, variable) in COMPONENTS {
        let found = folders.iter().map(|folder| folder.join(file)).find(|path| path.is_file());
        match found.and_then(|path| path.canonicalize().ok()) {
            Some(path) => {
                println!("cargo::rerun-if-changed={}", path.display());
                println!("cargo::rustc-env={variable}={}", path.display());
            }
            None => println!("cargo::error={}", missing(file, &folders)),
        }
    }
}

/// The folders to look in, first come first.
fn folders() -> Vec<PathBuf> {
    if let Some(folder) = variable("RUNTIME_SIGNALS_COMPONENTS") {
        return vec![folder];
    }
    let mut targets = Vec::new();
    if let Some(out) = variable("OUT_DIR") {
        // <target>[/<triple>]/<profile>/build/<package and hash>/out
        let outside = out.ancestors().skip_while(|folder| !folder.ends_with("build"));
        targets.extend(outside.skip(2).take(2).map(Path::to_path_buf));
    }
    // Where cargo's build folder is not its target folder, OUT_DIR does not lead there.
    let default = || Some(variable("CARGO_MANIFEST_DIR")?.parent()?.join("target"));
    targets.extend(variable("CARGO_TARGET_DIR").or_else(default));
    let mut folders = Vec::new();
    for folder in targets.iter().map(|target| target.join("components")) {
        if !folders.contains(&folder) {
            folders.push(folder);
        }
    }
    folders
}

fn variable(name: &str) -> Option<PathBuf> {
    env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from)
}

fn missing(file: &str, folders: &[PathBuf]) -> String {
    let folders: Vec<_> = folders.iter().map(|folder| folder.display().to_string()).collect();
    format!(
        "the component {file} is missing: run `cargo xtask build`, or name its folder in \
         RUNTIME_SIGNALS_COMPONENTS (looked in {})",
        folders.join(", ")
    )
}
