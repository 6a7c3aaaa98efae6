//! Leases: what is in flight counts against what a provider has left, before its answers tell.
//!
//! Whoever is about to send a request acquires a lease, and releases it after the answer was recorded. Until then
//! its size is debited: the next one is asked whether it can pass on top of all that is in flight. When a provider
//! refuses until a reset, those who ask meanwhile get different instants, and after it they are let through in
//! steps that double: the first that is refused again stops the others.
//!
//! Pure: the time, and the answers of [`Store::wait_for`](crate::Store::wait_for), come in as values.

mod gate;

use std::collections::{BTreeSet, HashMap};
use std::time::{Duration, SystemTime};

use crate::clock::Watch;
use crate::signal::{Limit, Scope};
use crate::wait::{Binding, Need, Wait};

use self::gate::Gate;
pub use self::gate::STEP;

/// How long a lease lasts that names no time.
pub const DEFAULT_LEASE: Duration = Duration::from_secs(60);
/// The longest lease.
pub const LONGEST_LEASE: Duration = Duration::from_secs(15 * 60);

/// Between two looks for gates that are over.
const SWEEP: Duration = Duration::from_secs(1);

/// Names a lease.
pub type LeaseId = u128;

/// What is to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// To whom.
    pub provider: String,
    /// By whom, and to which model.
    pub scope: Scope,
    /// How much.
    pub need: Need,
    /// After what time the lease expires by itself.
    pub lasts: Duration,
}

/// The permission to send, which counts until it is released or expires.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// Its name.
    pub id: LeaseId,
    /// When it expires by itself.
    pub expires_at: SystemTime,
}

/// What stands in the way.
#[derive(Clone, Debug, PartialEq)]
pub enum Obstacle {
    /// A limit or a refusal, whatever is in flight.
    Bound(Binding),
    /// What is in flight takes up what is left.
    InFlight,
    /// After a reset, others go first.
    Step,
}

/// The answer to a claim.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// Send now.
    Granted(Lease),
    /// Ask again then. Others who wait for the same were told other times.
    NotBefore {
        /// The time, by the wall clock.
        at: SystemTime,
        /// What stands in the way.
        obstacle: Obstacle,
    },
    /// Never: it is larger than the whole allowance of a window.
    TooLarge(Limit),
    /// There are as many leases as may be.
    Full,
}

/// A lease that is out.
#[derive(Debug)]
struct Out {
    claim: Claim,
    expires_at: SystemTime,
}

/// All leases that are out.
#[derive(Debug)]
pub struct Ledger {
    most: usize,
    out: HashMap<LeaseId, Out>,
    expiries: BTreeSet<(SystemTime, LeaseId)>,
    /// What is in flight to each provider, by account and model.
    in_flight: HashMap<String, HashMap<Scope, Need>>,
    gates: HashMap<(String, Scope), Gate>,
    /// When gates that are over were removed last.
    swept_at: SystemTime,
    watch: Watch,
}

impl Ledger {
    /// An empty one, for at most so many leases.
    #[must_use]
    pub fn new(most: usize) -> Self {
        Self {
            most,
            out: HashMap::new(),
            expiries: BTreeSet::new(),
            in_flight: HashMap::new(),
            gates: HashMap::new(),
            swept_at: SystemTime::UNIX_EPOCH,
            watch: Watch::default(),
        }
    }

    /// How many are out.
    #[must_use]
    pub fn len(&self) -> usize {
        self.out.len()
    }

    /// Is none out?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.out.is_empty()
    }

    /// Another bound. Leases that are out stay.
    pub fn set_most(&mut self, most: usize) {
        self.most = most;
    }

    /// What is in flight to a provider at `now`.
    #[must_use]
    pub fn in_flight(&mut self, provider: &str, now: SystemTime) -> Need {
        self.expire(now);
        let scopes = self.in_flight.get(provider).into_iter().flat_map(HashMap::values);
        scopes.fold(NOTHING, |sum, need| sum.plus(*need))
    }

    /// Asks for a lease at `now`, by the name `id` if it is granted. `wait_for` tells when a request of some size can
    /// pass in a scope of the provider.
    ///
    /// # Errors
    /// That of `wait_for`: nothing has changed.
    pub fn acquire<E>(
        &mut self,
        claim: &Claim,
        id: LeaseId,
        now: SystemTime,
        wait_for: impl Fn(&Scope, Need) -> Result<Wait, E>,
    ) -> Result<Answer, E> {
        self.expire(now);
        self.sweep(now);
        if self.out.len() >= self.most || self.out.contains_key(&id) {
            return Ok(Answer::Full);
        }
        match wait_for(&claim.scope, claim.need)? {
            Wait::TooLarge(limit) => return Ok(Answer::TooLarge(limit)),
            Wait::Until { at, binding } => {
                let at = self.gate(claim).close(at, now);
                return Ok(Answer::NotBefore { at, obstacle: Obstacle::Bound(binding) });
            }
            Wait::Go | Wait::Unknown => {}
        }
        if let Some(at) = self.blocked_by_flights(claim, now, wait_for)? {
            return Ok(Answer::NotBefore { at, obstacle: Obstacle::InFlight });
        }
        let key = (claim.provider.clone(), claim.scope.clone());
        if let Some(Err(at)) = self.gates.get_mut(&key).map(|gate| gate.pass(now)) {
            return Ok(Answer::NotBefore { at, obstacle: Obstacle::Step });
        }
        Ok(Answer::Granted(self.grant(claim, id, now)))
    }

    /// Ends a lease; whether it was out.
    pub fn release(&mut self, id: LeaseId, now: SystemTime) -> bool {
        self.expire(now);
        self.remove(id)
    }

    /// Removes gates that have nothing left to do, from time to time.
    fn sweep(&mut self, now: SystemTime) {
        if now.duration_since(self.swept_at).is_ok_and(|age| age >= SWEEP) {
            self.gates.retain(|_, gate| !gate.is_over(now));
            self.swept_at = now;
        }
    }

    fn gate(&mut self, claim: &Claim) -> &mut Gate {
        // Scopes may have any names: one of too many gates is given up, and its waiters get times anew.
        if self.gates.len() >= self.most
            && let Some(any) = self.gates.keys().next().cloned()
        {
            self.gates.remove(&any);
        }
        self.gates.entry((claim.provider.clone(), claim.scope.clone())).or_default()
    }

    /// Does the claim not pass on top of what is in flight? Limits of its model count what goes to that; limits of the
    /// account count all.
    fn blocked_by_flights<E>(
        &mut self,
        claim: &Claim,
        now: SystemTime,
        wait_for: impl Fn(&Scope, Need) -> Result<Wait, E>,
    ) -> Result<Option<SystemTime>, E> {
        let Some(flights) = self.in_flight.get(&claim.provider) else { return Ok(None) };
        let same = flights.get(&claim.scope).copied().unwrap_or(NOTHING);
        let account = flights.iter().filter(|(scope, _)| scope.account == claim.scope.account);
        let all = account.fold(NOTHING, |sum, (_, need)| sum.plus(*need));
        let whole_account = Scope { account: claim.scope.account.clone(), model: None };
        let mut latest = None;
        for (scope, flying) in [(&claim.scope, same), (&whole_account, all)] {
            if flying == NOTHING {
                continue;
            }
            let blocked = match wait_for(scope, claim.need.plus(flying))? {
                Wait::Go | Wait::Unknown => None,
                Wait::Until { at, .. } => Some(at),
                // More is in flight than a window has: some of it has to come back first.
                Wait::TooLarge(_) => Some(now + STEP),
            };
            latest = latest.max(blocked);
        }
        Ok(latest.map(|at| self.gate(claim).spread(at, now)))
    }

    fn grant(&mut self, claim: &Claim, id: LeaseId, now: SystemTime) -> Lease {
        let expires_at = now + claim.lasts.min(LONGEST_LEASE);
        let flights = self.in_flight.entry(claim.provider.clone()).or_default();
        let need = flights.entry(claim.scope.clone()).or_insert(NOTHING);
        *need = need.plus(claim.need);
        self.expiries.insert((expires_at, id));
        self.out.insert(id, Out { claim: claim.clone(), expires_at });
        Lease { id, expires_at }
    }

    fn expire(&mut self, now: SystemTime) {
        if self.watch.was_set_back(now) {
            self.forget_what_is_ahead(now);
        }
        while let Some((_, id)) = self.expiries.first().copied().filter(|(at, _)| *at <= now) {
            self.remove(id);
        }
    }

    /// The clock was wrong: who waits is told another time, and no lease lasts longer than the longest.
    fn forget_what_is_ahead(&mut self, now: SystemTime) {
        self.gates.clear();
        self.swept_at = now;
        let latest = now + LONGEST_LEASE;
        while let Some((_, id)) = self.expiries.last().copied().filter(|(at, _)| *at > latest) {
            self.remove(id);
        }
    }

    fn remove(&mut self, id: LeaseId) -> bool {
        let Some(Out { claim, expires_at }) = self.out.remove(&id) else { return false };
        self.expiries.remove(&(expires_at, id));
        if let Some(flights) = self.in_flight.get_mut(&claim.provider) {
            if let Some(need) = flights.get_mut(&claim.scope) {
                need.requests = need.requests.saturating_sub(claim.need.requests);
                need.tokens = need.tokens.saturating_sub(claim.need.tokens);
            }
            flights.retain(|_, need| *need != NOTHING);
            if flights.is_empty() {
                self.in_flight.remove(&claim.provider);
            }
        }
        true
    }
}

const NOTHING: Need = Need { requests: 0, tokens: 0 };

#[cfg(test)]
mod tests;
