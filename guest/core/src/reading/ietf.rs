//! The IETF's `RateLimit` fields, of every generation: draft-ietf-httpapi-ratelimit-headers-00 to -11.
//!
//! The fields are structured ones (RFC 9651). What is malformed is ignored as a whole, as the drafts ask for.

use alloc::string::String;
use alloc::vec::Vec;
use core::convert::Infallible;

use sfv::visitor::{
    DictionaryVisitor, EntryVisitor, Ignored, InnerListVisitor, ItemVisitor, ListVisitor, ParameterVisitor,
};
use sfv::{BareItemFromInput, KeyRef, Parser};

use crate::limit::Limit;

/// Most members of one field that are kept.
const MOST_MEMBERS: usize = 16;
/// Longest field that is looked at, in bytes.
const MOST_BYTES: usize = 4096;

/// What a member of a field says: a limit, or a policy.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Member {
    /// The policy that it is about; empty where none is named.
    pub(super) name: String,
    /// The member's own value, where it is a number.
    number: Option<u64>,
    /// The allowance.
    pub(super) limit: Option<u64>,
    /// What is left of it.
    pub(super) remaining: Option<u64>,
    /// Seconds from now until it resets.
    pub(super) reset_s: Option<u64>,
    /// Length of its window in seconds.
    pub(super) window_s: Option<u64>,
}

/// The limits that `RateLimit` tells: from -08 on a list, `"default";r=50;t=30`; in -07 a dictionary,
/// `limit=100, remaining=50, reset=30`.
pub(super) fn limits(value: &[u8]) -> Vec<Member> {
    let mut members = list(value);
    if members.is_empty() {
        let mut told = Member::default();
        for Member { name, number, .. } in dictionary(value) {
            match name.as_str() {
                "limit" => told.limit = number,
                "remaining" => told.remaining = number,
                "reset" => told.reset_s = number,
                _ => {}
            }
        }
        members.push(told);
    }
    members.retain(|member| member.remaining.is_some());
    members
}

/// The allowance at the front of `10, 10;w=1, 50;w=60`.
pub(super) fn first_limit(value: &[u8]) -> Option<u64> {
    list(value).first()?.number
}

/// Gives limits the length of window and the allowance that a policy states: `100;w=60`, `"burst";q=100;w=60`.
pub(super) fn apply_policies(value: &[u8], limits: &mut [Limit]) {
    for policy in list(value) {
        let allowance = policy.limit.or(policy.number);
        let fits = |limit: &&mut Limit| match policy.name.as_str() {
            "" => allowance.is_some() && limit.limit == allowance,
            name => limit.pool.as_str() == name,
        };
        for limit in limits.iter_mut().filter(fits) {
            limit.limit = limit.limit.or(allowance);
            limit.window_s = limit.window_s.or(policy.window_s);
        }
    }
}

fn list(value: &[u8]) -> Vec<Member> {
    let mut members = Vec::new();
    let parsed = parser(value).map(|parser| parser.parse_list_with_visitor(Members(&mut members)));
    if matches!(parsed, Some(Ok(()))) { members } else { Vec::new() }
}

fn dictionary(value: &[u8]) -> Vec<Member> {
    let mut members = Vec::new();
    let parsed = parser(value).map(|parser| parser.parse_dictionary_with_visitor(Members(&mut members)));
    if matches!(parsed, Some(Ok(()))) { members } else { Vec::new() }
}

fn parser(value: &[u8]) -> Option<Parser<'_>> {
    (value.len() <= MOST_BYTES).then(|| Parser::new(value))
}

/// Gathers the members of a field. Inner lists are no member of any of these fields.
struct Members<'a>(&'a mut Vec<Member>);

impl Members<'_> {
    fn add(&mut self, name: &str) -> Option<&mut Member> {
        if self.0.len() == MOST_MEMBERS {
            return None;
        }
        self.0.push(Member { name: name.into(), ..Member::default() });
        self.0.last_mut()
    }
}

impl<'de> ListVisitor<'de> for Members<'_> {
    type Out = ();
    type Error = Infallible;

    fn entry(&mut self) -> Result<impl EntryVisitor<'de>, Infallible> {
        Ok(self.add(""))
    }

    fn finish(self) -> Result<(), Infallible> {
        Ok(())
    }
}

impl<'de> DictionaryVisitor<'de> for Members<'_> {
    type Out = ();
    type Error = Infallible;

    fn entry(&mut self, key: &'de KeyRef) -> Result<impl EntryVisitor<'de>, Infallible> {
        Ok(self.add(key.as_str()))
    }

    fn finish(self) -> Result<(), Infallible> {
        Ok(())
    }
}

impl<'de> EntryVisitor<'de> for &mut Member {
    type Error = Infallible;

    fn item(self) -> Result<impl ItemVisitor<'de>, Infallible> {
        Ok(self)
    }

    fn inner_list(self) -> Result<impl InnerListVisitor<'de>, Infallible> {
        Ok(Ignored)
    }
}

impl<'de> ItemVisitor<'de> for &mut Member {
    type Out = ();
    type Error = Infallible;

    fn bare_item(
        self,
        item: BareItemFromInput<'de>,
    ) -> Result<impl ParameterVisitor<'de, Out = ()>, Infallible> {
        match &item {
            BareItemFromInput::String(text) => self.name = text.as_str().into(),
            BareItemFromInput::Token(token) => self.name = token.as_str().into(),
            _ => self.number = count(&item),
        }
        Ok(self)
    }
}

/// Of a parameter that stands twice the last one counts.
impl<'de> ParameterVisitor<'de> for &mut Member {
    type Out = ();
    type Error = Infallible;

    fn parameter(&mut self, key: &'de KeyRef, value: BareItemFromInput<'de>) -> Result<(), Infallible> {
        let place = match key.as_str() {
            "l" | "q" => &mut self.limit,
            "r" => &mut self.remaining,
            "t" => &mut self.reset_s,
            "w" => &mut self.window_s,
            _ => return Ok(()),
        };
        *place = count(&value);
        Ok(())
    }

    fn finish(self) -> Result<(), Infallible> {
        Ok(())
    }
}

/// A whole number that is not negative.
fn count(item: &BareItemFromInput<'_>) -> Option<u64> {
    match item {
        BareItemFromInput::Integer(number) => u64::try_from(i64::from(*number)).ok(),
        _ => None,
    }
}
