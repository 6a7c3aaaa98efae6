//! Limits as they are kept, and how two accounts of one are merged.

use alloc::vec::Vec;
use core::time::Duration;

use super::{Effect, Figures, Limit, Name, Quantity, Refill, Scope};
use crate::reading::PlainLimit;
use crate::refusal::{Cooldown, RefusalClass};
use crate::state::State;
use crate::time::Time;

/// Most limits kept for one provider, over all scopes.
pub const MOST: usize = 128;

/// A limit as it is kept: with what decides between two accounts of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Held {
    /// The limit.
    pub limit: Limit,
    /// When the call that told it was sent: the later one knows better. Of an adopted one only that it was sent
    /// before it was captured is known.
    pub sent_at: Time,
    /// Was it read from what a process has stored?
    pub adopted: bool,
    /// When the account was captured that others were told of last: read back, it is no news.
    pub told_at: Option<Time>,
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
            adopted: false,
            told_at: None,
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
    /// Nothing is believed to be younger than `not_after`: a wrong clock's evidence would never be replaced. What is, is
    /// moved back to it as a whole.
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
        held.move_back(limit.captured_at.since(not_after));
        held.shared = true;
        held.adopted = true;
        held.told_at = Some(held.limit.captured_at);
        held
    }

    /// Moves a limit that a clock has dated after `now` back to that time, as a whole. Whatever is told from now on is
    /// newer: it was sent `before`.
    pub(crate) fn no_later_than(&mut self, now: Time, before: Time) {
        self.move_back(self.seen_at.since(now));
        self.sent_at = self.sent_at.min(before);
    }

    fn move_back(&mut self, by: Duration) {
        let limit = &mut self.limit;
        for at in [&mut limit.captured_at, &mut self.sent_at, &mut self.seen_at] {
            *at = at.saturating_sub(by);
        }
        for at in [&mut limit.resets_at, &mut self.refusal_ends_at] {
            *at = at.map(|at| at.saturating_sub(by));
        }
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

    /// Was it used up, and refuses no more? Then it is unknown what is left.
    #[inline]
    fn has_unknown_rest(&self, now: Time) -> bool {
        self.limit.is_used_up() && self.refuses_until(now).is_none()
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
        if self.has_unknown_rest(now) {
            limit.remaining = None;
            limit.utilization = None;
        }
        Some(limit)
    }

    /// When what can be said of it changes next, after `now`, if nothing else is heard.
    pub(crate) fn next_change(&self, now: Time) -> Option<Time> {
        let ends = [Some(self.limit.expires_at()), self.refusal_ends_at];
        ends.into_iter().flatten().filter(|end| *end > now).min()
    }

    /// Appends what can be said of it at `now`, before it resets: see [`at`](Self::at).
    pub(crate) fn save_at(&self, now: Time, to: &mut Vec<u8>) {
        let limit = &self.limit;
        let is_over = self.has_unknown_rest(now);
        limit.quantity.save(to);
        limit.scope.save(to);
        limit.pool.save(to);
        limit.window_s.save(to);
        limit.limit.save(to);
        limit.remaining.filter(|_| !is_over).save(to);
        limit.utilization.filter(|_| !is_over).save(to);
        limit.resets_at.save(to);
        limit.captured_at.save(to);
        limit.refill.save(to);
        limit.effect.save(to);
    }

    /// Takes in what a plain response tells of this limit, where only its figures change; `false` where it takes a
    /// whole [merge](merge).
    #[inline(always)]
    pub(crate) fn retell(&mut self, told: PlainLimit<'_>, scope: &Scope, sent_at: Time, now: Time) -> bool {
        let held = &mut self.limit;
        let is_same = held.remaining == Some(told.remaining)
            && held.resets_at == told.resets_at
            && held.limit == told.limit
            && held.utilization.is_none();
        if is_same && held.captured_at == now {
            held.window_s = told.window_s.or(held.window_s);
            return true;
        }
        if is_same || sent_at <= self.sent_at || !held.has_figures() {
            return false;
        }
        held.window_s = told.window_s.or(held.window_s);
        self.replace(told.account(scope, sent_at, now));
        true
    }

    /// Is it the limit that a plain response tells of?
    #[inline(always)]
    pub(crate) fn is_told_by(&self, told: PlainLimit<'_>, scope: &Scope) -> bool {
        self.limit.is_of(told.rule.quantity, scope, &told.rule.pool, told.window_s, told.limit)
    }

    /// Takes in another account of the same limit.
    ///
    /// The call that was sent later knows better. Of calls sent at the same time, or of which it is not known which
    /// was sent later, the one that saw the higher use wins. An unchanged repeat is not news, and a response that
    /// leaves a figure out does not make it unknown.
    fn merge(&mut self, new: Account<'_>) {
        let told = new.figures;
        self.limit.window_s = new.window_s.or(self.limit.window_s);
        let held = self.limit.figures();
        if !(held.tell_use() && told.tell_use()) && self.merge_untold(new) {
            return;
        }
        let same_figures = held.same(&told);
        if held.same_evidence(&told) && (same_figures || !held.tell_use()) {
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
            self.limit.captured_at = held.captured_at.min(told.captured_at);
            if new.sent_at > self.sent_at && (self.adopted || !new.shared) {
                (self.sent_at, self.adopted) = (new.sent_at, new.shared);
            }
            self.seen_at = self.seen_at.max(new.seen_at);
        } else if self.gives_way_to(&new) {
            self.replace(new);
        }
    }

    /// Does another account with other figures know better?
    fn gives_way_to(&self, new: &Account<'_>) -> bool {
        let (held, told) = (self.limit.figures(), &new.figures);
        let used_more = || told.used_more(held);
        match (self.adopted, new.shared) {
            // Stored before this one was captured; it may have been sent later all the same.
            (false, true) if told.captured_at <= held.captured_at => {
                new.sent_at >= self.sent_at && self.told_at != Some(told.captured_at) && used_more()
            }
            // Captured later, but it may have been sent earlier.
            (true, false) if new.sent_at <= self.sent_at => {
                told.captured_at > held.captured_at && used_more()
            }
            _ => new.sent_at > self.sent_at || new.sent_at == self.sent_at && used_more(),
        }
    }

    /// Takes in an account where one of the two does not say how much is left or used; `false` where that makes no
    /// difference.
    #[inline(never)]
    fn merge_untold(&mut self, new: Account<'_>) -> bool {
        let (held, told) = (self.limit.figures(), &new.figures);
        match (held.tell_use(), told.tell_use()) {
            (true, false) if held.same_evidence(told) && new.shared => {
                // Another process has seen a call succeed, or the limit's refusal end.
                self.refusal_ends_at = Some(told.captured_at);
            }
            // A response that leaves figures out is no news; a process that does not know them any more is.
            (true, false) if !new.shared && held.expires_by(self.limit.window_s) > told.captured_at => {
                self.limit.limit = held.limit.or(told.limit);
            }
            (false, true) if !self.shared && told.expires_by(self.limit.window_s) > held.captured_at => {
                self.replace(new);
            }
            _ => return false,
        }
        true
    }

    /// Takes over another account of the same limit; an allowance that it leaves out stays known.
    fn replace(&mut self, new: Account<'_>) {
        let (held, told) = (&mut self.limit, new.figures);
        held.limit = told.limit.or(held.limit);
        held.remaining = told.remaining;
        held.utilization = told.utilization;
        held.resets_at = told.resets_at;
        held.captured_at = told.captured_at;
        (held.refill, held.effect) = (new.refill, new.effect);
        (self.sent_at, self.adopted) = (new.sent_at, new.shared);
        if new.shared {
            self.told_at = Some(told.captured_at);
        }
        self.seen_at = new.seen_at;
        self.refusal_ends_at = new.refusal_ends_at;
        self.spares_provider = new.spares_provider;
        (self.shared, self.offered) = (new.shared, false);
    }

    /// A signal tells others of it, if it gets written.
    pub(crate) const fn offer(&mut self) {
        self.offered = true;
        self.told_at = Some(self.limit.captured_at);
    }
}

/// One account of a limit, to be merged into what is held. What is known of the limit already is not copied.
#[derive(Clone, Copy, Debug)]
pub struct Account<'a> {
    /// What it counts.
    pub quantity: Quantity,
    /// To whom it applies.
    pub scope: &'a Scope,
    /// As in [`Limit::pool`].
    pub pool: &'a str,
    /// Length of the window in seconds.
    pub window_s: Option<u64>,
    /// What it tells.
    pub figures: Figures,
    /// How it fills again.
    pub refill: Refill,
    /// Whom it refuses when it is used up.
    pub effect: Effect,
    /// As in [`Held::sent_at`].
    pub sent_at: Time,
    /// As in [`Held::seen_at`].
    pub seen_at: Time,
    /// As in [`Held::refusal_ends_at`].
    pub refusal_ends_at: Option<Time>,
    /// As in [`Held::spares_provider`].
    pub spares_provider: bool,
    /// Was it read from what a process has stored?
    pub shared: bool,
}

impl<'a> Account<'a> {
    /// What a response to a call that was sent at `sent_at` tells of a limit.
    #[must_use]
    #[inline]
    pub fn new(limit: &'a Limit, sent_at: Time) -> Self {
        Self {
            quantity: limit.quantity,
            scope: &limit.scope,
            pool: limit.pool.as_str(),
            window_s: limit.window_s,
            figures: limit.figures(),
            refill: limit.refill,
            effect: limit.effect,
            sent_at,
            seen_at: limit.captured_at,
            refusal_ends_at: None,
            spares_provider: limit.effect != Effect::Refuses,
            shared: false,
        }
    }

    /// Is it one of this limit?
    fn is_of(self, limit: &Limit) -> bool {
        limit.is_of(self.quantity, self.scope, self.pool, self.window_s, self.figures.limit)
    }
}

impl<'a> From<&'a Held> for Account<'a> {
    fn from(held: &'a Held) -> Self {
        Self {
            seen_at: held.seen_at,
            refusal_ends_at: held.refusal_ends_at,
            spares_provider: held.spares_provider,
            shared: held.adopted,
            ..Self::new(&held.limit, held.sent_at)
        }
    }
}

impl From<Account<'_>> for Held {
    fn from(account: Account<'_>) -> Self {
        let Figures { limit, remaining, utilization, resets_at, captured_at } = account.figures;
        Self {
            limit: Limit {
                quantity: account.quantity,
                scope: account.scope.clone(),
                pool: Name::from(account.pool),
                window_s: account.window_s,
                limit,
                remaining,
                utilization,
                resets_at,
                captured_at,
                refill: account.refill,
                effect: account.effect,
            },
            sent_at: account.sent_at,
            adopted: account.shared,
            told_at: Some(captured_at).filter(|_| account.shared),
            seen_at: account.seen_at,
            refusal_ends_at: account.refusal_ends_at,
            spares_provider: account.spares_provider,
            shared: account.shared,
            offered: false,
        }
    }
}

/// Merges one account of a limit into those that are held.
pub fn merge(held: &mut Vec<Held>, new: Account<'_>) {
    match held.iter_mut().find(|held| new.is_of(&held.limit)) {
        Some(old) => old.merge(new),
        None => add(held, new),
    }
}

/// Adds a limit that is not held yet.
fn add(held: &mut Vec<Held>, new: Account<'_>) {
    let first_to_end = held.iter().enumerate().min_by_key(|(_, held)| held.limit.expires_at());
    if let Some((index, _)) = first_to_end.filter(|_| held.len() >= MOST) {
        held.swap_remove(index);
    }
    held.push(new.into());
}
