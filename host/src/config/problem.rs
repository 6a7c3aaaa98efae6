//! What is wrong with a text, where, and what to write instead.

use std::fmt;

use toml::de::{DeTable, DeValue};

/// Why a configuration was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigProblem {
    /// The line, from 1 on.
    pub line: usize,
    /// The key that it is about, as `service.listen`; empty where it is about none.
    pub key: String,
    /// What is wrong.
    pub problem: String,
    /// What to do.
    pub remedy: String,
}

/// Longest value, key and other text in a message, in characters.
const LONGEST_VALUE: usize = 60;
const LONGEST_KEY: usize = 200;
const LONGEST_TEXT: usize = 500;

/// A step into a document.
#[derive(Clone, Copy)]
pub(super) enum Step<'a> {
    Key(&'a str),
    Item(usize),
}

impl ConfigProblem {
    /// The text is no TOML.
    pub(super) fn syntax(error: &toml::de::Error, text: &str) -> Self {
        let problem = error.message().to_owned();
        let remedy = "correct the TOML; docs/runtime-signals.toml shows every key".to_owned();
        Self { line: line_of(error, text), key: String::new(), problem, remedy }
    }

    /// A key or a value is refused.
    pub(super) fn value(path: String, error: &toml::de::Error, text: &str) -> Self {
        let key = if path == "." { String::new() } else { start_of(&path, LONGEST_KEY) };
        let line = line_of(error, text);
        let message = error.message().trim();
        if let Some(rest) = message.strip_prefix("unknown field ") {
            return Self { line, key, problem: "unknown key".to_owned(), remedy: known_keys(rest) };
        }
        let (problem, remedy) = match message.split_once("; ") {
            Some((problem, remedy)) => (problem, remedy.to_owned()),
            None if message.starts_with("missing field") => (message, "add it".to_owned()),
            None => (message, "docs/runtime-signals.toml shows what can stand there".to_owned()),
        };
        let problem = start_of(&problem.replace('\n', " "), LONGEST_TEXT);
        Self { line, key, problem, remedy: start_of(&remedy, LONGEST_TEXT) }
    }

    /// What stands at this place of the text is refused.
    pub(super) fn at(
        path: &[Step<'_>],
        text: &str,
        problem: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        let mut key = String::new();
        for step in path {
            match step {
                Step::Key(name) if key.is_empty() => key.push_str(name),
                Step::Key(name) => key.push_str(&format!(".{name}")),
                Step::Item(position) => key.push_str(&format!("[{position}]")),
            }
        }
        let key = start_of(&key, LONGEST_KEY);
        let problem = start_of(&problem.into(), LONGEST_TEXT);
        Self { line: find(path, text).unwrap_or(1), key, problem, remedy: remedy.into() }
    }
}

impl fmt::Display for ConfigProblem {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "line {}: ", self.line)?;
        if !self.key.is_empty() {
            write!(to, "`{}`: ", self.key)?;
        }
        write!(to, "{}; {}", self.problem, self.remedy)
    }
}

impl std::error::Error for ConfigProblem {}

/// A value for a message, in quotation marks: of a long one the start, since who reads it has the file.
pub(super) fn quoted(value: &str) -> String {
    format!("{:?}", start_of(value, LONGEST_VALUE))
}

/// The start of a text, of so many characters.
fn start_of(text: &str, most: usize) -> String {
    let mut start: String = text.chars().take(most).collect();
    if start.len() < text.len() {
        start.push('…');
    }
    start
}

/// From "`lisen`, expected one of `listen`, `socket`" to advice.
fn known_keys(message: &str) -> String {
    // Every second piece stands between backticks.
    let mut keys = message.split('`').skip(1).step_by(2);
    let unknown = keys.next().unwrap_or_default();
    let keys: Vec<&str> = keys.collect();
    let alike = |key: &&&str| strsim::damerau_levenshtein(unknown, key);
    let nearest = keys.iter().min_by_key(alike).filter(|key| alike(key) <= key.len().div_ceil(3));
    let hint = nearest.map(|key| format!("did you mean `{key}`? ")).unwrap_or_default();
    let listed = keys.iter().map(|key| format!("`{key}`")).collect::<Vec<_>>().join(", ");
    format!("{hint}the keys here are {listed}")
}

fn line_of(error: &toml::de::Error, text: &str) -> usize {
    error.span().map_or(1, |span| line_at(text, span.start))
}

fn line_at(text: &str, offset: usize) -> usize {
    1 + text.bytes().take(offset).filter(|byte| *byte == b'\n').count()
}

/// The line in which a value stands.
fn find(path: &[Step<'_>], text: &str) -> Option<usize> {
    let document = DeTable::parse(text).ok()?;
    let (first, rest) = path.split_first()?;
    let Step::Key(first) = first else { return None };
    let mut value = document.get_ref().get(*first)?;
    for step in rest {
        value = match (step, value.get_ref()) {
            (Step::Key(name), DeValue::Table(table)) => table.get(*name)?,
            (Step::Item(position), DeValue::Array(items)) => items.get(*position)?,
            _ => return None,
        };
    }
    Some(line_at(text, value.span().start))
}
