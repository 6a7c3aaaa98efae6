//! Secrets out of texts: what HTTP clients say of a failed call names addresses, and addresses carry keys.

/// What stands in a text instead of a secret.
const REMOVED: &str = "[removed]";

/// What the next words are.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Next {
    Plain,
    /// One word of a credential.
    Credential,
    /// Nothing but credentials until the line ends.
    CredentialLine,
}

/// The text with addresses cut to scheme, host and port, and with what looks like a credential removed.
pub(crate) fn redact(text: &str) -> String {
    rewrite(text, |word, to| match word {
        Word::Credential(_) => to.push_str(REMOVED),
        Word::Other(word) => push_without_path(word, to),
    })
}

/// A word of a text, for what it seems to be.
pub(crate) enum Word<'a> {
    Credential(&'a str),
    Other(&'a str),
}

/// The text with each word replaced by what `put` puts there.
pub(crate) fn rewrite(text: &str, mut put: impl FnMut(Word<'_>, &mut String)) -> String {
    let mut rewritten = String::with_capacity(text.len());
    let mut next = Next::Plain;
    for part in text.split_inclusive(is_separator) {
        let (word, end) = part.split_at(part.trim_end_matches(is_separator).len());
        let is_mark = word.bytes().all(|byte| matches!(byte, b':' | b'='));
        if is_mark {
            rewritten.push_str(word);
        } else {
            let is_credential = next != Next::Plain || is_credential(word);
            put(if is_credential { Word::Credential(word) } else { Word::Other(word) }, &mut rewritten);
            if next != Next::CredentialLine {
                next = after(word);
            }
        }
        if end.contains('\n') {
            next = Next::Plain;
        }
        rewritten.push_str(end);
    }
    rewritten
}

fn is_separator(c: char) -> bool {
    c.is_whitespace() || matches!(c, '"' | '\'' | '(' | ')' | ',' | ';')
}

/// `https://user:secret@host:8080/path?key=secret` → `https://host:8080`
fn push_without_path(word: &str, to: &mut String) {
    let Some((scheme, rest)) = word.split_once("://") else {
        return to.push_str(word);
    };
    let authority = rest.split(['/', '?', '#', '\\']).next().unwrap_or_default();
    let host = authority.rsplit('@').next().unwrap_or_default();
    to.push_str(scheme);
    to.push_str("://");
    to.push_str(host);
}

/// What follows a word? `Bearer …`, `api-key: …`, `cookie: …; …`
fn after(word: &str) -> Next {
    let name = word.trim_end_matches([':', '=']);
    let is_marked = name.len() < word.len();
    match name.to_ascii_lowercase().as_str() {
        "bearer"
        | "basic"
        | "authorization"
        | "proxy-authorization"
        | "x-api-key"
        | "api-key"
        | "api_key"
        | "apikey"
        | "x-goog-api-key" => Next::Credential,
        "key" | "token" | "secret" | "password" | "access_token" if is_marked => Next::Credential,
        "cookie" | "set-cookie" => Next::CredentialLine,
        _ => Next::Plain,
    }
}

/// How keys of well-known services begin.
pub(crate) const PREFIXES: [&str; 14] = [
    "sk-",
    "sk_",
    "pk-",
    "rk-",
    "gsk_",
    "xai-",
    "hf_",
    "ghp_",
    "gho_",
    "ghs_",
    "github_pat_",
    "AIza",
    "AKIA",
    "ya29.",
];

/// Is the word a key by its form: a known prefix, a `key=value` pair of a credential, a token of three parts?
pub(crate) fn is_credential(word: &str) -> bool {
    const PAIRS: [&str; 8] =
        ["key", "api_key", "api-key", "apikey", "token", "access_token", "secret", "password"];
    let long = word.len() >= 12;
    let pair = word.split_once(['=', ':']).is_some_and(|(name, value)| {
        let name = name.trim_start_matches(['?', '&']).to_ascii_lowercase();
        !value.is_empty() && PAIRS.contains(&name.as_str())
    });
    pair || long && (PREFIXES.iter().any(|prefix| word.starts_with(prefix)) || word.starts_with("eyJ"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_keep_scheme_host_and_port_only() {
        assert_eq!(
            redact(
                "error sending request for url (https://me:pw@api.example:8443/v1/chat?key=SECRET): timed out"
            ),
            "error sending request for url (https://api.example:8443): timed out",
        );
    }

    #[test]
    fn credentials_are_removed_in_every_form() {
        for text in [
            "header authorization: Bearer SECRET-SECRET",
            "bad key sk-SECRET0123456789",
            "x-api-key: SECRET",
            "request with key=SECRET failed",
            "token eyJSECRETSECRET.SECRET.SECRET",
            "Cookie: SECRET; b=SECRET",
            "\"api_key\": \"SECRET\"",
            "password: SECRET",
        ] {
            assert!(!redact(text).contains("SECRET"), "{}", redact(text));
        }
    }

    #[test]
    fn other_texts_stay_as_they_are() {
        let text = "connection refused (os error 111), tried 3 times; giving up\n";
        assert_eq!(redact(text), text);
    }
}
