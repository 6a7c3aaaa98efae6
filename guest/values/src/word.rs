//! Digits eight at a time, within one word.

/// The highest bit of each byte.
const HIGH: u64 = 0x8080_8080_8080_8080;
/// What brings the first value beyond a digit's to the highest bit of each byte.
const BEYOND_NINE: u64 = 0x7676_7676_7676_7676;
const ZEROS: u64 = 0x3030_3030_3030_3030;

/// The first eight bytes of a text, the first one lowest; zeros where it is shorter.
#[inline(always)]
fn load(text: &[u8]) -> u64 {
    if let Some(eight) = text.first_chunk() {
        return u64::from_le_bytes(*eight);
    }
    // Two reads that overlap.
    let ends = match (text.first_chunk::<4>(), text.last_chunk::<4>()) {
        (Some(first), Some(last)) => (u32::from_le_bytes(*first), u32::from_le_bytes(*last), 4),
        _ => match (text.first_chunk::<2>(), text.last_chunk::<2>()) {
            (Some(first), Some(last)) => {
                (u16::from_le_bytes(*first).into(), u16::from_le_bytes(*last).into(), 2)
            }
            _ => return text.first().copied().unwrap_or(0).into(),
        },
    };
    let (first, last, width) = ends;
    u64::from(first) | u64::from(last) << ((text.len() - width) * 8)
}

/// The number that a text is: of one to eight digits and nothing else.
#[inline(always)]
pub(crate) fn whole(text: Text<'_>) -> Option<u64> {
    let unused = 8usize.checked_sub(text.length).filter(|unused| *unused < 8)?;
    // As if zeros stood in front.
    let digits = (text.word() ^ ZEROS) << (8 * unused);
    let fits = (digits.wrapping_add(BEYOND_NINE) | digits) & HIGH == 0;
    fits.then(|| number_of(digits))
}

/// A text and what stands behind it, so that it can be read word by word.
#[derive(Clone, Copy, Debug)]
pub struct Text<'a> {
    bytes: &'a [u8],
    length: usize,
}

impl<'a> Text<'a> {
    /// The first bytes, as many as `length`; `None` where there are fewer.
    #[must_use]
    #[inline(always)]
    pub const fn new(bytes: &'a [u8], length: usize) -> Option<Self> {
        if length <= bytes.len() { Some(Self { bytes, length }) } else { None }
    }

    /// The text alone.
    #[must_use]
    #[inline(always)]
    pub fn alone(self) -> &'a [u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }

    /// The first eight bytes, with what stands behind the text.
    #[inline(always)]
    fn word(self) -> u64 {
        match self.bytes.first_chunk() {
            Some(eight) => u64::from_le_bytes(*eight),
            None => load(self.alone()),
        }
    }

    /// The number that the first digits make, of at most eight, and their count.
    #[inline(always)]
    pub(crate) fn leading_digits(self) -> (u64, usize) {
        let digits = self.word() ^ ZEROS;
        let behind = if self.length < 8 { HIGH << (8 * self.length) } else { 0 };
        let others = (digits.wrapping_add(BEYOND_NINE) | digits) & HIGH | behind;
        let bits = others.trailing_zeros() & !7;
        // As if zeros stood in front.
        let eight = digits.checked_shl(64 - bits).unwrap_or(0);
        (number_of(eight), (bits / 8) as usize)
    }

    /// The text from the byte of this place on.
    #[inline(always)]
    pub(crate) fn behind(self, place: usize) -> Option<Self> {
        Some(Self { bytes: self.bytes.get(place..)?, length: self.length.checked_sub(place)? })
    }
}

/// The number of eight digits, one a byte, the first one lowest.
#[inline]
const fn number_of(digits: u64) -> u64 {
    const LANES: u64 = 0x0000_00ff_0000_00ff;
    let pairs = digits.wrapping_mul(10).wrapping_add(digits >> 8);
    let outer = (pairs & LANES).wrapping_mul(100 + (1_000_000 << 32));
    let inner = (pairs >> 16 & LANES).wrapping_mul(1 + (10_000 << 32));
    outer.wrapping_add(inner) >> 32
}

/// Eight bytes of a text of fixed form: `0` stands for any digit, all else for itself.
pub(crate) struct Form {
    pattern: u64,
    /// What brings the first value of a byte that does not fit to the highest bit.
    slack: u64,
}

impl Form {
    pub(crate) const fn new(pattern: [u8; 8]) -> Self {
        let mut slack = 0;
        let mut rest = pattern.as_slice();
        while let [before @ .., byte] = rest {
            slack = slack << 8 | if *byte == b'0' { 0x7f - 9 } else { 0x7f };
            rest = before;
        }
        Self { pattern: u64::from_le_bytes(pattern), slack }
    }

    /// What each two neighbouring digits make, in the place of the first of them.
    #[inline(always)]
    pub(crate) fn pairs(&self, text: [u8; 8]) -> Option<[u8; 8]> {
        let digits = u64::from_le_bytes(text) ^ self.pattern;
        let fits = (digits.wrapping_add(self.slack) | digits) & HIGH == 0;
        fits.then(|| (digits * 10 + (digits >> 8)).to_le_bytes())
    }
}

#[cfg(test)]
mod tests {
    use alloc::format;
    use alloc::vec::Vec;

    use super::*;

    fn one_by_one(text: &[u8]) -> (u64, usize) {
        let digits: Vec<_> = text.iter().take(8).take_while(|byte| byte.is_ascii_digit()).collect();
        (digits.iter().fold(0, |number, digit| number * 10 + u64::from(**digit - b'0')), digits.len())
    }

    #[test]
    fn digits_are_read_as_one_by_one() {
        for number in [0u64, 1, 9, 10, 42, 999, 1_000, 59_999, 199_938, 7_654_321, 12_345_678, 987_654_321] {
            for beginning in ["", "0", "00", "x", "-"] {
                for end in ["", "s", ".64s", "/", ":", "\0", "\u{ff}", "-01-15T12:00:00Z"] {
                    let text = format!("{beginning}{number}{end}");
                    let bytes = text.as_bytes();
                    for length in 0..=bytes.len() {
                        let (text, alone) = (Text::new(bytes, length).unwrap(), &bytes[..length]);
                        let digits = one_by_one(alone);
                        assert_eq!(text.leading_digits(), digits, "{alone:?}");
                        let is_number = digits.1 == length && (1..=8).contains(&length);
                        assert_eq!(whole(text), is_number.then_some(digits.0), "{alone:?}");
                    }
                }
            }
        }
        for byte in 0..=255 {
            for length in 0..=9 {
                for place in 0..length {
                    let mut text = Vec::from(&b"123456789"[..length]);
                    text[place] = byte;
                    let word = Text::new(&text, length).unwrap();
                    assert_eq!(word.leading_digits(), one_by_one(&text), "{text:?}");
                }
            }
        }
    }
}
