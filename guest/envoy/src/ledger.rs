//! What is known of the providers: one truth for all workers.
//!
//! Each worker thread has an instance of its own; the state of a provider lies in memory that they share, and is
//! replaced only by who has seen the latest. Nobody waits: who was overtaken takes in what is there and records again.

use std::time::Duration;

use runtime_signals_core::call::{Call, wants};
use runtime_signals_core::evidence::Evidence;
use runtime_signals_core::{Signal, Store, Time};

use crate::config::Provider;

/// How often an observation is tried that others keep overtaking.
const MOST_TRIES: usize = 16;
/// Largest state that is shared, in bytes.
const MOST_STATE_BYTES: usize = 256 << 10;

/// Memory that the workers share, as values with versions.
pub trait SharedData {
    /// The value of a key and its version, as far as there are any.
    fn get(&self, key: &str) -> (Option<Vec<u8>>, Option<u32>);
    /// Replaces the value of a key if it still has this version; `false` where it has another.
    fn set(&self, key: &str, value: &[u8], version: Option<u32>) -> bool;
}

/// A finished exchange, up to the headers of its response.
#[derive(Clone, Copy, Debug)]
pub struct Exchange<'a> {
    /// HTTP status; 0 where there was no response.
    pub status: u16,
    /// Why there was no response.
    pub error: Option<&'a str>,
    /// The headers of the response that matter, see [`Ledger::keep_wanted`].
    pub headers: &'a [(String, Vec<u8>)],
    /// When the request came in.
    pub sent_at: Time,
    /// When the headers of the response came.
    pub received_at: Time,
}

impl Exchange<'_> {
    /// Time to the headers of the response.
    #[must_use]
    pub fn latency(&self) -> Duration {
        self.received_at.since(self.sent_at)
    }
}

/// The providers of one plugin in one worker.
pub struct Ledger {
    store: Store,
    slots: Vec<Slot>,
}

struct Slot {
    key: String,
    /// Of the provider in the store.
    handle: u32,
    provider_type: String,
    /// The shared state that the store holds.
    seen: Vec<u8>,
}

impl Ledger {
    /// A ledger of these providers.
    #[must_use]
    pub fn new(providers: &[Provider]) -> Self {
        let mut store = Store::new(0);
        let slots = providers.iter().map(|provider| Slot {
            key: format!("runtime-signals/{}", provider.name),
            handle: store.add_provider(&provider.name),
            provider_type: provider.provider_type.clone(),
            seen: Vec::new(),
        });
        Self { slots: slots.collect(), store }
    }

    /// Shares an empty state of each provider that has none yet. Envoy does this on its main thread before any worker
    /// starts: only a value that exists has a version to compare with.
    pub fn prepare(&mut self, shared: &dyn SharedData) {
        for slot in &self.slots {
            if let ((None, _), Ok(state)) = (shared.get(&slot.key), self.store.export(slot.handle)) {
                shared.set(&slot.key, &state, None);
            }
        }
    }

    /// Keeps of a response's headers those that the provider's profile names.
    pub fn keep_wanted(&mut self, place: usize, headers: &mut Vec<(String, Vec<u8>)>) {
        let Some(slot) = self.slots.get(place) else { return };
        if let (_, Some(profile)) = self.store.profiles().ready(&slot.provider_type) {
            headers.retain(|(name, _)| wants(profile, name.as_bytes()));
        }
    }

    /// Records an exchange for all workers; `false` where others were faster each time and it is left out.
    pub fn record(&mut self, shared: &dyn SharedData, place: usize, exchange: &Exchange<'_>) -> bool {
        let latency_ns = u64::try_from(exchange.latency().as_nanos()).unwrap_or(u64::MAX);
        let call = Call {
            status: exchange.status,
            body: &[],
            latency_ns,
            ttfb_ns: Some(latency_ns),
            account: None,
            model: None,
            error: exchange.error,
            received_at: exchange.received_at,
        };
        for _ in 0..MOST_TRIES {
            let version = self.take_in(shared, place);
            let Some(slot) = self.slots.get_mut(place) else { return false };
            let headers = exchange.headers.iter().map(|(name, value)| (name.as_bytes(), value.as_slice()));
            let recorded = self.store.record_call(slot.handle, &slot.provider_type, &call, headers);
            let (Ok(()), Ok(state)) = (recorded, self.store.export(slot.handle)) else { return false };
            // Whatever comes of it, the store no longer holds what was seen.
            slot.seen.clear();
            if state.len() > MOST_STATE_BYTES {
                return false;
            }
            if shared.set(&slot.key, &state, version) {
                slot.seen = state;
                return true;
            }
        }
        false
    }

    /// Brings the store to what is shared of a provider, and gives its version.
    fn take_in(&mut self, shared: &dyn SharedData, place: usize) -> Option<u32> {
        let slot = self.slots.get_mut(place)?;
        let (state, version) = shared.get(&slot.key);
        if let Some(state) = state.filter(|state| *state != slot.seen) {
            // What cannot be read is another version's, and is replaced by what is known here.
            if self.store.import(slot.handle, &state).is_ok() {
                slot.seen = state;
            }
        }
        version
    }

    /// The signal of a provider, from what all workers know.
    pub fn signal(&mut self, shared: &dyn SharedData, place: usize, now: Time) -> Option<Signal> {
        self.take_in(shared, place);
        self.judge(place, now)
    }

    /// The signal of a provider, from what this worker saw last.
    pub fn judge(&mut self, place: usize, now: Time) -> Option<Signal> {
        let handle = self.slots.get(place)?.handle;
        self.store.collect(handle, &Evidence::None, now).ok()
    }
}

#[cfg(test)]
mod tests {
    use std::cell::{Cell, RefCell};
    use std::collections::HashMap;

    use runtime_signals_core::signal::Status;

    use super::*;
    use crate::config::Config;

    /// As Envoy keeps it, with somebody else who writes in between as often as asked for.
    #[derive(Default)]
    struct Memory {
        values: RefCell<HashMap<String, (Vec<u8>, u32)>>,
        next: Cell<u32>,
        interferences: Cell<usize>,
    }

    impl SharedData for Memory {
        fn get(&self, key: &str) -> (Option<Vec<u8>>, Option<u32>) {
            let value = self.values.borrow().get(key).cloned();
            value.map_or((None, None), |(value, version)| (Some(value), Some(version)))
        }

        fn set(&self, key: &str, value: &[u8], version: Option<u32>) -> bool {
            self.next.set(self.next.get() + 1);
            let mut values = self.values.borrow_mut();
            let present = values.get_mut(key);
            if let Some((_, present)) = present.filter(|_| self.interferences.get() > 0) {
                self.interferences.set(self.interferences.get() - 1);
                *present = self.next.get();
                return false;
            }
            if version.is_some() && values.get(key).map(|(_, present)| *present) != version {
                return false;
            }
            values.insert(key.to_owned(), (value.to_owned(), self.next.get()));
            true
        }
    }

    fn ledger() -> Ledger {
        let json = br#"{"providers":[{"name":"a","type":"openai","match":{"host":"a"}}]}"#;
        Ledger::new(&Config::read(json).unwrap().providers)
    }

    fn at(seconds: i64) -> Time {
        Time::new(1_790_000_000 + seconds, 0).unwrap()
    }

    fn record(ledger: &mut Ledger, memory: &Memory, status: u16, header: (&str, &str), now: Time) -> bool {
        let mut headers =
            vec![("set-cookie".to_owned(), b"id=1".to_vec()), (header.0.to_owned(), header.1.into())];
        ledger.keep_wanted(0, &mut headers);
        assert_eq!(headers.len(), 1, "a cookie is not asked for");
        let sent_at = now.saturating_sub(Duration::from_millis(250));
        let exchange = Exchange { status, error: None, headers: &headers, sent_at, received_at: now };
        ledger.record(memory, 0, &exchange)
    }

    #[test]
    fn what_one_worker_learns_the_other_tells() {
        let memory = Memory::default();
        let (mut one, mut other) = (ledger(), ledger());
        one.prepare(&memory);
        other.prepare(&memory);
        assert!(record(&mut one, &memory, 429, ("retry-after", "20"), at(0)));
        let signal = other.signal(&memory, 0, at(1)).unwrap();
        assert_eq!((signal.status, signal.quota_reset_at), (Status::Exhausted, Some(at(20))));
        assert_eq!(signal.recent_p50_latency_ns, 250_000_000);
        assert!(record(&mut other, &memory, 200, ("x-ratelimit-remaining-requests", "7"), at(30)));
        let signal = one.signal(&memory, 0, at(31)).unwrap();
        assert_eq!((signal.status, signal.quota_remaining), (Status::Available, Some(7)));
        assert_eq!(signal.latency.unwrap().count, 2);
    }

    #[test]
    fn who_is_overtaken_records_again_and_each_observation_counts_once() {
        let memory = Memory::default();
        let mut ledger = ledger();
        ledger.prepare(&memory);
        memory.interferences.set(MOST_TRIES - 1);
        assert!(record(&mut ledger, &memory, 200, ("x-ratelimit-remaining-requests", "7"), at(0)));
        assert_eq!(ledger.signal(&memory, 0, at(1)).unwrap().latency.unwrap().count, 1);
    }

    #[test]
    fn who_is_overtaken_each_time_says_so_and_keeps_nothing_of_it() {
        let memory = Memory::default();
        let mut ledger = ledger();
        ledger.prepare(&memory);
        memory.interferences.set(MOST_TRIES);
        assert!(!record(&mut ledger, &memory, 429, ("retry-after", "20"), at(0)));
        assert_eq!(ledger.signal(&memory, 0, at(1)).unwrap().status, Status::Unknown);
    }

    #[test]
    fn a_state_that_cannot_be_read_is_replaced() {
        let memory = Memory::default();
        let mut ledger = ledger();
        memory.set("runtime-signals/a", b"of another version", None);
        assert!(record(&mut ledger, &memory, 429, ("retry-after", "20"), at(0)));
        assert_eq!(super::tests::ledger().signal(&memory, 0, at(1)).unwrap().status, Status::Exhausted);
    }

    #[test]
    fn an_exchange_without_a_response_is_a_failure() {
        let memory = Memory::default();
        let mut ledger = ledger();
        let exchange = Exchange {
            status: 0,
            error: Some("upstream_reset_before_response_started{remote_connection_failure}"),
            headers: &[],
            sent_at: at(0),
            received_at: at(1),
        };
        assert!(ledger.record(&memory, 0, &exchange));
        let signal = ledger.judge(0, at(2)).unwrap();
        assert_eq!((signal.status, signal.recent_p50_latency_ns), (Status::Degraded, 0));
    }
}
