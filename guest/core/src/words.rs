//! Words of enumerations: what stands in JSON and in exported state.

/// Gives an enumeration of plain cases its words, and the case of each word.
macro_rules! words {
    ($type:ident { $($case:ident => $word:literal),* $(,)? } $(else $open:ident)?) => {
        impl $type {
            /// The word for it in JSON.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$case => $word,)*
                }
            }

            /// The case of a word; `None` for words of no case.
            #[must_use]
            pub fn from_word(word: &str) -> Option<Self> {
                const CASES: &[$type] = &[$($type::$case),*];
                CASES.iter().copied().find(|case| case.as_str() == word)
            }
        }

        $(impl From<&str> for $type {
            fn from(word: &str) -> Self {
                Self::from_word(word).unwrap_or(Self::$open)
            }
        })?
    };
}
pub(crate) use words;
