//! Reads JSON of known shape, without a tree: what is not asked for is skipped, and costs no memory.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use crate::time::Time;

/// Deepest nesting that is followed.
const DEEPEST: u32 = 32;
/// Most items of one list.
const MOST_ITEMS: usize = 1024;

/// Text that is not the JSON that was expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unreadable {
    /// Where, in bytes.
    pub offset: usize,
    /// Why.
    pub what: &'static str,
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at byte {}", self.what, self.offset)
    }
}

/// What reading ends in.
pub type Result<T> = core::result::Result<T, Unreadable>;

/// The unread rest of a JSON text.
pub struct Reader<'a> {
    text: &'a [u8],
    offset: usize,
    depth: u32,
}

impl<'a> Reader<'a> {
    /// A reader of this text.
    pub const fn new(text: &'a [u8]) -> Self {
        Self { text, offset: 0, depth: 0 }
    }

    /// An error at this place.
    ///
    /// # Errors
    /// Always.
    pub const fn error<T>(&self, what: &'static str) -> Result<T> {
        Err(Unreadable { offset: self.offset, what })
    }

    fn peek(&mut self) -> Option<u8> {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.text.get(self.offset) {
            self.offset += 1;
        }
        self.text.get(self.offset).copied()
    }

    fn take(&mut self, expected: u8) -> bool {
        let there = self.peek() == Some(expected);
        self.offset += usize::from(there);
        there
    }

    fn literal(&mut self, expected: &[u8]) -> bool {
        let _ = self.peek();
        let there = self.text.get(self.offset..).is_some_and(|rest| rest.starts_with(expected));
        if there {
            self.offset += expected.len();
        }
        there
    }

    /// The end of the text.
    ///
    /// # Errors
    /// Something follows.
    pub fn end(&mut self) -> Result<()> {
        match self.peek() {
            None => Ok(()),
            Some(_) => self.error("something follows the value"),
        }
    }

    /// Items between brackets, separated by commas.
    fn items(&mut self, close: u8, item: &mut dyn FnMut(&mut Self) -> Result<()>) -> Result<()> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return self.error("nested too deeply");
        }
        if !self.take(close) {
            loop {
                item(self)?;
                if self.take(close) {
                    break;
                }
                if !self.take(b',') {
                    return self.error("a comma or the end of the list was expected");
                }
            }
        }
        self.depth -= 1;
        Ok(())
    }

    /// An object: `field` reads the value of each key. Keys with a value of `null` are passed over.
    ///
    /// # Errors
    /// No object, nested more than 32 deep, an error of a field.
    pub fn object(&mut self, field: &mut dyn FnMut(&str, &mut Self) -> Result<()>) -> Result<()> {
        if !self.take(b'{') {
            return self.error("an object was expected");
        }
        self.items(b'}', &mut |json| {
            let key = json.text()?;
            if !json.take(b':') {
                return json.error("a colon was expected");
            }
            if json.literal(b"null") { Ok(()) } else { field(&key, json) }
        })
    }

    /// The items of a list.
    ///
    /// # Errors
    /// No list, more than 1,024 items, an error of an item.
    pub fn list<T>(&mut self, mut item: impl FnMut(&mut Self) -> Result<T>) -> Result<Vec<T>> {
        if !self.take(b'[') {
            return self.error("a list was expected");
        }
        let mut all = Vec::new();
        self.items(b']', &mut |json| {
            if all.len() == MOST_ITEMS {
                return json.error("more than 1,024 items");
            }
            all.push(item(json)?);
            Ok(())
        })?;
        Ok(all)
    }

    /// A text.
    ///
    /// # Errors
    /// No text, an unknown escape, invalid UTF-8.
    pub fn text(&mut self) -> Result<String> {
        let mut text = Vec::new();
        self.text_into(&mut |bytes| text.extend_from_slice(bytes))?;
        String::from_utf8(text).or_else(|_| self.error("invalid UTF-8"))
    }

    /// A text that is one of the known words.
    ///
    /// # Errors
    /// No text, another word.
    pub fn word<T>(&mut self, known: impl FnOnce(&str) -> Option<T>) -> Result<T> {
        let word = self.text()?;
        known(&word).map_or_else(|| self.error("an unknown word"), Ok)
    }

    /// A text that is an RFC 3339 time.
    ///
    /// # Errors
    /// No text, no such time.
    pub fn time(&mut self) -> Result<Time> {
        let text = self.text()?;
        let time = Time::parse_rfc3339(text.as_bytes());
        time.map_or_else(|| self.error("an RFC 3339 time of the years 0001 to 9999 was expected"), Ok)
    }

    /// Passes the parts of a text on, with its escapes resolved.
    fn text_into(&mut self, part: &mut dyn FnMut(&[u8])) -> Result<()> {
        if !self.take(b'"') {
            return self.error("a text was expected");
        }
        loop {
            let rest = self.text.get(self.offset..).unwrap_or_default();
            let plain = rest.iter().position(|byte| matches!(byte, b'"' | b'\\' | 0..0x20));
            let Some((plain, rest)) = plain.and_then(|plain| rest.split_at_checked(plain)) else {
                return self.error("a text without end");
            };
            part(plain);
            self.offset += plain.len() + 1;
            match rest.first() {
                Some(b'"') => return Ok(()),
                Some(b'\\') => {
                    let escaped = self.escape()?;
                    part(escaped.encode_utf8(&mut [0; 4]).as_bytes());
                }
                _ => return self.error("a control character in a text"),
            }
        }
    }

    fn escape(&mut self) -> Result<char> {
        let kind = self.text.get(self.offset).copied();
        self.offset += 1;
        Ok(match kind {
            Some(kind @ (b'"' | b'\\' | b'/')) => char::from(kind),
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'u') => self.unicode()?,
            _ => return self.error("an unknown escape"),
        })
    }

    /// The character of `\uXXXX`, or of a pair of surrogates; lone ones are replaced, as Go does.
    fn unicode(&mut self) -> Result<char> {
        let high = self.hex()?;
        if (0xd800..0xdc00).contains(&high)
            && self.text.get(self.offset..).is_some_and(|r| r.starts_with(b"\\u"))
        {
            let before = self.offset;
            self.offset += 2;
            let low = self.hex()?;
            if (0xdc00..0xe000).contains(&low) {
                let pair = 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
                return Ok(char::from_u32(pair).unwrap_or(char::REPLACEMENT_CHARACTER));
            }
            self.offset = before;
        }
        Ok(char::from_u32(high).unwrap_or(char::REPLACEMENT_CHARACTER))
    }

    fn hex(&mut self) -> Result<u32> {
        let digits = self.text.get(self.offset..).and_then(|rest| rest.first_chunk::<4>());
        let value = digits.and_then(|digits| {
            digits.iter().try_fold(0, |sum, digit| Some(sum * 16 + char::from(*digit).to_digit(16)?))
        });
        self.offset += 4;
        value.map_or_else(|| self.error("four hexadecimal digits were expected"), Ok)
    }

    /// A number as it is written.
    fn number(&mut self) -> Result<&'a [u8]> {
        let _ = self.peek();
        let rest = self.text.get(self.offset..).unwrap_or_default();
        let Some((number, _)) = number_length(rest).and_then(|length| rest.split_at_checked(length)) else {
            return self.error("a number was expected");
        };
        self.offset += number.len();
        Ok(number)
    }

    /// A whole number, which other programs may write as a negative one: that is 0.
    ///
    /// # Errors
    /// No such number, or one of 2^64 and more.
    pub fn count(&mut self) -> Result<u64> {
        let number = self.number()?;
        let (negative, digits) = match number.strip_prefix(b"-") {
            Some(digits) => (true, digits),
            None => (false, number),
        };
        match crate::number::count(digits) {
            Some(_) if negative => Ok(0),
            Some(value) => Ok(value),
            None => self.error("a whole number below 2^64 was expected"),
        }
    }

    /// What is left of something: as [`count`](Self::count), but -1 means that it is not known.
    ///
    /// # Errors
    /// As [`count`](Self::count).
    pub fn remaining(&mut self) -> Result<Option<u64>> {
        let before = self.offset;
        if self.number()? == b"-1" {
            return Ok(None);
        }
        self.offset = before;
        self.count().map(Some)
    }

    /// A non-negative decimal number, to a millionth; one of another range or form is passed over.
    ///
    /// # Errors
    /// No number.
    pub fn share(&mut self) -> Result<Option<f64>> {
        let millionths = crate::number::millionths(self.number()?);
        #[expect(clippy::cast_precision_loss, reason = "a share needs no more than 52 bits")]
        Ok(millionths.map(|share| share as f64 / 1e6))
    }

    /// `true` or `false`.
    ///
    /// # Errors
    /// Something else.
    pub fn flag(&mut self) -> Result<bool> {
        let is_true = self.literal(b"true");
        if is_true || self.literal(b"false") { Ok(is_true) } else { self.error("true or false was expected") }
    }

    /// Any value.
    ///
    /// # Errors
    /// No JSON.
    pub fn skip(&mut self) -> Result<()> {
        match self.peek() {
            Some(b'{') => self.object(&mut |_, json| json.skip()),
            Some(b'[') => {
                self.offset += 1;
                self.items(b']', &mut Self::skip)
            }
            Some(b'"') => self.text_into(&mut |_| ()),
            _ if self.literal(b"true") || self.literal(b"false") || self.literal(b"null") => Ok(()),
            _ => self.number().map(|_| ()),
        }
    }
}

/// Length of the number at the start of `text`; `None` where there is none.
fn number_length(text: &[u8]) -> Option<usize> {
    let digits = |from: usize| {
        let digits = text.get(from..).unwrap_or_default().iter().take_while(|byte| byte.is_ascii_digit());
        Some(from + digits.count()).filter(|end| *end > from)
    };
    let whole = usize::from(text.first() == Some(&b'-'));
    let mut end = digits(whole)?;
    if text.get(whole) == Some(&b'0') && end > whole + 1 {
        return None;
    }
    if text.get(end) == Some(&b'.') {
        end = digits(end + 1)?;
    }
    if let Some(b'e' | b'E') = text.get(end) {
        let sign = matches!(text.get(end + 1), Some(b'+' | b'-'));
        end = digits(end + 1 + usize::from(sign))?;
    }
    Some(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn skipped(text: &str) -> Result<()> {
        let mut reader = Reader::new(text.as_bytes());
        reader.skip()?;
        reader.end()
    }

    #[test]
    fn any_value_can_be_skipped() {
        for text in ["{}", "[]", r#"{"a":[1,-2.5e3,{"b":null}],"c":"\u00e9\"","d":true} "#, "false", "0"] {
            assert_eq!(skipped(text), Ok(()), "{text}");
        }
    }

    #[test]
    fn what_is_no_json_is_an_error() {
        for text in [
            "",
            "{",
            "[1",
            "[1,]",
            r#"{"a"}"#,
            r#"{"a":}"#,
            "{a:1}",
            r#""open"#,
            r#""\x""#,
            r#""\u12"#,
            "nul",
            "{} {}",
            "01",
            "-",
            "1.",
            ".5",
            "1e",
            "1-2",
            "+1",
            "--1",
            "1e+",
            "\"\n\"",
        ] {
            assert!(skipped(text).is_err(), "{text}");
        }
        let deep = "[".repeat(100_000);
        assert_eq!(skipped(&deep).unwrap_err().what, "nested too deeply");
    }

    #[test]
    fn texts_are_read_with_their_escapes() {
        let text = |json: &str| Reader::new(json.as_bytes()).text();
        assert_eq!(text(r#""a\n\u00e9\ud83d\ude00\/""#).unwrap(), "a\né😀/");
        assert_eq!(text(r#""\ud83d!\ude00""#).unwrap(), "\u{fffd}!\u{fffd}");
    }

    #[test]
    fn counts_are_whole_and_never_negative() {
        let count = |json: &str| Reader::new(json.as_bytes()).count();
        assert_eq!(count("-5"), Ok(0));
        assert_eq!(count("18446744073709551615"), Ok(u64::MAX));
        for text in ["18446744073709551616", "1.5", "1e3", "\"1\"", "-", "null"] {
            assert!(count(text).is_err(), "{text}");
        }
    }
}
