//! JSON without what is secret or personal.

use serde_json::{Map, Number, Value};

use super::form::{humps, is_count, is_known_name, parts};
use super::headers;
use super::telling::Telling;
use super::text::REMOVED;

/// What users send and models answer.
const CONTENT: [&str; 42] = [
    "annotations",
    "answer",
    "arguments",
    "audio",
    "candidates",
    "chat",
    "choices",
    "completion",
    "completions",
    "content",
    "contents",
    "delta",
    "document",
    "documents",
    "embedding",
    "failed_generation",
    "file",
    "files",
    "functions",
    "generated_text",
    "image",
    "images",
    "input",
    "inputText",
    "inputs",
    "instructions",
    "messages",
    "output",
    "outputText",
    "output_text",
    "outputs",
    "parts",
    "prompt",
    "query",
    "reasoning",
    "reasoning_content",
    "system",
    "text",
    "thinking",
    "tool_calls",
    "tools",
    "transcript",
];
/// Parts of keys under which stands who somebody is, or what opens something.
const IDENTITIES: [&str; 47] = [
    "account",
    "accounts",
    "addr",
    "address",
    "auth",
    "authorization",
    "bearer",
    "cookie",
    "cookies",
    "creator",
    "credential",
    "credentials",
    "customer",
    "device",
    "email",
    "fingerprint",
    "guid",
    "host",
    "hostname",
    "id",
    "ids",
    "ip",
    "key",
    "keys",
    "login",
    "mail",
    "member",
    "org",
    "organisation",
    "organization",
    "organizations",
    "orgs",
    "owner",
    "password",
    "phone",
    "project",
    "ray",
    "secret",
    "session",
    "team",
    "tenant",
    "token",
    "trace",
    "user",
    "username",
    "uuid",
    "workspace",
];
/// Keys of the same look whose values name limits.
const LIMITS: [&str; 6] = ["limit_id", "limitId", "policy_id", "quotaId", "quota_id", "model_id"];
/// Keys whose values are names, of limits or of people.
const NAMES: [&str; 2] = ["label", "name"];

/// The value without what is secret or personal.
pub(super) fn clean(value: &Value, telling: &Telling) -> Value {
    match value {
        Value::Null | Value::Bool(_) => value.clone(),
        Value::Number(number) => Value::Number(clean_number(number)),
        Value::String(text) => Value::String(clean_string(text, telling)),
        Value::Array(items) => Value::Array(items.iter().map(|item| clean(item, telling)).collect()),
        Value::Object(fields) => Value::Object(clean_object(fields, telling)),
    }
}

/// What a value tells that must not stand elsewhere either: `found` is shown the texts under keys of identity.
pub(super) fn identities(value: &Value, found: &mut impl FnMut(&str)) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| identities(item, found)),
        Value::Object(fields) => {
            for (key, value) in fields {
                match value {
                    Value::String(text) if is_identity(key) => found(text),
                    value => identities(value, found),
                }
            }
        }
        _ => {}
    }
}

/// Does an answer say that something went wrong?
pub(super) fn is_error(value: &Value) -> bool {
    match value {
        Value::Array(items) => items.first().is_some_and(is_error),
        Value::Object(fields) => {
            let stated = |key| {
                fields.get(key).is_some_and(|value: &Value| match value {
                    Value::Null | Value::Bool(false) => false,
                    Value::Array(items) => !items.is_empty(),
                    _ => true,
                })
            };
            stated("error") || stated("errors") || fields.get("type").is_some_and(|kind| kind == "error")
        }
        _ => false,
    }
}

fn clean_object(fields: &Map<String, Value>, telling: &Telling) -> Map<String, Value> {
    let cleaned = fields.iter().filter_map(|(key, value)| {
        if is_content(key) || telling.clean(key) != *key {
            return None;
        }
        Some((key.clone(), clean_field(key, value, telling)?))
    });
    cleaned.collect()
}

fn clean_field(key: &str, value: &Value, telling: &Telling) -> Option<Value> {
    match value {
        // A message of a conversation, rather than one about an error.
        Value::Array(_) | Value::Object(_) if key == "message" => None,
        Value::Object(fields) if key == "headers" => {
            let kept = fields.iter().filter(|(name, _)| headers::is_kept(name));
            Some(Value::Object(kept.map(|(name, value)| (name.clone(), clean(value, telling))).collect()))
        }
        Value::String(text) if is_identity(key) => {
            let cleaned = telling.clean(text);
            Some(Value::String(if cleaned == *text && !text.is_empty() { REMOVED.into() } else { cleaned }))
        }
        Value::Null | Value::Bool(_) => Some(value.clone()),
        _ if is_identity(key) => None,
        Value::String(text) if NAMES.contains(&key) && !is_known_name(text) => Some(REMOVED.into()),
        value => Some(clean(value, telling)),
    }
}

fn is_content(key: &str) -> bool {
    let is_one =
        |word: &str| ["conversation", "prompt", "prompts"].iter().any(|one| one.eq_ignore_ascii_case(word));
    CONTENT.iter().any(|content| content.eq_ignore_ascii_case(key))
        || parts(key).any(|part| is_one(part) || humps(part).any(is_one))
}

fn is_identity(key: &str) -> bool {
    let is_one = |word: &str| IDENTITIES.iter().any(|identity| identity.eq_ignore_ascii_case(word));
    !LIMITS.contains(&key) && parts(key).any(|part| is_one(part) || humps(part).any(is_one))
}

/// JSON within a text is cleaned as such.
fn clean_string(text: &str, telling: &Telling) -> String {
    if text.trim_start().starts_with(['{', '[']) {
        // What breaks off cannot be told apart from what users sent.
        let value = serde_json::from_str::<Value>(text).map(|value| clean(&value, telling));
        return value.map_or_else(|_| REMOVED.to_owned(), |value| value.to_string());
    }
    telling.clean(text)
}

/// A number of more digits than counts and times have becomes 0.
fn clean_number(number: &Number) -> Number {
    let text = number.to_string();
    let whole = text.trim_start_matches('-').split(['.', 'e', 'E']).next().unwrap_or_default();
    if is_count(whole) { number.clone() } else { Number::from(0) }
}
