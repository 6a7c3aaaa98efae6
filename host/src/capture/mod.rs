//! Real responses without anything secret or personal, so that users can send what they saw.
//!
//! What is kept is listed, what is removed is not: headers by their names, texts by the form of their words.
//! A secret needs not be known for what it is to be removed.

mod form;
mod headers;
mod json;
mod telling;
mod text;
mod words;

use serde_json::Value;

use self::telling::Telling;

/// A response as it was received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// The provider type.
    pub provider_type: String,
    /// HTTP status.
    pub status: u16,
    /// Names and values, in order.
    pub headers: Vec<(String, String)>,
    /// The body, or its start.
    pub body: Option<String>,
}

/// A response without anything secret or personal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cleaned {
    /// What is left.
    pub response: Response,
    /// Why there is no body, where one was left out.
    pub body_left_out: Option<BodyLeftOut>,
    /// How many headers were left out.
    pub headers_left_out: usize,
}

/// Why a body was left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BodyLeftOut {
    /// The call succeeded.
    #[error("it answers a call that succeeded, and is the user's own")]
    Content,
    /// It is neither JSON nor plain text.
    #[error("it is neither whole JSON nor plain text, and cannot be told apart from what the user sent")]
    Unreadable,
}

/// The response without anything secret or personal: keys, tokens, addresses of people and machines, names of
/// accounts, and what users sent or were answered.
#[must_use]
pub fn clean(response: &Response) -> Cleaned {
    let body = response.body.as_deref().filter(|body| !body.trim().is_empty());
    let parsed = body.and_then(|body| serde_json::from_str::<Value>(body).ok());
    let telling = Telling::of(response, parsed.as_ref());
    let kept: Vec<(String, String)> = response
        .headers
        .iter()
        .filter(|(name, _)| headers::is_kept(name))
        .map(|(name, value)| (name.clone(), telling.clean(value)))
        .collect();
    let (body, body_left_out) = match body.map(|body| clean_body(response, body, parsed.as_ref(), &telling)) {
        None => (None, None),
        Some(Ok(body)) => (Some(body), None),
        Some(Err(why)) => (None, Some(why)),
    };
    Cleaned {
        headers_left_out: response.headers.len() - kept.len(),
        response: Response {
            provider_type: telling.clean(&response.provider_type),
            status: response.status,
            headers: kept,
            body,
        },
        body_left_out,
    }
}

fn clean_body(
    response: &Response,
    body: &str,
    parsed: Option<&Value>,
    telling: &Telling,
) -> Result<String, BodyLeftOut> {
    let is_usage = response.provider_type.ends_with("-usage") || response.provider_type == "zai-quota";
    let is_success = (200..300).contains(&response.status);
    if is_success && !is_usage && !parsed.is_some_and(json::is_error) {
        return Err(BodyLeftOut::Content);
    }
    if let Some(parsed) = parsed.filter(|parsed| parsed.is_object() || parsed.is_array()) {
        return Ok(json::clean(parsed, telling).to_string());
    }
    // HTML, an event stream, JSON that breaks off, bytes.
    let is_other = ["<", "{", "[", "\"", "data:", "event:", ":"]
        .iter()
        .any(|start| body.trim_start().starts_with(start));
    if is_other || body.contains(char::REPLACEMENT_CHARACTER) {
        return Err(BodyLeftOut::Unreadable);
    }
    Ok(telling.clean(body))
}

#[cfg(test)]
mod tests;
