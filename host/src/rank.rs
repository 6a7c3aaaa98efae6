//! Who can take a request of some size, best first; and where nobody can, who can the earliest.
//!
//! Pure: signals, waits and the time come in as values.

use std::cmp::Ordering;
use std::str::FromStr;
use std::time::{Duration, SystemTime};

use runtime_signals_profile::words;

use crate::signal::{Limit, ModelStatus, Scope, Signal};
use crate::wait::{Binding, Need, Wait};

/// What is best.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Strategy {
    /// The largest share that is left after the request.
    #[default]
    Headroom,
    /// The allowance that is renewed the soonest: what is left of it is lost otherwise.
    SoonestReset,
    /// The smallest median latency.
    Latency,
    /// The order of the configuration.
    Order,
}

words!(Strategy {
    Headroom => "headroom", SoonestReset => "soonest-reset", Latency => "latency", Order => "order",
});

impl FromStr for Strategy {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        let all = [Self::Headroom, Self::SoonestReset, Self::Latency, Self::Order];
        all.into_iter()
            .find(|strategy| strategy.as_str() == word)
            .ok_or_else(|| format!("{word:?} is no strategy: give headroom, soonest-reset, latency or order"))
    }
}

/// A provider that may be asked.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// Its signal.
    pub signal: Signal,
    /// When the request can pass.
    pub wait: Wait,
    /// Its place in the configuration.
    pub order: u32,
}

/// What is to be sent.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// By whom, and to which model.
    pub scope: Scope,
    /// How much.
    pub need: Need,
}

/// A provider in its place.
#[derive(Clone, Debug)]
pub struct Ranked {
    /// The provider's name.
    pub provider: String,
    /// Its status.
    pub status: ModelStatus,
    /// When the request can pass.
    pub wait: Wait,
    /// The smallest share of any limit that is left after the request, 0 to 1; `None` where no limit is known.
    pub headroom: Option<f64>,
    /// When the first of its limits is renewed.
    pub resets_at: Option<SystemTime>,
    /// Its median latency; `None` where none was measured.
    pub latency: Option<Duration>,
    order: u32,
}

/// All candidates in order.
#[derive(Clone, Debug)]
pub struct Ranking {
    /// Those that can take the request now, best first: healthy ones, then those whose last call failed, then those of
    /// which nothing is known.
    pub able: Vec<Ranked>,
    /// Those that cannot, the earliest first; those that never can come last.
    pub cooling: Vec<Ranked>,
}

/// Puts candidates in order.
#[must_use]
pub fn rank(candidates: Vec<Candidate>, request: &Request, strategy: Strategy, now: SystemTime) -> Ranking {
    let ranked = candidates.into_iter().map(|candidate| Ranked::new(candidate, request, now));
    let (mut able, mut cooling): (Vec<_>, Vec<_>) =
        ranked.partition(|ranked| matches!(ranked.wait, Wait::Go | Wait::Unknown));
    able.sort_by(|a, b| a.health().cmp(&b.health()).then_with(|| a.compare(b, strategy)));
    cooling.sort_by(|a, b| a.until().cmp(&b.until()).then_with(|| a.compare(b, strategy)));
    Ranking { able, cooling }
}

impl Ranking {
    /// Of those that cannot take the request now, the one that can the earliest, and when.
    #[must_use]
    pub fn earliest(&self) -> Option<(&Ranked, SystemTime)> {
        self.cooling.iter().find_map(|ranked| match ranked.wait {
            Wait::Until { at, .. } => Some((ranked, at)),
            Wait::Go | Wait::Unknown | Wait::TooLarge(_) => None,
        })
    }
}

impl Ranked {
    fn new(Candidate { signal, wait, order }: Candidate, request: &Request, now: SystemTime) -> Self {
        let limits = || signal.limits.iter().filter(|limit| applies(limit, &request.scope));
        let resets = limits().filter_map(|limit| limit.resets_at).filter(|at| *at > now);
        let shares = limits().filter_map(|limit| share_after(limit, request.need));
        Self {
            status: signal.status,
            headroom: shares.min_by(f64::total_cmp),
            resets_at: resets.min(),
            latency: Some(signal.recent_p50_latency).filter(|latency| !latency.is_zero()),
            provider: signal.provider.clone(),
            wait,
            order,
        }
    }

    /// Why it has its place, in words.
    #[must_use]
    pub fn why(&self, now: SystemTime) -> String {
        let seconds = |at: SystemTime| at.duration_since(now).unwrap_or_default().as_secs_f64().ceil();
        let mut reasons = vec![match (&self.wait, self.status) {
            (Wait::Unknown, _) => "nothing is known of it".to_owned(),
            (Wait::TooLarge(limit), _) => format!("larger than all {} allow", limit.quantity),
            (Wait::Until { at, binding: Binding::Limit(limit) }, _) => {
                format!("the limit of {} binds for {} s", limit.quantity, seconds(*at))
            }
            (Wait::Until { at, binding: Binding::Refusal(class) }, _) => {
                format!("a refusal ({class}) binds for {} s", seconds(*at))
            }
            (Wait::Go, ModelStatus::Degraded) => "its last call failed".to_owned(),
            (Wait::Go, _) => "it can take the request".to_owned(),
        }];
        if let (Wait::Go, Some(share)) = (&self.wait, self.headroom) {
            reasons.push(format!("{:.0} % left after it", share * 100.0));
        }
        if let Some(at) = self.resets_at {
            reasons.push(format!("renewed in {} s", seconds(at)));
        }
        if let Some(latency) = self.latency {
            reasons.push(format!("median {} ms", latency.as_millis()));
        }
        reasons.join(", ")
    }

    fn health(&self) -> u8 {
        match (&self.wait, self.status) {
            (Wait::Unknown, _) | (_, ModelStatus::Unknown) => 2,
            (_, ModelStatus::Degraded) => 1,
            (_, ModelStatus::Available | ModelStatus::Exhausted) => 0,
        }
    }

    /// When it can take the request; those that never can come last.
    fn until(&self) -> (bool, Option<SystemTime>) {
        match self.wait {
            Wait::Until { at, .. } => (false, Some(at)),
            Wait::Go | Wait::Unknown | Wait::TooLarge(_) => (true, None),
        }
    }

    /// By the strategy; where that does not tell, by the others.
    fn compare(&self, other: &Self, strategy: Strategy) -> Ordering {
        let headroom = || other.share_left().total_cmp(&self.share_left());
        let order = || self.order.cmp(&other.order);
        let by_strategy = match strategy {
            Strategy::Headroom => headroom(),
            Strategy::SoonestReset => later_if_none(self.resets_at, other.resets_at),
            Strategy::Latency => later_if_none(self.latency, other.latency),
            Strategy::Order => order(),
        };
        by_strategy.then_with(order).then_with(headroom).then_with(|| self.provider.cmp(&other.provider))
    }

    /// What nobody limits is all left.
    fn share_left(&self) -> f64 {
        self.headroom.unwrap_or(1.0)
    }
}

fn later_if_none<T: Ord>(a: Option<T>, b: Option<T>) -> Ordering {
    (a.is_none(), a).cmp(&(b.is_none(), b))
}

/// Does a limit count a request of this scope?
fn applies(limit: &Limit, scope: &Scope) -> bool {
    let same = |limited: &Option<String>, asked: &Option<String>| {
        limited.is_none() || asked.is_none() || limited == asked
    };
    same(&limit.scope.account, &scope.account) && same(&limit.scope.model, &scope.model)
}

/// The share of a limit that is left after the request.
fn share_after(limit: &Limit, need: Need) -> Option<f64> {
    let taken = if limit.quantity.as_str().ends_with("tokens") { need.tokens } else { need.requests };
    match (limit.remaining, limit.limit, limit.utilization) {
        (Some(remaining), Some(whole), _) if whole > 0 => {
            Some((remaining.saturating_sub(taken) as f64 / whole as f64).min(1.0))
        }
        (_, _, Some(used)) => Some((1.0 - used).clamp(0.0, 1.0)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signal::{Effect, Quantity, Refill, RefusalClass};

    const NOW: SystemTime = SystemTime::UNIX_EPOCH;

    fn after(seconds: u64) -> SystemTime {
        NOW + Duration::from_secs(seconds)
    }

    fn limit(remaining: u64, whole: u64, resets: u64) -> Limit {
        Limit {
            quantity: Quantity::Tokens,
            scope: Scope::default(),
            pool: String::new(),
            window: None,
            limit: Some(whole),
            remaining: Some(remaining),
            utilization: None,
            resets_at: Some(after(resets)),
            captured_at: NOW,
            refill: Refill::WindowEdge,
            effect: Effect::Refuses,
        }
    }

    fn candidate(name: &str, order: u32, limits: Vec<Limit>, latency_ms: u64) -> Candidate {
        let mut signal = Signal::unknown(name.to_owned(), NOW);
        signal.status = ModelStatus::Available;
        signal.limits = limits;
        signal.recent_p50_latency = Duration::from_millis(latency_ms);
        Candidate { signal, wait: Wait::Go, order }
    }

    fn until(name: &str, seconds: u64) -> Candidate {
        let mut cooling = candidate(name, 0, vec![], 0);
        cooling.signal.status = ModelStatus::Exhausted;
        cooling.wait = Wait::Until { at: after(seconds), binding: Binding::Refusal(RefusalClass::Rate) };
        cooling
    }

    fn able(candidates: &[Candidate], request: &Request, strategy: Strategy) -> Vec<String> {
        let ranking = rank(candidates.to_vec(), request, strategy, NOW);
        ranking.able.into_iter().map(|ranked| ranked.provider).collect()
    }

    #[test]
    fn each_strategy_puts_its_best_first() {
        let candidates = [
            candidate("half", 1, vec![limit(500, 1000, 10)], 300),
            candidate("free", 3, vec![], 0),
            candidate("most", 2, vec![limit(900, 1000, 60), limit(95, 100, 3600)], 100),
        ];
        let order = |strategy| able(&candidates, &Request::default(), strategy);
        assert_eq!(order(Strategy::Headroom), ["free", "most", "half"]);
        assert_eq!(order(Strategy::SoonestReset), ["half", "most", "free"]);
        assert_eq!(order(Strategy::Latency), ["most", "half", "free"]);
        assert_eq!(order(Strategy::Order), ["half", "most", "free"]);
    }

    #[test]
    fn the_size_of_the_request_counts() {
        let candidates = [
            candidate("small", 1, vec![limit(100, 100, 10)], 1),
            candidate("large", 2, vec![limit(900, 1000, 10)], 1),
        ];
        let order = |tokens| {
            let request = Request { scope: Scope::default(), need: Need { requests: 1, tokens } };
            able(&candidates, &request, Strategy::Headroom)
        };
        assert_eq!(order(0), ["small", "large"]);
        assert_eq!(order(80), ["large", "small"]);
    }

    #[test]
    fn limits_of_other_models_do_not_count() {
        let mut other = limit(0, 1000, 10);
        other.scope.model = Some("other".into());
        let candidates = [
            candidate("a", 1, vec![other, limit(900, 1000, 10)], 1),
            candidate("b", 2, vec![limit(500, 1000, 10)], 1),
        ];
        let scope = Scope { account: None, model: Some("mine".into()) };
        let request = Request { scope, need: Need::default() };
        assert_eq!(able(&candidates, &request, Strategy::Headroom), ["a", "b"]);
    }

    #[test]
    fn failing_ones_come_after_healthy_ones_and_unknown_ones_last() {
        let mut failing = candidate("failing", 1, vec![], 1);
        failing.signal.status = ModelStatus::Degraded;
        let mut unknown = candidate("unknown", 1, vec![], 1);
        (unknown.signal.status, unknown.wait) = (ModelStatus::Unknown, Wait::Unknown);
        let healthy = candidate("healthy", 9, vec![limit(1, 1000, 10)], 900);
        for strategy in [Strategy::Headroom, Strategy::SoonestReset, Strategy::Latency, Strategy::Order] {
            let order =
                able(&[unknown.clone(), failing.clone(), healthy.clone()], &Request::default(), strategy);
            assert_eq!(order, ["healthy", "failing", "unknown"]);
        }
    }

    #[test]
    fn where_all_are_cooling_the_earliest_is_told() {
        let mut never = until("never", 0);
        never.wait = Wait::TooLarge(limit(10, 10, 10));
        let candidates = vec![never, until("late", 600), until("soon", 20)];
        let ranking = rank(candidates, &Request::default(), Strategy::Headroom, NOW);
        assert!(ranking.able.is_empty());
        let names: Vec<&str> = ranking.cooling.iter().map(|ranked| ranked.provider.as_str()).collect();
        assert_eq!(names, ["soon", "late", "never"]);
        let (earliest, at) = ranking.earliest().unwrap();
        assert_eq!((earliest.provider.as_str(), at), ("soon", after(20)));
    }

    #[test]
    fn strategies_are_named_as_they_are_told() {
        for word in ["headroom", "soonest-reset", "latency", "order"] {
            assert_eq!(word.parse::<Strategy>().unwrap().as_str(), word);
        }
        assert!("best".parse::<Strategy>().unwrap_err().contains("soonest-reset"));
    }
}
