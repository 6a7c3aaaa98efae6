//! The fields of a JSON object, taken out one by one.

use std::time::{Duration, SystemTime};

use serde_json::{Map, Value};

use super::{BadLine, HeaderList};
use crate::time::parse_rfc3339;

/// The fields of one line that were not taken yet.
pub(super) struct Fields(Map<String, Value>);

impl Fields {
    pub(super) fn read(line: &[u8]) -> Result<Self, BadLine> {
        match serde_json::from_slice(line) {
            Ok(Value::Object(fields)) => Ok(Self(fields)),
            Ok(_) => Err(BadLine::NoObject),
            Err(error) => {
                let what = error.to_string();
                let place = format!(" at line {} column {}", error.line(), error.column());
                let what = what.strip_suffix(&place).unwrap_or(&what).to_owned();
                Err(BadLine::NoJson { what, column: error.column() })
            }
        }
    }

    fn take<T>(
        &mut self,
        field: &'static str,
        expected: &'static str,
        understand: impl FnOnce(Value) -> Option<T>,
    ) -> Result<Option<T>, BadLine> {
        match self.0.remove(field) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => match understand(value) {
                Some(value) => Ok(Some(value)),
                None => Err(BadLine::Wrong { field, expected }),
            },
        }
    }

    pub(super) fn text(&mut self, field: &'static str) -> Result<Option<String>, BadLine> {
        self.take(field, "a string", string)
    }

    pub(super) fn status(&mut self) -> Result<Option<u16>, BadLine> {
        self.take("status", "an HTTP status from 100 to 999", |value| {
            u16::try_from(value.as_u64()?).ok().filter(|status| (100..1000).contains(status))
        })
    }

    pub(super) fn headers(&mut self) -> Result<Option<HeaderList>, BadLine> {
        self.take("headers", "a list of [name, value] pairs of strings, or an object of strings", |value| {
            match value {
                Value::Array(pairs) => pairs.into_iter().map(pair).collect(),
                Value::Object(headers) => {
                    headers.into_iter().map(|(name, value)| Some((name, string(value)?))).collect()
                }
                _ => None,
            }
        })
    }

    pub(super) fn time(&mut self, field: &'static str) -> Result<Option<SystemTime>, BadLine> {
        self.take(field, "an RFC 3339 time such as 2026-01-15T12:00:00Z", |value| {
            parse_rfc3339(value.as_str()?)
        })
    }

    pub(super) fn latency(&mut self) -> Result<Option<Duration>, BadLine> {
        let nanoseconds = self.take("latency_ns", "a whole number of nanoseconds", |value| {
            value.as_u64().map(Duration::from_nanos)
        })?;
        match (self.milliseconds("latency_ms")?, nanoseconds) {
            (Some(_), Some(_)) => Err(BadLine::TwoLatencies),
            (one, other) => Ok(one.or(other)),
        }
    }

    pub(super) fn milliseconds(&mut self, field: &'static str) -> Result<Option<Duration>, BadLine> {
        self.take(field, "a number of milliseconds from 0 on", |value| match value.as_u64() {
            Some(whole) => Some(Duration::from_millis(whole)),
            None => Duration::try_from_secs_f64(value.as_f64()? / 1000.0).ok(),
        })
    }
}

fn string(value: Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text),
        _ => None,
    }
}

fn pair(value: Value) -> Option<(String, String)> {
    let Value::Array(pair) = value else { return None };
    let [name, value]: [Value; 2] = pair.try_into().ok()?;
    Some((string(name)?, string(value)?))
}
