//! The quick way to read an observation. It takes what is as it should be, at half the cost of looking at
//! field after field; whatever it does not take goes the careful way, which tells what is wrong.

use std::fmt;
use std::time::{Duration, SystemTime};

use serde::de::{Error, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::{Call, HeaderList};
use crate::cache::cache_source;
use crate::time::parse_rfc3339;

/// Reads the line of a call that was answered; `None` where anything about it is unusual.
pub(super) fn read(line: &[u8]) -> Option<Call> {
    // As text, what is skipped has to be UTF-8 as well.
    let quick: Quick = serde_json::from_str(str::from_utf8(line).ok()?).ok()?;
    cache_source(&quick.provider).ok()?;
    let latency = match (quick.latency_ms, quick.latency_ns) {
        (Some(Milliseconds(latency)), None) => latency,
        (None, Some(nanoseconds)) => Duration::from_nanos(nanoseconds),
        _ => return None,
    };
    let is_status = (100..1000).contains(&quick.status);
    is_status.then(|| Call {
        provider: quick.provider,
        provider_type: quick.provider_type,
        status: Some(quick.status),
        headers: quick.headers.0,
        body: quick.body,
        latency,
        ttfb: quick.ttfb_ms.map(|Milliseconds(ttfb)| ttfb),
        model: quick.model,
        account: quick.account,
        error: quick.error,
        at: quick.at.map(|Time(at)| at),
    })
}

#[derive(Deserialize)]
struct Quick {
    provider: String,
    #[serde(rename = "type")]
    provider_type: String,
    status: u16,
    headers: Headers,
    body: Option<String>,
    latency_ms: Option<Milliseconds>,
    latency_ns: Option<u64>,
    ttfb_ms: Option<Milliseconds>,
    model: Option<String>,
    account: Option<String>,
    error: Option<String>,
    at: Option<Time>,
}

struct Headers(HeaderList);

impl<'de> Deserialize<'de> for Headers {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(HeadersVisitor)
    }
}

struct HeadersVisitor;

impl<'de> Visitor<'de> for HeadersVisitor {
    type Value = Headers;

    fn expecting(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str("headers")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut from: A) -> Result<Headers, A::Error> {
        let mut headers = HeaderList::new();
        while let Some(header) = from.next_element()? {
            headers.push(header);
        }
        Ok(Headers(headers))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut from: A) -> Result<Headers, A::Error> {
        let mut headers = HeaderList::new();
        while let Some(header) = from.next_entry()? {
            headers.push(header);
        }
        // In the order of the careful way, which keeps one of several of the same name.
        headers.sort();
        if headers.windows(2).any(|pair| matches!(pair, [(a, _), (b, _)] if a == b)) {
            return Err(A::Error::custom("a name twice"));
        }
        Ok(Headers(headers))
    }
}

struct Milliseconds(Duration);

impl<'de> Deserialize<'de> for Milliseconds {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(MillisecondsVisitor)
    }
}

struct MillisecondsVisitor;

impl Visitor<'_> for MillisecondsVisitor {
    type Value = Milliseconds;

    fn expecting(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str("milliseconds")
    }

    fn visit_u64<E: Error>(self, whole: u64) -> Result<Milliseconds, E> {
        Ok(Milliseconds(Duration::from_millis(whole)))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Milliseconds, E> {
        Duration::try_from_secs_f64(number / 1000.0).map(Milliseconds).map_err(E::custom)
    }
}

struct Time(SystemTime);

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        parse_rfc3339(&text).map(Self).ok_or_else(|| D::Error::custom("no time"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: &str = r#"{"provider":"mine","type":"openai","status":200,"headers":{"b":"1","a":"2"},"body":"x",
        "latency_ms":1.5,"ttfb_ms":1,"model":"m","account":"a","error":null,"at":"2026-01-15T12:00:00.5Z","extra":[{}]}"#;

    #[test]
    fn both_ways_read_the_same() {
        let pairs = WHOLE.replace(r#"{"b":"1","a":"2"}"#, r#"[["b","1"],["a","2"],["b","3"]]"#);
        let nanoseconds = WHOLE.replace("latency_ms\":1.5", "latency_ns\":7");
        let escaped = WHOLE.replace("\"mine\"", r#""m\u0069ne \"s""#);
        for line in [WHOLE, &pairs, &nanoseconds, &escaped] {
            let quick = read(line.as_bytes()).unwrap();
            assert_eq!(quick, Call::read_carefully(line.as_bytes()).unwrap(), "{line}");
        }
    }

    #[test]
    fn whatever_is_unusual_goes_the_careful_way() {
        for (from, to) in [
            ("\"status\":200", "\"status\":99"),
            ("\"status\":200", "\"status\":200.0"),
            ("\"status\":200,", ""),
            ("\"status\":200", "\"status\":200,\"status\":201"),
            ("\"mine\"", "\"../up\""),
            ("{\"b\":\"1\",\"a\":\"2\"}", "{\"a\":\"1\",\"a\":\"2\"}"),
            ("{\"b\":\"1\",\"a\":\"2\"}", "[[\"a\",\"1\",\"2\"]]"),
            ("{\"b\":\"1\",\"a\":\"2\"}", "{\"a\":1}"),
            ("\"latency_ms\":1.5", "\"latency_ms\":-1"),
            ("\"latency_ms\":1.5", "\"latency_ms\":1,\"latency_ns\":1"),
            ("2026-01-15T12:00:00.5Z", "yesterday"),
            ("[{}]", "[{]"),
        ] {
            let line = WHOLE.replace(from, to);
            assert_ne!(line, WHOLE);
            assert!(read(line.as_bytes()).is_none(), "{line}");
        }
        let line = WHOLE.replace("[{}]", "\"?\"").replace('?', "\u{ff}").into_bytes();
        assert!(read(&line).is_some());
        let halved: Vec<u8> = line.into_iter().filter(|byte| *byte != 0xc3).collect();
        assert!(read(&halved).is_none());
    }
}
