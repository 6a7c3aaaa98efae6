//! Fuzz targets: the crates in `fuzz/`, built with the compiler in use for libFuzzer, and run for a while.
//!
//! The seeds in `fuzz/corpus`, and what was found before in `fuzz/regressions`, are only read. What a run finds
//! to reach more code stays in `<target>/fuzz/work`, where the next run goes on from it.

mod host;
pub(crate) mod instrument;
mod summary;

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::workspace::{Workspace, cargo, output, remove_folder, run};
use summary::Summary;

/// A fuzz target.
struct Target {
    name: &'static str,
    of: Of,
    /// Its part of the time, beside those of the others: more where more is to be reached.
    part: u64,
}

/// Whose targets.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Of {
    /// The guest's crates: all of them instrumented, optimised to the end, in a workspace of their own.
    Guest,
    /// The host.
    Host,
}

const fn target(name: &'static str, of: Of, part: u64) -> Target {
    Target { name, of, part }
}

const TARGETS: [Target; 14] = [
    target("response", Of::Guest, 6),
    target("signal", Of::Guest, 2),
    target("packed", Of::Guest, 2),
    target("profile_toml", Of::Guest, 2),
    target("lines", Of::Host, 3),
    target("config", Of::Host, 3),
    target("quota", Of::Host, 3),
    target("statusline", Of::Host, 2),
    target("side_files", Of::Host, 2),
    target("unpacked", Of::Host, 1),
    target("component", Of::Host, 1),
    target("parsers_lock", Of::Host, 1),
    target("proxy", Of::Host, 1),
    target("shared", Of::Host, 1),
];

/// What one input may take at most: seconds, MiB, and its own length in bytes.
const LIMITS: [&str; 3] = ["-timeout=10", "-rss_limit_mb=1024", "-max_len=4096"];
/// Longest seed, in bytes.
const SEED_BYTES: usize = 1500;

/// What is to be fuzzed.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// One target, instead of all in turn
    #[arg(value_parser = TARGETS.map(|target| target.name))]
    target: Option<String>,
    /// For how long in all, in seconds
    #[arg(long, default_value_t = 60, value_name = "N")]
    seconds: u64,
    /// Runs the target once, on this file
    #[arg(long, value_name = "FILE", requires = "target")]
    input: Option<PathBuf>,
    /// Writes the guest's seeds and the dictionary anew, from the vectors and the built-in profiles
    #[arg(long, conflicts_with_all = ["target", "input"])]
    renew: bool,
}

/// Builds the targets and runs them; fails where one finds something.
pub(crate) fn fuzz(workspace: &Workspace, options: &Options) -> Result<()> {
    let fuzz = Fuzz::new(workspace);
    if options.renew {
        return fuzz.renew();
    }
    let named = options.target.as_deref();
    let targets: Vec<&Target> =
        TARGETS.iter().filter(|target| named.is_none_or(|named| named == target.name)).collect();
    if named.is_none() {
        run(fuzz.cargo("test").args(["--quiet", "--lib"]))?;
    }
    let programs = fuzz.build(workspace, &targets)?;
    let parts: u64 = targets.iter().map(|target| target.part).sum();
    for target in targets {
        let program = programs.get(target.name).context("what was built has a program")?;
        let mut command = fuzz.command(target, program);
        let scratch = host::Scratch::new(&fuzz.folder)?;
        if target.of == Of::Host {
            scratch.configure(&mut command, target.name);
        }
        match &options.input {
            Some(input) => run(command.arg(input))?,
            None => {
                let seconds = (options.seconds * target.part / parts.max(1)).max(1);
                println!("{}: {}", target.name, fuzz.run(target.name, command, seconds)?);
            }
        }
    }
    Ok(())
}

/// Formatting and lints of the guest's fuzz crate. It is a workspace of its own, and needs no C++ compiler for these.
pub(crate) fn check(workspace: &Workspace) -> Result<()> {
    let fuzz = Fuzz::new(workspace);
    run(cargo().args(["fmt", "--check", "--manifest-path"]).arg(fuzz.manifest()))?;
    run(fuzz.cargo("clippy").args(["--quiet", "--all-targets", "--", "-D", "warnings"]))
}

/// The guest's fuzz crate and its own target folder: its flags would have all else built anew.
struct Fuzz {
    source: PathBuf,
    folder: PathBuf,
}

impl Fuzz {
    fn new(workspace: &Workspace) -> Self {
        Self { source: workspace.root.join("fuzz"), folder: workspace.target.join("fuzz") }
    }

    fn manifest(&self) -> PathBuf {
        self.source.join("Cargo.toml")
    }

    fn cargo(&self, command: &str) -> Command {
        let mut cargo = cargo();
        cargo.arg(command).arg("--locked").arg("--manifest-path").arg(self.manifest());
        cargo.env("CARGO_TARGET_DIR", &self.folder);
        cargo
    }

    /// Builds targets, and tells the program of each.
    fn build(&self, workspace: &Workspace, targets: &[&Target]) -> Result<HashMap<&'static str, PathBuf>> {
        let of = |of: Of| targets.iter().filter(move |target| target.of == of).map(|target| target.name);
        let mut programs = HashMap::new();
        let guest: Vec<_> = of(Of::Guest).collect();
        if !guest.is_empty() {
            let folder = self.build_guest(&guest)?;
            programs.extend(guest.into_iter().map(|name| (name, folder.join(name))));
        }
        let host: Vec<_> = of(Of::Host).collect();
        if !host.is_empty() {
            let program = host::build(workspace, &self.folder)?;
            programs.extend(host.into_iter().map(|name| (name, program.clone())));
        }
        Ok(programs)
    }

    /// Builds targets of the guest's crates, and tells the folder that they are in.
    fn build_guest(&self, targets: &[&str]) -> Result<PathBuf> {
        let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
        let host = output(Command::new(rustc).args(["--print", "host-tuple"]))?;
        let mut build = self.cargo("build");
        // Named, the target keeps the flags away from build scripts.
        build.args(["--release", "--features", "link", "--target", host.trim()]);
        let flags = format!("{} -Ccodegen-units=1 --cfg fuzzing", instrument::COVERAGE.join(" "));
        build.env_remove("CARGO_ENCODED_RUSTFLAGS").env("RUSTFLAGS", flags);
        targets.iter().for_each(|target| {
            build.args(["--bin", target]);
        });
        run(&mut build).context("fuzz targets need a C++ compiler, such as g++")?;
        Ok(self.folder.join(host.trim()).join("release"))
    }

    /// The program as this target, within the limits of one input.
    fn command(&self, target: &Target, program: &Path) -> Command {
        let mut command = Command::new(program);
        // The message of a panic says where; to find names for a backtrace takes seconds of the one input's time.
        command.args(LIMITS).env("RUST_BACKTRACE", "0");
        let dictionary = match target.of {
            Of::Guest => "dictionary.txt",
            Of::Host => "host/dictionary.txt",
        };
        command.arg(option("-dict=", &self.source.join(dictionary)));
        command
    }

    /// A folder of a target's own, made if it is missing.
    fn made(&self, names: &[&str; 2]) -> Result<PathBuf> {
        let folder = names.iter().fold(self.folder.clone(), |folder, name| folder.join(name));
        fs::create_dir_all(&folder).with_context(|| format!("{} cannot be made", folder.display()))?;
        Ok(folder)
    }

    /// Runs a target and tells how far it came. What libFuzzer says goes to a file.
    fn run(&self, target: &str, mut command: Command, seconds: u64) -> Result<Summary> {
        let (work, artifacts) = (self.made(&["work", target])?, self.made(&["artifacts", target])?);
        let log = self.folder.join(format!("{target}.log"));
        command.arg(format!("-max_total_time={seconds}")).arg("-print_final_stats=1");
        command.arg(option("-artifact_prefix=", &artifacts.join("")));
        let seeds = ["corpus", "regressions"].map(|name| self.source.join(name).join(target));
        command.arg(work).args(seeds.iter().filter(|folder| folder.is_dir()));
        let file = fs::File::create(&log).with_context(|| format!("{} cannot be written", log.display()))?;
        let status = command.stderr(file).status();
        let status = status.with_context(|| format!("the program of {target} cannot be run"))?;
        let said = fs::read(&log).with_context(|| format!("{} cannot be read", log.display()))?;
        let said = String::from_utf8_lossy(&said);
        if !status.success() {
            let (why, remedy) = (summary::finding(&said), summary::reproduction(target, &said));
            bail!("{target} has found something:\n{why}\n{remedy}\nall that was said: {}", log.display());
        }
        Summary::of(&said).with_context(|| format!("{} tells no executions", log.display()))
    }

    /// Writes the guest's seeds, of which those stay that reach an edge that no other reaches.
    fn renew(&self) -> Result<()> {
        let seeds = self.folder.join("seeds");
        remove_folder(&seeds)?;
        run(self.cargo("run").args(["--quiet", "--bin", "seeds", "--"]).arg(&seeds))?;
        let targets: Vec<_> =
            TARGETS.iter().filter(|target| target.of == Of::Guest).map(|target| target.name).collect();
        let binaries = self.build_guest(&targets)?;
        for target in targets {
            let corpus = self.source.join("corpus").join(target);
            remove_folder(&corpus)?;
            fs::create_dir_all(&corpus).with_context(|| format!("{} cannot be made", corpus.display()))?;
            let mut merge = Command::new(binaries.join(target));
            merge.args(["-set_cover_merge=1", "-use_counters=0", "-use_cmp=0"]);
            run(merge.arg(format!("-max_len={SEED_BYTES}")).arg(&corpus).arg(seeds.join(target)))?;
        }
        let dictionary = self.source.join("dictionary.txt");
        fs::copy(seeds.join("dictionary.txt"), &dictionary)
            .with_context(|| format!("{} cannot be written", dictionary.display()))?;
        Ok(())
    }
}

/// An option of libFuzzer whose value is a path.
fn option(name: &str, path: &Path) -> std::ffi::OsString {
    let mut option = std::ffi::OsString::from(name);
    option.push(path);
    option
}
