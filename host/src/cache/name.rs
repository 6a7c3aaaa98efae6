//! Provider names that may name a cache entry.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The directory of this tier under the cache root.
pub(super) const TIER: &str = "runtime";

/// The longest provider name, in bytes.
const MAX_NAME_BYTES: usize = 128;

/// The cache entry of one provider: a validated name, cheap to clone.
///
/// Made by [`cache_source`]. Its files are `runtime/<name>.json` under the cache root and the side files
/// `<name>.lock` and `<name>.refreshing` beside it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Source {
    name: Arc<str>,
}

/// A provider name that cannot name a cache entry; says which rule it breaks. Nothing was written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NameError {
    /// The name is empty.
    #[error("a provider name must not be empty")]
    Empty,
    /// The name has more than 128 bytes.
    #[error("a provider name has at most 128 bytes, this one has {bytes}")]
    TooLong {
        /// The length of the name, in bytes.
        bytes: usize,
    },
    /// The name begins with a dot.
    #[error("provider name {name:?}: must not begin with a dot")]
    LeadingDot {
        /// The name.
        name: String,
    },
    /// The name has a path separator, `/` or `\`.
    #[error("provider name {name:?}: must not contain a path separator, neither / nor \\")]
    Separator {
        /// The name.
        name: String,
    },
    /// The name has a control character.
    #[error("provider name {name:?}: must not contain a control character")]
    Control {
        /// The name.
        name: String,
    },
}

/// The cache entry `runtime/<provider>.json`.
///
/// # Errors
/// [`NameError`] unless the name is one path component of 1 to 128 bytes without separator, leading dot or control
/// character.
pub fn cache_source(provider: &str) -> Result<Source, NameError> {
    let name = || provider.to_owned();
    if provider.is_empty() {
        return Err(NameError::Empty);
    }
    if provider.len() > MAX_NAME_BYTES {
        return Err(NameError::TooLong { bytes: provider.len() });
    }
    if provider.starts_with('.') {
        return Err(NameError::LeadingDot { name: name() });
    }
    if provider.contains(['/', '\\']) {
        return Err(NameError::Separator { name: name() });
    }
    if provider.contains(char::is_control) {
        return Err(NameError::Control { name: name() });
    }
    Ok(Source { name: provider.into() })
}

impl Source {
    /// The provider's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where the entry lies under the cache root: `runtime/<name>.json`.
    #[must_use]
    pub fn relative_path(&self) -> PathBuf {
        Path::new(TIER).join(self.data_file())
    }

    pub(super) fn data_file(&self) -> String {
        format!("{}{DATA}", self.name)
    }

    pub(super) fn lock_file(&self) -> String {
        format!("{}{LOCK}", self.name)
    }

    pub(super) fn marker_file(&self) -> String {
        format!("{}{MARKER}", self.name)
    }

    /// The temporary file of a foreign writer. We never create it; prune removes it with its source.
    pub(super) fn foreign_temp_file(&self) -> String {
        format!("{}{FOREIGN_TEMP}", self.name)
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

const DATA: &str = ".json";
const LOCK: &str = ".lock";
const MARKER: &str = ".refreshing";
const FOREIGN_TEMP: &str = ".json.tmp";

/// What a file in the tier's directory is to a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FileRole {
    /// The stored signal.
    Data,
    /// A lock, a refresh marker or a foreign temporary file.
    Side,
}

/// The source that a file in the tier's directory belongs to; `None` for all other files.
pub(super) fn owner_of(file: &str) -> Option<(Source, FileRole)> {
    [(DATA, FileRole::Data), (LOCK, FileRole::Side), (MARKER, FileRole::Side), (FOREIGN_TEMP, FileRole::Side)]
        .into_iter()
        .find_map(|(suffix, role)| Some((cache_source(file.strip_suffix(suffix)?).ok()?, role)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_usual_name_is_accepted_and_names_its_file() {
        for name in ["openrouter", "a", "Studio 2", "größe", "a.b", "x..y", "a:b", &"n".repeat(128)] {
            let source = cache_source(name).unwrap();
            assert_eq!(source.name(), name);
            assert_eq!(source.relative_path(), PathBuf::from(format!("runtime/{name}.json")));
        }
    }

    #[test]
    fn an_unsafe_name_is_refused_by_the_rule_it_breaks() {
        let rule = |name: &str| cache_source(name).unwrap_err().to_string();
        assert_eq!(cache_source(""), Err(NameError::Empty));
        assert_eq!(cache_source(&"é".repeat(65)), Err(NameError::TooLong { bytes: 130 }));
        for name in [".", "..", ".hidden", "../x"] {
            assert!(rule(name).contains("begin with a dot"), "{name:?}");
        }
        for name in ["a/b", "/etc/passwd", "a\\b", "x/../y"] {
            assert!(rule(name).contains("path separator"), "{name:?}");
        }
        for name in ["a\0b", "line\nbreak", "tab\t", "\u{7f}", "\u{85}"] {
            assert!(rule(name).contains("control character"), "{name:?}");
        }
    }

    #[test]
    fn a_refused_name_is_escaped_in_the_message() {
        assert!(!cache_source("a\nb").unwrap_err().to_string().contains('\n'));
    }

    #[test]
    fn every_file_of_a_source_leads_back_to_it() {
        for name in ["studio", "a.json", "a.lock"] {
            let source = cache_source(name).unwrap();
            assert_eq!(owner_of(&source.data_file()), Some((source.clone(), FileRole::Data)));
            for side in [source.lock_file(), source.marker_file(), source.foreign_temp_file()] {
                assert_eq!(owner_of(&side), Some((source.clone(), FileRole::Side)));
            }
        }
        for other in [".guard", ".json", "notes.txt", "..lock", "json"] {
            assert_eq!(owner_of(other), None, "{other}");
        }
    }
}
