//! Tables and values of a TOML text, with the line of each: what is not asked for is refused.

use std::format;
use std::string::{String, ToString};
use std::vec::Vec;

use ::toml::Spanned;
use ::toml::de::{DeTable, DeValue};

use super::error::ProfileError;
use crate::bounds::{LONGEST_TEXT_BYTES, MOST_ITEMS};

/// Largest text of a profile, in bytes.
const MOST_BYTES: usize = 64 * 1024;

/// A table of a text.
#[derive(Clone)]
pub(super) struct Table<'a> {
    text: &'a str,
    /// As it stands in keys: `limit.`, or nothing for the whole.
    path: String,
    /// The place at which it begins.
    at: usize,
    entries: DeTable<'a>,
}

/// A value of a text.
pub(super) struct Value<'a> {
    text: &'a str,
    key: String,
    at: usize,
    value: DeValue<'a>,
}

impl<'a> Table<'a> {
    /// Reads a whole text, which may have these keys.
    pub(super) fn parse(text: &'a str, keys: &[&str]) -> Result<Self, ProfileError> {
        if text.len() > MOST_BYTES {
            let problem = format!("{} bytes are too many", text.len());
            return Err(ProfileError::new(1, "", problem, format!("write at most {MOST_BYTES}")));
        }
        let entries = DeTable::parse(text).map_err(|error| {
            let line = error.span().map_or(1, |span| line_at(text, span.start));
            ProfileError::new(line, "", error.message().trim_end(), "write it in TOML's syntax")
        })?;
        let table = Self { text, path: String::new(), at: 0, entries: entries.into_inner() };
        table.only(keys)?;
        Ok(table)
    }

    /// Refuses keys that are not among these.
    fn only(&self, keys: &[&str]) -> Result<(), ProfileError> {
        let unknown = self.entries.keys().filter(|key| !keys.contains(&key.get_ref().as_ref()));
        match unknown.min_by_key(|key| key.span().start) {
            None => Ok(()),
            Some(key) => Err(ProfileError::new(
                line_at(self.text, key.span().start),
                &format!("{}{}", self.path, key.get_ref()),
                "there is no such key",
                format!("write one of {}", listed(keys)),
            )),
        }
    }

    /// The value of a key.
    pub(super) fn get(&self, key: &str) -> Option<Value<'a>> {
        let (_, value) = self.entries.iter().find(|(found, _)| found.get_ref() == key)?;
        Some(Value::of(self.text, format!("{}{key}", self.path), value))
    }

    /// The value of a key that must be there.
    pub(super) fn need(&self, key: &str, remedy: &str) -> Result<Value<'a>, ProfileError> {
        self.get(key).ok_or_else(|| self.error(key, "it is missing", remedy))
    }

    /// The text of a key.
    pub(super) fn text(&self, key: &str) -> Result<Option<String>, ProfileError> {
        self.get(key).map(|value| value.text().map(ToString::to_string)).transpose()
    }

    /// The texts of a key: one, or a list of them.
    pub(super) fn items(&self, key: &str) -> Result<Vec<Value<'a>>, ProfileError> {
        self.get(key).map_or_else(|| Ok(Vec::new()), |value| value.items())
    }

    /// The tables `[[key]]`, each of which may have these keys.
    pub(super) fn tables(&self, key: &str, keys: &[&str], most: usize) -> Result<Vec<Self>, ProfileError> {
        let Some(value) = self.get(key) else { return Ok(Vec::new()) };
        let DeValue::Array(array) = &value.value else {
            return Err(value.error("it is no list of tables", format!("begin each with [[{key}]]")));
        };
        if array.len() > most {
            return Err(value.error(format!("{} are too many", array.len()), format!("write at most {most}")));
        }
        array.iter().map(|item| Value::of(self.text, value.key.clone(), item).table(keys)).collect()
    }

    pub(super) fn error(
        &self,
        key: &str,
        problem: impl core::fmt::Display,
        remedy: impl core::fmt::Display,
    ) -> ProfileError {
        ProfileError::new(line_at(self.text, self.at), &format!("{}{key}", self.path), problem, remedy)
    }
}

impl<'a> Value<'a> {
    fn of(text: &'a str, key: String, value: &Spanned<DeValue<'a>>) -> Self {
        Self { text, key, at: value.span().start, value: value.get_ref().clone() }
    }

    pub(super) fn error(
        &self,
        problem: impl core::fmt::Display,
        remedy: impl core::fmt::Display,
    ) -> ProfileError {
        ProfileError::new(line_at(self.text, self.at), &self.key, problem, remedy)
    }

    fn wrong_type(&self, wanted: &str) -> ProfileError {
        self.error(format!("it is of the type {}", self.value.type_str()), format!("write {wanted}"))
    }

    /// A table, which may have these keys.
    pub(super) fn table(&self, keys: &[&str]) -> Result<Table<'a>, ProfileError> {
        let DeValue::Table(entries) = &self.value else {
            return Err(self.wrong_type(&format!("the table [{}]", self.key)));
        };
        let path = format!("{}.", self.key);
        let table = Table { text: self.text, path, at: self.at, entries: entries.clone() };
        table.only(keys)?;
        Ok(table)
    }

    /// A text of any length.
    pub(super) fn long_text(&self, most_bytes: usize) -> Result<&str, ProfileError> {
        let text = self.value.as_str().ok_or_else(|| self.wrong_type("a text in quotes"))?;
        if text.len() > most_bytes {
            let problem = format!("{} bytes are too many", text.len());
            return Err(self.error(problem, format!("write at most {most_bytes}")));
        }
        Ok(text)
    }

    /// A text within the bounds.
    pub(super) fn text(&self) -> Result<&str, ProfileError> {
        let text = self.long_text(LONGEST_TEXT_BYTES)?;
        if text.is_empty() {
            return Err(self.error("it is empty", "write something, or leave the key out"));
        }
        Ok(text)
    }

    /// The items of a list; a value that is no list is its only item.
    pub(super) fn items(self) -> Result<Vec<Self>, ProfileError> {
        let DeValue::Array(array) = &self.value else { return Ok([self].into()) };
        if array.len() > MOST_ITEMS {
            let problem = format!("{} are too many", array.len());
            return Err(self.error(problem, format!("write at most {MOST_ITEMS}")));
        }
        Ok(array.iter().map(|item| Self::of(self.text, self.key.clone(), item)).collect())
    }

    /// The word of an enumeration.
    pub(super) fn word<T>(
        &self,
        from_word: impl Fn(&str) -> Option<T>,
        words: &[&str],
    ) -> Result<T, ProfileError> {
        let word = self.text()?;
        from_word(word).filter(|_| words.contains(&word)).ok_or_else(|| {
            self.error(format!("`{word}` is no word for it"), format!("write one of {}", listed(words)))
        })
    }

    /// Yes or no.
    pub(super) fn flag(&self) -> Result<bool, ProfileError> {
        self.value.as_bool().ok_or_else(|| self.wrong_type("true or false"))
    }

    /// A whole number from 0 on.
    pub(super) fn number(&self) -> Result<u64, ProfileError> {
        let number = self.value.as_integer().ok_or_else(|| self.wrong_type("a whole number"))?;
        u64::from_str_radix(number.as_str(), number.radix()).map_err(|_| {
            self.error(format!("`{}` is out of range", number.as_str()), "write a whole number from 0 on")
        })
    }
}

/// The line of a place in a text, from 1 on.
fn line_at(text: &str, place: usize) -> usize {
    text.bytes().take(place).filter(|byte| *byte == b'\n').count() + 1
}

/// `a`, `b` or `c`.
pub(super) fn listed(words: &[&str]) -> String {
    let words: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
    match words.split_last() {
        Some((last, before)) if !before.is_empty() => format!("{} or {last}", before.join(", ")),
        _ => words.concat(),
    }
}
