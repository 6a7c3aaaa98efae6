//! Of which types providers are, and what reads their responses.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{Remote, RemoteError};

/// What a service says of a provider beside its signal.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(in crate::cli) struct Kind {
    /// Its type.
    #[serde(rename = "type")]
    pub(in crate::cli) provider_type: Option<String>,
    parser: Option<Parser>,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
struct Parser {
    kind: String,
    name: Option<String>,
    version: Option<String>,
}

/// The answer of `/v1/providers`.
#[derive(Deserialize)]
struct All {
    providers: Vec<One>,
}

#[derive(Deserialize)]
struct One {
    provider: String,
    #[serde(flatten)]
    kind: Kind,
}

impl Kind {
    /// What reads its responses, in words.
    pub(in crate::cli) fn read_by(&self) -> Option<String> {
        let Parser { kind, name, version } = self.parser.as_ref()?;
        let named = [name.as_deref(), version.as_deref()].into_iter().flatten().collect::<Vec<_>>().join(" ");
        Some(match kind.as_str() {
            "built_in" => "the built-in parser".to_owned(),
            "profile" => format!("the profile {named}"),
            "component" => format!("the parser {named}"),
            other => format!("{other} {named}"),
        })
    }
}

/// Of all providers, by name; `None` from a service that does not tell.
pub(in crate::cli) async fn kinds(remote: &Remote) -> Result<Option<BTreeMap<String, Kind>>, RemoteError> {
    let all: Option<All> = remote.get("v1/providers", &[]).await?.read()?;
    Ok(all.map(|all| all.providers.into_iter().map(|one| (one.provider, one.kind)).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_reads_responses_is_told_in_words() {
        for (json, words) in [
            ("{}", None),
            (r#"{"parser":{"kind":"built_in"}}"#, Some("the built-in parser")),
            (r#"{"parser":{"kind":"profile","name":"mine.toml"}}"#, Some("the profile mine.toml")),
            (
                r#"{"parser":{"kind":"component","name":"acme","version":"1.2.0"}}"#,
                Some("the parser acme 1.2.0"),
            ),
            (r#"{"parser":{"kind":"oracle","name":"x"}}"#, Some("oracle x")),
        ] {
            let kind: Kind = serde_json::from_str(json).unwrap();
            assert_eq!(kind.read_by().as_deref(), words);
        }
    }
}
