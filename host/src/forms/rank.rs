//! The JSON of a ranking.

use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use super::wait::{Verdict, WaitForm};
use crate::rank::{Ranked, Ranking, Strategy};
use crate::time::rfc3339;

/// Who can take a request, best first; and who cannot, the earliest first.
#[derive(Debug, Serialize)]
pub struct RankForm<'a> {
    strategy: &'static str,
    /// The name of the best; `None` where nobody can take it now.
    best: Option<&'a str>,
    /// Those that can take it now.
    providers: Vec<RankedForm<'a>>,
    /// Those that cannot.
    cooling: Vec<RankedForm<'a>>,
    /// Where nobody can: who can the earliest.
    #[serde(skip_serializing_if = "Option::is_none")]
    earliest: Option<Earliest<'a>>,
}

#[derive(Debug, Serialize)]
struct Earliest<'a> {
    provider: &'a str,
    until: String,
}

#[derive(Debug, Serialize)]
struct RankedForm<'a> {
    /// The same as `/v1/wait` answers: the provider, and when the request can pass.
    #[serde(flatten)]
    wait: WaitForm<'a>,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    headroom: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    resets_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    p50_ns: Option<u64>,
    why: String,
}

impl<'a> RankForm<'a> {
    /// The ranking as of `now`.
    #[must_use]
    pub fn new(ranking: &'a Ranking, strategy: Strategy, now: SystemTime) -> Self {
        let form = |ranked: &'a Ranked| RankedForm {
            wait: WaitForm::new(&ranked.provider, &ranked.wait, now),
            status: ranked.status.as_str(),
            headroom: ranked.headroom,
            resets_at: ranked.resets_at.map(rfc3339),
            p50_ns: ranked.latency.map(|latency| u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX)),
            why: ranked.why(now),
        };
        let earliest = ranking.earliest().filter(|_| ranking.able.is_empty());
        Self {
            strategy: strategy.as_str(),
            best: ranking.able.first().map(|ranked| ranked.provider.as_str()),
            providers: ranking.able.iter().map(form).collect(),
            cooling: ranking.cooling.iter().map(form).collect(),
            earliest: earliest
                .map(|(ranked, at)| Earliest { provider: &ranked.provider, until: rfc3339(at) }),
        }
    }
}

/// The same as somebody reads it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct RankAnswer {
    /// Those that can take the request now, best first.
    pub providers: Vec<RankedAnswer>,
    /// Those that cannot, the earliest first.
    pub cooling: Vec<RankedAnswer>,
}

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct RankedAnswer {
    /// Its name.
    pub provider: String,
    /// Can the request pass?
    pub answer: Verdict,
    /// How long it cannot, in milliseconds.
    pub wait_ms: Option<u64>,
    /// Why it has its place, in words.
    pub why: String,
}
