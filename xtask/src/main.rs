//! `cargo xtask`: what contributors and the continuous integration run.
//!
//! Progress goes to stderr; stdout belongs to the program that a command runs (`demo`, `test`, `bench`) or
//! to the result (`reproduce`). The exit status of a program that was run is passed on; any other failure
//! is one message on stderr and status 1.

mod check;
mod components;
mod debian;
mod deny;
mod fuzz;
mod gateways;
mod optimizer;
mod parsers;
mod profiles;
mod released;
mod reproduce;
mod sanitize;
mod suite;
mod toolchain;
mod workspace;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

use anyhow::Result;
use clap::{Parser, Subcommand};

use workspace::{Workspace, cargo, run_through};

/// The contributors' tool of runtime-signals. Every command honours `CARGO_TARGET_DIR`.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    command: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Builds the components, then the binary `runtime-signals`
    Build {
        /// Builds the binary with optimizations; the components always are
        #[arg(long)]
        release: bool,
    },
    /// Builds the components only, into `<target>/components`
    Components,
    /// Builds what it takes and no more, then runs `runtime-signals demo ARGS...`
    Demo {
        /// Arguments of the demo, e.g. `--once`
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<OsString>,
    },
    /// Builds the components, then runs `cargo test ARGS...` over the workspace
    Test {
        /// Tests inside real gateways and hosts instead: of these names, or all without a name
        #[arg(long, value_name = "NAME", num_args = 0.., conflicts_with_all = ["cargo", "program"])]
        gateways: Option<Vec<String>>,
        #[command(flatten)]
        passed: Passed,
    },
    /// Builds the components, then runs `cargo bench ARGS...`
    Bench {
        /// The benchmarks inside real gateways instead
        #[arg(long, conflicts_with_all = ["cargo", "program"])]
        gateways: bool,
        #[command(flatten)]
        passed: Passed,
    },
    /// Formatting, released contracts, component sizes, the host's dependencies, generated pages, lints
    Check,
    /// Licences, sources and known weaknesses of the crates that ours depend on
    Deny(deny::Options),
    /// Builds the fuzz targets and runs them for a while
    Fuzz(fuzz::Options),
    /// Builds the tests of the sandbox with AddressSanitizer and runs them
    Sanitize,
    /// Writes docs/providers.md from the built-in profiles
    Profiles,
    /// Builds the parsers in JavaScript and Python, and tests them
    Parsers,
    /// Unpacks the OCI registry that tests pull from, if it is not there yet, and prints where its program is
    Registry,
    /// Unpacks the Redis server that tests of a fleet use, if it is not there yet, and prints where its program is
    Redis,
    /// Unpacks the tracer that tests of the cache use, if it is not there yet, and prints where its program is
    Strace,
    /// Unpacks the library with which tests set a program's clock, if it is not there yet, and prints where it is
    Faketime,
    /// Unpacks the browser that tests of the dashboard use, if it is not there yet, and prints where its program is
    Chromium,
    /// Builds the components in two directories and compares their SHA-256
    Reproduce,
}

/// What is passed on to `cargo test` and `cargo bench`.
#[derive(clap::Args)]
struct Passed {
    /// Arguments of cargo, e.g. `--package runtime-signals-core`
    #[arg(value_name = "ARGS", allow_hyphen_values = true)]
    cargo: Vec<OsString>,
    /// Arguments of the test or bench programs, e.g. `--nocapture`
    #[arg(value_name = "PROGRAM ARGS", last = true)]
    program: Vec<OsString>,
}

impl Passed {
    fn add_to(&self, command: &mut Command) {
        command.args(&self.cargo);
        if !self.program.is_empty() {
            command.arg("--").args(&self.program);
        }
    }

    /// Cargo ignores `--package` beside `--workspace`, so the caller's choice must replace ours.
    fn names_packages(&self) -> bool {
        let mut args = self.cargo.iter().filter_map(|arg| arg.to_str());
        args.any(|arg| arg.starts_with("-p") || arg.starts_with("--package"))
    }
}

fn main() -> ExitCode {
    if let Some(code) = fuzz::instrument::as_compiler() {
        return code;
    }
    match execute(Cli::parse().command) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn execute(task: Task) -> Result<ExitCode> {
    let workspace = Workspace::discover()?;
    match task {
        Task::Build { release } => {
            components::build_all(&workspace)?;
            let mut build = cargo();
            build.args(["build", "--package", "runtime-signals"]);
            if release {
                build.arg("--release");
            }
            run_through(&mut build)
        }
        Task::Components => components::build_all(&workspace).map(|()| ExitCode::SUCCESS),
        Task::Demo { args } => {
            components::build_embedded(&workspace)?;
            run_through(
                cargo()
                    .args(["run", "--package", "runtime-signals"])
                    .args(["--bin", "runtime-signals", "--", "demo"])
                    .args(args),
            )
        }
        Task::Test { gateways: Some(names), .. } => gateways::test(&workspace, &names),
        Task::Test { gateways: None, passed } => {
            components::build_all(&workspace)?;
            let mut test = if passed.names_packages() { suite::of_some() } else { suite::of_all() };
            passed.add_to(&mut test);
            run_through(&mut test)
        }
        Task::Bench { gateways: true, .. } => gateways::bench(&workspace),
        Task::Bench { gateways: false, passed } => {
            components::build_all(&workspace)?;
            let mut bench = cargo();
            bench.arg("bench");
            passed.add_to(&mut bench);
            run_through(&mut bench)
        }
        Task::Check => {
            check::check(&workspace)?;
            fuzz::check(&workspace).map(|()| ExitCode::SUCCESS)
        }
        Task::Deny(options) => deny::deny(&workspace, &options).map(|()| ExitCode::SUCCESS),
        Task::Fuzz(options) => fuzz::fuzz(&workspace, &options).map(|()| ExitCode::SUCCESS),
        Task::Sanitize => sanitize::sanitize(&workspace),
        Task::Profiles => profiles::write(&workspace.root).map(|()| ExitCode::SUCCESS),
        Task::Parsers => parsers::test(&workspace),
        Task::Registry => {
            tell(debian::file(&workspace.registry(), "docker-registry", "usr/bin/docker-registry"))
        }
        Task::Redis => {
            let path = "usr/bin/redis-server";
            tell(debian::program_with_libraries(&workspace.redis(), "redis-server", path))
        }
        Task::Strace => tell(debian::program_with_libraries(&workspace.strace(), "strace", "usr/bin/strace")),
        Task::Faketime => {
            let path = format!("usr/lib/{}-linux-gnu/faketime/libfaketimeMT.so.1", std::env::consts::ARCH);
            tell(debian::file(&workspace.faketime(), "libfaketime", &path))
        }
        Task::Chromium => {
            let path = "usr/lib/chromium/chromium";
            tell(debian::program_with_libraries(&workspace.chromium(), "chromium", path))
        }
        Task::Reproduce => reproduce::reproduce(&workspace).map(|()| ExitCode::SUCCESS),
    }
}

/// Prints where a program is that was unpacked.
fn tell(program: Result<PathBuf>) -> Result<ExitCode> {
    println!("{}", program?.display());
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(command_line: &[&str]) -> Task {
        let words = ["xtask"].iter().chain(command_line);
        Cli::try_parse_from(words).unwrap().command
    }

    /// What would be passed on to `cargo test`.
    fn passed(command_line: &[&str]) -> (Vec<OsString>, bool) {
        let Task::Test { gateways: None, passed } = parse(command_line) else {
            panic!("another command: {command_line:?}")
        };
        let mut command = Command::new("cargo");
        passed.add_to(&mut command);
        (command.get_args().map(OsString::from).collect(), passed.names_packages())
    }

    #[test]
    fn the_command_line_is_consistent() {
        use clap::CommandFactory;
        Cli::command().debug_assert();
    }

    #[test]
    fn the_demo_gets_its_arguments_unchanged() {
        let Task::Demo { args } = parse(&["demo", "--once", "--json"]) else { panic!("another command") };
        assert_eq!(args, ["--once", "--json"]);
    }

    #[test]
    fn the_test_runner_gets_what_follows_the_separator() {
        let line = ["test", "--test", "cache", "a_name", "--", "--nocapture", "-q"];
        assert_eq!(passed(&line).0, line[1..]);
        assert_eq!(passed(&["test", "--", "-q"]).0, ["--", "-q"]);
        assert!(passed(&["test"]).0.is_empty());
    }

    #[test]
    fn gateways_are_tested_all_or_by_name() {
        let named = |command_line: &[&str]| match parse(command_line) {
            Task::Test { gateways, .. } => gateways,
            _ => panic!("another command"),
        };
        assert_eq!(named(&["test"]), None);
        assert_eq!(named(&["test", "--gateways"]), Some(vec![]));
        assert_eq!(named(&["test", "--gateways", "node", "python"]).unwrap(), ["node", "python"]);
    }

    #[test]
    fn a_package_named_by_the_caller_replaces_the_workspace() {
        for line in ["test -p xtask", "test -pxtask", "test --lib --package=xtask"] {
            assert!(passed(&line.split(' ').collect::<Vec<_>>()).1, "{line}");
        }
        for line in ["test", "test --lib", "test prefix", "test --profile component", "test -- -p"] {
            assert!(!passed(&line.split(' ').collect::<Vec<_>>()).1, "{line}");
        }
    }
}
