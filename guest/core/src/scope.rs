//! Scopes: to whom limits and refusals apply. They stand in every limit, so they are small and shared.

use alloc::rc::Rc;
use alloc::string::String;

use crate::text;

/// A short text that is shared by all that carry it. The empty one takes no memory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Name(Option<Rc<str>>);

impl Name {
    /// The empty name.
    pub const EMPTY: Self = Self(None);

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_deref().unwrap_or_default()
    }

    /// Is it the empty one?
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// Is it this one?
    #[inline(always)]
    pub(crate) fn is(&self, text: &str) -> bool {
        match &self.0 {
            Some(own) => **own == *text,
            None => text.is_empty(),
        }
    }

    /// The start of it, within the bound for names.
    #[must_use]
    pub fn bounded(self) -> Self {
        if self.as_str().len() <= text::NAME_BYTES { self } else { Self::from(self.as_str()) }
    }
}

/// A longer text is cut.
impl From<&str> for Name {
    fn from(text: &str) -> Self {
        let start = text.get(..text.floor_char_boundary(text::NAME_BYTES)).unwrap_or_default();
        Self((!start.is_empty()).then(|| start.into()))
    }
}

/// To whom a limit applies, as far as it is known.
#[derive(Clone, Debug, Default, Eq)]
pub struct Scope(Option<Rc<Names>>);

#[derive(Debug, PartialEq, Eq)]
struct Names {
    account: Option<String>,
    model: Option<String>,
}

impl Names {
    #[inline(never)]
    fn are(&self, other: &Self) -> bool {
        self == other
    }
}

/// Scopes of one origin are told equal without a look at their names.
impl PartialEq for Scope {
    #[inline(always)]
    fn eq(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (None, None) => true,
            (Some(own), Some(other)) => Rc::ptr_eq(own, other) || own.are(other),
            _ => false,
        }
    }
}

impl Scope {
    /// The scope of which nothing is known.
    pub const EVERYONE: Self = Self(None);

    /// A scope. Foreign names are kept within bounds; an empty one is none.
    #[must_use]
    pub fn new(account: Option<&str>, model: Option<&str>) -> Self {
        let name = |name: Option<&str>| {
            let name = name.filter(|name| !name.is_empty())?;
            Some(name.get(..name.floor_char_boundary(text::NAME_BYTES))?.into())
        };
        let (account, model) = (name(account), name(model));
        let known = account.is_some() || model.is_some();
        Self(known.then(|| Rc::new(Names { account, model })))
    }

    /// The account.
    #[must_use]
    pub fn account(&self) -> Option<&str> {
        self.0.as_deref()?.account.as_deref()
    }

    /// The model.
    #[must_use]
    pub fn model(&self) -> Option<&str> {
        self.0.as_deref()?.model.as_deref()
    }

    /// Is this the scope of these names?
    #[must_use]
    pub fn is_of(&self, account: Option<&str>, model: Option<&str>) -> bool {
        self.account() == account && self.model() == model
    }
}
