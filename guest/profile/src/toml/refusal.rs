//! `[[refusal]]`: how refusals are told apart.

use std::format;
use std::string::String;
use std::vec::Vec;

use super::limit::{edge, lower_case, window};
use super::table::{Table, Value};
use super::{ProfileError, listed};
use crate::bounds::MOST_REFUSALS;
use crate::model::{RefusalClass, RefusalRule};

const KEYS: &[&str] = &["class", "status", "words", "texts", "window", "edge"];
const CLASSES: &[&str] = &["rate", "quota", "money", "concurrency", "capacity", "oversize", "model_scoped"];
/// A shorter part of a text would be found everywhere.
const SHORTEST_TEXT_BYTES: usize = 4;

/// Reads each `[[refusal]]`.
pub(super) fn read(table: &Table<'_>) -> Result<Vec<RefusalRule>, ProfileError> {
    table.tables("refusal", KEYS, MOST_REFUSALS)?.iter().map(read_rule).collect()
}

fn read_rule(table: &Table<'_>) -> Result<RefusalRule, ProfileError> {
    let class = table.need("class", &format!("write one of {}", listed(CLASSES)))?;
    let status = table.items("status")?;
    let words = table.items("words")?;
    let texts = table.items("texts")?;
    if status.is_empty() && words.is_empty() && texts.is_empty() {
        return Err(table.error("status", "nothing tells this refusal", "name its status, words or texts"));
    }
    Ok(RefusalRule {
        class: class.word(RefusalClass::from_word, CLASSES)?,
        status: status.iter().map(rule_status).collect::<Result<_, _>>()?,
        words: words.iter().map(lower_case).collect::<Result<_, _>>()?,
        texts: texts.iter().map(part_of_text).collect::<Result<_, _>>()?,
        window_s: window(table)?,
        edge: edge(table)?,
    })
}

/// An HTTP status, or 0 for an error within a success that states none.
fn rule_status(value: &Value<'_>) -> Result<u16, ProfileError> {
    if value.number()? == 0 { Ok(0) } else { http_status(value) }
}

/// An HTTP status.
pub(super) fn http_status(value: &Value<'_>) -> Result<u16, ProfileError> {
    let number = value.number()?;
    u16::try_from(number)
        .ok()
        .filter(|status| (100..=599).contains(status))
        .ok_or_else(|| value.error(format!("{number} is no HTTP status"), "write one from 100 to 599"))
}

fn part_of_text(value: &Value<'_>) -> Result<String, ProfileError> {
    let text = lower_case(value)?;
    if text.len() < SHORTEST_TEXT_BYTES {
        let remedy = format!("write at least {SHORTEST_TEXT_BYTES} characters, or name it in `words`");
        return Err(value.error(format!("`{text}` is found in too many texts"), remedy));
    }
    Ok(text)
}
