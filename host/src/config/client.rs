//! `[client]`: which service the commands ask.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use reqwest::Url;
use serde::{Deserialize, Serialize};

use super::duration;
use crate::loopback::is_loopback;

/// Whom the commands ask that show or record signals.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ClientSettings {
    /// The service; without one, the commands read the cache themselves. `--service` and `RUNTIME_SIGNALS_SERVICE` win.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<ServiceAddress>,
    /// The file whose first line is the service's token. `RUNTIME_SIGNALS_TOKEN`, the token itself, wins. Without
    /// either, a service on this machine is sent that of `service.token_file`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_file: Option<PathBuf>,
    /// How long an answer of the service may take, beyond what it is asked to wait: 30 seconds.
    #[serde(with = "duration")]
    pub timeout: Duration,
}

impl Default for ClientSettings {
    fn default() -> Self {
        Self { service: None, token_file: None, timeout: Duration::from_secs(30) }
    }
}

/// Where a service is reached.
///
/// ```
/// use runtime_signals::config::ServiceAddress;
///
/// let address: ServiceAddress = "http://127.0.0.1:7433".parse()?;
/// assert!(address.is_local());
/// assert_eq!("unix:/run/api.sock".parse(), Ok(ServiceAddress::Socket("/run/api.sock".into())));
/// assert!("http://user:password@host".parse::<ServiceAddress>().is_err());
/// # Ok::<(), String>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum ServiceAddress {
    /// Nowhere: the cache is read.
    Off,
    /// At this URL, below which its paths begin.
    Network(Url),
    /// At a Unix socket.
    Socket(PathBuf),
}

const REMEDY: &str = "write it as http://127.0.0.1:7433, https://host/path, unix:/path/to/socket, or off";

impl ServiceAddress {
    /// Does what is sent to it stay on this machine?
    #[must_use]
    pub fn is_local(&self) -> bool {
        match self {
            Self::Off | Self::Socket(_) => true,
            Self::Network(url) => is_loopback(url.host_str().unwrap_or_default()),
        }
    }
}

impl FromStr for ServiceAddress {
    type Err = String;

    /// The message repeats nothing of the text, which may hold a password.
    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if text == "off" {
            return Ok(Self::Off);
        }
        if let Some(path) = text.strip_prefix("unix:") {
            let path = PathBuf::from(path);
            let is_fit = path.is_absolute();
            return is_fit
                .then_some(Self::Socket(path))
                .ok_or_else(|| format!("the path of the socket is not absolute; {REMEDY}"));
        }
        let mut url = Url::parse(text).map_err(|error| format!("it is no URL ({error}); {REMEDY}"))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(format!("it is neither http nor https; {REMEDY}"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            let remedy = "leave them out, and give the token by RUNTIME_SIGNALS_TOKEN or `client.token_file`";
            return Err(format!("it holds a user or a password; {remedy}"));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(format!("it has a query or a fragment; {REMEDY}"));
        }
        if !url.path().ends_with('/') {
            let folder = format!("{}/", url.path());
            url.set_path(&folder);
        }
        Ok(Self::Network(url))
    }
}

impl TryFrom<String> for ServiceAddress {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl fmt::Display for ServiceAddress {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Off => to.write_str("off"),
            Self::Network(url) => to.write_str(url.as_str().trim_end_matches('/')),
            Self::Socket(path) => write!(to, "unix:{}", path.display()),
        }
    }
}

impl From<ServiceAddress> for String {
    fn from(address: ServiceAddress) -> Self {
        address.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_shown_as_they_are_read() {
        for (text, shown) in [
            ("off", "off"),
            ("http://127.0.0.1:7433", "http://127.0.0.1:7433"),
            (" https://signals.example/team/a/ ", "https://signals.example/team/a"),
            ("unix:/run/runtime-signals/api.sock", "unix:/run/runtime-signals/api.sock"),
        ] {
            let address: ServiceAddress = text.parse().unwrap();
            assert_eq!(address.to_string(), shown);
            assert_eq!(shown.parse(), Ok(address));
        }
    }

    #[test]
    fn others_are_refused_without_being_repeated() {
        for text in [
            "hunter2",
            "unix:hunter2",
            "ftp://hunter2",
            "http://me:hunter2@host",
            "http://hunter2@host",
            "http://host/?key=hunter2",
            "http://host/#hunter2",
        ] {
            let problem = text.parse::<ServiceAddress>().unwrap_err();
            assert!(problem.contains("; ") && !problem.contains("hunter2"), "{problem}");
        }
    }

    #[test]
    fn only_loopback_and_sockets_are_of_this_machine() {
        for (text, local) in [
            ("http://127.0.0.1:7433", true),
            ("http://[::1]:7433", true),
            ("http://localhost:7433", true),
            ("unix:/run/s", true),
            ("http://localhost.example", false),
            ("http://127.0.0.1.example", false),
            ("http://10.0.0.1:7433", false),
        ] {
            assert_eq!(text.parse::<ServiceAddress>().unwrap().is_local(), local, "{text}");
        }
    }
}
