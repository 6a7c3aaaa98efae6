//! The exported functions.

use alloc::string::String;
use core::cell::RefCell;
use core::time::Duration;

use runtime_signals_core as core_logic;

use core_logic::call::Call;
use core_logic::json;
use core_logic::profile::BodyUse;

use crate::bindings::exports::runtime_signals::signals::collection::{
    CacheError, CachedSignal, CollectInput, Guest, Observation, Wanted,
};
use crate::bindings::runtime_signals::signals::signal_cache;
use crate::collector::{Collector, now, text};
use crate::effects::{FromWit, wanted_headers};

/// The component.
pub(crate) struct Exports;

std::thread_local! {
    static COLLECTOR: RefCell<Collector> = RefCell::default();
}

impl Guest for Exports {
    fn describe(provider_type: String) -> Wanted {
        COLLECTOR.with_borrow_mut(|collector| {
            let (_, profile) = collector.store().profiles().ready(&provider_type);
            let all_bodies = profile.is_some_and(|profile| profile.body != BodyUse::Errors);
            Wanted { headers: wanted_headers(profile), all_bodies }
        })
    }

    fn record_response(observation: Observation) -> Result<(), CacheError> {
        COLLECTOR.with_borrow_mut(|collector| record(collector, &observation))
    }

    fn collect(provider: String, input: CollectInput) -> Result<String, CacheError> {
        COLLECTOR
            .with_borrow_mut(|collector| collector.collect(&provider, &input.provider_type, &input.base_url))
    }

    fn observe(
        provider: String,
        provider_type: String,
        latency_ns: u64,
        call_error: Option<String>,
    ) -> Result<String, CacheError> {
        COLLECTOR.with_borrow_mut(|collector| {
            if call_error.is_some() {
                let call = Call {
                    status: 0,
                    body: &[],
                    latency_ns,
                    ttfb_ns: None,
                    account: None,
                    model: None,
                    error: call_error.as_deref(),
                    received_at: now(),
                };
                collector.record(&provider, &provider_type, &call, core::iter::empty())?;
            }
            collector.persist(&provider)
        })
    }

    fn observe_response(observation: Observation) -> Result<String, CacheError> {
        COLLECTOR.with_borrow_mut(|collector| {
            record(collector, &observation)?;
            collector.persist(&observation.provider)
        })
    }

    fn warmup(provider: String, input: CollectInput) -> Result<String, CacheError> {
        COLLECTOR
            .with_borrow_mut(|collector| collector.warmup(&provider, &input.provider_type, &input.base_url))
    }

    fn read_cached(provider: String) -> Result<Option<CachedSignal>, CacheError> {
        let Some(entry) = signal_cache::read(&provider)? else { return Ok(None) };
        let Ok(signal) = json::decode(&provider, entry.json.as_bytes()) else { return Ok(None) };
        let (now, settings) = (now(), signal_cache::get_settings());
        let times = [signal.recorded_at, entry.modified.from_wit()];
        let longest = |span: fn(_, _) -> Duration| times.map(|time| span(time, now)).into_iter().max();
        let age = longest(|time, now| now.since(time)).unwrap_or_default();
        let ahead = longest(|time, now| time.since(now)).unwrap_or_default();
        let fresh = age < Duration::from_nanos(settings.ttl_ns)
            && ahead <= Duration::from_nanos(settings.refresh_deadline_ns);
        let age_ns = u64::try_from(age.as_nanos()).unwrap_or(u64::MAX);
        Ok(Some(CachedSignal { signal: text(&signal), fresh, age_ns }))
    }
}

fn record(collector: &mut Collector, observation: &Observation) -> Result<(), CacheError> {
    let call = Call {
        status: observation.status,
        body: observation.body_excerpt.as_deref().unwrap_or_default(),
        latency_ns: observation.latency_ns,
        ttfb_ns: observation.ttfb_ns,
        account: observation.scope.account.as_deref(),
        model: observation.scope.model.as_deref(),
        error: observation.error.as_deref(),
        received_at: observation.received_at.map_or_else(now, FromWit::from_wit),
    };
    let headers = observation.headers.iter().map(|(name, value)| (name.as_bytes(), value.as_slice()));
    collector.record(&observation.provider, &observation.provider_type, &call, headers)
}
