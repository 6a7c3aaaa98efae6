//! `[[case]]`: a response, and what is to be read from it. Whoever has an engine runs them.

use std::format;
use std::string::{String, ToString};
use std::vec::Vec;

use super::ProfileError;
use super::refusal::http_status;
use super::table::{Table, Value};
use crate::model::RefusalClass;

const KEYS: &[&str] = &["name", "status", "headers", "body", "now", "expect"];
const EXPECT_KEYS: &[&str] =
    &["remaining_requests", "remaining_tokens", "reset_at", "retry_after_ms", "exhausted", "refusal"];
const CLASSES: &[&str] =
    &["rate", "quota", "money", "concurrency", "capacity", "oversize", "model_scoped", "none"];
const MOST_CASES: usize = 64;
const LONGEST_VALUE_BYTES: usize = 2000;
const LONGEST_BODY_BYTES: usize = 8 * 1024;

/// A response of the provider, and what is to be read from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Case {
    /// What it shows.
    pub name: String,
    /// HTTP status.
    pub status: u16,
    /// The headers, in order.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Option<String>,
    /// When it was received, RFC 3339.
    pub now: String,
    /// What is to be read.
    pub expect: Expect,
}

/// What is to be read from a response; `None` means that nothing may be reported.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expect {
    /// Requests left.
    pub remaining_requests: Option<u64>,
    /// Tokens left.
    pub remaining_tokens: Option<u64>,
    /// Reset of the limit that binds, RFC 3339.
    pub reset_at: Option<String>,
    /// The wait that is stated, in milliseconds.
    pub retry_after_ms: Option<u64>,
    /// Is a limit of the caller used up?
    pub exhausted: bool,
    /// The class of the refusal, `Some(None)` for none at all; `None` leaves it open.
    pub refusal: Option<Option<RefusalClass>>,
}

/// Reads each `[[case]]`.
pub(super) fn read(table: &Table<'_>) -> Result<Vec<Case>, ProfileError> {
    table.tables("case", KEYS, MOST_CASES)?.iter().map(read_case).collect()
}

fn read_case(table: &Table<'_>) -> Result<Case, ProfileError> {
    let mut headers = Vec::new();
    for pair in table.items("headers")? {
        headers.push(header(pair)?);
    }
    let body = table.get("body").map(|body| body.long_text(LONGEST_BODY_BYTES).map(ToString::to_string));
    Ok(Case {
        name: table.need("name", "say what the case shows")?.text()?.to_string(),
        status: http_status(&table.need("status", "write the HTTP status of the response")?)?,
        headers,
        body: body.transpose()?,
        now: time(&table.need("now", "say when the response was received")?)?,
        expect: expect(&table.need("expect", "say what is to be read")?.table(EXPECT_KEYS)?)?,
    })
}

fn header(pair: Value<'_>) -> Result<(String, String), ProfileError> {
    let wrong = pair.error("it is no header", "write [\"name\", \"value\"]");
    let items = pair.items()?;
    let [name, value] = items.as_slice() else { return Err(wrong) };
    Ok((name.text()?.to_string(), value.long_text(LONGEST_VALUE_BYTES)?.to_string()))
}

fn expect(table: &Table<'_>) -> Result<Expect, ProfileError> {
    let number = |key| table.get(key).map(|value| value.number()).transpose();
    let refusal =
        table.get("refusal").map(|class| class.word(|word| Some(RefusalClass::from_word(word)), CLASSES));
    Ok(Expect {
        remaining_requests: number("remaining_requests")?,
        remaining_tokens: number("remaining_tokens")?,
        reset_at: table.get("reset_at").map(|value| time(&value)).transpose()?,
        retry_after_ms: number("retry_after_ms")?,
        exhausted: table.get("exhausted").map(|flag| flag.flag()).transpose()?.unwrap_or_default(),
        refusal: refusal.transpose()?,
    })
}

/// A time.
fn time(value: &Value<'_>) -> Result<String, ProfileError> {
    let text = value.text()?;
    let (seconds, fraction) =
        text.strip_suffix('Z').map_or(("", ""), |text| text.split_once('.').unwrap_or((text, "0")));
    let digits =
        !fraction.is_empty() && fraction.len() <= 9 && fraction.bytes().all(|byte| byte.is_ascii_digit());
    if !has_form(seconds, "0000-00-00T00:00:00") || !digits {
        let remedy = "write it in UTC, as \"2026-01-15T12:00:00Z\"";
        return Err(value.error(format!("`{text}` is no time"), remedy));
    }
    Ok(text.to_string())
}

/// Has a text digits where the form has a 0, and what the form has elsewhere?
pub(super) fn has_form(text: &str, form: &str) -> bool {
    let fits = |(byte, form): (u8, u8)| if form == b'0' { byte.is_ascii_digit() } else { byte == form };
    text.len() == form.len() && text.bytes().zip(form.bytes()).all(fits)
}
