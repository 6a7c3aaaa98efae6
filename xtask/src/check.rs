//! The checks that are no tests.

use std::path::Path;

use anyhow::{Result, bail};

use crate::workspace::{Workspace, cargo, output, run};
use crate::{components, profiles, released, suite};

/// The guest's crates that the host links as well: profiles as data, which the host reads and the guest goes by, and
/// the times in them.
const SHARED: [&str; 2] = ["runtime-signals-profile", "runtime-signals-values"];

/// Runs all checks, the quick ones first; the first failure ends it.
pub(crate) fn check(workspace: &Workspace) -> Result<()> {
    run(cargo().args(["fmt", "--all", "--check"]))?;
    released::check(&workspace.root)?;
    host_is_free_of_guest_crates(workspace)?;
    profiles::check(&workspace.root)?;
    // The host's build script wants them, and their size is checked.
    components::build_all(workspace)?;
    let mut clippy = cargo();
    clippy.args(["clippy", "--workspace", "--all-targets"]).args(suite::FEATURES);
    run(clippy.args(["--", "-D", "warnings"]))
}

/// The host may use guest code through the component only: a crate of `guest/` that is linked natively
/// would run outside the sandbox. Tests and benches may compare with it. The form of profiles is no such code: it
/// reads nothing that a provider sends.
fn host_is_free_of_guest_crates(workspace: &Workspace) -> Result<()> {
    let tree = output(cargo().args([
        "tree",
        "--package=runtime-signals",
        "--edges=normal,build",
        "--target=all",
        "--all-features",
        "--prefix=none",
    ]))?;
    let mut guests = crates_under(&tree, &workspace.root.join("guest"));
    guests.retain(|name| !SHARED.contains(name));
    if !guests.is_empty() {
        bail!(
            "the host depends on {}: outside dev-dependencies guest code is reached through the component",
            guests.join(", ")
        );
    }
    Ok(())
}

/// Names of the crates in `folder` among lines such as `name v0.1.0 (/path/of/crate)`.
fn crates_under<'a>(tree: &'a str, folder: &Path) -> Vec<&'a str> {
    let mut names: Vec<_> = tree
        .lines()
        .filter_map(|line| {
            let (_, path) = line.split_once(" (/")?;
            let path = Path::new("/").join(path.split_once(')')?.0);
            path.starts_with(folder).then(|| line.split_whitespace().next())?
        })
        .collect();
    names.sort_unstable();
    names.dedup();
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    const TREE: &str = "runtime-signals v0.1.0 (/src/rs/host)\nserde v1.0.2\nserde_derive v1.0.2 (proc-macro)\n\
        runtime-signals-core v0.1.0 (/src/rs/guest/core)\nruntime-signals-core v0.1.0 (/src/rs/guest/core) (*)\n";

    #[test]
    fn a_guest_crate_behind_the_host_is_found_once() {
        assert_eq!(crates_under(TREE, Path::new("/src/rs/guest")), ["runtime-signals-core"]);
    }

    #[test]
    fn other_crates_are_no_guests() {
        assert!(crates_under(TREE, Path::new("/src/rs/gue")).is_empty());
        assert!(crates_under(TREE, Path::new("/src/other/guest")).is_empty());
    }
}
