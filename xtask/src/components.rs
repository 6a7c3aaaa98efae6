//! Builds the WebAssembly components.
//!
//! A guest crate becomes a core module by cargo, and a component by the crate in `component/`. The bytes depend on the
//! sources, the lock file and the tool chain only: every path that a compiler could write into them is
//! replaced. A component whose bytes did not change is not written again, so that the host is not rebuilt.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use crate::optimizer::{self, Goal};
use crate::toolchain::{self, TARGET, Toolchain};
use crate::workspace::{Workspace, cargo, run};

/// A component of this workspace.
pub(crate) struct Component {
    /// The finished file is `<name>.wasm`.
    pub(crate) name: &'static str,
    /// The guest crate.
    pub(crate) package: &'static str,
    /// Its features.
    features: &'static [&'static str],
    form: Form,
    /// Largest size that is accepted, in bytes. Loading time and memory grow with it.
    max_bytes: usize,
}

/// What a guest crate becomes.
#[derive(Clone, Copy, PartialEq)]
enum Form {
    /// A component, built for speed.
    Component,
    /// A component, built for size.
    SmallComponent,
    /// A core module, built for size.
    SmallModule,
}

impl Form {
    /// The cargo profile of the crate.
    const fn profile(self) -> &'static str {
        match self {
            Self::Component => "component",
            Self::SmallComponent | Self::SmallModule => "gateway",
        }
    }

    /// Does its size come before its speed?
    fn is_small(self) -> bool {
        self != Self::Component
    }

    fn goal(self) -> Goal {
        if self.is_small() { Goal::Size } else { Goal::Speed }
    }
}

impl Component {
    /// A component that is built for speed, without features.
    const fn new(name: &'static str, package: &'static str, max_bytes: usize) -> Self {
        Self { name, package, features: &[], form: Form::Component, max_bytes }
    }

    /// Is nothing of the crate built for the host? The shells for gateways have tests that need no sandbox.
    pub(crate) fn is_for_the_sandbox_only(&self) -> bool {
        self.form == Form::Component
    }

    /// Name of the finished file.
    pub(crate) fn file_name(&self) -> String {
        format!("{}.wasm", self.name)
    }
}

const MAX_BYTES: usize = 288 * 1024;
/// A parser in Rust.
const MAX_PARSER_BYTES: usize = 28 * 1024;
const MAX_COLLECTOR_BYTES: usize = 160 * 1024;
/// For components that no user ever loads.
const MAX_TEST_BYTES: usize = 320 * 1024;
/// A module for Envoy.
const MAX_ENVOY_BYTES: usize = 200 * 1024;
/// A component for a model gateway.
const MAX_GATEWAY_BYTES: usize = 137 * 1024;

/// All components.
pub(crate) const COMPONENTS: &[Component] = &[
    Component::new("engine", "runtime-signals-engine", MAX_BYTES),
    // Its calls end in a file or a network: microseconds of the core do not show in them.
    Component {
        form: Form::SmallComponent,
        ..Component::new("collector", "runtime-signals-collector", MAX_COLLECTOR_BYTES)
    },
    // The engine with faults on demand, for tests of the host.
    Component {
        features: &["faults"],
        ..Component::new("engine-faults", "runtime-signals-engine", MAX_TEST_BYTES)
    },
    // A parser, as users write them.
    Component {
        form: Form::SmallComponent,
        ..Component::new("acme-parser", "acme-parser", MAX_PARSER_BYTES)
    },
    Component {
        form: Form::SmallModule,
        ..Component::new("envoy", "runtime-signals-envoy", MAX_ENVOY_BYTES)
    },
    // The same with faults on demand, for tests in Envoy.
    Component {
        features: &["faults"],
        form: Form::SmallModule,
        ..Component::new("envoy-faults", "runtime-signals-envoy", MAX_TEST_BYTES)
    },
    // The worlds of two model gateways.
    Component {
        features: &["smg"],
        form: Form::SmallComponent,
        ..Component::new("smg", "runtime-signals-gateway", MAX_GATEWAY_BYTES)
    },
    Component {
        features: &["sglang"],
        form: Form::SmallComponent,
        ..Component::new("sglang", "runtime-signals-gateway", MAX_GATEWAY_BYTES)
    },
    // A parser that does harm on demand, for tests of the host.
    Component::new("hostile-parser", "hostile-parser", MAX_TEST_BYTES),
    // Another shape of the hot call, for benchmarks.
    Component::new("pairs", "runtime-signals-pairs", MAX_TEST_BYTES),
];

/// Those that the binary and the library hold.
const EMBEDDED: [&str; 2] = ["engine", "collector"];

/// Builds all components into `<target>/components`.
pub(crate) fn build_all(workspace: &Workspace) -> Result<()> {
    build(workspace, COMPONENTS.iter())
}

/// Builds only what the binary needs.
pub(crate) fn build_embedded(workspace: &Workspace) -> Result<()> {
    build(workspace, COMPONENTS.iter().filter(|component| EMBEDDED.contains(&component.name)))
}

fn build(workspace: &Workspace, components: impl Iterator<Item = &'static Component>) -> Result<()> {
    let toolchain = toolchain::select(workspace)?;
    let folder = workspace.components();
    fs::create_dir_all(&folder).with_context(|| format!("the folder {} cannot be made", folder.display()))?;
    // For tests that build a project of their own.
    write_if_changed(&folder.join("toolchain.env"), toolchain.environment().as_bytes())?;
    for component in components {
        let mut module = build_module(workspace, &toolchain, component)?;
        if toolchain.is_debians() {
            module = optimizer::optimize(workspace, &module, component.form.goal())?;
        }
        let bytes = finish(component.form, &module)?;
        check_size(component, bytes.len(), most_bytes(component, &toolchain))?;
        let file = folder.join(component.file_name());
        let note = if write_if_changed(&file, &bytes)? { "" } else { ", unchanged" };
        eprintln!("component {}: {} bytes{note}", file.display(), bytes.len());
    }
    Ok(())
}

/// Builds a core module; its path stays good until the next one of the same package is built.
fn build_module(workspace: &Workspace, toolchain: &Toolchain, component: &Component) -> Result<PathBuf> {
    let mut build = cargo();
    build
        .current_dir(&workspace.root)
        .args([
            "build",
            "--target",
            TARGET,
            "--profile",
            component.form.profile(),
            "--package",
            component.package,
        ])
        .arg(format!("--features={}", component.features.join(",")))
        .arg("--target-dir")
        .arg(workspace.guest_target());
    toolchain.configure(&mut build);
    // This variable comes first of all sources of flags, so nobody's own flags reach a component.
    build.env(
        "CARGO_ENCODED_RUSTFLAGS",
        rustflags(&path_names(workspace, toolchain)?, toolchain.rustflags())?,
    );
    build.env("CARGO_INCREMENTAL", "0");
    run(&mut build)?;
    let module = workspace.guest_target().join(TARGET).join(component.form.profile());
    Ok(module.join(component.package.replace('-', "_")).with_extension("wasm"))
}

/// Names for the paths that differ from machine to machine.
fn path_names(workspace: &Workspace, toolchain: &Toolchain) -> Result<Vec<(PathBuf, String)>> {
    let cargo_home = std::env::var_os("CARGO_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::home_dir().map(|home| home.join(".cargo")))
        .context("there is neither CARGO_HOME nor a home directory")?;
    let mut names = vec![
        (workspace.root.clone(), "/workspace".to_owned()),
        (workspace.target.clone(), "/target".to_owned()),
        (cargo_home, "/cargo".to_owned()),
        (toolchain.std_sources.clone(), toolchain.std_sources_name.clone()),
    ];
    let resolved: Vec<_> = names
        .iter()
        .filter_map(|(path, name)| Some((fs::canonicalize(path).ok()?, name.clone())))
        .filter(|resolved| !names.contains(resolved))
        .collect();
    names.extend(resolved);
    // Cargo names what lies in the checkout from there.
    if let Ok(inside) = toolchain.std_sources.strip_prefix(&workspace.root) {
        names.push((inside.to_owned(), toolchain.std_sources_name.clone()));
    }
    Ok(names)
}

/// The flags in cargo's encoded form. The compiler takes the last match, so inner folders come last.
fn rustflags(names: &[(PathBuf, String)], more: &[&str]) -> Result<String> {
    let mut names: Vec<_> = names.iter().collect();
    names.sort_by_key(|(path, _)| path.components().count());
    // The linker's placeholders for addresses take a fifteenth of a component.
    let mut flags = vec!["-Clink-arg=--compress-relocations".to_owned()];
    for (path, name) in names {
        let path = path
            .to_str()
            .with_context(|| format!("the path {} is not UTF-8; build elsewhere", path.display()))?;
        flags.push(format!("--remap-path-prefix={path}={name}"));
    }
    flags.extend(more.iter().map(ToString::to_string));
    Ok(flags.join("\x1f"))
}

/// From what cargo built to what is delivered.
fn finish(form: Form, module: &Path) -> Result<Vec<u8>> {
    let bytes =
        fs::read(module).with_context(|| format!("the module {} cannot be read", module.display()))?;
    match form {
        Form::SmallModule => Ok(bytes),
        Form::Component | Form::SmallComponent => {
            runtime_signals_component::encode(&bytes).with_context(|| format!("of {}", module.display()))
        }
    }
}

/// The limit on a component's size. What is built for size may have a fifth more where the tool chain is another than
/// Debian's: a released standard library brings the messages of panics, and the optimizer is not there.
fn most_bytes(component: &Component, toolchain: &Toolchain) -> usize {
    let may_be_larger = component.form.is_small() && !toolchain.is_debians();
    if may_be_larger { component.max_bytes / 5 * 6 } else { component.max_bytes }
}

fn check_size(component: &Component, bytes: usize, most_bytes: usize) -> Result<()> {
    ensure!(
        bytes <= most_bytes,
        "the component {} has {bytes} bytes, its limit is {most_bytes}: make {} smaller, or raise the limit in xtask",
        component.file_name(),
        component.package,
    );
    Ok(())
}

/// Replaces the file atomically; leaves it alone, modification time and all, when it has these bytes.
fn write_if_changed(file: &Path, bytes: &[u8]) -> Result<bool> {
    match fs::read(file) {
        Ok(present) if present == bytes => return Ok(false),
        Err(error) if error.kind() != ErrorKind::NotFound => {
            return Err(error).with_context(|| format!("{} cannot be read", file.display()));
        }
        Ok(_) | Err(_) => {}
    }
    let new = file.with_extension(format!("{}.tmp", std::process::id()));
    fs::write(&new, bytes)
        .and_then(|()| fs::rename(&new, file))
        .with_context(|| format!("{} cannot be written", file.display()))?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inner_folders_are_renamed_after_the_outer_ones() {
        let names = [
            (PathBuf::from("/home/a/rs/target/wasm/usr"), "/rustc".to_owned()),
            (PathBuf::from("/home/a/rs"), "/workspace".to_owned()),
            (PathBuf::from("/home/a/rs/target"), "/target".to_owned()),
        ];
        assert_eq!(
            rustflags(&names, &["-Copt"]).unwrap().split('\x1f').collect::<Vec<_>>(),
            [
                "-Clink-arg=--compress-relocations",
                "--remap-path-prefix=/home/a/rs=/workspace",
                "--remap-path-prefix=/home/a/rs/target=/target",
                "--remap-path-prefix=/home/a/rs/target/wasm/usr=/rustc",
                "-Copt",
            ]
        );
    }

    #[test]
    fn a_component_over_its_limit_is_refused_by_name() {
        let component = &COMPONENTS[0];
        let most = component.max_bytes;
        assert!(check_size(component, most, most).is_ok());
        let error = check_size(component, most + 1, most).unwrap_err().to_string();
        assert!(
            error.contains("engine.wasm") && error.contains(&format!("{}", component.max_bytes + 1)),
            "{error}"
        );
    }

    #[test]
    fn unchanged_bytes_leave_the_file_untouched() {
        let folder = std::env::temp_dir().join(format!("xtask-write-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let file = folder.join("engine.wasm");
        assert!(write_if_changed(&file, b"one").unwrap());
        let past = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000_000);
        fs::File::options().append(true).open(&file).unwrap().set_modified(past).unwrap();

        assert!(!write_if_changed(&file, b"one").unwrap());
        assert_eq!(fs::metadata(&file).unwrap().modified().unwrap(), past);

        assert!(write_if_changed(&file, b"two").unwrap());
        assert_eq!(fs::read(&file).unwrap(), b"two");
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1, "a temporary file was left behind");
        fs::remove_dir_all(&folder).unwrap();
    }
}
