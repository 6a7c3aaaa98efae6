//! What a registry wants before it answers.

use reqwest::Url;
use serde::Deserialize;

/// What a registry asks for with status 401.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Challenge {
    /// A user and a password.
    Basic,
    /// A token that is to be had from this address.
    Bearer(Url),
}

impl Challenge {
    /// Reads the values of `www-authenticate`, one challenge each; the first that is known counts. A token is asked
    /// for `scope`.
    pub(super) fn read<'a>(mut values: impl Iterator<Item = &'a str>, scope: &str) -> Option<Self> {
        values.find_map(|value| {
            let (scheme, parameters) = value.trim().split_once(' ').unwrap_or((value.trim(), ""));
            match scheme {
                _ if scheme.eq_ignore_ascii_case("basic") => Some(Self::Basic),
                _ if scheme.eq_ignore_ascii_case("bearer") => {
                    Self::bearer(&read_parameters(parameters), scope)
                }
                _ => None,
            }
        })
    }

    fn bearer(parameters: &[(String, String)], scope: &str) -> Option<Self> {
        let parameter =
            |name| parameters.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value);
        let mut realm = Url::parse(parameter("realm")?).ok()?;
        let mut query = realm.query_pairs_mut();
        if let Some(service) = parameter("service") {
            query.append_pair("service", service);
        }
        query.append_pair("scope", scope);
        drop(query);
        Some(Self::Bearer(realm))
    }
}

/// `key=value` and `key="value"`, parted by commas, as far as it is such.
fn read_parameters(mut text: &str) -> Vec<(String, String)> {
    let mut parameters = Vec::new();
    while let Some((key, rest)) = text.trim_start_matches([' ', ',']).split_once('=') {
        let (value, rest) = match rest.strip_prefix('"') {
            Some(quoted) => read_quoted(quoted),
            None => {
                rest.split_once(',').map_or((rest.to_owned(), ""), |(value, rest)| (value.to_owned(), rest))
            }
        };
        parameters.push((key.to_owned(), value.trim().to_owned()));
        text = rest;
    }
    parameters
}

/// A quoted string behind its opening mark, and what follows it.
fn read_quoted(text: &str) -> (String, &str) {
    let mut value = String::new();
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match character {
            '"' => break,
            '\\' => value.extend(characters.next()),
            other => value.push(other),
        }
    }
    (value, characters.as_str())
}

/// What an address for tokens answers. Some call the token by the name that OAuth 2.0 has for it.
#[derive(Deserialize)]
pub(super) struct Token {
    token: Option<String>,
    access_token: Option<String>,
}

impl Token {
    pub(super) fn read(answer: &[u8]) -> Option<String> {
        let Self { token, access_token } = serde_json::from_slice(answer).ok()?;
        token.or(access_token).filter(|token| !token.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(value: &str) -> Option<Challenge> {
        Challenge::read([value].into_iter(), "repository:a/b:pull")
    }

    #[test]
    fn the_address_for_tokens_is_asked_for_the_repository() {
        let challenge =
            read(r#"Bearer realm="https://auth.example.com/token?x=1",service="registry",scope="all""#);
        let Some(Challenge::Bearer(url)) = challenge else { panic!("{challenge:?}") };
        assert_eq!(
            url.as_str(),
            "https://auth.example.com/token?x=1&service=registry&scope=repository%3Aa%2Fb%3Apull"
        );
    }

    #[test]
    fn marks_within_quotes_part_nothing() {
        let challenge = read(r#"bearer service="a,b=\"c\"" , realm=https://y.example.com/ ,error=x"#);
        let Some(Challenge::Bearer(url)) = challenge else { panic!("{challenge:?}") };
        assert_eq!(url.query_pairs().next().unwrap(), ("service".into(), "a,b=\"c\"".into()));
        assert_eq!(url.host_str(), Some("y.example.com"));
    }

    #[test]
    fn the_first_challenge_that_is_known_counts() {
        let values = ["Negotiate", r#"basic realm="x""#, r#"Bearer realm="https://y""#];
        assert_eq!(Challenge::read(values.into_iter(), "x"), Some(Challenge::Basic));
        for unknown in
            ["", "Negotiate", r#"Bearer service="x""#, r#"Bearer realm="no address""#, "Bearer ==,=,\"\\"]
        {
            assert_eq!(read(unknown), None, "{unknown}");
        }
    }

    #[test]
    fn a_token_is_found_under_either_name() {
        assert_eq!(Token::read(br#"{"token": "a", "access_token": "b"}"#).as_deref(), Some("a"));
        assert_eq!(Token::read(br#"{"access_token": "b", "expires_in": 60}"#).as_deref(), Some("b"));
        for answer in ["{}", r#"{"token": ""}"#, "[]", "token"] {
            assert_eq!(Token::read(answer.as_bytes()), None, "{answer}");
        }
    }
}
