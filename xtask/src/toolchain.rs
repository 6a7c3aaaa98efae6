//! Selects the compiler for guest crates.
//!
//! The compiler in use serves if it has the standard library of the target. Otherwise, on Debian, a compiler
//! and the library's sources are unpacked from the distribution's packages into the target folder, where
//! nothing is installed and no other project is affected. `RUNTIME_SIGNALS_WASM_TOOLCHAIN` set to `rustup` or
//! `debian` allows only the one or the other.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, anyhow, bail};

use crate::debian;
use crate::workspace::{Workspace, output};

/// The target of all guest crates.
pub(crate) const TARGET: &str = "wasm32-unknown-unknown";

/// Tells cargo the linker of the target.
const LINKER: &str = "CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER";

/// Restricts the choice.
const CHOICE: &str = "RUNTIME_SIGNALS_WASM_TOOLCHAIN";

/// A compiler that can build guest crates.
pub(crate) struct Toolchain {
    /// Absent where the compiler in use serves.
    unpacked: Option<Unpacked>,
    /// Where the sources of the standard library lie, or would lie.
    pub(crate) std_sources: PathBuf,
    /// What stands for that path in standard libraries as they are released.
    pub(crate) std_sources_name: String,
}

/// A compiler that lacks the target's standard library, but has the sources.
struct Unpacked {
    compiler: PathBuf,
    linker: PathBuf,
}

impl Toolchain {
    fn new(rustc: &Path, unpacked: Option<Unpacked>) -> Result<Self> {
        let compiler = unpacked.as_ref().map_or(rustc, |unpacked| &unpacked.compiler);
        let sysroot = output(Command::new(compiler).args(["--print", "sysroot"]))?;
        let version = output(Command::new(compiler).arg("-vV"))?;
        // A compiler that was not built from a commit goes by its release.
        let build = version_field(&version, "commit-hash")
            .filter(|hash| *hash != "unknown")
            .or_else(|| version_field(&version, "release"))
            .with_context(|| format!("`{} -vV` names no release", compiler.display()))?;
        Ok(Self {
            unpacked,
            std_sources: Path::new(sysroot.trim()).join("lib/rustlib/src/rust"),
            std_sources_name: format!("/rustc/{build}"),
        })
    }

    /// Is it unpacked from Debian's packages?
    pub(crate) fn is_debians(&self) -> bool {
        self.unpacked.is_some()
    }

    /// Flags for the compiler that it understands beyond those of every tool chain.
    ///
    /// A component has nowhere to write a panic's message to: where the standard library is built from its sources,
    /// the messages and their formatting are left out, a fifteenth of the engine.
    pub(crate) fn rustflags(&self) -> &'static [&'static str] {
        if self.is_debians() { &["-Zunstable-options", "-Cpanic=immediate-abort"] } else { &[] }
    }

    /// What a `cargo build` of another project needs in its environment to use this tool chain, a `NAME=value` a line:
    /// nothing where the compiler in use serves.
    pub(crate) fn environment(&self) -> String {
        let Some(Unpacked { compiler, linker }) = &self.unpacked else { return String::new() };
        format!(
            "RUSTC={}\nRUSTC_BOOTSTRAP=1\nCARGO_UNSTABLE_BUILD_STD=core,alloc\n{LINKER}={}\n",
            compiler.display(),
            linker.display()
        )
    }

    /// Makes a `cargo build` use this tool chain.
    pub(crate) fn configure(&self, build: &mut Command) {
        if let Some(Unpacked { compiler, linker }) = &self.unpacked {
            // Building the standard library is not a stable feature of cargo yet.
            build
                .arg("-Zbuild-std=std,panic_abort")
                .env("RUSTC", compiler)
                .env("RUSTC_BOOTSTRAP", "1")
                .env(LINKER, linker);
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    /// The compiler in use, with the target's standard library.
    Installed,
    /// Unpacked from Debian's packages.
    Debian,
}

/// The tool chain to build guest crates with; fetches it where that is needed.
pub(crate) fn select(workspace: &Workspace) -> Result<Toolchain> {
    let only = std::env::var_os(CHOICE);
    let only = only.as_ref().map(|value| value.to_str().unwrap_or("?"));
    let rustc = std::env::var_os("RUSTC").map_or_else(|| PathBuf::from("rustc"), PathBuf::from);
    match choose(only, || has_target(&rustc), debian::is_usable)? {
        Kind::Installed => Toolchain::new(&rustc, None),
        Kind::Debian => {
            let linker = linker(&rustc)?;
            let folder = workspace.wasm_toolchain();
            let compiler = debian::provide(&folder)
                .map_err(|error| anyhow!(no_toolchain(&format!("Debian's cannot be had: {error:#}"))))?;
            Toolchain::new(&rustc, Some(Unpacked { compiler, linker }))
        }
    }
}

fn choose(
    only: Option<&str>,
    has_target: impl FnOnce() -> Result<bool>,
    debian_is_usable: impl FnOnce() -> bool,
) -> Result<Kind> {
    let (installed, debian) = match only {
        None | Some("") => (true, true),
        Some("rustup") => (true, false),
        Some("debian") => (false, true),
        Some(other) => bail!("{CHOICE} is `{other}`; it must be `rustup`, `debian` or unset"),
    };
    if installed && has_target()? {
        Ok(Kind::Installed)
    } else if debian && debian_is_usable() {
        Ok(Kind::Debian)
    } else {
        let lacking = match (installed, debian) {
            (true, false) => "the compiler in use lacks the target",
            (false, _) => "apt-get or dpkg-deb is missing",
            (true, true) => "the compiler in use lacks the target, and apt-get or dpkg-deb is missing",
        };
        bail!(no_toolchain(lacking))
    }
}

/// Why there is no tool chain, and what helps.
fn no_toolchain(why: &str) -> String {
    format!(
        "no tool chain for {TARGET}: {why}\n\
         Two remedies:\n  \
         rustup: `rustup target add {TARGET}`\n  \
         Debian: `apt-get update` as root, then again. This takes the packages {}, at least of Rust {}, and \
         unpacks them under the target folder; nothing is installed.",
        debian::PACKAGES.join(", "),
        debian::OLDEST_RELEASE,
    )
}

/// Does the compiler have the standard library of the target?
fn has_target(rustc: &Path) -> Result<bool> {
    let folder = output(Command::new(rustc).args(["--print", "target-libdir", "--target", TARGET]))?;
    // A tool chain without the target names the folder too: only what lies in it counts.
    let Ok(entries) = fs::read_dir(folder.trim()) else { return Ok(false) };
    Ok(entries.flatten().any(|entry| entry.file_name().to_string_lossy().starts_with("libcore-")))
}

/// The linker that comes with the compiler in use: Debian's does not bring one for this target.
fn linker(rustc: &Path) -> Result<PathBuf> {
    let sysroot = output(Command::new(rustc).args(["--print", "sysroot"]))?;
    let version = output(Command::new(rustc).arg("-vV"))?;
    let host = version_field(&version, "host")
        .with_context(|| format!("`{} -vV` names no host", rustc.display()))?;
    let linker = Path::new(sysroot.trim()).join("lib/rustlib").join(host).join("bin/rust-lld");
    if !linker.is_file() {
        bail!(no_toolchain(&format!("there is no linker at {}", linker.display())));
    }
    Ok(linker)
}

/// A field of `rustc -vV`.
fn version_field<'a>(version: &'a str, field: &str) -> Option<&'a str> {
    version.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(": "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(only: Option<&str>, target: bool, debian: bool) -> Result<Kind> {
        choose(only, || Ok(target), || debian)
    }

    #[test]
    fn the_compiler_in_use_comes_first() {
        assert_eq!(chosen(None, true, true).unwrap(), Kind::Installed);
        assert_eq!(chosen(None, true, false).unwrap(), Kind::Installed);
    }

    #[test]
    fn debian_serves_where_the_target_is_missing() {
        assert_eq!(chosen(None, false, true).unwrap(), Kind::Debian);
        assert_eq!(chosen(Some(""), false, true).unwrap(), Kind::Debian);
    }

    #[test]
    fn without_any_tool_chain_both_remedies_are_named() {
        let message = chosen(None, false, false).unwrap_err().to_string();
        assert!(message.contains("rustup target add wasm32-unknown-unknown"), "{message}");
        assert!(message.contains("rustc-web") && message.contains("rust-web-src"), "{message}");
    }

    #[test]
    fn a_forced_choice_never_falls_back() {
        assert_eq!(chosen(Some("debian"), true, true).unwrap(), Kind::Debian);
        assert_eq!(chosen(Some("rustup"), true, true).unwrap(), Kind::Installed);
        assert!(chosen(Some("rustup"), false, true).is_err());
        assert!(chosen(Some("debian"), true, false).is_err());
    }

    #[test]
    fn an_unknown_choice_is_refused() {
        let message = chosen(Some("nix"), true, true).unwrap_err().to_string();
        assert!(message.contains("`nix`") && message.contains("`rustup`, `debian`"), "{message}");
    }

    #[test]
    fn fields_of_the_version_are_told_apart() {
        let version = "rustc 1.95.0 (596 2026-04-14)\nbinary: rustc\ncommit-hash: 5980\n\
                       commit-date: 2026-04-14\nhost: x86_64-unknown-linux-gnu\nrelease: 1.95.0\n";
        assert_eq!(version_field(version, "commit-hash"), Some("5980"));
        assert_eq!(version_field(version, "host"), Some("x86_64-unknown-linux-gnu"));
        assert_eq!(version_field(version, "commit"), None);
    }
}
