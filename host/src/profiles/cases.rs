//! Cases: a profile is put into service only when it reads what its own cases expect.

use std::fmt::{self, Display};
use std::time::{Duration, SystemTime};

use runtime_signals_profile::toml::{Case, Expect};

use crate::forms::milliseconds;
use crate::observation::Observation;
use crate::signal::Reading;
use crate::time::{parse_rfc3339, rfc3339};

/// How far a reset may be from the expected one: providers round.
const RESET_TOLERANCE: Duration = Duration::from_secs(1);

/// A case from which something else is read than it expects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailedCase {
    /// The line at which it begins, where it begins with `[[case]]`.
    pub line: Option<usize>,
    /// Its name.
    pub name: String,
    /// What differs, as `remaining_tokens: 5 expected, nothing found`.
    pub differences: Vec<String>,
}

impl Display for FailedCase {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "case `{}`: {}", self.name, self.differences.join(", "))
    }
}

/// Reads each case, and tells which ones fail. `text` is what the cases were read from.
pub(crate) fn failures(
    cases: &[Case],
    text: &str,
    read: impl Fn(&Observation<'_>, SystemTime) -> Result<Reading, String>,
) -> Vec<FailedCase> {
    let starts = text.lines().enumerate().filter(|(_, line)| line.trim_start().starts_with("[[case]]"));
    let mut lines = starts.map(|(index, _)| index + 1);
    let outcomes = cases.iter().map(|case| (lines.next(), case, run(case, &read)));
    outcomes
        .filter(|(_, _, differences)| !differences.is_empty())
        .map(|(line, case, differences)| FailedCase { line, name: case.name.clone(), differences })
        .collect()
}

fn run(case: &Case, read: impl Fn(&Observation<'_>, SystemTime) -> Result<Reading, String>) -> Vec<String> {
    let Some(now) = parse_rfc3339(&case.now) else { return vec![format!("now: `{}` is no time", case.now)] };
    let mut response = Observation::new("", "", &case.headers, Duration::ZERO);
    response.status = Some(case.status);
    response.body = case.body.as_deref().map(str::as_bytes);
    match read(&response, now) {
        Ok(reading) => differences(&case.expect, &reading),
        Err(error) => vec![error],
    }
}

/// What differs between an expectation and a reading.
pub(crate) fn differences(expect: &Expect, reading: &Reading) -> Vec<String> {
    let Expect { remaining_requests, remaining_tokens, reset_at, retry_after_ms, exhausted, refusal } =
        expect;
    let found_wait = reading.retry_after.map(milliseconds);
    let refused = |expected| differs("refusal", expected, reading.refusal);
    [
        differs("remaining_requests", *remaining_requests, reading.remaining_requests),
        differs("remaining_tokens", *remaining_tokens, reading.remaining_tokens),
        reset_differs(reset_at.as_deref(), reading.reset_at),
        differs("retry_after_ms", *retry_after_ms, found_wait),
        differs("exhausted", Some(*exhausted), Some(reading.exhausted)),
        refusal.and_then(refused),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// The expectation that a reading meets.
pub(crate) fn expectation(reading: &Reading) -> Expect {
    Expect {
        remaining_requests: reading.remaining_requests,
        remaining_tokens: reading.remaining_tokens,
        reset_at: reading.reset_at.map(rfc3339),
        retry_after_ms: reading.retry_after.map(milliseconds),
        exhausted: reading.exhausted,
        refusal: Some(reading.refusal),
    }
}

fn reset_differs(expected: Option<&str>, found: Option<SystemTime>) -> Option<String> {
    if let (Some(expected), Some(found)) = (expected.and_then(parse_rfc3339), found) {
        let apart = found.duration_since(expected).unwrap_or_else(|error| error.duration());
        if apart <= RESET_TOLERANCE {
            return None;
        }
    }
    let found = found.map(rfc3339);
    differs("reset_at", expected, found.as_deref())
}

fn differs<T: PartialEq + Display>(key: &str, expected: Option<T>, found: Option<T>) -> Option<String> {
    let told = |value: &Option<T>| value.as_ref().map_or_else(|| "nothing".to_owned(), ToString::to_string);
    (expected != found).then(|| format!("{key}: {} expected, {} found", told(&expected), told(&found)))
}

#[cfg(test)]
mod tests {
    use crate::signal::RefusalClass;

    use super::*;

    fn reading() -> Reading {
        Reading {
            remaining_requests: Some(3),
            remaining_tokens: None,
            reset_at: parse_rfc3339("2026-01-15T12:00:30Z"),
            retry_after: Some(Duration::from_millis(1500)),
            exhausted: true,
            limits: Vec::new(),
            reason: None,
            refusal: Some(RefusalClass::Rate),
        }
    }

    fn expect() -> Expect {
        Expect {
            remaining_requests: Some(3),
            remaining_tokens: None,
            reset_at: Some("2026-01-15T12:00:30Z".into()),
            retry_after_ms: Some(1500),
            exhausted: true,
            refusal: Some(Some(RefusalClass::Rate)),
        }
    }

    #[test]
    fn what_is_as_expected_has_no_differences() {
        assert!(differences(&expectation(&reading()), &reading()).is_empty());
        assert!(differences(&expect(), &reading()).is_empty());
        for reset in ["2026-01-15T12:00:29Z", "2026-01-15T12:00:31Z"] {
            let expect = Expect { reset_at: Some(reset.into()), ..expect() };
            assert!(differences(&expect, &reading()).is_empty(), "{reset}");
        }
        let open = Expect { refusal: None, ..expect() };
        assert!(differences(&open, &reading()).is_empty());
    }

    #[test]
    fn each_difference_is_told_with_what_was_expected_and_what_was_found() {
        let wrong = Expect {
            remaining_requests: None,
            remaining_tokens: Some(7),
            reset_at: Some("2026-01-15T12:00:31.5Z".into()),
            retry_after_ms: Some(1501),
            exhausted: false,
            refusal: Some(None),
        };
        assert_eq!(
            differences(&wrong, &reading()),
            [
                "remaining_requests: nothing expected, 3 found",
                "remaining_tokens: 7 expected, nothing found",
                "reset_at: 2026-01-15T12:00:31.5Z expected, 2026-01-15T12:00:30Z found",
                "retry_after_ms: 1501 expected, 1500 found",
                "exhausted: false expected, true found",
                "refusal: nothing expected, rate found",
            ]
        );
    }

    #[test]
    fn a_time_that_the_calendar_does_not_have_is_a_difference() {
        let wrong = Expect { reset_at: Some("2026-13-41T12:00:30Z".into()), ..expect() };
        assert_eq!(differences(&wrong, &reading()).len(), 1);
        let nothing = Reading { reset_at: None, ..reading() };
        assert_eq!(differences(&wrong, &nothing).len(), 1);
    }
}
