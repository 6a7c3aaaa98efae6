//! Why a profile's file is refused: where, what, and what to do.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use runtime_signals_profile::toml::ProfileError;

use super::cases::FailedCase;

/// A file that was refused. What was in service before is in service still.
#[derive(Debug)]
pub struct ProfileFileError {
    /// The file, or the directory where it is about that.
    pub path: PathBuf,
    /// What is wrong with it.
    pub problem: ProfileProblem,
}

/// What is wrong with a profile's file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProfileProblem {
    /// The system refuses to read it.
    #[error("it cannot be read: {}; {}", .0, advice(.0))]
    Unreadable(io::Error),
    /// It is something else than a regular file.
    #[error("it is no regular file; put the profile itself here")]
    NotAFile,
    /// It is a symbolic link.
    #[error("it is a symbolic link, and none is followed here; put the profile itself here")]
    Link,
    /// It is larger than any profile.
    #[error("it is larger than {most} bytes; leave something out")]
    TooLarge {
        /// The largest size, in bytes.
        most: u64,
    },
    /// It is no text.
    #[error("it is no text in UTF-8; save it as such")]
    NotText {
        /// The line in which the text ends.
        line: usize,
    },
    /// The text is no profile.
    #[error("{}{problem}; {remedy}", in_key(key))]
    Wrong {
        /// The line.
        line: usize,
        /// The key that it is about, as `limit.window`; empty where it is about none.
        key: String,
        /// What is wrong.
        problem: String,
        /// What to do.
        remedy: String,
    },
    /// It names the profile whose parts all others have.
    #[error("`type`: `common` is no provider type; write the type that your providers have")]
    Common,
    /// It asks for a header that carries a credential.
    #[error("the header `{0}` carries credentials, and none goes into the sandbox; leave it out")]
    Credential(String),
    /// Another file of the directory reads this type.
    #[error("the type `{name}` is read by {} already; keep one of them", by.display())]
    Taken {
        /// The type or alias.
        name: String,
        /// The file that came first.
        by: PathBuf,
    },
    /// Not everything is read from its cases that they expect.
    #[error("{}; correct the profile, or what the case expects", listed(.0))]
    Cases(Vec<FailedCase>),
    /// The directory holds too many of them.
    #[error(
        "it holds {found} profiles, of which the first {most} by name are taken in; move others elsewhere"
    )]
    TooManyFiles {
        /// How many there are.
        found: usize,
        /// How many are taken in.
        most: usize,
    },
    /// The engine has taken in all that it can hold: it keeps each version of a file.
    #[error("the engine holds no further profile, since it keeps all versions; start the process anew")]
    Full,
    /// It is not the same any more when it has been packed.
    #[error("it cannot be packed; report it as a bug, with the file")]
    Unpackable,
}

impl ProfileFileError {
    pub(super) fn new(path: &Path, problem: ProfileProblem) -> Self {
        Self { path: path.to_owned(), problem }
    }
}

impl ProfileProblem {
    /// The line that it is about, from 1 on, where it is about one.
    #[must_use]
    pub fn line(&self) -> Option<usize> {
        match self {
            Self::NotText { line } | Self::Wrong { line, .. } => Some(*line),
            Self::Cases(cases) => cases.first()?.line,
            _ => None,
        }
    }
}

impl fmt::Display for ProfileFileError {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "{}", self.path.display())?;
        if let Some(line) = self.problem.line() {
            write!(to, ":{line}")?;
        }
        write!(to, ": {}", self.problem)
    }
}

impl std::error::Error for ProfileFileError {}

impl From<ProfileError> for ProfileProblem {
    fn from(error: ProfileError) -> Self {
        let ProfileError { line, key, problem, remedy } = error;
        // A message of the TOML parser may have several lines.
        Self::Wrong { line, key, problem: problem.replace('\n', ", "), remedy }
    }
}

fn in_key(key: &str) -> String {
    if key.is_empty() { String::new() } else { format!("`{key}`: ") }
}

fn listed(cases: &[FailedCase]) -> String {
    let cases: Vec<String> = cases.iter().map(ToString::to_string).collect();
    cases.join("; ")
}

fn advice(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::NotFound => "name one that exists",
        io::ErrorKind::PermissionDenied => "let this user read it",
        io::ErrorKind::NotADirectory => "name a directory",
        _ => "check the file and its file system",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(problem: ProfileProblem) -> String {
        ProfileFileError::new(Path::new("/p/mine.toml"), problem).to_string()
    }

    #[test]
    fn an_error_names_file_line_and_key_and_says_what_to_do() {
        let wrong = ProfileError {
            line: 7,
            key: "limit.window".into(),
            problem: "`soon`\nis no window".into(),
            remedy: "write a number".into(),
        };
        assert_eq!(
            text(wrong.into()),
            "/p/mine.toml:7: `limit.window`: `soon`, is no window; write a number"
        );
        assert_eq!(
            text(ProfileProblem::Unreadable(io::ErrorKind::PermissionDenied.into())),
            "/p/mine.toml: it cannot be read: permission denied; let this user read it"
        );
    }

    #[test]
    fn failed_cases_are_all_told_and_the_line_is_that_of_the_first() {
        let case = |line, name: &str| FailedCase {
            line: Some(line),
            name: name.into(),
            differences: vec![
                "exhausted: true expected, false found".into(),
                "refusal: rate expected".into(),
            ],
        };
        assert_eq!(
            text(ProfileProblem::Cases(vec![case(3, "a"), case(9, "b")])),
            "/p/mine.toml:3: case `a`: exhausted: true expected, false found, refusal: rate expected; \
             case `b`: exhausted: true expected, false found, refusal: rate expected; \
             correct the profile, or what the case expects"
        );
    }
}
