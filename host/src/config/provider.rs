//! `[[providers]]`: who is called.

use std::fmt;
use std::time::Duration;

use reqwest::Url;
use serde::{Deserialize, Serialize};

use super::discovery::usual_base_url;
use super::duration;
use crate::cache::{Source, cache_source};
use crate::loopback::is_loopback;
use crate::store::CollectInput;

/// Types whose servers run wherever somebody has put them: there is no usual address.
const NEED_BASE_URL: [&str; 2] = ["ds4", "lucebox"];

/// One provider.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProviderConfig {
    /// Its name: that of its signal, and of its file in the cache.
    pub name: ProviderName,
    /// The provider type: selects where evidence comes from and how responses are read.
    #[serde(rename = "type")]
    pub provider_type: String,
    /// Where it is reached. Local servers have their usual port where none is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_url: Option<BaseUrl>,
    /// Between two looks at it; that of `[refresh]` if not given.
    #[serde(default, with = "duration::optional", skip_serializing_if = "Option::is_none")]
    pub interval: Option<Duration>,
    /// Its place by the strategy `order`, lower first; that in the file if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<u32>,
}

impl ProviderConfig {
    /// A provider that is named for its type.
    pub(crate) fn named_for_its_type(name: ProviderName, base_url: Option<BaseUrl>) -> Self {
        Self { provider_type: name.0.clone(), name, base_url, interval: None, order: None }
    }

    /// What a refresh looks at.
    #[must_use]
    pub fn input(&self) -> CollectInput {
        let usual = || usual_base_url(&self.provider_type).unwrap_or_default().to_owned();
        let base_url = self.base_url.as_ref().map_or_else(usual, |url| url.as_str().to_owned());
        CollectInput { provider_type: self.provider_type.clone(), base_url }
    }

    /// What is missing, and what to do.
    pub(super) fn lacks(&self) -> Option<(String, String)> {
        let Self { name, provider_type, base_url, .. } = self;
        let needs = base_url.is_none() && NEED_BASE_URL.contains(&provider_type.as_str());
        needs.then(|| {
            let problem = format!("{} has no `base_url`, and the type {provider_type} no usual one", name.0);
            (problem, "add `base_url`, such as \"http://127.0.0.1:8000\"".to_owned())
        })
    }
}

/// A name that can be that of a file in the cache.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ProviderName(String);

impl ProviderName {
    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<Source> for ProviderName {
    fn from(source: Source) -> Self {
        Self(source.name().to_owned())
    }
}

impl TryFrom<String> for ProviderName {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        match cache_source(&name) {
            Ok(_) => Ok(Self(name)),
            Err(error) => Err(format!("{error}; choose a name that can be that of a file")),
        }
    }
}

impl From<ProviderName> for String {
    fn from(name: ProviderName) -> Self {
        name.0
    }
}

/// An `http` or `https` address. What it may carry besides scheme, host, port and path is not shown.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct BaseUrl {
    text: String,
    shown: String,
}

impl BaseUrl {
    /// The address, as it is configured.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl BaseUrl {
    /// Does it lead to this machine, by an address of loopback or `localhost`?
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        Url::parse(&self.text).is_ok_and(|url| is_loopback(url.host_str().unwrap_or_default()))
    }
}

impl TryFrom<String> for BaseUrl {
    type Error = String;

    /// The message repeats nothing of the text, which may hold a key.
    fn try_from(text: String) -> Result<Self, String> {
        const REMEDY: &str = "write it as https://host/path or http://127.0.0.1:8000";
        let mut url = Url::parse(text.trim()).map_err(|error| format!("it is no URL ({error}); {REMEDY}"))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(format!("it is neither http nor https; {REMEDY}"));
        }
        if !url.username().is_empty() {
            // Neither can fail: the address has a host.
            let _ = url.set_username("removed");
        }
        if url.password().is_some() {
            let _ = url.set_password(Some("removed"));
        }
        if url.query().is_some() {
            url.set_query(Some("removed"));
        }
        url.set_fragment(None);
        let shown = if url.path() == "/" { url.as_str().trim_end_matches('/').into() } else { url.into() };
        Ok(Self { text: text.trim().to_owned(), shown })
    }
}

impl From<BaseUrl> for String {
    fn from(url: BaseUrl) -> Self {
        url.shown
    }
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str(&self.shown)
    }
}

impl fmt::Debug for BaseUrl {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str(&self.shown)
    }
}
