//! The file of a configuration.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::{Config, ConfigError};
use crate::folders::user_folder;

/// Names the file, where `--config` does not.
pub const VARIABLE: &str = "RUNTIME_SIGNALS_CONFIG";

const NAME: &str = "runtime-signals/runtime-signals.toml";
/// Room for the 10,000 providers of a large fleet.
const MOST_BYTES: u64 = 4 << 20;

/// A file to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigFile(PathBuf);

impl ConfigFile {
    /// The file that is named, else by `RUNTIME_SIGNALS_CONFIG`, else the user's own, `runtime-signals.toml` beside
    /// the directory of profiles, if it exists. An empty variable counts as not set.
    #[must_use]
    pub fn find(named: Option<&Path>) -> Option<Self> {
        Self::from_lookup(named, |variable| std::env::var_os(variable))
    }

    fn from_lookup(named: Option<&Path>, lookup: impl Fn(&str) -> Option<OsString>) -> Option<Self> {
        let by_variable = || lookup(VARIABLE).filter(|value| !value.is_empty()).map(PathBuf::from);
        // One that is named and is not there is an error; the default one need not be there.
        if let Some(path) = named.map(Path::to_owned).or_else(by_variable) {
            return Some(Self(path));
        }
        let path = default_path(lookup)?;
        path.try_exists().unwrap_or(true).then_some(Self(path))
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Reads it.
    ///
    /// # Errors
    /// It cannot be read, or something in it is refused.
    pub fn read(&self) -> Result<Config, ConfigError> {
        let path = || self.0.clone();
        let text = self.text().map_err(|error| ConfigError::Unreadable { path: path(), error })?;
        if text.len() as u64 > MOST_BYTES {
            return Err(ConfigError::TooLarge { path: path(), most: MOST_BYTES });
        }
        Config::parse(&text).map_err(|problem| ConfigError::Refused { path: path(), problem })
    }

    fn text(&self) -> io::Result<String> {
        let mut text = String::new();
        File::open(&self.0)?.take(MOST_BYTES + 1).read_to_string(&mut text)?;
        Ok(text)
    }
}

/// `runtime-signals/runtime-signals.toml` in the user's configuration directory.
pub(super) fn default_path(lookup: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    Some(user_folder(lookup, "XDG_CONFIG_HOME", ".config")?.join(NAME))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn found(named: Option<&str>, environment: &[(&str, &Path)]) -> Option<PathBuf> {
        let lookup = |variable: &str| {
            let (_, value) = environment.iter().find(|(name, _)| *name == variable)?;
            Some(value.as_os_str().to_owned())
        };
        ConfigFile::from_lookup(named.map(Path::new), lookup).map(|file| file.0)
    }

    #[test]
    fn the_named_file_comes_first_then_the_variables_then_the_users_if_it_exists() {
        let home = tempfile::tempdir().unwrap();
        let home = home.path();
        assert_eq!(found(None, &[("HOME", home)]), None);
        let variable = (VARIABLE, Path::new("/by/variable"));
        assert_eq!(found(Some("/named"), &[variable]), Some("/named".into()));
        assert_eq!(found(None, &[variable, ("HOME", home)]), Some("/by/variable".into()));

        let own = home.join(".config").join(NAME);
        fs::create_dir_all(own.parent().unwrap()).unwrap();
        fs::write(&own, "").unwrap();
        assert_eq!(found(None, &[("HOME", home), (VARIABLE, Path::new(""))]), Some(own));
    }

    #[test]
    fn what_cannot_be_taken_names_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, bytes: &[u8]| {
            let path = folder.path().join(name);
            fs::write(&path, bytes).unwrap();
            ConfigFile(path)
        };
        let absent = ConfigFile(folder.path().join("absent.toml"));
        for (file, what) in [
            (absent, "absent.toml: it cannot be read: "),
            (file("binary.toml", b"\xff\xfe"), "binary.toml: it cannot be read: "),
            (file("huge.toml", &vec![b'#'; (4 << 20) + 1]), "huge.toml: it is larger than "),
            (file("bad.toml", b"[cache]\nx = 1\n"), "bad.toml: line 2: `cache.x`: unknown key; "),
        ] {
            let error = file.read().unwrap_err().to_string();
            assert!(error.contains(what), "{error}");
        }
    }
}
