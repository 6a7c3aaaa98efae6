//! Durations in the file: a number and a unit, as Go and the environment's overrides write them.

use std::fmt;
use std::time::Duration;

use jiff::fmt::friendly::{Spacing, SpanParser, SpanPrinter};
use serde::de::{self, Visitor};
use serde::{Deserializer, Serializer};

use super::problem::quoted;

/// Keeps every sum of a time and a setting far from overflow.
const LONGEST: Duration = Duration::from_secs(366 * 24 * 60 * 60);
const EXAMPLES: &str = "write a number and a unit, such as 500ms, 90s or 5m";

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
    from.deserialize_str(Text)
}

pub(crate) fn serialize<S: Serializer>(duration: &Duration, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&SpanPrinter::new().spacing(Spacing::None).unsigned_duration_to_string(duration))
}

struct Text;

impl Visitor<'_> for Text {
    type Value = Duration;

    fn expecting(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "a duration; {EXAMPLES}")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Duration, E> {
        match SpanParser::new().parse_unsigned_duration(text.trim()) {
            Err(_) => Err(E::custom(format_args!("{} is no duration; {EXAMPLES}", quoted(text)))),
            Ok(Duration::ZERO) => Err(E::custom(format_args!("a duration of zero; {EXAMPLES}"))),
            Ok(duration) if duration > LONGEST => {
                Err(E::custom(format_args!("{} is longer than 366 days; {EXAMPLES}", quoted(text))))
            }
            Ok(duration) => Ok(duration),
        }
    }
}

/// The same where there may be none.
pub(super) mod optional {
    use super::*;

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<Duration>, D::Error> {
        super::deserialize(from).map(Some)
    }

    pub(in super::super) fn serialize<S: Serializer>(
        duration: &Option<Duration>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        match duration {
            Some(duration) => super::serialize(duration, to),
            None => to.serialize_none(),
        }
    }
}
