//! Limits as they are kept, and how two accounts of one are merged.

use alloc::vec::Vec;

use super::{Effect, Limit, Scope};
use crate::refusal::{Cooldown, RefusalClass};
use crate::time::Time;

/// Most limits kept for one provider, over all scopes.
pub const MOST: usize = 128;

/// A limit as it is kept: with what decides between two accounts of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Held {
    /// The limit.
    pub limit: Limit,
    /// When the call that told it was sent: the later one knows better.
    pub sent_at: Time,
    /// When it was last told, which is later than captured where it was repeated unchanged.
    pub seen_at: Time,
    /// When it stops to refuse, if before its reset: the same response stated when to come back, or a call
    /// has succeeded since. What is left is unknown from then on, since a reset tells when the allowance is
    /// full again, not when a request can pass.
    pub refusal_ends_at: Option<Time>,
    /// Used up for its own scope only: others behind the same provider are not refused by it.
    pub spares_provider: bool,
    /// Have other processes been told of it? If they have, and leave it out, they know that it is over.
    pub shared: bool,
    /// Does the signal that was offered last tell of it?
    pub offered: bool,
}

impl Held {
    /// A limit from a response.
    #[must_use]
    pub const fn new(limit: Limit, sent_at: Time) -> Self {
        let seen_at = limit.captured_at;
        Self {
            limit,
            sent_at,
            seen_at,
            refusal_ends_at: None,
            spares_provider: false,
            shared: false,
            offered: false,
        }
    }

    /// A limit from a signal that another process stored, with the refusals that stood beside it: one that
    /// came with the limit says when it stops to refuse.
    ///
    /// Nothing is believed to be younger than `not_after`: a wrong clock's evidence would never be replaced.
    #[must_use]
    pub fn stored(limit: &Limit, beside: &[Cooldown], not_after: Time) -> Self {
        let mut held = Self::new(limit.clone().bounded(), limit.captured_at);
        held.spares_provider = limit.effect != Effect::Refuses;
        if limit.is_used_up() {
            let refusal = beside.iter().find(|refusal| limit.came_with(refusal));
            held.refusal_ends_at = refusal.map(|refusal| refusal.until);
            held.spares_provider |= beside.iter().any(|cooldown| {
                cooldown.class == RefusalClass::ModelScoped
                    && cooldown.scope == limit.scope
                    && cooldown.refused_at >= limit.captured_at
            });
        }
        held.limit.captured_at = limit.captured_at.min(not_after);
        held.sent_at = held.limit.captured_at;
        held.seen_at = held.limit.captured_at;
        held.shared = true;
        held
    }

    /// Until when the caller is refused by this limit; `None` when it is not used up at `now`.
    #[must_use]
    pub fn refuses_until(&self, now: Time) -> Option<Time> {
        if !self.limit.is_used_up() {
            return None;
        }
        let reset = self.limit.expires_at();
        Some(self.refusal_ends_at.map_or(reset, |end| end.min(reset))).filter(|end| *end > now)
    }

    /// A call that was sent at `sent_at` has succeeded: what was used up before is not any more.
    pub fn succeed(&mut self, sent_at: Time) {
        if self.limit.is_used_up() && self.seen_at < sent_at {
            self.refusal_ends_at = Some(self.refusal_ends_at.map_or(sent_at, |end| end.min(sent_at)));
        }
    }

    /// What can be said of it at `now`; `None` when it is past its reset.
    #[must_use]
    pub fn at(&self, now: Time) -> Option<Limit> {
        if self.limit.expires_at() <= now {
            return None;
        }
        let mut limit = self.limit.clone();
        if limit.is_used_up() && self.refuses_until(now).is_none() {
            limit.remaining = None;
            limit.utilization = None;
        }
        Some(limit)
    }

    /// Takes in another account of the same limit.
    ///
    /// The call that was sent later knows better. Of calls sent at the same time the one that saw the
    /// higher use wins. An unchanged repeat is not news, and a response that leaves a figure out does not
    /// make it unknown.
    fn merge(&mut self, new: &Account<'_>) {
        let (held, told) = (&mut self.limit, new.limit);
        held.window_s = told.window_s.or(held.window_s);
        let same_evidence = held.same_evidence(told);
        match (held.has_figures(), told.has_figures()) {
            (true, false) if same_evidence && new.shared => {
                // Another process has seen a call succeed, or the limit's refusal end.
                self.refusal_ends_at = Some(told.captured_at);
                return;
            }
            // A response that leaves figures out is no news; a process that does not know them any more is.
            (true, false) if !new.shared && held.expires_at() > told.captured_at => {
                held.limit = held.limit.or(told.limit);
                return;
            }
            (false, true) if !self.shared && told.expires_by(held.window_s) > held.captured_at => {
                self.replace(new);
                return;
            }
            _ => {}
        }
        let same_figures = held.same_figures(told);
        if same_evidence && (same_figures || !held.has_figures()) {
            return;
        }
        let ends_early = |end: Option<Time>| end.is_some() && end < held.resets_at;
        let is_repeat = same_figures
            && held.resets_at.is_some()
            && !ends_early(self.refusal_ends_at)
            && !ends_early(new.refusal_ends_at);
        if is_repeat {
            if new.seen_at > self.seen_at {
                self.spares_provider = new.spares_provider;
            }
            held.captured_at = held.captured_at.min(told.captured_at);
            self.sent_at = self.sent_at.max(new.sent_at);
            self.seen_at = self.seen_at.max(new.seen_at);
        } else if new.sent_at > self.sent_at || new.sent_at == self.sent_at && told.used_more(held) {
            self.replace(new);
        }
    }

    /// Takes over another account of the same limit; an allowance that it leaves out stays known.
    fn replace(&mut self, new: &Account<'_>) {
        let (held, told) = (&mut self.limit, new.limit);
        held.limit = told.limit.or(held.limit);
        held.remaining = told.remaining;
        held.utilization = told.utilization;
        held.resets_at = told.resets_at;
        held.captured_at = told.captured_at;
        (held.refill, held.effect) = (told.refill, told.effect);
        self.sent_at = new.sent_at;
        self.seen_at = new.seen_at;
        self.refusal_ends_at = new.refusal_ends_at;
        self.spares_provider = new.spares_provider;
        (self.shared, self.offered) = (new.shared, false);
    }
}

/// One account of a limit, to be merged into what is held. What is known of the limit already is not copied.
pub struct Account<'a> {
    /// The limit.
    pub limit: &'a Limit,
    /// To whom it applies: this instead of what the limit itself says.
    pub scope: &'a Scope,
    /// As in [`Held::sent_at`].
    pub sent_at: Time,
    /// As in [`Held::seen_at`].
    pub seen_at: Time,
    /// As in [`Held::refusal_ends_at`].
    pub refusal_ends_at: Option<Time>,
    /// As in [`Held::spares_provider`].
    pub spares_provider: bool,
    /// As in [`Held::shared`].
    pub shared: bool,
}

impl<'a> From<&'a Held> for Account<'a> {
    fn from(held: &'a Held) -> Self {
        Self {
            limit: &held.limit,
            scope: &held.limit.scope,
            sent_at: held.sent_at,
            seen_at: held.seen_at,
            refusal_ends_at: held.refusal_ends_at,
            spares_provider: held.spares_provider,
            shared: held.shared,
        }
    }
}

impl From<&Account<'_>> for Held {
    fn from(account: &Account<'_>) -> Self {
        Self {
            limit: Limit { scope: account.scope.clone(), ..account.limit.clone() },
            sent_at: account.sent_at,
            seen_at: account.seen_at,
            refusal_ends_at: account.refusal_ends_at,
            spares_provider: account.spares_provider,
            shared: account.shared,
            offered: false,
        }
    }
}

/// Merges one account of a limit into those that are held.
pub fn merge(held: &mut Vec<Held>, new: &Account<'_>) {
    if let Some(old) = held.iter_mut().find(|held| held.limit.same_series(new.limit, new.scope)) {
        old.merge(new);
        return;
    }
    let first_to_end = held.iter().enumerate().min_by_key(|(_, held)| held.limit.expires_at());
    if let Some((index, _)) = first_to_end.filter(|_| held.len() >= MOST) {
        held.swap_remove(index);
    }
    held.push(new.into());
}
