//! What of a response goes into the sandbox: the headers that the profile names, and a body only if it is read.

use super::bindings::exports::runtime_signals::signals::collection::Wanted as Described;
use crate::engine::wit::NameMatch;
use crate::observation::{Headers, Observation};

/// Most bytes of headers of one response. Those beyond it are left out.
const MOST_BYTES: usize = 64 << 10;
/// Longest header name that is looked at.
const LONGEST_NAME: usize = 128;

/// What of a provider type's responses is read.
pub(super) struct Wanted(Described);

impl Wanted {
    pub(super) const fn new(described: Described) -> Self {
        Self(described)
    }

    fn names(&self, name: &str) -> bool {
        self.0.headers.iter().any(|wanted| match wanted.kind {
            NameMatch::Exact => name == wanted.name,
            NameMatch::Prefix => name.starts_with(&wanted.name),
            NameMatch::Suffix => name.ends_with(&wanted.name),
        })
    }

    /// The headers that are looked at, in their order.
    pub(super) fn headers(&self, all: &dyn Headers) -> Vec<(String, Vec<u8>)> {
        let mut headers = Vec::new();
        let mut left = MOST_BYTES;
        all.for_each(&mut |name, value| {
            let bytes = name.len() + value.len();
            if name.len() > LONGEST_NAME || bytes > left {
                return;
            }
            let name = String::from_utf8(name.to_ascii_lowercase());
            if let Some(name) = name.ok().filter(|name| self.names(name)) {
                left -= bytes;
                headers.push((name, value.to_vec()));
            }
        });
        headers
    }

    /// The body, if it is looked at.
    pub(super) fn body<'a>(&self, observation: &Observation<'a>) -> Option<&'a [u8]> {
        let is_read = self.0.all_bodies || observation.status.is_none_or(|status| status >= 400);
        let body = observation.body.filter(|_| is_read)?;
        Some(body.get(..MOST_BYTES).unwrap_or(body))
    }
}
