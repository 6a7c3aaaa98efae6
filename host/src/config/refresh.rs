//! `[refresh]`: how providers are kept fresh.

use std::time::Duration;

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};

use super::duration;

/// How often providers are looked at.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RefreshSettings {
    /// Between two looks at a provider that names no interval of its own: 1 minute.
    #[serde(with = "duration")]
    pub interval: Duration,
    /// The share of the interval by which each look is moved at random, 0 to 1: 0.1. It keeps many processes from
    /// asking at the same time.
    #[serde(deserialize_with = "share")]
    pub jitter: f64,
    /// The longest pause after failures, which double it from the interval on: 10 minutes.
    #[serde(with = "duration")]
    pub longest_backoff: Duration,
    /// How many providers are looked at at the same time: 16.
    #[serde(deserialize_with = "super::service::at_least_one")]
    pub at_once: usize,
}

impl Default for RefreshSettings {
    fn default() -> Self {
        Self {
            interval: Duration::from_secs(60),
            jitter: 0.1,
            longest_backoff: Duration::from_secs(600),
            at_once: 16,
        }
    }
}

fn share<'de, D: Deserializer<'de>>(from: D) -> Result<f64, D::Error> {
    let share = f64::deserialize(from)?;
    if (0.0..=1.0).contains(&share) {
        return Ok(share);
    }
    Err(D::Error::custom(format_args!("{share} is no share; write a number from 0.0 to 1.0, such as 0.1")))
}
