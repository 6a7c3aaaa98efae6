//! Programs from Debian's packages, unpacked but not installed.
//!
//! apt resolves, downloads and verifies; what it would install is unpacked into one folder and started from
//! there through a wrapper. The folder appears by a rename when it is complete, so that an interrupted
//! unpacking is never used, and stays until somebody removes it: newer packages do not change a build by
//! themselves.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use crate::workspace::{children, lock, output, remove_folder};

/// What is asked for by name; apt adds what these need, in the matching versions. The compiler also builds
/// procedural macros and build scripts, hence the standard library of the host.
pub(crate) const PACKAGES: &[&str] = &["rustc-web", "libstd-rust-web-dev", "rust-web-src"];

/// The oldest release of Rust that builds this workspace.
pub(crate) const OLDEST_RELEASE: &str = env!("CARGO_PKG_RUST_VERSION");

/// Lists the unpacked packages; written last, so its presence says that all is there.
const MARKER: &str = "packages";

/// Folders that are being filled: between the folder's name and the process.
const PARTIAL: &str = ".partial.";

/// The generated program that starts the unpacked compiler.
const WRAPPER: &str = "rustc";

/// What it starts.
const COMPILER: &str = "usr/bin/rustc";

/// Are Debian's package tools here?
pub(crate) fn is_usable() -> bool {
    ["apt-get", "dpkg-deb"].iter().all(|program| output(Command::new(program).arg("--version")).is_ok())
}

/// The compiler in `folder`, which is filled first if it does not exist.
pub(crate) fn provide(folder: &Path) -> Result<PathBuf> {
    unpack(folder, fill)?;
    Ok(folder.join(WRAPPER))
}

/// A file of one package that needs nothing but the C library, in `folder`, which is filled first if it does not exist.
/// `path` is its path in the package.
pub(crate) fn file(folder: &Path, package: &str, path: &str) -> Result<PathBuf> {
    unpack(folder, |partial| {
        fetch(partial, || Ok(vec![package.to_owned()]))?;
        extract(partial)?;
        ensure!(partial.join(path).is_file(), "the package {package} brought no {path}");
        Ok(vec![package.to_owned()])
    })?;
    Ok(folder.join(path))
}

/// A program of one package, with what that needs and this machine lacks, in `folder`, which is filled first if it does
/// not exist. `program` is its path in the package. It is started by a wrapper of its name.
pub(crate) fn program_with_libraries(folder: &Path, package: &str, program: &str) -> Result<PathBuf> {
    let name = Path::new(program).file_name().context("the program has no name")?;
    let plan = || {
        let text = simulate(&[package])?;
        Ok(parse_plan(&text).into_iter().map(|(name, version)| format!("{name}={version}")).collect())
    };
    unpack(folder, |partial| {
        let packages =
            fetch(partial, plan).with_context(|| format!("the package {package} cannot be had"))?;
        extract(partial)?;
        let wrapper = write_wrapper(partial, program, "")?;
        let version = output(Command::new(&wrapper).arg("--version"));
        eprintln!("unpacked {}", version.with_context(|| format!("{program} does not start"))?.trim());
        Ok(packages)
    })?;
    Ok(folder.join(name))
}

/// Fills `folder` if it does not exist. `fill` tells what it has put there.
fn unpack(folder: &Path, fill: impl FnOnce(&Path) -> Result<Vec<String>>) -> Result<()> {
    if folder.join(MARKER).is_file() {
        return Ok(());
    }
    let name = folder.file_name().context("the folder has no name")?.to_string_lossy();
    let parent = folder.parent().context("the target folder has no name")?;
    fs::create_dir_all(parent).with_context(|| format!("{} cannot be made", parent.display()))?;
    let _lock = lock(&folder.with_extension("lock"))?;
    // Another process may have been at it until now.
    if !folder.join(MARKER).is_file() {
        let partial = format!("{name}{PARTIAL}");
        remove_leftovers(parent, &partial)?;
        let partial = parent.join(format!("{partial}{}", std::process::id()));
        remove_folder(folder)?;
        fs::create_dir(&partial).with_context(|| format!("{} cannot be made", partial.display()))?;
        let packages = fill(&partial)?;
        fs::write(partial.join(MARKER), packages.join("\n") + "\n")?;
        fs::rename(&partial, folder)
            .with_context(|| format!("{} cannot be put in place", folder.display()))?;
    }
    Ok(())
}

/// A copy of the unpacked tool chain at another place, for a build that must not depend on the place. Files
/// are shared where the file system allows it: nobody writes to them.
pub(crate) fn copy(from: &Path, to: &Path) -> Result<()> {
    let copy = |how: &str| {
        remove_folder(to)?;
        output(Command::new("cp").args(["--archive", how]).arg(from).arg(to))
    };
    copy("--link").or_else(|_| copy("--reflink=auto")).map(drop)
}

/// Removes what interrupted runs have left. A program that they started may still be writing there, so
/// this does not insist.
fn remove_leftovers(parent: &Path, partial: &str) -> Result<()> {
    for path in children(parent)? {
        if path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(partial)) {
            fs::remove_dir_all(path).ok();
        }
    }
    Ok(())
}

fn fill(folder: &Path) -> Result<Vec<String>> {
    let packages = fetch(folder, plan)?;
    extract(folder)?;
    keep_only_the_library(folder)?;
    let wrapper = write_wrapper(folder, COMPILER, " --sysroot \"$here/usr\"")?;
    let version =
        output(Command::new(&wrapper).arg("--version")).context("the unpacked compiler does not start")?;
    let core = folder.join("usr/lib/rustlib/src/rust/library/core/Cargo.toml");
    ensure!(core.is_file(), "the packages brought no sources of the standard library");
    eprintln!("unpacked {}", version.trim());
    Ok(packages)
}

/// Unpacks the archives in `folder` there.
fn extract(folder: &Path) -> Result<()> {
    for archive in archives(folder)? {
        output(Command::new("dpkg-deb").arg("--extract").arg(&archive).arg(folder))?;
        fs::remove_file(&archive)?;
    }
    Ok(())
}

/// Downloads the packages of a plan into `folder`; returns them.
fn fetch(folder: &Path, plan: impl Fn() -> Result<Vec<String>>) -> Result<Vec<String>> {
    let attempt = || {
        let packages = plan()?;
        eprintln!("fetching from Debian, to be unpacked and not installed: {}", packages.join(" "));
        output(apt_get().current_dir(folder).arg("download").args(&packages))?;
        Ok(packages)
    };
    // Package lists may be missing or name files that the mirror no longer has.
    attempt().or_else(|first: anyhow::Error| {
        eprintln!("the package lists may be out of date ({first:#}): running `apt-get update`");
        output(apt_get().arg("update"))
            .context("the package lists cannot be updated; run `apt-get update` as root")?;
        attempt()
    })
}

fn apt_get() -> Command {
    let mut command = Command::new("apt-get");
    command.env("LC_ALL", "C").arg("--quiet");
    command
}

/// What apt would install, as `name=version`: the packages and all that they need and this machine lacks.
fn plan() -> Result<Vec<String>> {
    let text = simulate(PACKAGES)?;
    let plan = parse_plan(&text);
    for package in PACKAGES {
        let version = plan.iter().find_map(|(name, version)| (name == package).then_some(*version));
        let version = version.with_context(|| format!("apt has no package {package} to offer"))?;
        if release(version) < release(OLDEST_RELEASE) {
            bail!("apt offers {package} {version}, but Rust {OLDEST_RELEASE} is needed");
        }
    }
    Ok(plan.into_iter().map(|(name, version)| format!("{name}={version}")).collect())
}

fn simulate(packages: &[&str]) -> Result<String> {
    let options = ["--simulate", "--no-install-recommends", "--reinstall", "install"];
    output(apt_get().args(options).args(packages))
}

/// Name and version in lines such as `Inst rustc-web [1.85] (1.96.0+dfsg1-1 Debian:12 [amd64])`.
fn parse_plan(text: &str) -> Vec<(&str, &str)> {
    text.lines()
        .filter_map(|line| {
            let rest = line.strip_prefix("Inst ")?;
            let name = rest.split_whitespace().next()?;
            let version = rest.split_once('(')?.1.split_whitespace().next()?;
            Some((name, version))
        })
        .collect()
}

/// Major and minor number of a release of Rust, or of a package of it.
fn release(version: &str) -> Option<(u32, u32)> {
    let mut numbers = version.split(|c: char| !c.is_ascii_digit()).map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

fn archives(folder: &Path) -> Result<Vec<PathBuf>> {
    Ok(children(folder)?.into_iter().filter(|path| path.extension().is_some_and(|e| e == "deb")).collect())
}

/// Removes the sources of the compiler and its tools: ten times as many files as are needed.
fn keep_only_the_library(folder: &Path) -> Result<()> {
    for sources in children(&folder.join("usr/src"))? {
        for part in children(&sources)? {
            if part.is_dir() && !part.ends_with("library") {
                remove_folder(&part)?;
            }
        }
    }
    Ok(())
}

/// The folders with shared libraries, relative to `folder`: those of the machine's kind, and those of single packages
/// in them.
fn library_folders(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for base in ["lib", "usr/lib"] {
        let base = folder.join(base);
        if !base.is_dir() {
            continue;
        }
        for outer in children(&base)?.into_iter().filter(|path| holds_libraries(path)) {
            let inner = children(&outer)?.into_iter().filter(|path| holds_libraries(path));
            found.extend(std::iter::once(outer.clone()).chain(inner));
        }
    }
    found.into_iter().map(|path| Ok(path.strip_prefix(folder)?.to_owned())).collect()
}

fn holds_libraries(folder: &Path) -> bool {
    children(folder).is_ok_and(|files| {
        files.iter().any(|file| {
            let name = file.file_name().unwrap_or_default().to_string_lossy();
            name.ends_with(".so") || name.contains(".so.")
        })
    })
}

/// Puts a wrapper for one of the unpacked programs into `folder`, under the last part of its path.
fn write_wrapper(folder: &Path, program: &str, arguments: &str) -> Result<PathBuf> {
    let wrapper = folder.join(Path::new(program).file_name().context("the program has no name")?);
    fs::write(&wrapper, wrapper_script(program, arguments, &library_folders(folder)?))?;
    fs::set_permissions(&wrapper, fs::Permissions::from_mode(0o755))?;
    Ok(wrapper)
}

/// The wrapper finds everything from its own place, so the folder can be moved.
fn wrapper_script(program: &str, arguments: &str, library_folders: &[PathBuf]) -> String {
    let libraries: Vec<_> =
        library_folders.iter().map(|folder| format!("$here/{}", folder.display())).collect();
    // An empty entry would mean the current directory.
    let libraries = libraries.join(":") + "${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}";
    format!(
        "#!/bin/sh\n\
         here=$(CDPATH= cd -- \"$(dirname -- \"$0\")\" && pwd) || exit\n\
         LD_LIBRARY_PATH=\"{libraries}\"\n\
         export LD_LIBRARY_PATH\n\
         exec \"$here/{program}\"{arguments} \"$@\"\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_plan_is_read_with_and_without_installed_versions() {
        let text = "Reading package lists...\n\
            Inst libllvm22 (1:22.1.8-1~deb12u1 Debian-Security:12/oldstable-security [amd64])\n\
            Inst rustc-web [1.85.0+dfsg3-1] (1.96.0+dfsg1-1~deb12u2 Debian-Security:12 [amd64]) []\n\
            Conf rustc-web (1.96.0+dfsg1-1~deb12u2 Debian-Security:12 [amd64])\n";
        assert_eq!(
            parse_plan(text),
            [("libllvm22", "1:22.1.8-1~deb12u1"), ("rustc-web", "1.96.0+dfsg1-1~deb12u2")]
        );
    }

    #[test]
    fn releases_are_compared_by_number() {
        assert_eq!(release("1.96.0+dfsg1-1~deb12u2"), Some((1, 96)));
        assert!(release("1.100.0") > release(OLDEST_RELEASE));
        assert!(release("1.85.0+dfsg3-1~deb12u3") < release(OLDEST_RELEASE));
        assert!(release("none") < release(OLDEST_RELEASE));
    }

    #[test]
    fn a_complete_tool_chain_is_used_and_leftovers_go() {
        let folder = std::env::temp_dir().join(format!("xtask-debian-{}", std::process::id()));
        let complete = folder.join("wasm-toolchain");
        fs::create_dir_all(&complete).unwrap();
        fs::write(complete.join(MARKER), "rustc-web=1.96.0\n").unwrap();
        assert_eq!(provide(&complete).unwrap(), complete.join(WRAPPER));

        let (leftover, other) = (folder.join("wasm-toolchain.partial.7"), folder.join("guest"));
        fs::create_dir_all(leftover.join("usr")).unwrap();
        fs::create_dir_all(&other).unwrap();
        remove_leftovers(&folder, "wasm-toolchain.partial.").unwrap();
        assert!(!leftover.exists() && other.exists() && complete.exists());

        let copied = folder.join("copy");
        copy(&complete, &copied).unwrap();
        assert!(copied.join(MARKER).is_file());
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn the_wrapper_searches_the_unpacked_libraries_first() {
        let folder = std::env::temp_dir().join(format!("xtask-wrapper-{}", std::process::id()));
        fs::create_dir_all(folder.join("usr/bin")).unwrap();
        let compiler = folder.join(COMPILER);
        fs::write(&compiler, "#!/bin/sh\necho \"$LD_LIBRARY_PATH|$*\"\n").unwrap();
        let libraries = [PathBuf::from("usr/lib/x86_64-linux-gnu")];
        let wrapper = folder.join(WRAPPER);
        fs::write(&wrapper, wrapper_script(COMPILER, " --sysroot \"$here/usr\"", &libraries)).unwrap();
        fs::set_permissions(&compiler, fs::Permissions::from_mode(0o755)).unwrap();
        let said = |libraries: &str| {
            let mut shell = Command::new("sh");
            output(shell.env("LD_LIBRARY_PATH", libraries).arg(&wrapper).arg("-vV")).unwrap()
        };

        let (here, sysroot) = (folder.display(), folder.join("usr"));
        let expected = format!("{here}/usr/lib/x86_64-linux-gnu|--sysroot {} -vV\n", sysroot.display());
        assert_eq!(said(""), expected);
        assert_eq!(said("/other"), expected.replace('|', ":/other|"));
        fs::remove_dir_all(&folder).unwrap();
    }
}
