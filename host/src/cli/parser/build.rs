//! `parser build`: from a project, or from the component of another tool chain, to a parser that says what it is.

use std::ffi::OsString;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, bail};
use runtime_signals_component::{INTERFACE, Statement, Version, encode, state, stated};
use runtime_signals_profile::toml::parse_cases;
use serde::Deserialize;

use super::super::{Exit, output};

const TARGET: &str = "wasm32-unknown-unknown";

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// The project in Rust
    #[arg(value_name = "DIR", default_value = ".", conflicts_with = "component")]
    project: PathBuf,
    /// A component of another tool chain: states what it is, instead of building a project
    #[arg(long, value_name = "FILE", requires_all = ["name", "version", "output"])]
    component: Option<PathBuf>,
    /// Its name
    #[arg(long, requires = "component")]
    name: Option<String>,
    /// Its version, e.g. 1.2.0
    #[arg(long, requires = "component")]
    version: Option<Version>,
    /// A TOML file of its cases
    #[arg(long, value_name = "FILE", requires = "component")]
    cases: Option<PathBuf>,
    /// Where to write the parser, instead of NAME.wasm in the project's target folder
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Arguments of `cargo build`, e.g. `--locked`
    #[arg(last = true, value_name = "CARGO ARGS", conflicts_with = "component")]
    cargo: Vec<OsString>,
}

/// Builds and writes the parser.
pub(super) fn run(args: &Args) -> anyhow::Result<Exit> {
    let (parser, default) = match (&args.component, &args.name, &args.version) {
        (Some(file), Some(name), Some(version)) => {
            let component = read(file)?;
            let cases = args.cases.as_deref().map(read_text).transpose()?.unwrap_or_default();
            let statement = Statement::new(name, version.clone())?;
            let stated = state(&component, &statement, &cases);
            (stated.with_context(|| file.display().to_string())?, None)
        }
        _ => {
            let module = build(&args.project, &args.cargo)?;
            let parser = encode(&read(&module.file)?);
            (parser.with_context(|| module.file.display().to_string())?, Some(module.target))
        }
    };
    let (Statement { interface, name, version }, cases) = checked(&parser)?;
    let file = match (&args.output, default) {
        (Some(file), _) => file.clone(),
        (None, target) => target.unwrap_or_default().join(format!("{name}.wasm")),
    };
    fs::write(&file, &parser).with_context(|| format!("{} cannot be written", file.display()))?;
    let line = format!(
        "{}: {name} {version}, interface {interface}, {} bytes, {cases} case{}\n",
        file.display(),
        parser.len(),
        if cases == 1 { "" } else { "s" }
    );
    output::write(line.as_bytes())?;
    Ok(Exit::DONE)
}

/// What the parser states, and how many cases it has.
fn checked(parser: &[u8]) -> anyhow::Result<(Statement, usize)> {
    let stated = stated(parser)?;
    let Some(statement) = stated.statement else {
        bail!("it does not say what it is: call `runtime_signals_parser_sdk::export!` in src/lib.rs");
    };
    if statement.interface != INTERFACE {
        let wants = &statement.interface;
        bail!(
            "it is made for interface {wants}, this program offers {INTERFACE}: use the SDK of that version"
        );
    }
    let cases = parse_cases(&stated.cases.unwrap_or_default()).context("its cases cannot be read")?;
    Ok((statement, cases.len()))
}

fn read(file: &Path) -> anyhow::Result<Vec<u8>> {
    fs::read(file).with_context(|| format!("{} cannot be read", file.display()))
}

fn read_text(file: &Path) -> anyhow::Result<String> {
    fs::read_to_string(file).with_context(|| format!("{} cannot be read", file.display()))
}

/// A core module that cargo has built.
struct Module {
    file: PathBuf,
    /// Cargo's target folder.
    target: PathBuf,
}

/// What cargo tells of what it has built; other messages have other reasons.
#[derive(Deserialize)]
struct Message {
    reason: String,
    #[serde(default)]
    filenames: Vec<PathBuf>,
}

/// Has cargo build the project. Cargo says itself what is wrong with it.
fn build(project: &Path, arguments: &[OsString]) -> anyhow::Result<Module> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    let mut child = Command::new(&cargo)
        .current_dir(project)
        .args(["build", "--release", "--target", TARGET, "--message-format=json-render-diagnostics"])
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("{} cannot be run in {}", Path::new(&cargo).display(), project.display()))?;
    let mut built = None;
    for line in child.stdout.take().into_iter().flat_map(|stdout| BufReader::new(stdout).lines()) {
        let Ok(message) = serde_json::from_str::<Message>(&line?) else { continue };
        if message.reason == "compiler-artifact" {
            let is_module = |file: &PathBuf| file.extension().is_some_and(|extension| extension == "wasm");
            built = message.filenames.into_iter().find(is_module).or(built);
        }
    }
    if !child.wait()?.success() {
        bail!("cargo could not build it: see above. It needs the target, `rustup target add {TARGET}`");
    }
    let Some(file) = built else {
        bail!("{} builds no module: its Cargo.toml wants crate-type = [\"cdylib\"]", project.display());
    };
    // <target>/wasm32-unknown-unknown/release/NAME.wasm
    let target = file.ancestors().nth(3).map(Path::to_path_buf).unwrap_or_default();
    Ok(Module { file, target })
}
