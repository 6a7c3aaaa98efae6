//! Any paths of calls that are passed on, and any base URLs behind them.

use reqwest::Url;
use runtime_signals::fuzzing::address;

/// Takes the bytes for a base URL, a path and a query, a line each.
///
/// # Panics
/// When something does not hold.
pub fn check(data: &[u8]) {
    let Ok(text) = core::str::from_utf8(data) else { return };
    let mut lines = text.splitn(3, '\n');
    let (base, path, query) =
        (lines.next().unwrap_or_default(), lines.next().unwrap_or_default(), lines.next());
    let Some((provider, address)) = address(path, query, base) else { return };
    assert!(!provider.is_empty() && !provider.contains(['/', '\\']), "{provider}");
    let (base, asked) =
        (Url::parse(base).expect("it was taken"), Url::parse(&address).expect("it is an address"));
    assert_eq!(asked.origin(), base.origin(), "{address} is elsewhere");
    assert!(asked.username().is_empty() && asked.password().is_none(), "{address}");
    // As a server would understand it, dot segments and all.
    let folder = base.path().trim_end_matches('/');
    let folder = folder.strip_suffix("/v1").unwrap_or(folder);
    let below = asked.path().strip_prefix(folder);
    assert!(
        below.is_some_and(|rest| rest.is_empty() || rest.starts_with('/')),
        "{address} is not below {base}"
    );
}
