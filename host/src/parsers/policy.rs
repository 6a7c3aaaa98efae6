//! Which headers a parser is never sent.

/// Parts of header names, between hyphens and underscores, that tell of a credential.
const SECRET_PARTS: [&str; 16] = [
    "apikey",
    "auth",
    "authentication",
    "authorization",
    "bearer",
    "cookie",
    "cookie2",
    "credential",
    "credentials",
    "csrf",
    "jwt",
    "key",
    "keys",
    "password",
    "secret",
    "session",
];
/// Parts with which a `token` is one that is counted.
const COUNTED_PARTS: [&str; 6] = ["limit", "quota", "ratelimit", "remaining", "reset", "usage"];

/// What is denied beside credentials.
#[derive(Clone, Debug, Default)]
pub(super) struct Policy(Vec<Pattern>);

#[derive(Clone, Debug)]
enum Pattern {
    Exact(String),
    Prefix(String),
    Suffix(String),
}

impl Policy {
    pub(super) fn new(denied: &[String]) -> Self {
        let read = |text: &String| {
            let text = text.trim().to_ascii_lowercase();
            match (text.strip_suffix('*'), text.strip_prefix('*')) {
                (Some(prefix), _) => Pattern::Prefix(prefix.into()),
                (None, Some(suffix)) => Pattern::Suffix(suffix.into()),
                (None, None) => Pattern::Exact(text),
            }
        };
        Self(denied.iter().map(read).collect())
    }

    /// Does the user deny this header? The name is in lower case.
    pub(super) fn denies(&self, name: &str) -> bool {
        self.0.iter().any(|pattern| match pattern {
            Pattern::Exact(text) => name == text,
            Pattern::Prefix(text) => name.starts_with(text.as_str()),
            Pattern::Suffix(text) => name.ends_with(text.as_str()),
        })
    }

    /// May a parser be sent this header? Of names in any case.
    pub(super) fn allows(&self, name: &[u8]) -> bool {
        let Ok(name) = str::from_utf8(name) else { return false };
        let name = name.to_ascii_lowercase();
        !is_credential(&name) && !self.denies(&name)
    }
}

/// Is it, by its name in lower case, a header that carries a credential?
pub(super) fn is_credential(name: &str) -> bool {
    let parts = || name.split(['-', '_', '.']);
    parts().any(|part| SECRET_PARTS.contains(&part))
        || parts().any(|part| part == "token") && !parts().any(|part| COUNTED_PARTS.contains(&part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_cookies_and_keys_are_never_sent_and_counts_of_tokens_are() {
        for name in [
            "authorization",
            "Proxy-Authorization",
            "cookie",
            "set-cookie",
            "Set-Cookie2",
            "x-api-key",
            "api_key",
            "x-goog-api-key",
            "x-amz-security-token",
            "x-auth",
            "x-csrf",
            "session-id",
            "x-\u{e9}-secret",
        ] {
            assert!(!Policy::default().allows(name.as_bytes()), "{name}");
        }
        for name in
            ["retry-after", "x-ratelimit-remaining-tokens", "x-ratelimit-limit-token", "date", "x-keyed"]
        {
            assert!(Policy::default().allows(name.as_bytes()), "{name}");
        }
        assert!(!Policy::default().allows(b"\xff"));
    }

    #[test]
    fn what_the_user_denies_is_denied_by_name_beginning_and_end() {
        let policy = Policy::new(&["X-One".into(), "x-org-*".into(), "*-internal".into()]);
        for name in ["x-one", "X-Org-Name", "x-cost-internal"] {
            assert!(!policy.allows(name.as_bytes()), "{name}");
        }
        assert!(policy.allows(b"x-one-more"));
    }
}
