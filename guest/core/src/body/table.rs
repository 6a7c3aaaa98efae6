//! Words and their meanings, packed by the compiler: a list of slices would take three times the space.

/// Longest word, in bytes.
pub(super) const LONGEST: usize = 24;

/// Words with meanings.
pub(super) struct Table<T: 'static> {
    /// The words by their length, without separators.
    pub text: &'static [u8],
    /// The meanings, in the same order.
    pub meanings: &'static [T],
    /// For each length, the number of words that are shorter, and where in the text its words begin.
    pub starts: &'static [(u8, u16)],
}

impl<T: Copy> Table<T> {
    /// The meaning of a word.
    pub(super) fn get(&self, word: &[u8]) -> Option<T> {
        let place = place(self.text, self.starts, word)?;
        self.meanings.get(place).copied()
    }
}

fn place(text: &[u8], starts: &[(u8, u16)], word: &[u8]) -> Option<usize> {
    let [(before, start), (_, end)] = *starts.get(word.len()..)?.first_chunk()?;
    let words = text.get(usize::from(start)..usize::from(end))?;
    let (first, tail) = word.split_first()?;
    // Few words are compared beyond their first letter.
    let same =
        |other: &[u8]| other.split_first().is_some_and(|(letter, rest)| letter == first && rest == tail);
    Some(usize::from(before) + words.chunks_exact(word.len()).position(same)?)
}

/// Makes a `Table` of a list of words and meanings in any order.
macro_rules! table {
    ($words:expr, $type:ty) => {{
        use $crate::body::table::{self, Table};
        const WORDS: &[(&str, $type)] = $words;
        const BYTES: usize = table::bytes!(WORDS);
        const PACKED: ([u8; BYTES], [$type; WORDS.len()], [(u8, u16); table::LONGEST + 2]) =
            table::pack!(WORDS, BYTES);
        Table { text: &PACKED.0, meanings: &PACKED.1, starts: &PACKED.2 }
    }};
}
pub(super) use table;

/// The length of all words.
macro_rules! bytes {
    ($words:expr) => {{
        let (mut sum, mut rest) = (0, $words);
        while let [(word, _), more @ ..] = rest {
            assert!(!word.is_empty() && word.len() <= table::LONGEST);
            sum += word.len();
            rest = more;
        }
        sum
    }};
}
pub(super) use bytes;

/// The words ordered by length, their meanings, and where each length starts.
macro_rules! pack {
    ($words:expr, $bytes:expr) => {{
        let (mut text, mut meanings) = ([0; $bytes], [$words[0].1; $words.len()]);
        let mut starts = [(0, 0); table::LONGEST + 2];
        let (mut length, mut at, mut place) = (0, 0, 0);
        while length < starts.len() {
            starts[length] = (place as u8, at as u16);
            let mut rest: &[(&str, _)] = $words;
            while let [(word, meaning), more @ ..] = rest {
                if word.len() == length {
                    let mut byte = 0;
                    while byte < length {
                        text[at] = word.as_bytes()[byte];
                        (at, byte) = (at + 1, byte + 1);
                    }
                    meanings[place] = *meaning;
                    place += 1;
                }
                rest = more;
            }
            length += 1;
        }
        assert!(place < 256 && at < 65_536);
        (text, meanings, starts)
    }};
}
pub(super) use pack;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_any_length_are_found_and_others_are_not() {
        let table: Table<u32> = table!(&[("b", 1), ("alpha", 2), ("a", 3), ("gamma", 4), ("zz", 5)], u32);
        for (word, expected) in [
            ("a", Some(3)),
            ("b", Some(1)),
            ("alpha", Some(2)),
            ("gamma", Some(4)),
            ("zz", Some(5)),
            ("", None),
            ("c", None),
            ("bz", None),
            ("delta", None),
            ("abcdefghijklmnopqrstuvwx", None),
            ("abcdefghijklmnopqrstuvwxyz", None),
        ] {
            assert_eq!(table.get(word.as_bytes()), expected, "{word}");
        }
    }
}
