//! The JSON that the command line and the service share: observations and responses in, readings and waits out.
//!
//! Of what comes in, fields are taken out one by one, so that an error names the field and never repeats what stands there:
//! it may be a secret. `null` is as good as absent, and keys that nobody asks for are skipped.

use std::time::{Duration, SystemTime};

use self::fields::Fields;
use crate::cache::{NameError, cache_source};
use crate::capture::Response as Seen;
use crate::observation::{Counts, Observation};

mod fields;
mod pace;
mod quick;
mod rank;
mod reading;
mod wait;

pub use self::pace::PaceForm;
pub use self::rank::{RankAnswer, RankForm, RankedAnswer};
pub use self::reading::{LimitForm, ReadingForm, milliseconds};
pub(crate) use self::wait::whole_milliseconds;
pub use self::wait::{BindingLimit, Verdict, WaitAnswer, WaitForm};

/// Longest line, in bytes, without its end.
pub const MOST_BYTES: usize = 1 << 20;

/// Why a line was not understood.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BadLine {
    /// More bytes than a line may have.
    #[error("longer than {MOST_BYTES} bytes: leave out what is not needed, or cut the body")]
    TooLong,
    /// No JSON.
    #[error("no JSON: {what} (column {column})")]
    NoJson {
        /// What is wrong.
        what: String,
        /// Where, from 1 on.
        column: usize,
    },
    /// Other JSON than an object.
    #[error("no JSON object: give one object a line")]
    NoObject,
    /// A field that has to be there is not.
    #[error("`{0}` is missing")]
    Missing(&'static str),
    /// The head of a raw response has another form.
    #[error("line {0} of its head is {1}")]
    Head(usize, &'static str),
    /// Neither the line nor the command line names the provider type.
    #[error("`type` is missing: give it in the line, or by --type")]
    NoType,
    /// A field has the wrong type, or a value beyond its range.
    #[error("`{field}` is not {expected}")]
    Wrong {
        /// The field.
        field: &'static str,
        /// What belongs there.
        expected: &'static str,
    },
    /// The latency is given in two units.
    #[error("both `latency_ms` and `latency_ns` are given: leave out one of them")]
    TwoLatencies,
    /// The provider's name cannot be stored under.
    #[error(transparent)]
    Name(#[from] NameError),
}

/// The headers of a response, in order.
pub type HeaderList = Vec<(String, String)>;

/// A response, as `parse` reads it.
#[derive(Debug, PartialEq)]
pub struct Response {
    /// The response itself.
    pub seen: Seen,
    /// When it was received.
    pub now: Option<SystemTime>,
}

impl Response {
    /// Reads a line. `provider_type` stands in where the line names none.
    ///
    /// # Errors
    /// Why the line was not understood.
    pub fn read(line: &[u8], provider_type: Option<&str>) -> Result<Self, BadLine> {
        let mut fields = Fields::read(line)?;
        let own_type = fields.text("type")?.or_else(|| provider_type.map(str::to_owned));
        let seen = Seen {
            provider_type: own_type.ok_or(BadLine::NoType)?,
            status: fields.status()?.ok_or(BadLine::Missing("status"))?,
            headers: fields.headers()?.ok_or(BadLine::Missing("headers"))?,
            body: fields.text("body")?,
        };
        Ok(Self { seen, now: fields.time("now")? })
    }

    /// The same as the library takes it.
    #[must_use]
    pub fn observation(&self) -> Observation<'_> {
        let Seen { provider_type, status, headers, body } = &self.seen;
        let mut observation = Observation::new("", provider_type, headers, Duration::ZERO);
        observation.status = Some(*status);
        observation.body = body.as_deref().map(str::as_bytes);
        observation.received_at = self.now;
        observation
    }
}

/// A finished call, as `ingest` reads it.
#[derive(Debug, PartialEq)]
pub struct Call {
    /// The provider's name, which can be that of a file.
    pub provider: String,
    provider_type: String,
    status: Option<u16>,
    headers: HeaderList,
    body: Option<String>,
    latency: Duration,
    ttfb: Option<Duration>,
    model: Option<String>,
    account: Option<String>,
    error: Option<String>,
    at: Option<SystemTime>,
}

impl Call {
    /// Reads a line. Where the call failed with an error, there may be no status, headers and latency.
    ///
    /// # Errors
    /// Why the line was not understood.
    pub fn read(line: &[u8]) -> Result<Self, BadLine> {
        quick::read(line).map_or_else(|| Self::read_carefully(line), Ok)
    }

    fn read_carefully(line: &[u8]) -> Result<Self, BadLine> {
        let mut fields = Fields::read(line)?;
        let error = fields.text("error")?;
        let (status, headers, latency) = (fields.status()?, fields.headers()?, fields.latency()?);
        let found =
            [("status", status.is_some()), ("headers", headers.is_some()), ("latency_ms", latency.is_some())];
        let missing = found.into_iter().find(|(_, is_there)| !is_there && error.is_none());
        if let Some((field, _)) = missing {
            return Err(BadLine::Missing(field));
        }
        let call = Self {
            provider: fields.text("provider")?.ok_or(BadLine::Missing("provider"))?,
            provider_type: fields.text("type")?.ok_or(BadLine::Missing("type"))?,
            status,
            headers: headers.unwrap_or_default(),
            body: fields.text("body")?,
            latency: latency.unwrap_or_default(),
            ttfb: fields.milliseconds("ttfb_ms")?,
            model: fields.text("model")?,
            account: fields.text("account")?,
            error,
            at: fields.time("at")?,
        };
        cache_source(&call.provider)?;
        Ok(call)
    }

    /// The same as the library takes it.
    #[must_use]
    pub fn observation(&self) -> Observation<'_> {
        Observation {
            provider: &self.provider,
            provider_type: &self.provider_type,
            status: self.status,
            headers: &self.headers,
            body: self.body.as_deref().map(str::as_bytes),
            latency: self.latency,
            ttfb: self.ttfb,
            model: self.model.as_deref(),
            account: self.account.as_deref(),
            error: self.error.as_deref(),
            received_at: self.at,
            counts: Counts::Everything,
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::time::parse_rfc3339;
    use serde_json::{Value, json};

    use super::*;

    fn response(line: &Value) -> Result<Response, BadLine> {
        Response::read(line.to_string().as_bytes(), None)
    }

    fn call(line: &Value) -> Result<Call, BadLine> {
        Call::read(line.to_string().as_bytes())
    }

    fn with(mut line: Value, field: &str, value: Value) -> Value {
        line[field] = value;
        line
    }

    fn a_response() -> Value {
        json!({"type": "openai", "status": 429, "headers": [["Retry-After", "7"]], "body": null,
            "now": "2026-01-15T12:00:00Z"})
    }

    fn a_call() -> Value {
        json!({"provider": "mine", "type": "openai", "status": 200, "headers": {}, "latency_ms": 840})
    }

    #[test]
    fn a_response_is_read_whole() {
        let read = response(&a_response()).unwrap();
        let observation = read.observation();
        assert_eq!((observation.provider_type, observation.status), ("openai", Some(429)));
        assert_eq!(read.seen.headers, [("Retry-After".to_owned(), "7".to_owned())]);
        assert_eq!(
            (observation.body, observation.received_at),
            (None, parse_rfc3339("2026-01-15T12:00:00Z"))
        );
    }

    #[test]
    fn the_lines_own_type_wins_over_the_one_that_stands_in() {
        let line = a_response().to_string();
        assert_eq!(Response::read(line.as_bytes(), Some("anthropic")).unwrap().seen.provider_type, "openai");
        let line = with(a_response(), "type", Value::Null).to_string();
        assert_eq!(
            Response::read(line.as_bytes(), Some("anthropic")).unwrap().seen.provider_type,
            "anthropic"
        );
        let missing = Response::read(line.as_bytes(), None).unwrap_err();
        assert!(missing.to_string().starts_with("`type` is missing: "), "{missing}");
    }

    #[test]
    fn headers_may_be_pairs_or_an_object() {
        let pairs = with(a_response(), "headers", json!([["a", "1"], ["a", "2"]]));
        let object = with(a_response(), "headers", json!({"a": "1", "b": "2"}));
        let own = |pairs: [(&str, &str); 2]| pairs.map(|(a, b)| (a.to_owned(), b.to_owned()));
        assert_eq!(response(&pairs).unwrap().seen.headers, own([("a", "1"), ("a", "2")]));
        assert_eq!(response(&object).unwrap().seen.headers, own([("a", "1"), ("b", "2")]));
    }

    #[test]
    fn a_call_is_read_whole() {
        let line = json!({"provider": "mine", "type": "openai", "status": 503, "headers": [], "body": "busy",
            "latency_ns": 7, "ttfb_ms": 1.5, "model": "m", "account": "a", "error": "e", "extra": [],
            "at": "2026-01-15T13:00:00.5+01:00"});
        let read = call(&line).unwrap();
        let observation = read.observation();
        assert_eq!(observation.provider, "mine");
        assert_eq!((observation.status, observation.body), (Some(503), Some(&b"busy"[..])));
        assert_eq!(observation.latency, Duration::from_nanos(7));
        assert_eq!(observation.ttfb, Some(Duration::from_micros(1500)));
        assert_eq!(
            (observation.model, observation.account, observation.error),
            (Some("m"), Some("a"), Some("e"))
        );
        assert_eq!(observation.received_at, parse_rfc3339("2026-01-15T12:00:00.5Z"));
    }

    #[test]
    fn a_failed_call_needs_no_response() {
        let read = call(&json!({"provider": "mine", "type": "openai", "error": "timed out"})).unwrap();
        assert_eq!((read.status, read.latency), (None, Duration::ZERO));
        for (field, text) in [
            ("status", "`status` is missing"),
            ("headers", "`headers` is missing"),
            ("latency_ms", "`latency_ms` is missing"),
            ("provider", "`provider` is missing"),
            ("type", "`type` is missing"),
        ] {
            assert_eq!(call(&with(a_call(), field, Value::Null)).unwrap_err().to_string(), text);
        }
    }

    #[test]
    fn wrong_types_and_ranges_name_the_field_and_never_what_stands_there() {
        for (field, value) in [
            ("provider", json!(["SECRET"])),
            ("type", json!({"SECRET": 1})),
            ("status", json!("SECRET")),
            ("status", json!(99)),
            ("status", json!(1000)),
            ("status", json!(-1)),
            ("status", json!(200.5)),
            ("headers", json!("authorization: SECRET")),
            ("headers", json!({"x": ["SECRET"]})),
            ("headers", json!([["SECRET"]])),
            ("headers", json!([["a", "SECRET", "b"]])),
            ("headers", json!([["a", 1]])),
            ("body", json!({"SECRET": 1})),
            ("latency_ms", json!("SECRET")),
            ("latency_ms", json!(-1)),
            ("latency_ms", json!(1e300)),
            ("latency_ns", json!(1.5)),
            ("ttfb_ms", json!(false)),
            ("model", json!(1)),
            ("account", json!(["SECRET"])),
            ("error", json!({"SECRET": 1})),
            ("at", json!("SECRET")),
            ("at", json!(1_768_478_400)),
        ] {
            let text = call(&with(a_call(), field, value)).unwrap_err().to_string();
            assert!(text.starts_with(&format!("`{field}` is not ")), "{text}");
            assert!(!text.contains("SECRET"), "{text}");
        }
    }

    #[test]
    fn what_is_no_object_is_refused_without_repeating_it() {
        for (line, text) in [
            ("\"SECRET\"", "no JSON object: give one object a line"),
            ("[]", "no JSON object: give one object a line"),
            ("{\"SECRET\":", "no JSON: EOF while parsing a value (column 10)"),
            ("{} SECRET", "no JSON: trailing characters (column 4)"),
            ("SECRET", "no JSON: expected value (column 1)"),
        ] {
            assert_eq!(Call::read(line.as_bytes()).unwrap_err().to_string(), text);
        }
        assert!(matches!(Call::read(b"{\"provider\":\"\xff\"}"), Err(BadLine::NoJson { .. })));
        assert!(matches!(Call::read("[".repeat(100_000).as_bytes()), Err(BadLine::NoJson { .. })));
    }

    #[test]
    fn a_latency_is_given_once_and_a_name_can_be_stored_under() {
        let twice = with(a_call(), "latency_ns", json!(1));
        assert!(matches!(call(&twice), Err(BadLine::TwoLatencies)));
        for name in ["", "../up", ".hidden", "a/b", "a\nb"] {
            assert!(
                matches!(call(&with(a_call(), "provider", json!(name))), Err(BadLine::Name(_))),
                "{name:?}"
            );
        }
    }
}
