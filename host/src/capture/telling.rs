//! What headers and fields tell of the caller, which error messages like to repeat.

use std::collections::BTreeSet;

use serde_json::Value;

use super::form::is_known_name;
use super::text::{self, REMOVED, visible};
use super::{Response, headers, json};

/// Texts that must not stand anywhere, whatever their form, in lower case.
pub(super) struct Telling(Vec<String>);

impl Telling {
    pub(super) fn of(response: &Response, body: Option<&Value>) -> Self {
        let mut found = BTreeSet::new();
        let mut add = |value: &str| found.extend(telling_parts(&visible(value)).map(str::to_ascii_lowercase));
        for (name, value) in &response.headers {
            if headers::is_telling(name) && !headers::is_kept(name) {
                add(value);
            }
        }
        body.into_iter().for_each(|body| json::identities(body, &mut add));
        // Longer ones come first: a shorter one may be a part of them.
        let mut found: Vec<String> = found.into_iter().collect();
        found.sort_by_key(|telling| std::cmp::Reverse(telling.len()));
        Self(found)
    }

    /// The text without what is secret or personal.
    pub(super) fn clean(&self, text: &str) -> String {
        let text = self.0.iter().fold(visible(text), |text, telling| replace(&text, telling));
        text::clean(&text)
    }
}

/// Known words and figures may stand elsewhere, and what is removed for its form needs no help.
fn telling_parts(value: &str) -> impl Iterator<Item = &str> {
    let words = value.split(|c: char| c.is_whitespace() || matches!(c, ';' | ',' | '=' | '"'));
    std::iter::once(value.trim())
        .chain(words)
        .filter(|part| part.len() >= 4 && !is_known_name(part) && text::clean(part) == **part)
}

/// The text with `x` in place of a text in lower case, in whatever case it stands there.
fn replace(text: &str, pattern: &str) -> String {
    let lower = text.to_ascii_lowercase();
    let mut replaced = String::with_capacity(text.len());
    let mut end = 0;
    for (start, found) in lower.match_indices(pattern) {
        replaced.push_str(text.get(end..start).unwrap_or_default());
        replaced.push_str(REMOVED);
        end = start + found.len();
    }
    replaced.push_str(text.get(end..).unwrap_or_default());
    replaced
}
