//! Points in time at the borders: `SystemTime` inside, RFC 3339 outside.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Unix seconds and nanoseconds of a time.
pub(crate) fn to_unix(time: SystemTime) -> (i64, u32) {
    match time.duration_since(UNIX_EPOCH) {
        Ok(after) => (i64::try_from(after.as_secs()).unwrap_or(i64::MAX), after.subsec_nanos()),
        Err(error) => {
            let before = error.duration();
            let seconds = i64::try_from(before.as_secs()).unwrap_or(i64::MAX);
            match before.subsec_nanos() {
                0 => (-seconds, 0),
                nanoseconds => (-seconds - 1, 1_000_000_000 - nanoseconds),
            }
        }
    }
}

/// The time of Unix seconds and nanoseconds; the epoch where the platform cannot express it.
pub(crate) fn from_unix(seconds: i64, nanoseconds: u32) -> SystemTime {
    let whole = Duration::from_secs(seconds.unsigned_abs());
    let at = if seconds < 0 { UNIX_EPOCH.checked_sub(whole) } else { UNIX_EPOCH.checked_add(whole) };
    at.and_then(|at| at.checked_add(Duration::from_nanos(nanoseconds.into()))).unwrap_or(UNIX_EPOCH)
}

/// RFC 3339 text in UTC, with the fraction's trailing zeros trimmed. Times beyond the year 9999 are written as the
/// last one before its end.
#[must_use]
pub fn rfc3339(time: SystemTime) -> String {
    jiff::Timestamp::try_from(time).unwrap_or(jiff::Timestamp::MAX).to_string()
}

/// The time that an RFC 3339 text names; `None` where it names none, or one that the platform cannot express.
#[must_use]
pub fn parse_rfc3339(text: &str) -> Option<SystemTime> {
    SystemTime::try_from(text.parse::<jiff::Timestamp>().ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_on_both_sides_of_the_epoch_survive_the_way_there_and_back() {
        for (seconds, nanoseconds) in [(0, 0), (1, 5), (-1, 0), (-1, 999_999_999), (253_402_300_799, 1)] {
            assert_eq!(to_unix(from_unix(seconds, nanoseconds)), (seconds, nanoseconds));
        }
    }

    #[test]
    fn texts_are_in_utc_without_trailing_zeros() {
        for (text, utc) in [
            ("2026-01-15T12:00:00Z", "2026-01-15T12:00:00Z"),
            ("2026-01-15T14:00:00.250+02:00", "2026-01-15T12:00:00.25Z"),
            ("1969-12-31T23:59:59.999999999Z", "1969-12-31T23:59:59.999999999Z"),
        ] {
            assert_eq!(rfc3339(parse_rfc3339(text).unwrap()), utc);
        }
    }

    #[test]
    fn what_is_no_time_is_none() {
        for text in ["", "now", "2026-01-15", "2026-01-15T12:00:00", "99999-01-01T00:00:00Z", "1768478400"] {
            assert_eq!(parse_rfc3339(text), None, "{text}");
        }
    }
}
