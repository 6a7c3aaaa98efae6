//! Tests inside real programs: gateways and hosts that are not ours, installed into a private folder.
//!
//! Each gateway is tested alone and from a clean start; the failure of one does not keep the others from being tested.
//! A program that cannot be had is a failure with its name, not a test less.

mod conformance;
mod hooks;
mod node;
pub(crate) mod plugins;
pub(crate) mod programs;
mod python;

use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail};

use crate::components;
use crate::workspace::{Workspace, run};

/// A program that hosts the logic of this workspace.
struct Gateway {
    /// How it is called on the command line, and its folder below `<target>/gateways`.
    name: &'static str,
    /// Installs it, if it is not there yet, and tests with it. Output goes to stdout.
    test: fn(&Workspace) -> Result<()>,
}

/// All gateways, in the order of their tests.
const GATEWAYS: &[Gateway] = &[
    Gateway { name: "python", test: python::test },
    Gateway { name: "node", test: node::test },
    Gateway { name: "hooks", test: hooks::test },
    Gateway { name: "envoy", test: plugins::envoy },
    Gateway { name: "smg", test: plugins::smg },
    Gateway { name: "sglang", test: plugins::sglang },
];

/// Tests the named gateways, or all where none is named.
pub(crate) fn test(workspace: &Workspace, names: &[String]) -> Result<ExitCode> {
    let chosen = choose(names)?;
    components::build_all(workspace)?;
    let mut failed = Vec::new();
    for gateway in &chosen {
        eprintln!("gateway {}", gateway.name);
        if let Err(error) = (gateway.test)(workspace) {
            eprintln!("error: gateway {}: {error:#}", gateway.name);
            failed.push(gateway.name);
        }
    }
    println!("gateways: {} passed, {} failed", chosen.len() - failed.len(), failed.len());
    if failed.is_empty() {
        Ok(ExitCode::SUCCESS)
    } else {
        bail!("gateways that failed: {}", failed.join(", "))
    }
}

/// Runs the benchmarks that need a real program.
pub(crate) fn bench(workspace: &Workspace) -> Result<ExitCode> {
    components::build_all(workspace)?;
    plugins::bench(workspace).map(|()| ExitCode::SUCCESS)
}

fn choose(names: &[String]) -> Result<Vec<&'static Gateway>> {
    if names.is_empty() {
        return Ok(GATEWAYS.iter().collect());
    }
    let find = |name: &String| {
        GATEWAYS.iter().find(|gateway| gateway.name == name).with_context(|| {
            let known: Vec<_> = GATEWAYS.iter().map(|gateway| gateway.name).collect();
            format!("there is no gateway `{name}`; there are {}", known.join(", "))
        })
    };
    names.iter().map(find).collect()
}

/// Runs a test program that must succeed and end within ten minutes.
fn run_bounded(command: &Command) -> Result<()> {
    run(&mut bounded(command))
}

/// The same program, ended after ten minutes, whatever it waits for.
fn bounded(command: &Command) -> Command {
    let mut bounded = Command::new("timeout");
    bounded.args(["--kill-after=10", "600"]).arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => bounded.env(name, value),
            None => bounded.env_remove(name),
        };
    }
    if let Some(folder) = command.get_current_dir() {
        bounded.current_dir(folder);
    }
    bounded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_names_all_gateways_are_tested() {
        assert_eq!(choose(&[]).unwrap().len(), GATEWAYS.len());
    }

    #[test]
    fn an_unknown_gateway_is_refused_with_the_known_ones() {
        let error = choose(&["nginx".to_owned()]).err().unwrap().to_string();
        assert!(error.contains("`nginx`") && error.contains("python, node"), "{error}");
    }
}
