//! Profiles as TOML, organised by limit; the built-in ones are such files as well, in `types/`.
//!
//! Reading is strict: what is not understood is refused with its line, its key and what to write instead.
//!
//! ```toml
//! type = "my-gateway"
//! extends = "openai"              # headers, limits and refusals of a built-in profile, after its own
//! source = ["https://docs.example.com/limits"]
//! verified = "2026-11-24"
//!
//! [[limit]]
//! quantity = "requests"           # requests, tokens, input_tokens, output_tokens or other
//! window = "15m"                  # where it is known beforehand: seconds, minutes, hours or days
//! refill = "window_edge"          # continuous, window_edge or projected
//! limit = "x-gateway-limit"       # a name, or a list of names, the best first;
//! remaining = "x-gateway-left-*"  # a star at either end stands for the name of a pool
//!
//! [headers]
//! wait = "x-gateway-wait"
//!
//! [[refusal]]
//! class = "money"
//! status = 429
//! words = ["no_credit"]
//! ```

mod case;
mod error;
mod extend;
mod limit;
mod page;
mod refusal;
mod table;
mod types;

use std::format;
use std::string::{String, ToString};
use std::vec::Vec;

pub use case::{Case, Expect};
pub use error::ProfileError;
pub use page::page;
pub use types::builtin;

use crate::bounds::{MOST_HEADERS, MOST_LIMITS, MOST_REFUSALS};
use crate::model::{BodyUse, Profile};
use table::{Table, Value, listed};

/// The keys of a profile.
const KEYS: &[&str] = &[
    "type",
    "aliases",
    "extends",
    "source",
    "verified",
    "body",
    "sentence_counts",
    "doubts_hints",
    "notes",
    "limit",
    "headers",
    "refusal",
    "case",
];
/// The type whose headers are every profile's.
const COMMON_TYPE: &str = "common";
/// How long a line of profiles that extend each other may be.
const MOST_STEPS: usize = 4;
const LONGEST_NAME_BYTES: usize = 64;
const LONGEST_SOURCE_BYTES: usize = 300;
const LONGEST_NOTES_BYTES: usize = 2000;

/// A profile, and what its file says beside it.
#[derive(Clone, Debug, PartialEq)]
pub struct Source {
    /// The profile, with what it extends and the headers that are common to all.
    pub profile: Profile,
    /// The built-in profile that it extends.
    pub extends: Option<String>,
    /// Where its provider documents it.
    pub source: Vec<String>,
    /// The day on which it was compared with its source, as `2026-11-24`; empty where no day is told.
    pub verified: String,
    /// What else is worth knowing.
    pub notes: String,
    /// Responses, and what is to be read from them.
    pub cases: Vec<Case>,
}

/// Reads a profile. What it extends is looked up among the built-in ones.
///
/// # Errors
///
/// When the text is no profile, with the line, the key and what to do.
pub fn parse(text: &str) -> Result<Source, ProfileError> {
    compile(text).map(|compiled| compiled.source)
}

/// Reads a text of nothing but `[[case]]`: a parser component carries one.
///
/// # Errors
///
/// When it is something else, with the line, the key and what to do.
pub fn parse_cases(text: &str) -> Result<Vec<Case>, ProfileError> {
    case::read(&Table::parse(text, &["case"])?)
}

/// Reads the built-in profiles, in the order of [`builtin`]: places are handles.
///
/// # Errors
///
/// When one is wrong, which the tests of this crate exclude.
pub fn compile_builtin() -> Result<Vec<Source>, ProfileError> {
    builtin().iter().map(|(_, text)| parse(text)).collect()
}

/// A profile as far as its file tells it.
struct Compiled {
    source: Source,
    /// Does it say when bodies are read?
    says_body: bool,
    /// Does it say what counts in sentences mean?
    says_sentence_counts: bool,
    /// Does it say whether waits are doubted?
    says_doubts_hints: bool,
}

fn compile(text: &str) -> Result<Compiled, ProfileError> {
    let mut compiled = compile_extended(text, 0)?;
    let profile = &mut compiled.source.profile;
    if profile.name != COMMON_TYPE {
        let mut common = compile_extended(types::text_of(COMMON_TYPE).unwrap_or_default(), 0)?;
        common.source.profile.refusals.clear();
        extend::extend(profile, common.source.profile);
    }
    for (what, count, most) in [
        ("headers", profile.headers.len(), MOST_HEADERS),
        ("limits", profile.limits.len(), MOST_LIMITS),
        ("refusals", profile.refusals.len(), MOST_REFUSALS),
    ] {
        if count > most {
            let problem = format!("{count} {what} are too many, with those that it extends");
            return Err(ProfileError::new(1, "", problem, format!("leave some out: {most} are allowed")));
        }
    }
    Ok(compiled)
}

/// Without the headers that are common to all.
fn compile_extended(text: &str, step: usize) -> Result<Compiled, ProfileError> {
    let table = Table::parse(text, KEYS)?;
    let mut compiled = read(&table)?;
    let Some(extends) = table.get("extends") else { return Ok(compiled) };
    let base = extends.text()?;
    let base_text =
        types::text_of(base).filter(|_| base != COMMON_TYPE && step < MOST_STEPS).ok_or_else(|| {
            let remedy = "name a built-in type, such as `openai` or `generic`: docs/providers.md lists them";
            extends.error(format!("`{base}` is none that can be extended"), remedy)
        })?;
    let base = compile_extended(base_text, step + 1)?;
    let profile = &mut compiled.source.profile;
    if !compiled.says_body {
        profile.body = base.source.profile.body;
    }
    if !compiled.says_sentence_counts {
        profile.sentence_counts = base.source.profile.sentence_counts;
    }
    if !compiled.says_doubts_hints {
        profile.doubts_hints = base.source.profile.doubts_hints;
    }
    extend::extend(profile, base.source.profile);
    Ok(compiled)
}

fn read(table: &Table<'_>) -> Result<Compiled, ProfileError> {
    let name = type_name(&table.need("type", "name the provider type")?)?;
    let mut aliases = Vec::new();
    for alias in table.items("aliases")? {
        let found = type_name(&alias)?;
        if found == name || aliases.contains(&found) {
            return Err(alias.error(format!("`{found}` is named twice"), "leave one out"));
        }
        aliases.push(found);
    }
    let body = table.get("body").map(|body| body.word(BodyUse::from_word, &["errors", "always", "usage"]));
    let body = body.transpose()?;
    let sentence_counts = table.get("sentence_counts").map(|flag| flag.flag()).transpose()?;
    let doubts_hints = table.get("doubts_hints").map(|flag| flag.flag()).transpose()?;
    let (limits, mut headers) = limit::read_limits(table)?;
    limit::read_headers(table, &mut headers)?;
    let profile = Profile {
        name,
        aliases,
        headers: headers.into_list(),
        limits,
        refusals: refusal::read(table)?,
        body: body.unwrap_or_default(),
        sentence_counts: sentence_counts.unwrap_or_default(),
        doubts_hints: doubts_hints.unwrap_or_default(),
    };
    let mut source = Vec::new();
    for address in table.items("source")? {
        source.push(address.long_text(LONGEST_SOURCE_BYTES)?.to_string());
    }
    let notes = table.get("notes").map(|notes| notes.long_text(LONGEST_NOTES_BYTES).map(ToString::to_string));
    let source = Source {
        profile,
        extends: table.text("extends")?,
        source,
        verified: table.get("verified").map(|day| verified(&day)).transpose()?.unwrap_or_default(),
        notes: notes.transpose()?.unwrap_or_default(),
        cases: case::read(table)?,
    };
    Ok(Compiled {
        source,
        says_body: body.is_some(),
        says_sentence_counts: sentence_counts.is_some(),
        says_doubts_hints: doubts_hints.is_some(),
    })
}

/// The name of a provider type.
fn type_name(value: &Value<'_>) -> Result<String, ProfileError> {
    let name = value.text()?;
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if name.len() > LONGEST_NAME_BYTES || !name.bytes().all(fits) {
        let remedy = format!("write at most {LONGEST_NAME_BYTES} of a-z, 0-9 and -");
        return Err(value.error(format!("`{name}` is no name of a provider type"), remedy));
    }
    Ok(name.to_string())
}

/// A day.
fn verified(value: &Value<'_>) -> Result<String, ProfileError> {
    let day = value.text()?;
    if !case::has_form(day, "0000-00-00") {
        return Err(value.error(format!("`{day}` is no day"), "write year, month and day, as \"2026-11-24\""));
    }
    Ok(day.to_string())
}

#[cfg(test)]
mod tests;
