//! Fuzz targets: the crate in `fuzz/`, built with the compiler in use for libFuzzer, and run for a while.
//!
//! The seeds in `fuzz/corpus`, and what was found before in `fuzz/regressions`, are only read. What a run finds
//! to reach more code stays in `<target>/fuzz/work`, where the next run goes on from it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::workspace::{Workspace, cargo, output, remove_folder, run};

/// The fuzz targets.
pub(crate) const TARGETS: [&str; 4] = ["response", "signal", "packed", "profile_toml"];

/// Coverage as libFuzzer wants it: counters at each edge, and comparisons told. Stable compilers have it too.
const RUSTFLAGS: &str = "-Cpasses=sancov-module \
    -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
    -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares \
    -Cllvm-args=-simplifycfg-branch-fold-threshold=0 \
    -Ccodegen-units=1 --cfg fuzzing";
/// What one input may take at most: seconds, MiB, and its own length in bytes.
const LIMITS: [&str; 3] = ["-timeout=10", "-rss_limit_mb=1024", "-max_len=4096"];
/// Longest seed, in bytes.
const SEED_BYTES: usize = 1500;

/// What is to be fuzzed.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// One target, instead of all in turn
    #[arg(value_parser = TARGETS)]
    target: Option<String>,
    /// For how long in all, in seconds
    #[arg(long, default_value_t = 60, value_name = "N")]
    seconds: u64,
    /// Runs the target once, on this file
    #[arg(long, value_name = "FILE", requires = "target")]
    input: Option<PathBuf>,
    /// Writes the seeds and the dictionary anew, from the vectors and the built-in profiles
    #[arg(long, conflicts_with_all = ["target", "input"])]
    renew: bool,
}

/// Builds the targets and runs them; fails where one finds something.
pub(crate) fn fuzz(workspace: &Workspace, options: &Options) -> Result<()> {
    let fuzz = Fuzz { source: workspace.root.join("fuzz"), folder: workspace.target.join("fuzz") };
    if options.renew {
        return fuzz.renew();
    }
    let targets = match &options.target {
        Some(target) => vec![target.as_str()],
        None => TARGETS.to_vec(),
    };
    if options.target.is_none() {
        run(fuzz.cargo("test").args(["--quiet", "--lib"]))?;
    }
    let binaries = fuzz.build(&targets)?;
    let seconds = (options.seconds / targets.len().max(1) as u64).max(1);
    for target in targets {
        let binary = binaries.join(target);
        match &options.input {
            Some(input) => run(Command::new(&binary).args(LIMITS).arg(input))?,
            None => println!("{target}: {}", fuzz.run(target, &binary, seconds)?),
        }
    }
    Ok(())
}

/// Formatting and lints of the fuzz crate. It is a workspace of its own, and needs no C++ compiler for these.
pub(crate) fn check(workspace: &Workspace) -> Result<()> {
    let fuzz = Fuzz { source: workspace.root.join("fuzz"), folder: workspace.target.join("fuzz") };
    run(cargo().args(["fmt", "--check", "--manifest-path"]).arg(fuzz.manifest()))?;
    run(fuzz.cargo("clippy").args(["--quiet", "--all-targets", "--", "-D", "warnings"]))
}

/// The fuzz crate and its own target folder: its flags would have all else built anew.
struct Fuzz {
    source: PathBuf,
    folder: PathBuf,
}

impl Fuzz {
    fn manifest(&self) -> PathBuf {
        self.source.join("Cargo.toml")
    }

    fn cargo(&self, command: &str) -> Command {
        let mut cargo = cargo();
        cargo.arg(command).arg("--locked").arg("--manifest-path").arg(self.manifest());
        cargo.env("CARGO_TARGET_DIR", &self.folder);
        cargo
    }

    /// Builds targets, and tells the folder that they are in.
    fn build(&self, targets: &[&str]) -> Result<PathBuf> {
        let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
        let host = output(Command::new(rustc).args(["--print", "host-tuple"]))?;
        let mut build = self.cargo("build");
        // Named, the target keeps the flags away from build scripts.
        build.args(["--release", "--features", "link", "--target", host.trim()]);
        build.env_remove("CARGO_ENCODED_RUSTFLAGS").env("RUSTFLAGS", RUSTFLAGS);
        targets.iter().for_each(|target| {
            build.args(["--bin", target]);
        });
        run(&mut build).context("fuzz targets need a C++ compiler, such as g++")?;
        Ok(self.folder.join(host.trim()).join("release"))
    }

    /// Runs a target and tells how far it came. What libFuzzer says goes to a file.
    fn run(&self, target: &str, binary: &Path, seconds: u64) -> Result<Summary> {
        let folder = |name: &str| {
            let folder = self.folder.join(name).join(target);
            fs::create_dir_all(&folder).with_context(|| format!("{} cannot be made", folder.display()))?;
            Ok::<_, anyhow::Error>(folder)
        };
        let (work, artifacts) = (folder("work")?, folder("artifacts")?);
        let log = self.folder.join(format!("{target}.log"));
        let mut command = Command::new(binary);
        command.args(LIMITS).arg(format!("-max_total_time={seconds}")).arg("-print_final_stats=1");
        command.arg(option("-dict=", &self.source.join("dictionary.txt")));
        command.arg(option("-artifact_prefix=", &artifacts.join("")));
        let seeds = ["corpus", "regressions"].map(|name| self.source.join(name).join(target));
        command.arg(work).args(seeds.iter().filter(|folder| folder.is_dir()));
        let file = fs::File::create(&log).with_context(|| format!("{} cannot be written", log.display()))?;
        let status = command.stderr(file).status();
        let status = status.with_context(|| format!("{} cannot be run", binary.display()))?;
        let said = fs::read(&log).with_context(|| format!("{} cannot be read", log.display()))?;
        let said = String::from_utf8_lossy(&said);
        if !status.success() {
            let (why, remedy) = (finding(&said), reproduction(target, &said));
            bail!("{target} has found something:\n{why}\n{remedy}\nall that was said: {}", log.display());
        }
        Summary::of(&said).with_context(|| format!("{} tells no executions", log.display()))
    }

    /// Writes seeds, of which those stay that reach an edge that no other reaches.
    fn renew(&self) -> Result<()> {
        let seeds = self.folder.join("seeds");
        remove_folder(&seeds)?;
        run(self.cargo("run").args(["--quiet", "--bin", "seeds", "--"]).arg(&seeds))?;
        let binaries = self.build(&TARGETS)?;
        for target in TARGETS {
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

/// How far a run came.
#[derive(Debug, PartialEq)]
struct Summary {
    executions: u64,
    edges: u64,
    inputs: u64,
}

impl Summary {
    /// What libFuzzer has said at the end.
    fn of(said: &str) -> Option<Self> {
        let executions =
            said.lines().find_map(|line| line.strip_prefix("stat::number_of_executed_units:"))?;
        let last = said.lines().rev().find(|line| line.contains(" cov: "))?;
        let figure = |name: &str| {
            let (_, rest) = last.split_once(name)?;
            rest.trim_start().split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
        };
        Some(Self {
            executions: executions.trim().parse().ok()?,
            edges: figure(" cov:")?,
            inputs: figure(" corp:")?,
        })
    }
}

impl std::fmt::Display for Summary {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { executions, edges, inputs } = self;
        write!(f, "{executions} executions, {edges} edges reached, {inputs} inputs kept, nothing found")
    }
}

/// The message of a panic, or else the last that was said.
fn finding(said: &str) -> String {
    let lines: Vec<_> = said.lines().collect();
    match lines.iter().position(|line| line.contains(" panicked at ")) {
        Some(start) => {
            let message = lines.iter().skip(start).take_while(|line| !line.starts_with("stack backtrace:"));
            message.take(20).copied().collect::<Vec<_>>().join("\n")
        }
        None => lines.get(lines.len().saturating_sub(20)..).unwrap_or_default().join("\n"),
    }
}

/// How to see it again.
fn reproduction(target: &str, said: &str) -> String {
    match said.split_once("Test unit written to ").and_then(|(_, rest)| rest.lines().next()) {
        Some(path) => format!("again: cargo xtask fuzz {target} --input {path}"),
        None => format!("{target} has left no input"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DONE: &str = "#2\tINITED cov: 7 ft: 9 corp: 2/4b\n\
        #6430\tDONE   cov: 5233 ft: 17994 corp: 1451/609Kb lim: 1362 exec/s: 401 rss: 37Mb\n\
        stat::number_of_executed_units: 6430\nstat::average_exec_per_sec:     401\n";
    const CRASH: &str = "#9\tNEW    cov: 7 ft: 9 corp: 2/4b\n\n\
        thread '<unnamed>' (1) panicked at src/response.rs:1:1:\nit is not\nstack backtrace:\n   0: more\n\
        artifact_prefix='a/'; Test unit written to /t/fuzz/artifacts/response/crash-1\nBase64: AA==\n";

    #[test]
    fn how_far_a_run_came_is_read_from_its_last_lines() {
        let expected = Summary { executions: 6430, edges: 5233, inputs: 1451 };
        assert_eq!(Summary::of(DONE), Some(expected));
        assert_eq!(Summary::of(CRASH), None);
    }

    #[test]
    fn a_finding_is_told_by_its_panic_and_by_how_to_see_it_again() {
        assert_eq!(finding(CRASH), "thread '<unnamed>' (1) panicked at src/response.rs:1:1:\nit is not");
        let again = "again: cargo xtask fuzz response --input /t/fuzz/artifacts/response/crash-1";
        assert_eq!(reproduction("response", CRASH), again);
        assert!(finding("no\npanic").ends_with("panic"));
        assert!(reproduction("signal", "out of memory").contains("no input"));
    }
}
