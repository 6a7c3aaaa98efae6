//! What is wrong with a profile's text.

use core::fmt;
use std::string::{String, ToString};

/// Why a profile was refused: where, what, and what to write instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProfileError {
    /// The line, from 1 on.
    pub line: usize,
    /// The key that it is about, as `limit.window`; empty where it is about none.
    pub key: String,
    /// What is wrong.
    pub problem: String,
    /// What to do.
    pub remedy: String,
}

impl ProfileError {
    pub(super) fn new(line: usize, key: &str, problem: impl fmt::Display, remedy: impl fmt::Display) -> Self {
        Self { line, key: key.to_string(), problem: problem.to_string(), remedy: remedy.to_string() }
    }
}

impl fmt::Display for ProfileError {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "line {}: ", self.line)?;
        if !self.key.is_empty() {
            write!(to, "`{}`: ", self.key)?;
        }
        write!(to, "{}; {}", self.problem, self.remedy)
    }
}

impl core::error::Error for ProfileError {}
