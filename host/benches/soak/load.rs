//! Observations, as gateways send them: many providers in turn, in batches, on time.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use jiff::{Timestamp, ToSpan};
use serde_json::{Value, json};

use crate::course::{Course, Schedule};
use crate::headers::{ACME, ANTHROPIC, COMMON, OPENAI};
use crate::served::Link;
use crate::tally::Meter;

/// Providers that are observed, by all posters together.
pub(crate) const PROVIDERS: usize = 1000;
/// Observations of one request.
const BATCH: u32 = 100;
/// What providers allow in a window, and how many seconds the window lasts on: longer than anything is late.
const ALLOWED: u64 = 10_000;
const WINDOW: i64 = 600;
/// Of so many calls one is refused, and of so many one fails.
const REFUSED_OF: u64 = 97;
const FAILED_OF: u64 = 193;
/// What a failure says.
const FAILURE: &str = r#"{"error":{"message":"The server had an error","type":"server_error"}}"#;

/// A provider that is observed.
struct Provider {
    number: usize,
    calls: u64,
    /// Observations that told limits: as many as were sent, and as many as were acknowledged.
    told: u64,
    acknowledged: u64,
}

/// What is left after so many responses that told it. Of two that come after each other it is never the same.
fn remaining(told: u64) -> u64 {
    ALLOWED - told % ALLOWED
}

impl Provider {
    fn name(number: usize) -> String {
        format!("observed-{number:04}")
    }

    fn provider_type(&self) -> &'static str {
        match self.number % 10 {
            0..6 => "openai",
            6..9 => "anthropic",
            _ => "acme",
        }
    }

    fn headers(&self) -> Vec<(&'static str, &'static str)> {
        match self.provider_type() {
            "openai" => COMMON.iter().chain(&OPENAI).copied().collect(),
            "anthropic" => COMMON.iter().chain(&ANTHROPIC).copied().collect(),
            _ => ACME.to_vec(),
        }
    }

    /// The next finished call, which was received then.
    fn call(&mut self, at: Timestamp, most_jitter: u64) -> Value {
        self.calls += 1;
        let turn = self.calls + self.number as u64;
        // Calls end in the order in which they are sent.
        let latency = 700 + self.calls * 37 % most_jitter;
        let mut call = json!({
            "provider": Self::name(self.number), "type": self.provider_type(), "status": 200, "latency_ms": latency,
            "model": "gpt-4o", "at": at.to_string()
        });
        if turn.is_multiple_of(FAILED_OF) {
            (call["status"], call["body"]) = (json!(500), json!(FAILURE));
            call["headers"] = COMMON.iter().map(|(name, value)| json!([name, value])).collect();
            return call;
        }
        self.told += 1;
        let (left, is_refused) = (remaining(self.told), turn.is_multiple_of(REFUSED_OF));
        let resets_at = Timestamp::from_second(at.as_second()).unwrap() + WINDOW.seconds();
        let mut headers: Vec<Value> = Vec::new();
        for (name, value) in self.headers() {
            let value = match name {
                "x-acme-come-back" => continue,
                "x-ratelimit-remaining-requests" | "anthropic-ratelimit-requests-remaining" => {
                    left.to_string()
                }
                "anthropic-ratelimit-requests-limit" => ALLOWED.to_string(),
                "x-acme-calls" => format!("{left}/{ALLOWED}"),
                "x-ratelimit-reset-requests" | "x-acme-calls-renew" => format!("{WINDOW}s"),
                "x-acme-tokens-renew" => resets_at.to_string(),
                _ if name.starts_with("anthropic-") && name.ends_with("-reset") => resets_at.to_string(),
                _ => value.to_owned(),
            };
            headers.push(json!([name, value]));
        }
        if is_refused {
            call["status"] = json!(429);
            let name = if self.provider_type() == "acme" { "x-acme-come-back" } else { "retry-after" };
            headers.push(json!([name, "1"]));
        }
        call["headers"] = Value::Array(headers);
        call
    }

    /// Does its file tell what was acknowledged last? Where an answer did not arrive, what was sent will do as well.
    fn is_kept(&self, folder: &Path) -> bool {
        let text = fs::read_to_string(folder.join(Self::name(self.number)).with_extension("json"));
        let signal: Value = serde_json::from_str(&text.unwrap_or_default()).unwrap_or_default();
        let limits = signal["limits"].as_array().cloned().unwrap_or_default();
        let wanted: Vec<u64> = (self.acknowledged..=self.told).map(remaining).collect();
        limits.iter().any(|limit| {
            let is_wanted = limit["remaining"].as_u64().is_some_and(|left| wanted.contains(&left));
            limit["quantity"] == "requests" && is_wanted
        })
    }
}

/// A client that observes its share of the providers.
pub(crate) struct Poster {
    address: String,
    link: Option<Link>,
    providers: Vec<Provider>,
    next: usize,
    step: Duration,
}

impl Poster {
    /// One of so many, which send so many observations a second together.
    pub(crate) fn new(address: &str, index: usize, posters: usize, rate: u32) -> Self {
        let provider = |number| Provider { number, calls: 0, told: 0, acknowledged: 0 };
        let step = Duration::from_secs(1) * BATCH * u32::try_from(posters).unwrap() / rate;
        let providers = (index..PROVIDERS).step_by(posters).map(provider).collect();
        Self { address: address.to_owned(), link: None, providers, next: 0, step }
    }

    pub(crate) fn providers(&self) -> usize {
        self.providers.len()
    }

    /// Tells of each provider once.
    pub(crate) fn round(&mut self, meter: &Meter) {
        for _ in (0..self.providers.len()).step_by(BATCH as usize) {
            self.post(Timestamp::now(), meter);
        }
    }

    /// Sends on time until the load is over.
    pub(crate) fn run(&mut self, course: &Course, meter: &Meter) {
        // The wall clock of the service is ours; by the schedule a provider's calls keep their distance.
        let (began_at, began) = (Timestamp::now(), Instant::now());
        let mut schedule = Schedule::new(began, self.step);
        while let Some(due) = schedule.next(course) {
            self.post(began_at + due.duration_since(began), meter);
            meter.tally().posts.push(due.elapsed());
        }
    }

    /// Sends one batch.
    fn post(&mut self, at: Timestamp, meter: &Meter) {
        let count = self.providers.len();
        let rounds = count.div_ceil(BATCH as usize) as u32;
        let between_ms = (self.step * rounds).as_millis() as u64;
        let batch: Vec<usize> = (0..BATCH as usize).map(|index| (self.next + index) % count).collect();
        self.next = (self.next + BATCH as usize) % count;
        let mut body = Vec::new();
        for index in &batch {
            let call = self.providers[*index].call(at, (between_ms / 2).max(1));
            serde_json::to_writer(&mut body, &call).unwrap();
            body.push(b'\n');
        }
        let link = self.link.take().map_or_else(|| Link::to(&self.address), Ok);
        let answer = link.and_then(|mut link| {
            let answer = link.try_post("/v1/observations", "application/x-ndjson", &body)?;
            self.link = Some(link);
            Ok(serde_json::from_str::<Value>(&answer)?)
        });
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) => return meter.error(format!("POST /v1/observations: {error}")),
        };
        let [accepted, refused] =
            ["accepted", "refused"].map(|name| answer[name].as_u64().and_then(|count| count.try_into().ok()));
        let mut tally = meter.tally();
        tally.accepted += accepted.unwrap_or(0);
        tally.refused += refused.unwrap_or(BATCH);
        drop(tally);
        if accepted == Some(BATCH) {
            for index in batch {
                self.providers[index].acknowledged = self.providers[index].told;
            }
        } else {
            meter.error(format!("POST /v1/observations: {}", answer["refusals"][0]));
        }
    }

    /// The providers of which the files in the folder do not tell what was acknowledged last.
    pub(crate) fn lost(&self, folder: &Path) -> Vec<String> {
        let lost = self.providers.iter().filter(|provider| !provider.is_kept(folder));
        lost.map(|provider| Provider::name(provider.number)).collect()
    }

    /// Names of providers for readers.
    pub(crate) fn name(number: usize) -> String {
        Provider::name(number % PROVIDERS)
    }
}
