//! Tolerant readers for single JSON values: what does not fit is absent, never an error.

use std::time::SystemTime;

use jiff::Timestamp;
use serde_json::Value;

/// Longest text that is taken over, in bytes.
const MAX_TEXT: usize = 256;

/// Numbers below this are durations or zero values, not times: 2001-09-09 in Unix seconds.
const FIRST_UNIX_SECOND: i64 = 1_000_000_000;

/// Numbers from here on are Unix milliseconds: as seconds they would lie beyond the year 5138.
const FIRST_UNIX_MILLISECOND: f64 = 1e11;

/// The last millisecond of the year 9999.
const LAST_UNIX_MILLISECOND: f64 = 253_402_300_799_999.0;

/// A text that is not blank, without control characters and cut to a sensible length.
pub(crate) fn text(value: Option<&Value>) -> Option<String> {
    let mut text: String = value?.as_str()?.trim().chars().filter(|c| !c.is_control()).collect();
    text.truncate(text.floor_char_boundary(MAX_TEXT));
    (!text.is_empty()).then_some(text)
}

/// A finite number, also as decimal text.
pub(super) fn number(value: Option<&Value>) -> Option<f64> {
    let number = match value? {
        Value::Number(number) => number.as_f64()?,
        Value::String(text) => text.trim().parse().ok()?,
        _ => return None,
    };
    number.is_finite().then_some(number)
}

/// A quantity: a number of which -1 means that it is not reported, and less than 0 that it is overdrawn.
pub(crate) fn quantity(value: Option<&Value>) -> Option<f64> {
    number(value).filter(|n| *n != -1.0).map(|number| number.max(0.0))
}

/// A point in time: RFC 3339 text, or Unix seconds or milliseconds. Zero values are absent.
pub(crate) fn instant(value: Option<&Value>) -> Option<SystemTime> {
    let time = value
        .and_then(Value::as_str)
        .and_then(|text| text.trim().parse::<Timestamp>().ok())
        .or_else(|| unix(number(value)?))?;
    if time.as_second() < FIRST_UNIX_SECOND {
        return None;
    }
    time.try_into().ok()
}

fn unix(number: f64) -> Option<Timestamp> {
    let milliseconds = if number < FIRST_UNIX_MILLISECOND { number * 1000.0 } else { number };
    if !(0.0..=LAST_UNIX_MILLISECOND).contains(&milliseconds) {
        return None;
    }
    Timestamp::from_millisecond(milliseconds as i64).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn at(value: Value) -> Option<String> {
        let time = instant(Some(&value))?;
        Some(Timestamp::try_from(time).unwrap().to_string())
    }

    #[test]
    fn a_time_is_read_in_all_forms_in_use() {
        for value in [
            json!(1_738_425_600),
            json!(1_738_425_600.0),
            json!("1738425600"),
            json!(1_738_425_600_000_i64),
            json!("2025-02-01T16:00:00Z"),
            json!("2025-02-01T17:00:00.000000+01:00"),
        ] {
            assert_eq!(at(value.clone()).as_deref(), Some("2025-02-01T16:00:00Z"), "{value}");
        }
    }

    #[test]
    fn what_is_no_time_is_absent() {
        for value in [
            json!(0),
            json!(300),
            json!(-1_738_425_600),
            json!(1e300),
            json!(9_999_999_999_999_999_u64),
            json!(""),
            json!("0001-01-01T00:00:00Z"),
            json!("Apr 28th at 7pm"),
            json!("NaN"),
            json!(null),
            json!({}),
        ] {
            assert_eq!(at(value.clone()), None, "{value}");
        }
    }

    #[test]
    fn a_quantity_of_minus_one_is_not_reported_and_less_is_overdrawn() {
        assert_eq!(quantity(Some(&json!(-1))), None);
        assert_eq!(quantity(Some(&json!(-7))), Some(0.0));
        assert_eq!(quantity(Some(&json!("12.5"))), Some(12.5));
        assert_eq!(quantity(Some(&json!("inf"))), None);
        assert_eq!(quantity(None), None);
    }

    #[test]
    fn a_text_is_bounded_and_one_line() {
        assert_eq!(text(Some(&json!(" a\nb\u{1b}[31m "))).as_deref(), Some("ab[31m"));
        assert_eq!(text(Some(&json!("   "))), None);
        assert_eq!(text(Some(&json!("ß".repeat(400)))).unwrap().len(), 256);
    }
}
