//! Times in side files: RFC 3339, UTC, up to nanoseconds.

use std::borrow::Cow;
use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser};

/// A time as side files write it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rfc3339(pub(super) SystemTime);

impl Serialize for Rfc3339 {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let time = Timestamp::try_from(self.0).map_err(ser::Error::custom)?;
        serializer.collect_str(&time)
    }
}

impl<'de> Deserialize<'de> for Rfc3339 {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<str>::deserialize(deserializer)?;
        let time: Timestamp = text.parse().map_err(de::Error::custom)?;
        SystemTime::try_from(time).map(Self).map_err(de::Error::custom)
    }
}

/// How long before `now` the time was; zero when it is ahead.
pub(super) fn age(time: SystemTime, now: SystemTime) -> Duration {
    now.duration_since(time).unwrap_or_default()
}

/// How far ahead of `now` the time is; zero when it has passed.
pub(super) fn lead(time: SystemTime, now: SystemTime) -> Duration {
    time.duration_since(now).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_written_in_utc_with_the_fraction_trimmed_and_read_with_any_offset() {
        let time = Rfc3339(SystemTime::UNIX_EPOCH + Duration::from_millis(1_500));
        assert_eq!(serde_json::to_string(&time).unwrap(), r#""1970-01-01T00:00:01.5Z""#);
        for text in [r#""1970-01-01T00:00:01.5Z""#, r#""1970-01-01T01:00:01.500000000+01:00""#] {
            assert_eq!(serde_json::from_str::<Rfc3339>(text).unwrap(), time);
        }
        for text in ["\"soon\"", "12", "null", "\"99999-01-01T00:00:00Z\""] {
            assert!(serde_json::from_str::<Rfc3339>(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_time_is_either_past_or_ahead() {
        let (early, late) = (SystemTime::UNIX_EPOCH, SystemTime::UNIX_EPOCH + Duration::from_secs(3));
        assert_eq!((age(early, late), lead(early, late)), (Duration::from_secs(3), Duration::ZERO));
        assert_eq!((age(late, early), lead(late, early)), (Duration::ZERO, Duration::from_secs(3)));
    }
}
