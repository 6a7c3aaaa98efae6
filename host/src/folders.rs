//! Where the user's own files lie.

use std::ffi::OsString;
use std::path::PathBuf;

/// A folder of the user: that of the XDG variable, else one below the home. An empty variable counts as not set, and so
/// does a relative one, as the XDG specification wants it; `lookup` gives a variable's value.
pub(crate) fn user_folder(
    lookup: impl Fn(&str) -> Option<OsString>,
    variable: &str,
    below_home: &str,
) -> Option<PathBuf> {
    let path = |variable| lookup(variable).filter(|value| !value.is_empty()).map(PathBuf::from);
    path(variable).filter(|path| path.is_absolute()).or_else(|| Some(path("HOME")?.join(below_home)))
}
