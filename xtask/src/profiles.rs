//! `docs/providers.md`, which is generated from the built-in profiles.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use runtime_signals_profile::toml;

const PAGE: &str = "docs/providers.md";

/// Writes the page anew.
pub(crate) fn write(root: &Path) -> Result<()> {
    fs::write(root.join(PAGE), toml::page()?).with_context(|| format!("cannot write {PAGE}"))
}

/// Refuses a page that is not what the profiles say.
pub(crate) fn check(root: &Path) -> Result<()> {
    let found = fs::read_to_string(root.join(PAGE)).with_context(|| format!("cannot read {PAGE}"))?;
    let expected = toml::page()?;
    let differing = found.lines().zip(expected.lines()).take_while(|(a, b)| a == b).count() + 1;
    ensure!(
        found == expected,
        "{PAGE} differs from guest/profile/types from line {differing} on; run `cargo xtask profiles` and commit the page"
    );
    Ok(())
}
