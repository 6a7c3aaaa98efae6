//! `[service]`: how the service is reached, and what it takes.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};

use super::duration;
use super::problem::quoted;

/// Where the service listens unless it is told otherwise.
pub const DEFAULT_LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 7433);

/// How the service is reached.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ServiceSettings {
    /// The address; `127.0.0.1:7433` if not given, `off` for none. Beyond loopback only with a token.
    /// `--listen` and `RUNTIME_SIGNALS_LISTEN` win.
    pub listen: Listen,
    /// A Unix socket besides, for its owner alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub socket: Option<PathBuf>,
    /// The file whose first line is the token that every request has to carry, on the socket as well.
    /// `RUNTIME_SIGNALS_TOKEN`, the token itself, wins.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_file: Option<PathBuf>,
    /// Names by which the service is called, besides loopback and its own address: what the `Host` and the `Origin`
    /// of a request may say.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub allowed_hosts: Vec<String>,
    /// Bounds.
    pub limits: ServiceLimits,
}

/// What one client, and all of them, may ask for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ServiceLimits {
    /// The largest body, in bytes, as it is sent and as it is unpacked: 16 MiB.
    #[serde(deserialize_with = "at_least_one")]
    pub body_bytes: usize,
    /// How many times larger than sent an unpacked body may be: 100.
    #[serde(deserialize_with = "at_least_one")]
    pub compression_ratio: usize,
    /// Connections at the same time: 1024. More wait to be accepted.
    #[serde(deserialize_with = "at_least_one")]
    pub connections: usize,
    /// Requests a second of one client address: 2000. More are refused with 429.
    #[serde(deserialize_with = "at_least_one")]
    pub requests_per_second: usize,
    /// Event streams at the same time: 64. More are refused with 503.
    #[serde(deserialize_with = "at_least_one")]
    pub event_streams: usize,
    /// Providers that are known at the same time: 20,000. Observations of more are refused.
    #[serde(deserialize_with = "at_least_one")]
    pub providers: usize,
    /// Leases at the same time: 10,000. More are refused with 503.
    #[serde(deserialize_with = "at_least_one")]
    pub leases: usize,
    /// How long a client may take to send the head of a request, or the next part of its body, and to take what is
    /// sent to it: 10 seconds.
    #[serde(with = "duration")]
    pub idle_timeout: Duration,
    /// How long a request may take, event streams, waits and what is passed on excepted: 30 seconds.
    #[serde(with = "duration")]
    pub request_timeout: Duration,
}

impl Default for ServiceLimits {
    fn default() -> Self {
        Self {
            body_bytes: 16 << 20,
            compression_ratio: 100,
            connections: 1024,
            requests_per_second: 2000,
            event_streams: 64,
            providers: 20_000,
            leases: 10_000,
            idle_timeout: Duration::from_secs(10),
            request_timeout: Duration::from_secs(30),
        }
    }
}

/// The address to listen on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Listen {
    /// None: the socket alone.
    Off,
    /// This one; port 0 lets the system choose.
    On(SocketAddr),
}

impl Default for Listen {
    fn default() -> Self {
        Self::On(DEFAULT_LISTEN)
    }
}

impl std::str::FromStr for Listen {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.trim() {
            "off" => Ok(Self::Off),
            text => text.parse().map(Self::On).map_err(|_| {
                format!(
                    "{} is no address; write an IP address and a port, such as {DEFAULT_LISTEN}, or off",
                    quoted(text)
                )
            }),
        }
    }
}

impl TryFrom<String> for Listen {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Off => to.write_str("off"),
            Self::On(address) => address.fmt(to),
        }
    }
}

impl From<Listen> for String {
    fn from(listen: Listen) -> Self {
        listen.to_string()
    }
}

pub(super) fn at_least_one<'de, D: Deserializer<'de>>(from: D) -> Result<usize, D::Error> {
    match usize::deserialize(from)? {
        0 => Err(D::Error::custom("0 lets nothing through; write a whole number from 1 on")),
        number => Ok(number),
    }
}
