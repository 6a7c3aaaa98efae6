//! The headers that a parser asks for.

use alloc::string::ToString;

use crate::bindings::exports::runtime_signals::signals::types::{NameMatch, WantedHeader};

/// A header that a parser asks for, or all headers whose names begin or end alike.
#[derive(Clone, Copy, Debug)]
pub struct Header {
    /// Its number in frames.
    pub(crate) id: u8,
    kind: NameMatch,
    name: &'static str,
}

impl Header {
    /// The header of this name, in lower case. Each header has its own number, 16 to 255.
    #[must_use]
    pub const fn exact(id: u8, name: &'static str) -> Self {
        Self { id, kind: NameMatch::Exact, name }
    }

    /// All headers whose names begin so.
    #[must_use]
    pub const fn prefix(id: u8, name: &'static str) -> Self {
        Self { id, kind: NameMatch::Prefix, name }
    }

    /// All headers whose names end so.
    #[must_use]
    pub const fn suffix(id: u8, name: &'static str) -> Self {
        Self { id, kind: NameMatch::Suffix, name }
    }

    /// Does its value come behind the name that it was sent under?
    pub(crate) const fn is_pattern(self) -> bool {
        !matches!(self.kind, NameMatch::Exact)
    }

    pub(crate) fn wanted(self) -> WantedHeader {
        WantedHeader { id: self.id, kind: self.kind, name: self.name.to_string() }
    }
}
