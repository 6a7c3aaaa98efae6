//! Words of enumerations: what stands in JSON, in TOML and in exported state.

/// Gives an enumeration of plain cases its words, and the case of each word.
#[macro_export]
macro_rules! words {
    ($type:ident { $($case:ident => $word:literal),* $(,)? } $(else $open:ident)?) => {
        impl $type {
            /// The word for it.
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

        impl core::fmt::Display for $type {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl $crate::carry::State for $type {
            fn save(&self, to: &mut $crate::Vec<u8>) {
                to.push(*self as u8);
            }
            fn load(from: &mut &[u8]) -> Option<Self> {
                const CASES: &[$type] = &[$($type::$case),*];
                CASES.get(usize::from($crate::carry::byte(from)?)).copied()
            }
        }

        $(impl From<&str> for $type {
            fn from(word: &str) -> Self {
                Self::from_word(word).unwrap_or(Self::$open)
            }
        })?
    };
}
