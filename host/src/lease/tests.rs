use std::cell::Cell;
use std::convert::Infallible;

use super::*;
use crate::signal::{Effect, Quantity, Refill, RefusalClass};

const NOW: SystemTime = SystemTime::UNIX_EPOCH;

fn after(milliseconds: u64) -> SystemTime {
    NOW + Duration::from_secs(1_000_000) + Duration::from_millis(milliseconds)
}

fn claim(model: Option<&str>, tokens: u64) -> Claim {
    Claim {
        provider: "mine".into(),
        scope: Scope { account: None, model: model.map(Into::into) },
        need: Need { requests: 1, tokens },
        lasts: Duration::from_secs(60),
    }
}

fn limit(remaining: u64) -> Limit {
    Limit {
        quantity: Quantity::Tokens,
        scope: Scope::default(),
        pool: String::new(),
        window: None,
        limit: Some(1000),
        remaining: Some(remaining),
        utilization: None,
        resets_at: None,
        captured_at: NOW,
        refill: Refill::WindowEdge,
        effect: Effect::Refuses,
    }
}

/// A provider that has so many tokens left until a time, and 1000 in all.
fn tokens_left(left: u64, until: SystemTime) -> impl Fn(&Scope, Need) -> Result<Wait, Infallible> {
    move |_, need| {
        Ok(match need.tokens {
            tokens if tokens > 1000 => Wait::TooLarge(limit(left)),
            tokens if tokens > left => Wait::Until { at: until, binding: Binding::Limit(limit(left)) },
            _ => Wait::Go,
        })
    }
}

fn refused_until(at: SystemTime) -> impl Fn(&Scope, Need) -> Result<Wait, Infallible> {
    move |_, _| Ok(Wait::Until { at, binding: Binding::Refusal(RefusalClass::Rate) })
}

fn go(_: &Scope, _: Need) -> Result<Wait, Infallible> {
    Ok(Wait::Go)
}

/// A ledger and names for its leases.
struct Desk(Ledger, Cell<LeaseId>);

impl Desk {
    fn new() -> Self {
        Self(Ledger::new(1000), Cell::new(0))
    }

    fn ask(
        &mut self,
        claim: &Claim,
        now: SystemTime,
        wait_for: impl Fn(&Scope, Need) -> Result<Wait, Infallible>,
    ) -> Answer {
        self.1.set(self.1.get() + 1);
        let Ok(answer) = self.0.acquire(claim, self.1.get(), now, wait_for);
        answer
    }

    #[track_caller]
    fn granted(&mut self, claim: &Claim, now: SystemTime, left: u64) -> Lease {
        match self.ask(claim, now, tokens_left(left, after(60_000))) {
            Answer::Granted(lease) => lease,
            other => panic!("{other:?}"),
        }
    }
}

#[track_caller]
fn not_before(answer: &Answer) -> SystemTime {
    match answer {
        Answer::NotBefore { at, .. } => *at,
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_is_in_flight_counts_until_it_is_released() {
    let mut desk = Desk::new();
    let first = desk.granted(&claim(None, 400), after(0), 1000);
    desk.granted(&claim(None, 400), after(0), 1000);
    assert_eq!(desk.0.in_flight("mine", after(0)), Need { requests: 2, tokens: 800 });
    let third = desk.ask(&claim(None, 400), after(0), tokens_left(1000, after(60_000)));
    assert!(matches!(third, Answer::NotBefore { obstacle: Obstacle::InFlight, .. }), "{third:?}");

    assert!(desk.0.release(first.id, after(1)));
    desk.granted(&claim(None, 400), after(60_000), 1000);
    assert!(!desk.0.release(first.id, after(60_000)), "it was released before");
}

#[test]
fn a_lease_that_nobody_releases_expires_by_itself() {
    let mut desk = Desk::new();
    let lease = desk.granted(&claim(None, 900), after(0), 1000);
    assert_eq!(lease.expires_at, after(60_000));
    not_before(&desk.ask(&claim(None, 900), after(59_999), tokens_left(1000, after(90_000))));
    desk.granted(&claim(None, 900), after(150_000), 1000);
    assert_eq!(desk.0.len(), 1);
    assert!(!desk.0.release(lease.id, after(150_000)));
}

#[test]
fn no_lease_lasts_longer_than_the_longest() {
    let mut desk = Desk::new();
    let endless = Claim { lasts: Duration::MAX, ..claim(None, 1) };
    assert_eq!(desk.granted(&endless, after(0), 1000).expires_at, after(0) + LONGEST_LEASE);
}

#[test]
fn a_hundred_who_wait_for_one_reset_get_times_in_steps_that_double() {
    let mut desk = Desk::new();
    let reset = after(30_000);
    let times: Vec<SystemTime> =
        (0..100).map(|_| not_before(&desk.ask(&claim(None, 1), after(0), refused_until(reset)))).collect();
    let at_step = |step: u32| times.iter().filter(|at| **at == reset + STEP * step).count();
    assert_eq!((0..7).map(at_step).collect::<Vec<_>>(), [1, 2, 4, 8, 16, 32, 37]);
    assert!(desk.0.is_empty());
}

#[test]
fn after_a_reset_they_are_let_through_in_steps_whenever_they_come() {
    let mut desk = Desk::new();
    let reset = after(30_000);
    not_before(&desk.ask(&claim(None, 1), after(0), refused_until(reset)));
    let mut passed_at = |now: SystemTime| {
        (0..100).filter(|_| matches!(desk.ask(&claim(None, 1), now, go), Answer::Granted(_))).count()
    };
    assert_eq!(passed_at(reset), 1);
    assert_eq!(passed_at(reset + STEP), 2);
    assert_eq!(passed_at(reset + STEP * 3), 12);
    // After the last step there is no gate any more.
    assert_eq!(passed_at(reset + STEP * 10), 100);
}

#[test]
fn who_is_refused_again_stops_the_others() {
    let mut desk = Desk::new();
    let (first, second) = (after(30_000), after(60_000));
    not_before(&desk.ask(&claim(None, 1), after(0), refused_until(first)));
    assert!(matches!(desk.ask(&claim(None, 1), first, go), Answer::Granted(_)));
    let again = desk.ask(&claim(None, 1), first + STEP, refused_until(second));
    assert_eq!(not_before(&again), second);
}

#[test]
fn who_comes_before_a_step_is_told_when_it_begins() {
    let mut desk = Desk::new();
    let reset = after(30_000);
    not_before(&desk.ask(&claim(None, 1), after(0), refused_until(reset)));
    assert!(matches!(desk.ask(&claim(None, 1), reset, go), Answer::Granted(_)));
    let early = desk.ask(&claim(None, 1), reset + STEP / 2, go);
    assert_eq!(early, Answer::NotBefore { at: reset + STEP, obstacle: Obstacle::Step });
}

#[test]
fn a_refusal_that_ends_early_lets_all_through_at_once() {
    let mut desk = Desk::new();
    not_before(&desk.ask(&claim(None, 1), after(0), refused_until(after(30_000))));
    for _ in 0..100 {
        assert!(matches!(desk.ask(&claim(None, 1), after(5), go), Answer::Granted(_)));
    }
}

#[test]
fn limits_of_a_model_count_what_goes_to_it_and_those_of_the_account_count_all() {
    // 1000 tokens for each model, 1500 for the account.
    let wait_for = |scope: &Scope, need: Need| {
        let whole = if scope.model.is_some() { 1000 } else { 1500 };
        let too_much = need.tokens > whole;
        let until = Wait::Until { at: after(60_000), binding: Binding::Limit(limit(0)) };
        Ok::<_, Infallible>(if too_much { until } else { Wait::Go })
    };
    let mut desk = Desk::new();
    let (a, b) = (claim(Some("a"), 800), claim(Some("b"), 600));
    assert!(matches!(desk.ask(&a, after(0), wait_for), Answer::Granted(_)));
    not_before(&desk.ask(&claim(Some("a"), 300), after(0), wait_for));
    assert!(matches!(desk.ask(&b, after(0), wait_for), Answer::Granted(_)));
    // The model has room, the account has not.
    not_before(&desk.ask(&claim(Some("b"), 200), after(0), wait_for));
}

#[test]
fn what_is_larger_than_all_never_passes_and_there_is_a_bound() {
    let mut desk = Desk::new();
    let too_large = desk.ask(&claim(None, 1001), after(0), tokens_left(1000, after(0)));
    assert!(matches!(too_large, Answer::TooLarge(_)), "{too_large:?}");
    desk.0.set_most(1);
    desk.granted(&claim(None, 1), after(0), 1000);
    assert_eq!(desk.ask(&claim(None, 1), after(0), go), Answer::Full);
}

#[test]
fn a_failure_to_answer_changes_nothing() {
    let mut ledger = Ledger::new(10);
    assert_eq!(ledger.acquire(&claim(None, 1), 1, after(0), |_, _| Err("down")), Err("down"));
    assert!(ledger.is_empty());
}

#[test]
fn after_the_clock_was_a_day_ahead_nothing_is_in_flight_for_a_day_and_nobody_waits_for_one() {
    const DAY: u64 = 86_400_000;
    let (mut desk, claim) = (Desk::new(), claim(None, 400));
    desk.granted(&claim, after(DAY), 700);
    let told = not_before(&desk.ask(&claim, after(DAY), tokens_left(700, after(DAY + 60_000))));
    assert!(told >= after(DAY + 60_000));
    desk.granted(&claim, after(0), 700);
    let told = not_before(&desk.ask(&claim, after(1), tokens_left(700, after(60_000))));
    assert!(told < after(61_000), "{told:?}");
}
