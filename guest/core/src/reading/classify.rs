//! What kind of refusal a response is, what follows from it, and the summary of its limits.

use alloc::string::String;
use core::time::Duration;

use super::facts::Facts;
use super::{MOST_LIMITS, Reading};
use crate::body::{Body, StatedLimit};
use crate::edge;
use crate::limit::{Effect, Limit, Name, Quantity, Refill, Scope};
use crate::packed::Observation;
use crate::profile::{LimitRule, Profile};
use crate::refusal::{QUOTA_WINDOW_S, RefusalClass};
use crate::signal::Reason;
use crate::time::Time;

use runtime_signals_profile::{Edge, RefusalRule};

/// A day, from which on a short wait is no end of a window that the response names.
const DAY_S: u64 = 86_400;

/// Is this one of the words by which a limit is named?
pub(super) fn names(rule: &LimitRule, word: &[u8]) -> bool {
    rule.claims.iter().any(|claim| claim.as_bytes().eq_ignore_ascii_case(word))
}

/// Draws the conclusions from what was gathered.
pub(super) fn judge(
    profile: &Profile,
    common: Option<&Profile>,
    response: &Observation<'_>,
    facts: &Facts<'_>,
    body: Option<&Body>,
    reading: &mut Reading,
    sum_up: bool,
) {
    let now = response.received_at;
    let own_wait = facts.wait.map(|(_, wait)| wait);
    let wait =
        own_wait.or_else(|| body.and_then(|body| body.wait)).filter(|wait| now.checked_add(*wait).is_some());
    let hint = wait.filter(|wait| !wait.is_zero());
    reading.retry_after = wait;
    if let Some(body) = body {
        reading.inner_status = inner_status(response.status, body);
        put_stated_limits(profile, body, now, reading);
    }
    let status = reading.inner_status.unwrap_or(response.status);
    let may_refuse = status >= 400 || status == 0 || body.is_some_and(|body| body.is_error);
    let rule = may_refuse.then(|| find_rule(profile, common, status, facts, body)).flatten();
    let too_large = body.is_some_and(|body| body.limits.iter().any(is_too_large));
    let class =
        if too_large && may_refuse { Some(RefusalClass::Oversize) } else { rule.map(|rule| rule.class) };
    let class = class.or_else(|| by_status(status, &reading.limits, hint));
    let class = class.map(|class| by_limits(class, &reading.limits));
    let refuses = class.is_some_and(RefusalClass::exhausts_scope);
    if refuses {
        put_body_reset(body, now, reading);
    }
    if class.is_some_and(|class| !class.exhausts_scope()) {
        // The provider's own shortage, or that of this one request: it says nothing of when a window resets.
        reading.limits.retain(|limit| !limit.is_used_up());
    }
    let used_up = |limit: &&Limit| limit.is_used_up() && limit.effect != Effect::Informs;
    reading.refusal = class;
    reading.exhausted = match class {
        Some(class) => class.exhausts_scope(),
        None => reading.limits.iter().any(|limit| used_up(&limit)),
    };
    let window_s = refusing_window(profile, rule, facts, body, &reading.limits);
    reading.reason = reason(class, window_s, status, &reading.limits);
    if class == Some(RefusalClass::Capacity) && body.is_some_and(is_loading) {
        reading.reason = Some(Reason::Loading);
    }
    if sum_up {
        let refused = reading.exhausted.then_some(Refused { profile, facts, body });
        sum(reading, refused.as_ref(), hint, window_s, now);
    }
    let edge = put_edges(profile, rule, refuses, now, reading);
    if refuses {
        reading.refusal_ends_at = ends_at(profile, reading, hint, edge, now);
    }
}

/// The status of an error envelope within a response whose own status says success.
fn inner_status(status: u16, body: &Body) -> Option<u16> {
    if !body.is_error || !matches!(status, 200..=299) {
        return None;
    }
    let stated =
        body.words.iter().filter_map(|word| word.parse().ok()).find(|code| matches!(code, 400..=599));
    Some(stated.unwrap_or(0))
}

/// The first rule that fits: of the profile, then of those for all.
fn find_rule<'a>(
    profile: &'a Profile,
    common: Option<&'a Profile>,
    status: u16,
    facts: &Facts<'_>,
    body: Option<&Body>,
) -> Option<&'a RefusalRule> {
    let marks = facts.marks();
    let is_word = |word: &String| {
        let in_body = || body.is_some_and(|body| body.words.contains(word));
        marks.iter().any(|mark| word_of(mark).eq_ignore_ascii_case(word.as_bytes())) || in_body()
    };
    let is_text = |text: &String| {
        let in_body = || body.is_some_and(|body| body.text.contains(text.as_str()));
        marks.iter().any(|mark| contains(mark, text.as_bytes())) || in_body()
    };
    let fits = |rule: &&RefusalRule| {
        let marked = rule.words.is_empty() && rule.texts.is_empty()
            || rule.words.iter().any(is_word)
            || rule.texts.iter().any(is_text);
        marked && (rule.status.is_empty() || rule.status.contains(&status))
    };
    profile.refusals.iter().chain(common.into_iter().flat_map(|common| &common.refusals)).find(fits)
}

/// Does a local server say that its model is not loaded yet? Source: llama.cpp, `tools/server/README.md`; oMLX.
fn is_loading(body: &Body) -> bool {
    ["loading model", "not initialized"].iter().any(|said| body.text.contains(said))
}

/// A mark without what may follow its word: `ThrottlingException:http://internal…`.
fn word_of(mark: &[u8]) -> &[u8] {
    mark.split(|byte| *byte == b':').next().unwrap_or(mark)
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    !part.is_empty() && text.windows(part.len()).any(|window| window.eq_ignore_ascii_case(part))
}

/// Was the request larger than the whole allowance? Then waiting does not help.
fn is_too_large(stated: &StatedLimit) -> bool {
    matches!((stated.requested, stated.limit), (Some(requested), Some(limit)) if requested > limit && limit > 0)
}

/// What kind of refusal a response is that no rule tells, by status, counters and hint.
fn by_status(status: u16, limits: &[Limit], hint: Option<Duration>) -> Option<RefusalClass> {
    let mut used_up = limits.iter().filter(|limit| limit.is_used_up() && limit.effect != Effect::Informs);
    match status {
        429 => Some(RefusalClass::Rate),
        402 => Some(RefusalClass::Money),
        413 => Some(RefusalClass::Oversize),
        503 | 529 => Some(RefusalClass::Capacity),
        403 if used_up.next().is_some() => Some(RefusalClass::Quota),
        401 => None,
        408 | 500..=599 => hint.map(|_| RefusalClass::Capacity),
        // A wait on any other answer is a rate limit, 403 and 200 included.
        _ => hint.map(|_| RefusalClass::Rate),
    }
}

/// The limits that are used up know better than words: a long window is a quota, and where all of them bind one
/// model or one kind of request only, so does the refusal.
fn by_limits(class: RefusalClass, limits: &[Limit]) -> RefusalClass {
    if !matches!(class, RefusalClass::Rate | RefusalClass::Quota) {
        return class;
    }
    let used_up = || limits.iter().filter(|limit| limit.is_used_up() && limit.effect != Effect::Informs);
    let is_partial = |limit: &Limit| limit.effect == Effect::RefusesSome || limit.scope.model().is_some();
    match used_up().next() {
        Some(_) if used_up().all(is_partial) => RefusalClass::ModelScoped,
        Some(_) if used_up().any(is_quota) => RefusalClass::Quota,
        _ => class,
    }
}

/// Does it come back with hours or with another plan only?
fn is_quota(limit: &Limit) -> bool {
    limit.window_s.is_some_and(|window| window >= QUOTA_WINDOW_S) || limit.limit == Some(0)
}

/// Why a call with this status failed; `None` where it did not, or where the caller is at fault.
#[must_use]
pub fn failure(status: u16) -> Option<Reason> {
    match status {
        401 | 403 => Some(Reason::Unauthorized),
        408 | 504 => Some(Reason::Timeout),
        503 | 529 => Some(Reason::Busy),
        500..=599 => Some(Reason::Error),
        _ => None,
    }
}

fn reason(
    class: Option<RefusalClass>,
    window_s: Option<u64>,
    status: u16,
    limits: &[Limit],
) -> Option<Reason> {
    match class {
        Some(RefusalClass::Oversize) => None,
        Some(RefusalClass::ModelScoped) => Some(Reason::of_window(window_s)),
        Some(class) => Some(Reason::of_refusal(class)),
        None => {
            let used_up = limits.iter().filter(|limit| limit.is_used_up() && limit.effect != Effect::Informs);
            let longest = used_up.map(|limit| limit.window_s).max();
            longest.map(Reason::of_window).or_else(|| failure(status))
        }
    }
}

/// Adds the limits that the body states.
fn put_stated_limits(profile: &Profile, body: &Body, now: Time, reading: &mut Reading) {
    for stated in &body.limits {
        let rule = profile
            .limits
            .iter()
            .find(|rule| rule.quantity == stated.quantity && rule.window_s.map(u64::from) == stated.window_s);
        let mut limit = Limit::new(stated.quantity, now);
        limit.scope = Scope::new(None, stated.model.as_deref());
        limit.pool = Name::from(stated.pool.as_str());
        limit.window_s = stated.window_s;
        limit.limit = stated.limit;
        limit.utilization = stated.utilization;
        limit.resets_at = stated.resets_at.filter(|resets_at| *resets_at > now);
        let left = stated
            .remaining
            .or_else(|| stated.limit.zip(stated.used).map(|(all, used)| all.saturating_sub(used)));
        if !stated.from_sentence || profile.sentence_counts {
            limit.remaining = left;
        } else if let (Some(left), Some(all)) = (left, stated.limit.filter(|all| *all > 0)) {
            #[expect(clippy::cast_precision_loss, reason = "a share needs no more than 52 bits")]
            let share = 1.0 - left.min(all) as f64 / all as f64;
            limit.utilization = limit.utilization.or(Some(share));
        }
        if stated.used_up && left.is_none() {
            limit.utilization = Some(1.0);
        }
        if let Some(rule) = rule {
            (limit.refill, limit.effect) = (rule.refill, rule.effect);
            if limit.pool.is_empty() {
                limit.pool = Name::from(rule.pool.as_str());
            }
        } else if stated.from_sentence {
            limit.refill = Refill::Continuous;
        }
        let limit = limit.bounded();
        let is_known = |held: &&mut Limit| {
            // Headers do not name the model that a sentence names.
            let scope_fits = held.scope == limit.scope || held.scope == Scope::EVERYONE;
            held.quantity == limit.quantity
                && held.pool == limit.pool
                && scope_fits
                && held.window_s == limit.window_s
        };
        if let Some(held) = reading.limits.iter_mut().find(is_known) {
            // Header and body of one response are one account.
            held.fill(&limit);
        } else if reading.limits.len() < MOST_LIMITS && (limit.limit.is_some() || limit.has_figures()) {
            reading.limits.push(limit);
        }
        if reading.model.is_empty()
            && let Some(model) = &stated.model
        {
            reading.model = Name::from(model.as_str());
        }
    }
}

/// A refusal whose body tells a reset and no limit has run out of one that is not named.
fn put_body_reset(body: Option<&Body>, now: Time, reading: &mut Reading) {
    let Some(resets_at) = body.and_then(|body| body.resets_at).filter(|resets_at| *resets_at > now) else {
        return;
    };
    if let Some(limit) =
        reading.limits.iter_mut().find(|limit| limit.is_used_up() && limit.resets_at.is_none())
    {
        limit.resets_at = Some(resets_at);
    } else if !reading.limits.iter().any(Limit::is_used_up) && reading.limits.len() < MOST_LIMITS {
        let utilization = Some(1.0);
        reading.limits.push(Limit {
            utilization,
            resets_at: Some(resets_at),
            ..Limit::new(Quantity::Other, now)
        });
    }
}

/// Length of the window that refuses, as far as anything tells: the longest.
fn refusing_window(
    profile: &Profile,
    rule: Option<&RefusalRule>,
    facts: &Facts<'_>,
    body: Option<&Body>,
    limits: &[Limit],
) -> Option<u64> {
    let used_up =
        limits.iter().filter(|limit| limit.is_used_up()).map(|limit| limit.window_s).max().flatten();
    let named =
        profile.limits.iter().filter(|rule| is_named(rule, facts, body)).map(|rule| rule.window_s).max();
    let stated = body.and_then(|body| {
        body.limits.iter().filter(|stated| stated.from_sentence).map(|stated| stated.window_s).max()
    });
    let of_rule = rule.and_then(|rule| rule.window_s).or(named.flatten()).map(u64::from);
    used_up.max(of_rule).or(stated.flatten())
}

/// Does the response name this limit as the one that refuses?
fn is_named(rule: &LimitRule, facts: &Facts<'_>, body: Option<&Body>) -> bool {
    facts.claim.into_iter().chain(facts.marks().iter().copied()).any(|word| names(rule, word))
        || body.is_some_and(|body| body.words.iter().any(|word| names(rule, word.as_bytes())))
}

/// What tells which limit has refused.
struct Refused<'a> {
    profile: &'a Profile,
    facts: &'a Facts<'a>,
    body: Option<&'a Body>,
}

impl Refused<'_> {
    fn names(&self, limit: &Limit) -> bool {
        let is_rule = |rule: &&LimitRule| {
            rule.quantity == limit.quantity
                && rule.pool == limit.pool.as_str()
                && (rule.window_s.is_none() || rule.window_s.map(u64::from) == limit.window_s)
        };
        let by_sentence = |stated: &StatedLimit| {
            stated.from_sentence
                && stated.quantity == limit.quantity
                && (limit.window_s.is_none()
                    || stated.window_s.is_none()
                    || stated.window_s == limit.window_s)
        };
        self.profile.limits.iter().filter(is_rule).any(|rule| is_named(rule, self.facts, self.body))
            || self.body.is_some_and(|body| body.limits.iter().any(by_sentence))
    }
}

/// Sums the limits up: what is left, and the reset of the limit that binds. That is the one that refused, with
/// several the one of the longest window; else the one nearest to empty.
fn sum(
    reading: &mut Reading,
    refused: Option<&Refused<'_>>,
    hint: Option<Duration>,
    window_s: Option<u64>,
    now: Time,
) {
    let limits = &reading.limits;
    reading.remaining_requests = Limit::requests_left(limits);
    reading.remaining_tokens = Limit::tokens_left(limits);
    let used_up = limits.iter().filter(|limit| limit.is_used_up() && limit.effect != Effect::Informs);
    let used_up = used_up.max_by(|a, b| match (a.window_s, b.window_s) {
        (Some(a_s), Some(b_s)) if a_s != b_s => a_s.cmp(&b_s),
        _ => a.resets_at.cmp(&b.resets_at),
    });
    let named = || {
        let named = limits.iter().filter(|limit| refused.is_some_and(|refused| refused.names(limit)));
        named.max_by_key(|limit| limit.window_s)
    };
    let main = limits.iter().filter(|limit| limit.effect == Effect::Refuses);
    let binding =
        used_up.or_else(named).or_else(|| Limit::binding(main)).or_else(|| Limit::binding(limits.iter()));
    let hinted_end = hint.filter(|hint| {
        // A wait of seconds does not end a window of a day.
        let is_short =
            window_s.is_some_and(|window| window >= DAY_S && !limits.is_empty() && hint.as_secs() < 600);
        reading.exhausted && !is_short
    });
    let hinted_end = hinted_end.and_then(|hint| now.checked_add(hint));
    reading.reset_at = binding.and_then(|limit| limit.resets_at).or(hinted_end);
}

/// Fills in the edges of the wall clock at which limits reset that do not say when; gives the edge at which a
/// refusal ends by its rule.
fn put_edges(
    profile: &Profile,
    rule: Option<&RefusalRule>,
    refuses: bool,
    now: Time,
    reading: &mut Reading,
) -> Option<Time> {
    let mut latest = rule.filter(|_| refuses).and_then(|rule| edge::next(rule.edge, now));
    for limit in &mut reading.limits {
        let rule = profile.limits.iter().find(|rule| {
            rule.edge != Edge::None
                && rule.quantity == limit.quantity
                && rule.window_s.map(u64::from) == limit.window_s
        });
        let edge = rule.and_then(|rule| edge::next(rule.edge, now)).filter(|_| limit.limit != Some(0));
        if limit.resets_at.is_none() {
            limit.resets_at = edge;
        }
        if limit.is_used_up() {
            latest = latest.max(edge);
        }
    }
    latest
}

/// When a refusal ends that the stated wait does not end.
fn ends_at(
    profile: &Profile,
    reading: &Reading,
    hint: Option<Duration>,
    edge: Option<Time>,
    now: Time,
) -> Option<Time> {
    let hinted = hint.and_then(|hint| now.checked_add(hint));
    let used_up = || reading.limits.iter().filter(|limit| limit.is_used_up());
    if used_up().any(|limit| limit.limit == Some(0)) {
        return hinted.max(used_up().map(Limit::expires_at).max());
    }
    if profile.doubts_hints && hinted.is_some() {
        return hinted.max(used_up().filter_map(|limit| limit.resets_at).max());
    }
    // Where an edge of the wall clock is known, a wait that ends sooner is noise.
    edge.filter(|edge| hinted.is_none_or(|hinted| *edge > hinted))
}
