//! The parts of JSON, of which some may be missing: whatever stands there, each step goes on.

use alloc::vec::Vec;

/// The unread rest of a text.
pub(super) struct Scan<'a> {
    rest: &'a [u8],
}

impl<'a> Scan<'a> {
    pub(super) const fn new(rest: &'a [u8]) -> Self {
        Self { rest }
    }

    pub(super) const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Passes over at most that many bytes.
    pub(super) fn skip(&mut self, bytes: usize) {
        self.rest = self.rest.get(bytes..).unwrap_or_default();
    }

    /// Passes over what is expected, if it is there.
    pub(super) fn take(&mut self, expected: &[u8]) -> bool {
        let rest = self.rest.strip_prefix(expected);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    /// The first byte that is no white space. A value may be spread over lines of an event stream.
    pub(super) fn peek(&mut self) -> Option<u8> {
        loop {
            match self.rest {
                [b'\n', b'd', b'a', b't', b'a', b':', rest @ ..]
                | [b' ' | b'\t' | b'\r' | b'\n', rest @ ..] => self.rest = rest,
                [first, ..] => return Some(*first),
                [] => return None,
            }
        }
    }

    /// The start of a text in quotes, its escapes resolved. False where its end is missing, or was cut
    /// off at `most` bytes; the next event of a stream ends it at the latest.
    pub(super) fn string(&mut self, out: &mut Vec<u8>, most: usize) -> bool {
        out.clear();
        self.skip(1);
        let mut whole = true;
        let mut push = |bytes: &[u8]| {
            let fitting = bytes.len().min(most - out.len());
            out.extend_from_slice(bytes.get(..fitting).unwrap_or_default());
            whole &= fitting == bytes.len();
        };
        loop {
            let plain = self.rest.iter().position(|byte| matches!(byte, b'"' | b'\\' | b'\n'));
            let (plain, rest) =
                self.rest.split_at_checked(plain.unwrap_or(self.rest.len())).unwrap_or_default();
            push(plain);
            self.rest = rest;
            match rest {
                [b'"', rest @ ..] => {
                    self.rest = rest;
                    return whole;
                }
                [b'\\', kind, rest @ ..] => {
                    self.rest = rest;
                    let escaped = match kind {
                        b'n' => '\n',
                        b'r' => '\r',
                        b't' => '\t',
                        b'b' => '\u{8}',
                        b'f' => '\u{c}',
                        b'u' => self.unicode(),
                        other => char::from(*other),
                    };
                    push(escaped.encode_utf8(&mut [0; 4]).as_bytes());
                }
                [b'\n', event @ ..] if !event.starts_with(b"data:") && !event.starts_with(b"event:") => {
                    self.rest = event;
                    push(b"\n");
                }
                [b'\n', ..] => return false,
                _ => {
                    self.rest = &[];
                    return false;
                }
            }
        }
    }

    /// The character of four hexadecimal digits; what is none, such as half of a pair, is replaced.
    fn unicode(&mut self) -> char {
        let digits = self.rest.first_chunk::<4>();
        let code = digits.and_then(|digits| {
            digits.iter().try_fold(0, |sum, digit| Some(sum * 16 + char::from(*digit).to_digit(16)?))
        });
        self.skip(if code.is_some() { 4 } else { 0 });
        code.and_then(char::from_u32).unwrap_or(char::REPLACEMENT_CHARACTER)
    }

    /// A number or a word without quotes, and whether its end is there; never nothing, unless all is read.
    pub(super) fn bare(&mut self) -> (&'a [u8], bool) {
        let end = self.rest.iter().position(|byte| {
            matches!(byte, b',' | b':' | b'"' | b'{' | b'}' | b'[' | b']') || byte.is_ascii_whitespace()
        });
        let length = end.unwrap_or(self.rest.len()).max(1);
        let (bare, rest) = self.rest.split_at_checked(length).unwrap_or_default();
        self.rest = rest;
        (bare, end.is_some())
    }

    /// Any value, however deep.
    pub(super) fn pass_over(&mut self, unused: &mut Vec<u8>) {
        let mut depth = 0u32;
        while let Some(byte) = self.peek() {
            match byte {
                b'"' => _ = self.string(unused, 0),
                b'{' | b'[' => {
                    self.skip(1);
                    depth += 1;
                }
                b'}' | b']' if depth > 0 => {
                    self.skip(1);
                    depth -= 1;
                }
                _ if depth == 0 && matches!(byte, b'}' | b']' | b',') => return,
                _ => _ = self.bare(),
            }
            if depth == 0 {
                return;
            }
        }
    }
}
