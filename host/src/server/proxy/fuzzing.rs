//! Addresses of calls as fuzz targets ask for them.

use super::target::{Asked, Target};

/// Where a call to this path and query goes, of a provider with this base URL: its name and the whole address. `None`
/// where the call is refused.
#[must_use]
pub fn address(path: &str, query: Option<&str>, base_url: &str) -> Option<(String, String)> {
    let asked = Asked::read(path).ok()?;
    let target = Target::new(base_url, asked.rest, query).ok()?;
    Some((asked.provider, target.uri.to_string()))
}
