//! Text of foreign origin, kept within bounds.

use alloc::string::String;

/// Longest error message that is kept, in bytes.
pub const MESSAGE_BYTES: usize = 512;
/// Longest account or model name that is kept, in bytes.
pub const NAME_BYTES: usize = 128;

/// The start of `bytes` as text: at most `limit` bytes, invalid UTF-8 replaced, control characters made
/// spaces.
#[must_use]
pub fn bounded(bytes: &[u8], limit: usize) -> String {
    let bytes = bytes.get(..limit.min(bytes.len())).unwrap_or_default();
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        let valid = chunk.valid().chars().map(|c| if c.is_control() { ' ' } else { c });
        let replaced = (!chunk.invalid().is_empty()).then_some(char::REPLACEMENT_CHARACTER);
        for c in valid.chain(replaced) {
            // A replacement is longer than what it replaces.
            if text.len() + c.len_utf8() <= limit {
                text.push(c);
            }
        }
    }
    text
}

/// Cuts a text to at most `limit` bytes, at a character.
pub fn cut(text: &mut String, limit: usize) {
    text.truncate(text.floor_char_boundary(limit));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_cut_and_cleaned() {
        assert_eq!(bounded(b"fine", 512), "fine");
        assert_eq!(bounded("naïve".as_bytes(), 3), "na");
        assert_eq!(bounded(b"a\xff\nb", 512), "a\u{fffd} b");
        assert_eq!(bounded(&[0xff; 600], MESSAGE_BYTES).len(), 510);
    }

    #[test]
    fn a_text_is_cut_between_characters() {
        for (limit, expected) in [(0, ""), (1, "n"), (2, "na"), (3, "na"), (4, "naï"), (9, "naïve")] {
            let mut text = String::from("naïve");
            cut(&mut text, limit);
            assert_eq!(text, expected);
        }
    }
}
