//! Readings: what one response says about limits.
//!
//! Hints are evidence, not truth. A wait of zero says nothing about when to come back. Within one response a
//! stated wait ends the refusal, unless the profile doubts it or knows an edge of the wall clock that lies
//! later: then the later one counts. Times by the provider's clock are moved by what its `Date` is wrong.

use alloc::vec::Vec;
use core::time::Duration;

use crate::body::{self, Body};
use crate::edge::{self, Edge};
use crate::limit::{Limit, Name, Quantity};
use crate::number;
use crate::packed::{FIRST_HEADER, Observation};
use crate::profile::{Header, LimitRule, NameMatch, Profile, What};
use crate::refusal::RefusalClass;
use crate::signal::Reason;
use crate::time::Time;

mod classify;
mod facts;
mod ietf;
mod parts;
mod plain;
#[cfg(test)]
mod tests;

pub use classify::failure;
pub(crate) use facts::Clock;
pub use plain::Plain;
pub(crate) use plain::PlainLimit;

use facts::Facts;
use parts::Parts;

/// Most limits of one response.
const MOST_LIMITS: usize = 32;

/// What one response says about limits.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reading {
    /// Smallest count of requests left.
    pub remaining_requests: Option<u64>,
    /// Smallest count of tokens left.
    pub remaining_tokens: Option<u64>,
    /// Reset of the limit that binds.
    pub reset_at: Option<Time>,
    /// The wait that the response states.
    pub retry_after: Option<Duration>,
    /// It shows that a limit of the caller is used up.
    pub exhausted: bool,
    /// The limits themselves.
    pub limits: Vec<Limit>,
    /// Why, where there is anything to explain.
    pub reason: Option<Reason>,
    /// What kind of refusal it is.
    pub refusal: Option<RefusalClass>,
    /// When the refusal ends, where that follows from more than the stated wait.
    pub refusal_ends_at: Option<Time>,
    /// The model that is refused, where the response names it.
    pub model: Name,
    /// The status that an error envelope within a successful response states.
    pub inner_status: Option<u16>,
    /// Allowances that the provider does not tell, to count the call against.
    pub declared: Vec<Declared>,
}

/// An allowance of requests that a profile declares for a provider that says nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Declared {
    /// The allowance of one window.
    pub allowance: u64,
    /// Length of the window in seconds.
    pub window_s: u32,
    /// The edge of the wall clock at which the window ends; else it begins with the first call.
    pub edge: Edge,
}

impl Reading {
    /// What kind of refusal it is; where its parser names no class, the rest of it decides.
    ///
    /// Limits that are used up speak for themselves, unless the response also states when to come back.
    #[must_use]
    pub fn class(&self) -> Option<RefusalClass> {
        let unsaid = || {
            let says = self.limits.iter().any(Limit::is_used_up)
                || [self.remaining_requests, self.remaining_tokens].contains(&Some(0));
            let hinted = self.retry_after.is_some_and(|wait| !wait.is_zero());
            (self.exhausted && (hinted || !says)).then(|| Reason::class(self.reason))
        };
        self.refusal.or_else(unsaid)
    }

    /// When the response itself says that its refusal ends.
    #[must_use]
    pub fn stated_end(&self, received_at: Time) -> Option<Time> {
        let hinted = || received_at.checked_add(self.retry_after.filter(|wait| !wait.is_zero())?);
        self.refusal_ends_at.or_else(hinted)
    }

    /// Makes a foreign reading whole: counts without a limit, which is all that a simple parser tells, become one
    /// each. Figures and times out of range are brought into it.
    pub fn complete(&mut self, received_at: Time) {
        self.limits = core::mem::take(&mut self.limits).into_iter().map(Limit::bounded).collect();
        let counts = [
            (
                Quantity::Requests,
                self.remaining_requests.filter(|_| Limit::requests_left(&self.limits).is_none()),
            ),
            (Quantity::Tokens, self.remaining_tokens.filter(|_| Limit::tokens_left(&self.limits).is_none())),
        ];
        let one_is_zero = counts.iter().any(|(_, remaining)| *remaining == Some(0));
        for (quantity, remaining) in counts {
            if remaining.is_some() {
                // The reset is that of the limit that binds.
                let resets_at = self.reset_at.filter(|_| !one_is_zero || remaining == Some(0));
                self.limits.push(Limit { remaining, resets_at, ..Limit::new(quantity, received_at) });
            }
        }
        for limit in &mut self.limits {
            limit.captured_at = received_at;
            limit.resets_at = limit.resets_at.filter(|resets_at| *resets_at > received_at);
        }
    }

    fn clear(&mut self) {
        self.limits.clear();
        self.declared.clear();
        let (limits, declared) = (core::mem::take(&mut self.limits), core::mem::take(&mut self.declared));
        *self = Self { limits, declared, ..Self::default() };
    }
}

/// Reads responses; keeps its memory from one to the next.
#[derive(Debug, Default)]
pub struct Reader {
    /// By rule of the profile, what the headers say.
    parts: Vec<Parts>,
    /// The same for pools that are named by the response: rule, name.
    named: Vec<(usize, Name, Parts)>,
    /// Which rules have parts.
    told: u32,
}

/// Ranks of waits: those in milliseconds are more exact than those in seconds.
const RANK_OF_SECONDS: u8 = 0x40;
/// Headers behind an embedding name, or within a body, tell less than the response's own.
const RANK_OF_EMBEDDED: u8 = 0x80;

impl Reader {
    /// Reads a response by a profile, and where its own rules tell nothing by those of `common`.
    ///
    /// The summary of the limits (what is left, and the reset) is not made: see [`summarize`](Self::summarize).
    pub fn read(
        &mut self,
        profile: &Profile,
        common: Option<&Profile>,
        response: &Observation<'_>,
        reading: &mut Reading,
    ) {
        self.read_with(profile, common, response, reading, false);
    }

    /// Reads a response, and sums its limits up.
    pub fn summarize(
        &mut self,
        profile: &Profile,
        common: Option<&Profile>,
        response: &Observation<'_>,
    ) -> Reading {
        let mut reading = Reading::default();
        self.read_with(profile, common, response, &mut reading, true);
        reading
    }

    fn read_with(
        &mut self,
        profile: &Profile,
        common: Option<&Profile>,
        response: &Observation<'_>,
        reading: &mut Reading,
        sum_up: bool,
    ) {
        reading.clear();
        self.told = 0;
        self.named.clear();
        self.parts.resize(profile.limits.len(), Parts::NONE);
        let now = response.received_at;
        let mut facts = Facts::default();
        for (id, value) in response.frames.iter() {
            let index = usize::from(id).wrapping_sub(FIRST_HEADER.into());
            if let Some(header) = profile.headers.get(index) {
                self.take_frame(profile, header, value, response, &mut facts);
            }
        }
        if facts.claim.is_some() {
            self.fold_overall(profile, &facts);
        }
        if self.told == 0 && self.named.is_empty() {
            let declared = profile.limits.iter().filter_map(|rule| {
                Some(Declared { allowance: rule.declared?, window_s: rule.window_s?, edge: rule.edge })
            });
            reading.declared.extend(declared);
        }
        let body = (!response.body.is_empty()).then(|| body::read(response.body, now));
        if let Some(body) = &body {
            self.take_body_headers(profile, body, response, &mut facts);
        }
        let is_plain = matches!(response.status, 200..=299 | 0) && body.is_none() && facts.marks().is_empty();
        let exact = self.put_limits(profile, response.status >= 400, !sum_up, &facts, now, reading);
        facts.set_clock(response, &mut reading.limits, exact);
        if is_plain && facts.wait.is_none() && !reading.limits.iter().any(Limit::is_used_up) && !sum_up {
            return;
        }
        classify::judge(profile, common, response, &facts, body.as_ref(), reading, sum_up);
    }

    /// Takes one header.
    fn take_frame<'a>(
        &mut self,
        profile: &Profile,
        header: &Header,
        value: &'a [u8],
        response: &Observation<'_>,
        facts: &mut Facts<'a>,
    ) {
        match header.kind {
            NameMatch::Exact => match header.meaning.what {
                What::Limit | What::Remaining | What::Reset | What::ResetDelta => {
                    let rule = usize::from(header.meaning.limit);
                    let Some(parts) = self.parts.get_mut(rule) else { return };
                    begin(parts, &mut self.told, rule);
                    parts.take(header.meaning.what, header.meaning.rank, value, response.received_at);
                }
                _ => self.take(profile, header, 0, Name::EMPTY, value, response, facts),
            },
            NameMatch::Prefix | NameMatch::Suffix => {
                let Some((length, rest)) = value.split_first() else { return };
                let Some((name, value)) = rest.split_at_checked(usize::from(*length)) else { return };
                let pool = match header.kind {
                    NameMatch::Suffix => name.strip_suffix(header.name.as_bytes()),
                    _ => name.strip_prefix(header.name.as_bytes()),
                };
                let Some(pool) = pool else { return };
                if header.meaning.what == What::Embedded {
                    let inner = profile
                        .headers
                        .iter()
                        .find(|inner| inner.kind == NameMatch::Exact && inner.name.as_bytes() == pool);
                    if let Some(inner) = inner {
                        self.take(profile, inner, RANK_OF_EMBEDDED, Name::EMPTY, value, response, facts);
                    }
                    return;
                }
                let pool = pool.strip_prefix(b"x-").unwrap_or(pool);
                let pool = core::str::from_utf8(pool).unwrap_or_default();
                self.take(profile, header, 0, Name::from(pool), value, response, facts);
            }
        }
    }

    /// Takes a header's value by its meaning; `rank` is added to the header's own.
    #[expect(clippy::too_many_arguments, reason = "the parts of a header, and where they go")]
    fn take<'a>(
        &mut self,
        profile: &Profile,
        header: &Header,
        rank: u8,
        pool: Name,
        value: &'a [u8],
        response: &Observation<'_>,
        facts: &mut Facts<'a>,
    ) {
        let now = response.received_at;
        let meaning = header.meaning;
        let rank = meaning.rank.saturating_add(rank);
        match meaning.what {
            What::WaitMillis => {
                // Zero is no more exact than what the seconds say.
                facts.offer_wait(rank, number::millis(value).filter(|wait| !wait.is_zero()));
            }
            What::WaitSeconds => {
                facts.offer_seconds(rank.saturating_add(RANK_OF_SECONDS), value, now);
            }
            What::Mark => facts.add_mark(value),
            What::Claim => facts.claim = facts.claim.or(Some(value.trim_ascii())),
            What::Date => facts.date = facts.date.or(Some(value)),
            What::IetfPolicies => facts.policies = facts.policies.or(Some(value)),
            What::IetfLimits => self.take_ietf(usize::from(meaning.limit), value, now),
            What::LimitWithPolicies => {
                if let Some(limit) = ietf::first_limit(value) {
                    let parts = self.parts_of(usize::from(meaning.limit), Name::EMPTY);
                    parts.limit = parts.limit.or(Some(limit));
                    facts.policies = facts.policies.or(Some(value));
                }
            }
            What::Embedded => {}
            _ => {
                if usize::from(meaning.limit) < profile.limits.len() {
                    self.parts_of(usize::from(meaning.limit), pool).take(meaning.what, rank, value, now);
                }
            }
        }
    }

    /// The parts of a pool: the rule's own, or one that the response names.
    fn parts_of(&mut self, rule: usize, pool: Name) -> &mut Parts {
        if pool.is_empty()
            && let Some(parts) = self.parts.get_mut(rule)
        {
            begin(parts, &mut self.told, rule);
            return parts;
        }
        let known = self.named.iter().position(|(of, name, _)| (*of, name) == (rule, &pool));
        let index = known.unwrap_or_else(|| {
            self.named.truncate(MOST_LIMITS - 1);
            self.named.push((rule, pool, Parts::NONE));
            self.named.len() - 1
        });
        #[expect(clippy::indexing_slicing, reason = "the place of one that is there")]
        &mut self.named[index].2
    }

    /// Takes the items of `RateLimit`; what is malformed is ignored as a whole.
    fn take_ietf(&mut self, rule: usize, value: &[u8], now: Time) {
        for item in ietf::limits(value) {
            let parts = self.parts_of(rule, Name::from(item.name.as_str()));
            parts.limit = parts.limit.or(item.limit);
            parts.remaining = parts.remaining.or(item.remaining);
            parts.window_s = parts.window_s.or(item.window_s);
            let reset = item.reset_s.and_then(|seconds| now.checked_add(Duration::from_secs(seconds)));
            parts.reset = parts.reset.or(reset.map(|at| (at, number::Precision::Seconds)));
        }
    }

    /// Gives what is said of the whole to the limit that the claim names.
    fn fold_overall(&mut self, profile: &Profile, facts: &Facts<'_>) {
        let told = self.told;
        let is_told = |index: &usize| told & (1 << (index & 31)) != 0;
        let Some(whole) = profile.limits.iter().position(|rule| rule.overall).filter(is_told) else { return };
        let Some(overall) = self.parts.get(whole).copied() else { return };
        let claimed = facts.claim.and_then(|claim| {
            profile.limits.iter().position(|rule| !rule.overall && classify::names(rule, claim))
        });
        let Some(claimed) = claimed else { return };
        self.told &= !(1 << (whole & 31));
        self.parts_of(claimed, Name::EMPTY).or(&overall);
    }

    /// Takes headers that stand in the body.
    fn take_body_headers<'a>(
        &mut self,
        profile: &Profile,
        body: &'a Body,
        response: &Observation<'_>,
        facts: &mut Facts<'a>,
    ) {
        for (name, value) in &body.headers {
            let header = profile.headers.iter().find(|header| header.name == *name);
            if let Some(header) = header {
                let value = value.as_bytes();
                self.take(profile, header, RANK_OF_EMBEDDED, Name::EMPTY, value, response, facts);
            }
        }
    }

    /// Makes limits of all parts, on demand with the edges of the wall clock at which they reset where the response
    /// does not say. Tells of which of them the reset is by the provider's clock, a bit each.
    fn put_limits(
        &self,
        profile: &Profile,
        refused: bool,
        with_edges: bool,
        facts: &Facts<'_>,
        now: Time,
        reading: &mut Reading,
    ) -> u32 {
        let mut exact = 0;
        let mut put = |rule: &LimitRule, pool: &str, parts: &Parts| {
            let Some(mut limit) = parts.limit(rule, refused, now) else { return };
            if !pool.is_empty() {
                limit.pool = Name::from(pool);
            }
            if with_edges && limit.resets_at.is_none() && limit.limit != Some(0) {
                limit.resets_at = edge::next(rule.edge, now);
            }
            let is_exact =
                parts.reset.is_some_and(|(_, precision)| precision == number::Precision::PointInTime);
            let is_twin = |held: &Limit| {
                held.has_figures() != limit.has_figures() && held.same_series(&limit, &limit.scope)
            };
            let twin = reading.limits.iter().position(is_twin);
            if let Some((index, twin)) = twin.and_then(|index| Some((index, reading.limits.get_mut(index)?)))
            {
                // Told twice by different headers, once without figures.
                exact |= u32::from(is_exact && twin.resets_at.is_none()) << index;
                twin.fill(&limit);
            } else if reading.limits.len() < MOST_LIMITS {
                exact |= u32::from(is_exact) << reading.limits.len();
                reading.limits.push(limit);
            }
        };
        let mut told = self.told;
        while told != 0 {
            let index = told.trailing_zeros() as usize;
            told &= told - 1;
            if let (Some(rule), Some(parts)) = (profile.limits.get(index), self.parts.get(index)) {
                put(rule, &rule.pool, parts);
            }
        }
        for (index, name, parts) in &self.named {
            if let Some(rule) = profile.limits.get(*index) {
                put(rule, name.as_str(), parts);
            }
        }
        if let Some(policies) = facts.policies {
            ietf::apply_policies(policies, &mut reading.limits);
        }
        exact
    }
}

/// Forgets what an earlier response told of a rule, the first time that this one tells something.
fn begin(parts: &mut Parts, told: &mut u32, rule: usize) {
    let bit = 1 << (rule & 31);
    if *told & bit == 0 {
        *told |= bit;
        *parts = Parts::NONE;
    }
}
