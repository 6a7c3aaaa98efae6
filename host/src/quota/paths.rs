//! Where the files of the quota sources lie.

use std::ffi::OsString;
use std::path::PathBuf;

use crate::folders::user_folder;

/// The files that quota facts are read from. A path is absent when there is no home directory to look in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct QuotaPaths {
    /// Snapshot for Claude: `FIZEAU_CLAUDE_QUOTA_CACHE`, or `claude-quota.json` in the state directory.
    pub claude: Option<PathBuf>,
    /// Snapshot for Codex: `FIZEAU_CODEX_QUOTA_CACHE`, or `codex-quota.json` in the state directory.
    pub codex: Option<PathBuf>,
    /// Snapshot for Gemini: `FIZEAU_GEMINI_QUOTA_CACHE`, or `gemini-quota.json` in the state directory.
    pub gemini: Option<PathBuf>,
    /// Session logs of Codex: `sessions` in `CODEX_HOME`, or in `~/.codex`.
    pub codex_sessions: Option<PathBuf>,
}

impl QuotaPaths {
    /// The paths that this process's environment gives.
    ///
    /// The state directory is `$XDG_STATE_HOME/fizeau`, or `~/.local/state/fizeau`.
    pub fn from_env() -> Self {
        Self::from_lookup(|name| std::env::var_os(name))
    }

    /// The paths that an environment gives, asked variable by variable. Empty variables count as unset.
    pub fn from_lookup(lookup: impl Fn(&str) -> Option<OsString>) -> Self {
        let path = |name: &str| lookup(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let home = path("HOME");
        let state = user_folder(&lookup, "XDG_STATE_HOME", ".local/state").map(|state| state.join("fizeau"));
        let snapshot =
            |variable: &str, file: &str| path(variable).or_else(|| Some(state.as_ref()?.join(file)));
        Self {
            claude: snapshot("FIZEAU_CLAUDE_QUOTA_CACHE", "claude-quota.json"),
            codex: snapshot("FIZEAU_CODEX_QUOTA_CACHE", "codex-quota.json"),
            gemini: snapshot("FIZEAU_GEMINI_QUOTA_CACHE", "gemini-quota.json"),
            codex_sessions: path("CODEX_HOME")
                .or_else(|| Some(home.as_ref()?.join(".codex")))
                .map(|codex| codex.join("sessions")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(environment: &[(&str, &str)]) -> QuotaPaths {
        QuotaPaths::from_lookup(|name| {
            let (_, value) = environment.iter().find(|(key, _)| *key == name)?;
            Some(value.into())
        })
    }

    #[test]
    fn files_lie_in_the_state_directory_of_the_user() {
        let found = paths(&[("HOME", "/home/u")]);
        assert_eq!(found.claude, Some("/home/u/.local/state/fizeau/claude-quota.json".into()));
        assert_eq!(found.codex_sessions, Some("/home/u/.codex/sessions".into()));

        let found = paths(&[("HOME", "/home/u"), ("XDG_STATE_HOME", "/state")]);
        assert_eq!(found.codex, Some("/state/fizeau/codex-quota.json".into()));
        assert_eq!(found.gemini, Some("/state/fizeau/gemini-quota.json".into()));
    }

    #[test]
    fn each_path_can_be_overridden() {
        let found = paths(&[
            ("HOME", "/home/u"),
            ("XDG_STATE_HOME", "relative"),
            ("FIZEAU_CLAUDE_QUOTA_CACHE", "/a.json"),
            ("FIZEAU_CODEX_QUOTA_CACHE", "/b.json"),
            ("FIZEAU_GEMINI_QUOTA_CACHE", ""),
            ("CODEX_HOME", "/codex"),
        ]);
        assert_eq!(found.claude, Some("/a.json".into()));
        assert_eq!(found.codex, Some("/b.json".into()));
        assert_eq!(found.gemini, Some("/home/u/.local/state/fizeau/gemini-quota.json".into()));
        assert_eq!(found.codex_sessions, Some("/codex/sessions".into()));
    }

    #[test]
    fn without_a_home_there_are_no_paths() {
        assert_eq!(paths(&[]), QuotaPaths::default());
    }
}
