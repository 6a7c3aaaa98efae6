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

/// RFC 3339 in UTC, the fraction's trailing zeros trimmed.
pub(crate) fn rfc3339(time: SystemTime) -> String {
    jiff::Timestamp::try_from(time).unwrap_or(jiff::Timestamp::MAX).to_string()
}

/// Reads RFC 3339.
pub(crate) fn parse_rfc3339(text: &str) -> Result<SystemTime, jiff::Error> {
    SystemTime::try_from(text.parse::<jiff::Timestamp>()?)
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
}
