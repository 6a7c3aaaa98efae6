//! What is only on this machine: providers at a loopback address are never shared.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::time::Duration;

use reqwest::Url;
use tokio::task::JoinSet;

use crate::config::ProviderConfig;

/// How long the addresses of a host may take to be found.
const PATIENCE: Duration = Duration::from_secs(2);

/// Which of the configured and found providers other hosts reach as well.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Reach(HashMap<Box<str>, bool>);

impl Reach {
    /// Looks at the base URLs, and at the addresses of the hosts that they name. What was found and is not configured
    /// belongs to this machine.
    pub(super) async fn find(configured: &[ProviderConfig], found: &[ProviderConfig]) -> Self {
        let bases: Vec<_> = configured
            .iter()
            .map(|provider| (provider.name.as_str(), Base::of(&provider.input().base_url)))
            .collect();
        let hosts: HashSet<&str> = bases.iter().filter_map(|(_, base)| base.host_to_resolve()).collect();
        let mut lookups = JoinSet::new();
        for host in hosts {
            let host = host.to_owned();
            lookups.spawn(async move {
                let is_here = names_loopback(&host).await;
                (host, is_here)
            });
        }
        let mut here = HashSet::new();
        while let Some(looked) = lookups.join_next().await {
            if let Ok((host, true)) = looked {
                here.insert(host);
            }
        }
        let own = found.iter().map(|provider| (provider.name.as_str(), false));
        let shared = bases.iter().map(|(name, base)| (*name, base.is_shared(&here)));
        Self(own.chain(shared).map(|(name, shared)| (name.into(), shared)).collect())
    }

    /// `None`: it is neither configured nor found.
    pub(super) fn is_shared(&self, provider: &str) -> Option<bool> {
        self.0.get(provider).copied()
    }
}

/// Where a provider is.
enum Base {
    Here,
    Elsewhere,
    /// Where this host is.
    Named(String),
}

impl Base {
    fn of(base_url: &str) -> Self {
        // A provider type without an address of its own is somewhere in the network.
        if base_url.trim().is_empty() {
            return Self::Elsewhere;
        }
        let Ok(url) = Url::parse(base_url.trim()) else { return Self::Here };
        let Some(host) = url.host_str() else { return Self::Here };
        let host = host.trim_start_matches('[').trim_end_matches(']').trim_end_matches('.');
        match host.parse::<IpAddr>() {
            Ok(address) if is_here(address) => Self::Here,
            Ok(_) => Self::Elsewhere,
            Err(_) if host == "localhost" || host.ends_with(".localhost") => Self::Here,
            Err(_) => Self::Named(host.to_owned()),
        }
    }

    fn host_to_resolve(&self) -> Option<&str> {
        match self {
            Self::Named(host) => Some(host),
            Self::Here | Self::Elsewhere => None,
        }
    }

    fn is_shared(&self, here: &HashSet<String>) -> bool {
        match self {
            Self::Here => false,
            Self::Elsewhere => true,
            Self::Named(host) => !here.contains(host),
        }
    }
}

/// Is it an address that means another machine on each machine?
fn is_here(address: IpAddr) -> bool {
    let address = address.to_canonical();
    address.is_loopback() || address.is_unspecified()
}

/// A name that leads nowhere does not lead to this machine.
async fn names_loopback(host: &str) -> bool {
    match tokio::time::timeout(PATIENCE, tokio::net::lookup_host((host, 0))).await {
        Ok(Ok(mut addresses)) => addresses.any(|address| is_here(address.ip())),
        Ok(Err(_)) | Err(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    #[tokio::test]
    async fn what_is_on_loopback_by_whatever_name_stays_here() {
        let here = [
            "http://127.0.0.1:1234",
            "http://127.8.9.1",
            "http://[::1]:8000/v1",
            "http://[::ffff:127.0.0.1]:80",
            "http://0.0.0.0:8000",
            "http://localhost:11434",
            "http://LOCALHOST.:11434",
            "http://gpu.localhost/",
            "http://2130706433/",
        ];
        let elsewhere = ["https://192.0.2.7", "http://[2001:db8::1]:8000", "https://api.invalid"];
        let mut text = String::new();
        for (number, base_url) in here.iter().chain(&elsewhere).enumerate() {
            text +=
                &format!("[[providers]]\nname = \"p{number}\"\ntype = \"vllm\"\nbase_url = \"{base_url}\"\n");
        }
        text += "[[providers]]\nname = \"usual\"\ntype = \"ollama\"\n";
        text += "[[providers]]\nname = \"cloud\"\ntype = \"openai\"\n";
        let config = Config::parse(&text).unwrap();
        let found = Config::parse("[[providers]]\nname = \"claude\"\ntype = \"claude\"\n").unwrap().providers;
        let reach = Reach::find(&config.providers, &found).await;
        for (number, base_url) in here.iter().chain(&elsewhere).enumerate() {
            let shared = reach.is_shared(&format!("p{number}")).unwrap();
            assert_eq!(shared, number >= here.len(), "{base_url}");
        }
        assert_eq!(reach.is_shared("usual"), Some(false));
        assert_eq!(reach.is_shared("cloud"), Some(true));
        assert_eq!(reach.is_shared("claude"), Some(false));
        assert_eq!(reach.is_shared("nobody"), None);
    }
}
