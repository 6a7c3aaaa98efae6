//! Which headers are kept: those whose names speak of limits, waits, dates and errors.

use super::form::parts;
use super::text;

/// Is the header kept? Its value is cleaned all the same.
pub(super) fn is_kept(name: &str) -> bool {
    const WHOLE: [&str; 6] = [
        "date",
        "x-error-message",
        "x-ms-error-code",
        "x-amzn-errortype",
        "x-should-retry",
        "x-ratelimit-key",
    ];
    const ABOUT: [&str; 9] = [
        "limit",
        "quota",
        "remaining",
        "reset",
        "retry",
        "used-percent",
        "utilization",
        "window-minutes",
        "x-codex-",
    ];
    let name = name.to_ascii_lowercase();
    if WHOLE.contains(&name.as_str()) {
        return true;
    }
    // A name may hold what a customer chose.
    let is_of_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    let is_clean = name.len() <= 80 && name.bytes().all(is_of_name) && text::clean(&name) == name;
    is_clean && ABOUT.iter().any(|about| name.contains(about)) && !parts(&name).any(opens_or_identifies)
}

/// May the value of a header that is not kept stand elsewhere too, in an error's message?
pub(super) fn is_telling(name: &str) -> bool {
    const WORDS: [&str; 12] = [
        "account",
        "customer",
        "org",
        "organization",
        "project",
        "request",
        "session",
        "team",
        "tenant",
        "token",
        "user",
        "workspace",
    ];
    parts(&name.to_ascii_lowercase()).any(|part| WORDS.contains(&part) || opens_or_identifies(part))
}

fn opens_or_identifies(part: &str) -> bool {
    const WORDS: [&str; 20] = [
        "address",
        "auth",
        "authorization",
        "cookie",
        "credential",
        "email",
        "forwarded",
        "id",
        "ids",
        "ip",
        "key",
        "password",
        "ray",
        "requestid",
        "secret",
        "trace",
        "traceparent",
        "tracestate",
        "uuid",
        "via",
    ];
    WORDS.contains(&part)
}
