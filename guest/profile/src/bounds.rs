//! How much a profile may hold. Both the reader of TOML and the reader of a set keep to it.

/// Most headers of one profile: their frame ids end at 255.
pub const MOST_HEADERS: usize = 200;
/// Most limits of one profile.
pub const MOST_LIMITS: usize = 24;
/// Most rules of one profile that tell refusals apart.
pub const MOST_REFUSALS: usize = 48;
/// Most items of any other list: aliases, claims, names of one thing, words, texts, status codes.
pub const MOST_ITEMS: usize = 32;
/// Longest name, word or text, in bytes.
pub const LONGEST_TEXT_BYTES: usize = 120;
