//! Writes JSON as Go's `encoding/json` does.

use alloc::vec::Vec;
use core::fmt::{self, Write};

use crate::time::Time;

/// JSON in the making: what is absent is left out, `<`, `>`, `&`, U+2028 and U+2029 are escaped.
pub struct Writer(Vec<u8>);

impl Writer {
    /// A text that will have about this many bytes.
    pub fn with_capacity(bytes: usize) -> Self {
        Self(Vec::with_capacity(bytes))
    }

    /// What was written.
    pub fn finish(self) -> Vec<u8> {
        self.0
    }

    fn raw(&mut self, text: &str) {
        self.0.extend_from_slice(text.as_bytes());
    }

    /// An object, whose fields `fields` writes.
    pub fn object(&mut self, fields: &mut dyn FnMut(&mut Self)) {
        self.raw("{");
        fields(self);
        self.raw("}");
    }

    fn separate(&mut self) {
        if !matches!(self.0.last(), Some(b'{' | b'[' | b':') | None) {
            self.raw(",");
        }
    }

    /// A key, before its value.
    pub fn key(&mut self, key: &str) {
        self.separate();
        self.quoted(key);
        self.raw(":");
    }

    /// A text.
    pub fn text(&mut self, key: &str, text: &str) {
        self.key(key);
        self.quoted(text);
    }

    /// A text, unless it is empty.
    pub fn text_unless_empty(&mut self, key: &str, text: &str) {
        if !text.is_empty() {
            self.text(key, text);
        }
    }

    /// A number, at most 2^63 − 1: a reader with signed numbers would refuse the whole text for a larger one.
    pub fn number(&mut self, key: &str, number: Option<u64>) {
        if let Some(number) = number {
            self.key(key);
            self.digits(number.min(i64::MAX.unsigned_abs()));
        }
    }

    fn digits(&mut self, mut number: u64) {
        let start = self.0.len();
        loop {
            self.0.push(b'0' + u8::try_from(number % 10).unwrap_or(0));
            number /= 10;
            if number == 0 {
                break;
            }
        }
        self.0.get_mut(start..).unwrap_or_default().reverse();
    }

    /// A share, to a millionth: finer than any provider tells. What is not all of it is never written as 1.
    pub fn share(&mut self, key: &str, share: Option<f64>) {
        let Some(share) = share.filter(|share| share.is_finite()) else { return };
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "saturates at 0 and above"
        )]
        let millionths = (share * 1e6 + 0.5) as u64;
        let millionths = if share < 1.0 { millionths.min(999_999) } else { millionths };
        self.key(key);
        self.digits(millionths / 1_000_000);
        let mut fraction = millionths % 1_000_000;
        if fraction > 0 {
            self.raw(".");
            let mut place = 100_000;
            while fraction > 0 {
                self.digits(fraction / place);
                fraction %= place;
                place /= 10;
            }
        }
    }

    /// A time in RFC 3339.
    pub fn time(&mut self, key: &str, time: Option<Time>) {
        if let Some(time) = time {
            self.key(key);
            self.raw("\"");
            // Times in the range of the type have a text.
            let _ = write!(self, "{time}");
            self.raw("\"");
        }
    }

    /// A list of objects, unless it is empty.
    pub fn list<T>(&mut self, key: &str, items: &[T], write: fn(&mut Self, &T)) {
        if !items.is_empty() {
            self.key(key);
            self.raw("[");
            for item in items {
                self.separate();
                self.object(&mut |json| write(json, item));
            }
            self.raw("]");
        }
    }

    /// A list of pairs of texts.
    pub fn pairs<'a>(&mut self, key: &str, pairs: &mut dyn Iterator<Item = (&'a str, &'a str)>) {
        self.key(key);
        self.raw("[");
        for (name, value) in pairs {
            self.separate();
            self.raw("[");
            self.quoted(name);
            self.raw(",");
            self.quoted(value);
            self.raw("]");
        }
        self.raw("]");
    }

    fn quoted(&mut self, text: &str) {
        self.raw("\"");
        for c in text.chars() {
            match c {
                '"' => self.raw("\\\""),
                '\\' => self.raw("\\\\"),
                '\n' => self.raw("\\n"),
                '\r' => self.raw("\\r"),
                '\t' => self.raw("\\t"),
                '\u{8}' => self.raw("\\b"),
                '\u{c}' => self.raw("\\f"),
                '<' | '>' | '&' | '\u{2028}' | '\u{2029}' | '\0'..'\u{20}' => self.escape(c),
                _ => self.raw(c.encode_utf8(&mut [0; 4])),
            }
        }
        self.raw("\"");
    }

    fn escape(&mut self, c: char) {
        self.raw("\\u");
        for shift in [12, 8, 4, 0] {
            let digit = char::from_digit(u32::from(c) >> shift & 15, 16).unwrap_or('0');
            self.raw(digit.encode_utf8(&mut [0; 4]));
        }
    }
}

impl fmt::Write for Writer {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.raw(text);
        Ok(())
    }
}
