//! Texts without what is secret or personal: words and figures stay, everything of another form becomes `x`.

use percent_encoding::percent_decode_str;

use super::form::{is_address, is_known_name, is_plain, is_time, parts};
use super::words::is_provider;
use crate::redact::{PREFIXES, Word, is_credential, rewrite};

/// What stands for something removed.
pub(super) const REMOVED: &str = "x";
/// Longest text that is kept, in bytes.
const MOST_BYTES: usize = 2048;
/// How often a text is cleaned at the most.
const MOST_PASSES: usize = 4;

/// What identifies somebody, by the word before it: `organization acme`, `org-acme`.
const IDENTITIES: [&str; 26] = [
    "account",
    "acct",
    "ak",
    "asst",
    "batch",
    "chatcmpl",
    "cus",
    "customer",
    "deployment",
    "file",
    "gen",
    "msg",
    "org",
    "organisation",
    "organization",
    "owner",
    "proj",
    "project",
    "req",
    "resp",
    "sess",
    "sk",
    "team",
    "tenant",
    "user",
    "workspace",
];

/// The text without what is secret or personal, and no more than the start of a long one.
pub(super) fn clean(text: &str) -> String {
    // What is left may look like something that is removed.
    let mut cleaned = clean_once(text);
    for _ in 0..MOST_PASSES {
        let again = clean_once(&cleaned);
        if again == cleaned {
            break;
        }
        cleaned = again;
    }
    cleaned
}

fn clean_once(text: &str) -> String {
    let text = visible(text);
    let text = text.get(..text.floor_char_boundary(MOST_BYTES)).unwrap_or_default();
    let mut after_identity = false;
    rewrite(text, |word, to| {
        let word = match word {
            Word::Credential(word) => return push_credential(word, to),
            Word::Other(word) => word,
        };
        let name = word.trim_matches(|c: char| !c.is_ascii_alphanumeric());
        let is_identity = is_identity(name);
        let is_name = after_identity && !is_identity && !is_known_name(name);
        if is_name && !parts(name).next().is_some_and(self::is_identity) {
            to.push_str(REMOVED);
            return;
        }
        after_identity = is_identity || is_name;
        push_word(word, to);
    })
}

/// The text without characters that nobody sees, with which a secret could be cut in two.
pub(super) fn visible(text: &str) -> String {
    text.chars().filter(|c| !is_invisible(*c)).collect()
}

fn is_identity(name: &str) -> bool {
    IDENTITIES.iter().any(|identity| identity.eq_ignore_ascii_case(name))
}

fn is_invisible(c: char) -> bool {
    c.is_control() && !c.is_whitespace()
        || matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// A word as separated by spaces, quotes, brackets and commas.
fn push_word(word: &str, to: &mut String) {
    if word.contains('%') {
        let decoded = percent_decode_str(word).decode_utf8_lossy();
        if decoded != word {
            let cleaned = clean(&decoded);
            return to.push_str(if cleaned == decoded { word } else { &cleaned });
        }
    }
    if let Some((before, rest)) = word.split_once("://") {
        return push_url(before, rest, to);
    }
    if let Some((name, host)) = word.split_once('@')
        && name.contains(char::is_alphanumeric)
        && host.contains(char::is_alphanumeric)
    {
        return to.push_str("x@x");
    }
    if let Some((before, query)) = word.split_once('?')
        && query.contains('=')
    {
        push_word(before, to);
        return to.push_str("?x");
    }
    let mut rest = word;
    while let Some(start) = rest.find(is_of_piece) {
        let (between, tail) = rest.split_at(start);
        let (piece, tail) = tail.split_at(tail.find(|c| !is_of_piece(c)).unwrap_or(tail.len()));
        to.push_str(between);
        push_piece(piece, to);
        rest = tail;
    }
    to.push_str(rest);
}

fn is_of_piece(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '+' | '/' | '=' | '.' | '~' | ':')
}

/// `https://user:secret@host:8080/path?key=secret` → `https://x:8080/path?x`
fn push_url(before: &str, rest: &str, to: &mut String) {
    let scheme = before.rsplit(|c: char| !c.is_ascii_alphanumeric()).next().unwrap_or_default();
    push_word(before.strip_suffix(scheme).unwrap_or_default(), to);
    let is_known = matches!(scheme, "http" | "https" | "ws" | "wss");
    to.push_str(if is_known { scheme } else { REMOVED });
    to.push_str("://");
    let (authority, path) = rest.split_at(rest.find(['/', '?', '#', '\\', '<', '>']).unwrap_or(rest.len()));
    let host = authority.rsplit('@').next().unwrap_or_default();
    let (host, port) = host.split_once(':').unwrap_or((host, ""));
    push_host(host, to);
    if !port.is_empty() && port.len() <= 5 && port.bytes().all(|byte| byte.is_ascii_digit()) {
        to.push(':');
        to.push_str(port);
    }
    let (path, query) = path.split_at(path.find(['?', '#', '\\']).unwrap_or(path.len()));
    push_word(path, to);
    if !query.is_empty() {
        to.push_str("?x");
    }
}

/// Hosts of known providers stay, without what a customer chose.
fn push_host(host: &str, to: &mut String) {
    const SERVICES: [&str; 14] = [
        "api",
        "build",
        "console",
        "developers",
        "docs",
        "generativelanguage",
        "help",
        "inference",
        "internal",
        "models",
        "platform",
        "status",
        "support",
        "www",
    ];
    let labels: Vec<&str> = host.split('.').collect();
    let [services @ .., name, end] = labels.as_slice() else { return to.push_str(REMOVED) };
    let is_end = matches!(*end, "com" | "ai" | "co" | "cn" | "dev" | "io" | "net" | "org");
    if !is_provider(name) || !is_end {
        return to.push_str(REMOVED);
    }
    for service in services {
        to.push_str(if SERVICES.contains(service) { service } else { REMOVED });
        to.push('.');
    }
    to.push_str(name);
    to.push('.');
    to.push_str(end);
}

/// Something without spaces, quotes and brackets.
fn push_piece(piece: &str, to: &mut String) {
    let core = piece.trim_end_matches([':', '.', '=']);
    let end = piece.get(core.len()..).unwrap_or_default();
    if let Some((name, value)) = core.split_once('=').filter(|(_, value)| !value.is_empty()) {
        push_piece(name, to);
        to.push('=');
        if is_credential(core) { to.push_str(REMOVED) } else { push_piece(value, to) }
    } else if is_time(core) {
        to.push_str(core);
    } else if is_address(piece) {
        to.push_str(if core.contains(':') { "x:x" } else { "x.x.x.x" });
    } else if core.split('.').count() == 3 && core.starts_with("eyJ") {
        to.push_str("x.x.x");
    } else {
        for (index, run) in core.split(':').enumerate() {
            if index > 0 {
                to.push(':');
            }
            push_run(run, to);
        }
    }
    to.push_str(end);
}

/// `sk-abc` → `sk-x`
fn push_credential(word: &str, to: &mut String) {
    to.push_str(PREFIXES.iter().find(|prefix| word.starts_with(**prefix)).unwrap_or(&""));
    to.push_str(REMOVED);
}

fn push_run(run: &str, to: &mut String) {
    if PREFIXES.iter().any(|prefix| run.starts_with(prefix)) {
        return push_credential(run, to);
    }
    if let Some(kept) = before_identity(run) {
        if is_plain(kept) {
            to.push_str(kept);
        }
        return to.push_str(REMOVED);
    }
    if is_plain(run) {
        return to.push_str(run);
    }
    let is_uuid = run.len() == 36 && run.split('-').count() == 5;
    to.push_str(if is_uuid { "x-x-x-x-x" } else { REMOVED });
}

/// `org-acme` → `org-`; nothing where what follows is known not to be a name, as in `org_level_disabled`.
fn before_identity(run: &str) -> Option<&str> {
    for (start, _) in run.match_indices(['-', '_']) {
        let (before, after) = run.split_at_checked(start + 1)?;
        let last = parts(before).last().unwrap_or_default();
        if is_identity(last) && !after.is_empty() && !is_known_name(after) {
            return Some(before);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::clean;

    #[test]
    fn what_identifies_or_opens_becomes_an_x_of_its_form() {
        for (text, cleaned) in [
            ("Incorrect API key provided: sk-proj-abc", "Incorrect API key provided: sk-x"),
            ("Authorization: Bearer abc", "Authorization: x x"),
            ("in organization org-9QmX2 on tokens per min", "in organization org-x on tokens per min"),
            ("for organization Acme Corp on tokens", "for organization x x on tokens"),
            ("Your account org-ab12<ak-cd34> request", "Your account org-x<ak-x> request"),
            ("mail me@acme.example or call", "mail x@x or call"),
            ("from 10.0.0.5 and [2001:db8::1]", "from x.x.x.x and [x:x]"),
            ("id 550e8400-e29b-41d4-a716-446655440000", "id x-x-x-x-x"),
            ("see https://u:p@api.openai.com:443/v1/a?k=v#f", "see https://api.openai.com:443/v1/a?x"),
            ("see https://acme.openai.azure.com/x", "see https://x.x.azure.com/x"),
            ("at http://gpu7.acme.example/v1", "at http://x/v1"),
            ("token eyJhbGciOiJ9.eyJzdWIiOiJ9.c2lnbmF0dXJl", "token x"),
            ("try sk%2Dabcdef", "try sk-x"),
            ("sk-\u{200b}abc", "sk-x"),
            ("user_4f9a", "user_x"),
        ] {
            assert_eq!(clean(text), cleaned, "{text}");
            assert_eq!(clean(cleaned), cleaned);
        }
    }

    #[test]
    fn what_providers_say_of_limits_stays_as_it_is() {
        for text in [
            "Rate limit reached for gpt-4o in organization org-x on tokens per min (TPM): Limit 30000, Used 29446, Requested \
             821. Please try again in 534ms.",
            "Your account org-x<ak-x> request reached organization max RPM: 3, please try again after 1 seconds",
            "This request would exceed the rate limit for your organization of 100,000 input tokens per minute.",
            "ent=300&ov=0.0&ovPerm=false&rem=29.7&rst=2026-05-01T00%3A00%3A00Z",
            "\"burst\";q=100;w=60",
            "Wed, 30 Apr 2025 13:31:10 GMT",
            "org_level_disabled",
            "$3.42",
            "2026-06-27T12:09:59.797540+00:00",
            "global-chat:global-usage-5-hour-key:userID:COPILOT_PLAN_INDIVIDUAL",
            "ThrottlingException:http://internal.amazon.com/coral/com.amazon.bedrock/",
            "meta-llama/llama-3.3-70b-instruct:free is temporarily rate-limited upstream",
            "您的账户已达到速率限制",
            "Rate limit of 5 per 0s exceeded for UserConcurrentRequests. Please wait 0 seconds before retrying.",
        ] {
            assert_eq!(clean(text), text);
        }
    }
}
