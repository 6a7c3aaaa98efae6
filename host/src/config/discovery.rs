//! `[discovery]`: what is looked for where no provider is configured.

use serde::{Deserialize, Serialize};

use super::provider::BaseUrl;

/// Local servers by their types, and the ports on which they listen unless they are told otherwise. The first
/// that answers on a port names it.
const USUAL: [(&str, &str); 4] = [
    ("ollama", "http://127.0.0.1:11434"),
    ("lmstudio", "http://127.0.0.1:1234"),
    ("vllm", "http://127.0.0.1:8000"),
    ("llama-server", "http://127.0.0.1:8080"),
];

/// Servers whose usual port others have as well: they are found under the name of those.
const ALSO: [(&str, &str); 2] = [("omlx", "http://127.0.0.1:8000"), ("rapid-mlx", "http://127.0.0.1:8000")];

/// What is looked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Discovery {
    /// Look for local servers and for quota snapshots of subscriptions; without it, only where no provider is
    /// configured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// Where local servers are looked for: each of these that answers becomes a provider of that name and type.
    pub local_servers: Vec<LocalServer>,
}

/// A local server that may be there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LocalServer {
    /// Its provider type, which is its name too.
    #[serde(rename = "type")]
    pub provider_type: super::ProviderName,
    /// Where it would be.
    pub base_url: BaseUrl,
}

impl Default for Discovery {
    fn default() -> Self {
        let local_servers = USUAL.iter().filter_map(|(name, url)| {
            let provider_type = (*name).to_owned().try_into().ok()?;
            Some(LocalServer { provider_type, base_url: (*url).to_owned().try_into().ok()? })
        });
        Self { enabled: None, local_servers: local_servers.collect() }
    }
}

/// Where a server of this type listens unless it is told otherwise.
pub(super) fn usual_base_url(provider_type: &str) -> Option<&'static str> {
    let found = USUAL.iter().chain(&ALSO).find(|(name, _)| *name == provider_type);
    found.map(|(_, url)| *url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_usual_server_is_looked_for() {
        assert_eq!(Discovery::default().local_servers.len(), USUAL.len());
    }
}
