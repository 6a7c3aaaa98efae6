//! Leases that many threads ask for at random moments: what they may send is never more than what the provider has.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex};
use std::time::Duration;

use fastrand::Rng;
use runtime_signals::lease::{Answer, Claim, Ledger, Obstacle};
use runtime_signals::{Need, Observation, Scope, Store};

use crate::serve::client::PATIENCE;
use crate::support::{ManualClock, rounds, seed, store};

const THREADS: u64 = 8;
/// Calls that a thread wants to make, at most.
const FEW_ROUNDS: u64 = 60;
const PROVIDER: &str = "mine";
const MODELS: [&str; 2] = ["small", "large"];
const LARGEST_CALL: u64 = 40;

/// What a provider has left of each model, and how often it was asked for more.
struct Provider {
    allowed: u64,
    left: [Mutex<u64>; 2],
    overdrawn: AtomicU64,
}

impl Provider {
    /// A call arrives; what it is told is left.
    fn call(&self, model: usize, tokens: u64) -> u64 {
        let mut left = self.left[model].lock().unwrap();
        if *left < tokens {
            self.overdrawn.fetch_add(1, Ordering::SeqCst);
        }
        *left = left.saturating_sub(tokens);
        *left
    }
}

/// All that the threads share.
struct Load {
    provider: Provider,
    store: Store,
    ledger: Mutex<Ledger>,
    /// A lease was released: whoever waits may ask again.
    released: Condvar,
    granted: AtomicU64,
    waited: AtomicU64,
    refused: AtomicU64,
}

fn scope(model: usize) -> Scope {
    Scope { account: None, model: Some(MODELS[model].to_owned()) }
}

impl Load {
    fn record(&self, model: usize, left: u64) {
        let headers = [
            ("x-ratelimit-limit-tokens", self.provider.allowed.to_string()),
            ("x-ratelimit-remaining-tokens", left.to_string()),
            ("x-ratelimit-reset-tokens", "3600s".to_owned()),
        ];
        let call = Observation::new(PROVIDER, "openai", &headers, Duration::ZERO);
        self.store.record(&Observation { status: Some(200), model: Some(MODELS[model]), ..call }).unwrap();
    }

    /// Asks for a lease until it is granted, waiting for others to give theirs back where those are in the way; `false`
    /// where what is left is not enough.
    fn acquire(&self, claim: &Claim, id: u128) -> bool {
        let mut ledger = self.ledger.lock().unwrap();
        loop {
            let answer = ledger.acquire(claim, id, self.store.now(), |scope, need| {
                self.store.wait_for(PROVIDER, scope, need)
            });
            match answer.unwrap() {
                Answer::Granted(_) => return true,
                Answer::NotBefore { obstacle: Obstacle::InFlight, .. } => {
                    self.waited.fetch_add(1, Ordering::SeqCst);
                    let (again, time) = self.released.wait_timeout(ledger, PATIENCE).unwrap();
                    assert!(!time.timed_out(), "a lease is never given back");
                    ledger = again;
                }
                Answer::NotBefore { .. } => return false,
                answer => panic!("{answer:?}"),
            }
        }
    }

    fn take_part(&self, thread: u64, rounds: u64, mut chance: Rng) {
        let linger = |times: u8| (0..times).for_each(|_| std::thread::yield_now());
        for round in 0..rounds {
            let (model, tokens) = (chance.usize(0..MODELS.len()), chance.u64(1..=LARGEST_CALL));
            let claim = Claim {
                provider: PROVIDER.to_owned(),
                scope: scope(model),
                need: Need { requests: 1, tokens },
                lasts: Duration::from_secs(600),
            };
            let id = u128::from(thread * rounds + round);
            if !self.acquire(&claim, id) {
                self.refused.fetch_add(1, Ordering::SeqCst);
                continue;
            }
            self.granted.fetch_add(1, Ordering::SeqCst);
            linger(chance.u8(0..10));
            let left = self.provider.call(model, tokens);
            // Answers overtake each other on their way back.
            linger(chance.u8(0..10));
            self.record(model, left);
            assert!(self.ledger.lock().unwrap().release(id, self.store.now()));
            self.released.notify_all();
        }
    }
}

#[test]
fn no_more_is_granted_than_is_left_and_all_of_it_can_be_had() {
    let seed = seed();
    let rounds = rounds(FEW_ROUNDS);
    // About half of what will be asked for.
    let allowed = rounds * THREADS * LARGEST_CALL / 8;
    let load = Load {
        provider: Provider {
            allowed,
            left: [Mutex::new(allowed), Mutex::new(allowed)],
            overdrawn: AtomicU64::new(0),
        },
        store: store(&ManualClock::new()),
        ledger: Mutex::new(Ledger::new(1000)),
        released: Condvar::new(),
        granted: AtomicU64::new(0),
        waited: AtomicU64::new(0),
        refused: AtomicU64::new(0),
    };
    (0..MODELS.len()).for_each(|model| load.record(model, allowed));
    std::thread::scope(|threads| {
        for thread in 0..THREADS {
            let (load, chance) = (&load, Rng::with_seed(seed.wrapping_add(thread)));
            threads.spawn(move || load.take_part(thread, rounds, chance));
        }
    });
    let count = |count: &AtomicU64| count.load(Ordering::SeqCst);
    let (granted, waited, refused) = (count(&load.granted), count(&load.waited), count(&load.refused));
    println!("granted {granted}, waited {waited}, refused {refused}");
    assert_eq!(count(&load.provider.overdrawn), 0, "the provider was asked for more than it had");
    assert!(granted > 0 && waited > 0 && refused > 0, "{granted} {waited} {refused}");
    assert_eq!((granted + refused, load.ledger.lock().unwrap().len()), (rounds * THREADS, 0));
    for left in load.provider.left {
        assert!(left.into_inner().unwrap() < LARGEST_CALL, "some of it was held back");
    }
}
