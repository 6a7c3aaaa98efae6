//! Numbers and spans of time in texts.

use super::term::Term;

/// A number at the start of a text.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Number {
    /// `None` where it is too large, or commas stand elsewhere than between groups of three digits.
    pub whole: Option<u64>,
    /// Billionths.
    pub nanos: u64,
    /// Its length in bytes.
    pub length: usize,
}

impl Number {
    /// So many units of that many milliseconds, in nanoseconds.
    pub(super) fn units_of(self, unit_ms: u64) -> Option<u64> {
        let whole_ns = self.whole?.checked_mul(unit_ms)?.checked_mul(1_000_000)?;
        whole_ns.checked_add(self.nanos.checked_mul(unit_ms)? / 1000)
    }
}

/// The number at the start of a text.
pub(super) fn count(text: &[u8]) -> Number {
    let mut number = Number { whole: Some(0), ..Number::default() };
    let mut place = 0;
    // Digits since the last comma, and whether there was one.
    let (mut group, mut grouped) = (0, false);
    while let Some(byte) = text.get(number.length) {
        let digit_follows = text.get(number.length + 1).is_some_and(u8::is_ascii_digit);
        match byte {
            b'0'..=b'9' if place > 0 => {
                place /= 10;
                number.nanos += place * u64::from(byte - b'0');
            }
            b'0'..=b'9' => {
                let times_ten = number.whole.and_then(|whole| whole.checked_mul(10));
                number.whole = times_ten.and_then(|whole| whole.checked_add(u64::from(byte - b'0')));
                group += 1;
            }
            b',' if digit_follows && place == 0 => {
                number.whole = number.whole.filter(|_| group == 3 || group < 3 && !grouped);
                (group, grouped) = (0, true);
            }
            b'.' if digit_follows && place == 0 => place = 1_000_000_000,
            _ => break,
        }
        number.length += 1;
    }
    number.whole = number.whole.filter(|_| number.length > 0 && (group == 3 || !grouped));
    number
}

/// A span of time at the start of a text, in nanoseconds, and its length: `634ms`, `6m0s`, `1 hour and 3
/// minutes`. The length is 0 where there is none.
pub(super) fn span(text: &[u8]) -> (u64, usize) {
    let (mut sum, mut rest, mut larger) = (0u64, text, u64::MAX);
    let mut length = 0;
    loop {
        let number = count(rest);
        let behind = rest.get(number.length..).unwrap_or_default();
        let behind = behind.strip_prefix(b" ").or(behind.strip_prefix(b"-")).unwrap_or(behind);
        let letters = behind.iter().take_while(|byte| byte.is_ascii_lowercase() || **byte >= 0x80).count();
        let (unit, behind) = behind.split_at_checked(letters).unwrap_or_default();
        let unit_ms = match Term::of(unit) {
            Term::Unit(unit) if number.length > 0 && unit.ms() < larger => unit.ms(),
            _ => return (sum, length),
        };
        match number.units_of(unit_ms).and_then(|part| sum.checked_add(part)) {
            Some(longer) => sum = longer,
            None => return (0, 0),
        }
        larger = unit_ms;
        length = text.len() - behind.len();
        // A comma and `and` may join the parts.
        rest = behind.strip_prefix(b",").unwrap_or(behind).trim_ascii_start();
        rest = rest.strip_prefix(b"and ").unwrap_or(rest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commas_count_only_between_groups_of_three() {
        for (text, expected, length) in [
            ("1", Some(1), 1),
            ("30,000", Some(30_000), 6),
            ("1,000,000.", Some(1_000_000), 9),
            ("200000, used", Some(200_000), 6),
            ("1,00", None, 4),
            ("1000,000", None, 8),
            ("1,0000", None, 6),
            ("1,00,000", None, 8),
            ("18446744073709551616", None, 20),
            ("18,446,744,073,709,551,616", None, 26),
            ("", None, 0),
            ("x", None, 0),
        ] {
            let number = count(text.as_bytes());
            assert_eq!((number.whole, number.nanos, number.length), (expected, 0, length), "{text}");
        }
        assert_eq!(count(b"20.04466179s"), Number { whole: Some(20), nanos: 44_661_790, length: 11 });
        assert_eq!(count(b"0.12345678999").nanos, 123_456_789);
    }

    #[test]
    fn spans_have_units() {
        for (text, expected) in [
            ("634ms.", Some((634, 5))),
            ("5.289s", Some((5289, 6))),
            ("6m0s", Some((360_000, 4))),
            ("1h16m0.667s left", Some((4_560_667, 11))),
            ("45 seconds.", Some((45_000, 10))),
            ("1 hour 3 minutes", Some((3_780_000, 16))),
            ("1 hour, 3 minutes and 2 seconds", Some((3_782_000, 31))),
            ("1,800 sec", Some((1_800_000, 9))),
            ("2 days", Some((172_800_000, 6))),
            ("1.5 months", Some((3_888_000_000, 10))),
            ("5-minute", Some((300_000, 8))),
            ("2s 3s", Some((2000, 2))),
            ("30", None),
            ("30 requests", None),
            ("5 messages", None),
            ("18446744073709551615 days", None),
            ("99999999999 s", None),
            ("1 h 99999999999 s", None),
            ("", None),
        ] {
            let (ms, length) = expected.unwrap_or_default();
            assert_eq!(span(text.as_bytes()), (ms * 1_000_000, length), "{text}");
        }
    }
}
