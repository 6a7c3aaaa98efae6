//! `[proxy]`: how calls are passed on to providers.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{duration, service};

/// How calls are passed on to providers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ProxySettings {
    /// Pass calls on at all: yes.
    pub enabled: bool,
    /// How long a connection to a provider may take, its name and TLS included: 10 seconds.
    #[serde(with = "duration")]
    pub connect_timeout: Duration,
    /// How long a provider may be silent, before it answers and within its answer: 10 minutes. A long completion says
    /// nothing for minutes.
    #[serde(with = "duration")]
    pub idle_timeout: Duration,
    /// Calls of one provider at the same time: 512. More are refused with 503.
    #[serde(deserialize_with = "service::at_least_one")]
    pub max_streams: usize,
}

impl Default for ProxySettings {
    fn default() -> Self {
        Self {
            enabled: true,
            connect_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(600),
            max_streams: 512,
        }
    }
}
