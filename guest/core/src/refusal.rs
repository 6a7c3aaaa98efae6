//! Refusals: what kind a response is, whom it affects and how long it lasts.

use alloc::vec::Vec;
use core::time::Duration;

pub use runtime_signals_profile::RefusalClass;

use crate::limit::Scope;
use crate::time::Time;

/// A rate or concurrency refusal that states no end.
pub const RATE_COOLDOWN: Duration = Duration::from_secs(60);
/// A quota refusal that states no end: the runtime time-to-live.
pub const QUOTA_COOLDOWN: Duration = Duration::from_secs(300);
/// A refusal for want of money, or by a limit of 0.
pub const MONEY_COOLDOWN: Duration = Duration::from_secs(3600);
/// A window from which on a limit is a quota rather than a rate: five hours, the shortest of any plan.
pub const QUOTA_WINDOW_S: u64 = 5 * 3600;
/// Most refusals kept for one provider: more in force at once than any provider has windows.
const MOST: usize = 64;

/// How long a refusal of this class lasts where the response states no end.
#[must_use]
pub const fn default_duration(class: RefusalClass) -> Duration {
    match class {
        RefusalClass::Quota => QUOTA_COOLDOWN,
        RefusalClass::Money => MONEY_COOLDOWN,
        _ => RATE_COOLDOWN,
    }
}

/// A refusal and its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cooldown {
    /// To whom it applies.
    pub scope: Scope,
    /// What kind of refusal it was.
    pub class: RefusalClass,
    /// When it was received: only a success sent later ends it early.
    pub refused_at: Time,
    /// When it ends by itself.
    pub until: Time,
}

impl Cooldown {
    /// Is it in force at `now`?
    #[must_use]
    pub fn in_force(&self, now: Time) -> bool {
        self.until > now
    }

    /// Moves a refusal that a clock has dated after `latest` back to that time, as a whole: it lasts as long as it would
    /// have.
    pub(crate) fn no_later_than(&mut self, latest: Time) {
        let ahead = self.refused_at.since(latest);
        self.refused_at = self.refused_at.saturating_sub(ahead);
        self.until = self.until.saturating_sub(ahead);
    }

    /// Says the other all that this one says, at least as long?
    #[must_use]
    pub fn covered_by(&self, other: &Self) -> bool {
        self.scope == other.scope
            && self.class == other.class
            && self.refused_at <= other.refused_at
            && self.until <= other.until
    }
}

/// A refusal as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldCooldown {
    /// The refusal.
    pub cooldown: Cooldown,
    /// Have other processes been told of it? If they have, and leave it out, they know that it is over.
    pub shared: bool,
    /// Does the signal that was offered last tell of it?
    pub offered: bool,
}

impl HeldCooldown {
    /// A refusal that this process has seen.
    #[must_use]
    pub const fn new(cooldown: Cooldown) -> Self {
        Self { cooldown, shared: false, offered: false }
    }

    /// A refusal that another process has stored.
    #[must_use]
    pub const fn stored(cooldown: Cooldown) -> Self {
        Self { cooldown, shared: true, offered: false }
    }
}

/// Adds a refusal: a short one does not shorten a long one, and what says nothing more is dropped, unless it is
/// still `needed`.
pub fn add_cooldown(held: &mut Vec<HeldCooldown>, new: HeldCooldown, needed: &dyn Fn(&Cooldown) -> bool) {
    let says_more = |one: &Cooldown, other: &Cooldown| {
        !one.covered_by(other) || needed(one) && one.refused_at != other.refused_at
    };
    if held.iter().any(|held| !says_more(&new.cooldown, &held.cooldown)) {
        return;
    }
    held.retain(|held| says_more(&held.cooldown, &new.cooldown));
    let first_to_end = held.iter().enumerate().min_by_key(|(_, held)| held.cooldown.until);
    if let Some((index, _)) = first_to_end.filter(|_| held.len() >= MOST) {
        held.swap_remove(index);
    }
    held.push(new);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::at;

    fn cooldown(refused_at: i64, until: i64) -> HeldCooldown {
        let cooldown = Cooldown {
            scope: Scope::default(),
            class: RefusalClass::Rate,
            refused_at: at(refused_at),
            until: at(until),
        };
        HeldCooldown::new(cooldown)
    }

    #[test]
    fn a_short_refusal_does_not_shorten_a_long_one() {
        let mut held = Vec::new();
        add_cooldown(&mut held, cooldown(0, 3600), &|_| false);
        add_cooldown(&mut held, cooldown(10, 15), &|_| false);
        assert_eq!(held.iter().map(|held| held.cooldown.until).max(), Some(at(3600)));
    }

    #[test]
    fn repeats_do_not_pile_up() {
        let mut held = Vec::new();
        (0..1000).for_each(|second| add_cooldown(&mut held, cooldown(second, second + 60), &|_| false));
        assert_eq!(held, [cooldown(999, 1059)]);
        (0..1000).for_each(|second| add_cooldown(&mut held, cooldown(second, 5000 - second), &|_| false));
        assert_eq!(held.len(), MOST);
        assert_eq!(held.iter().map(|held| held.cooldown.until).max(), Some(at(5000)));
    }

    #[test]
    fn a_refusal_that_is_still_needed_stays_beside_one_that_says_more_and_does_not_pile_up() {
        let mut held = Vec::new();
        for (refused_at, until) in [(5, 60), (0, 20), (0, 20), (10, 70)] {
            add_cooldown(&mut held, cooldown(refused_at, until), &|one| one.refused_at == at(0));
        }
        assert_eq!(held, [cooldown(0, 20), cooldown(10, 70)]);
    }

    #[test]
    fn every_class_is_read_from_its_own_word() {
        for word in ["rate", "quota", "money", "concurrency", "capacity", "oversize", "model_scoped", "other"]
        {
            assert_eq!(RefusalClass::from(word).as_str(), word);
        }
    }
}
