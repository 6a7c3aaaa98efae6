//! What is known of each provider in memory, and the way between memory, evidence and cache.

use alloc::collections::BTreeMap;
use alloc::string::String;
use core::time::Duration;

use runtime_signals_core as core_logic;

use core_logic::call::Call;
use core_logic::evidence::{self, Evidence, Source};
use core_logic::json;
use core_logic::merge::Outcome;
use core_logic::{Signal, Store, Time};

use crate::bindings::runtime_signals::signals::signal_cache::{
    self, CacheError, Claim, Durability, Replaced,
};
use crate::bindings::runtime_signals::signals::{clock, probe, quota_harness};
use crate::effects::FromWit;

/// Times that a signal is settled anew because another process was faster.
const ROUNDS: u32 = 8;

/// The one collector of an instance.
#[derive(Default)]
pub(crate) struct Collector {
    store: Store,
    /// The providers that were asked about, with what was stored of them taken in.
    known: BTreeMap<String, u32>,
}

/// The present time.
pub(crate) fn now() -> Time {
    clock::now().from_wit()
}

/// The JSON of a signal.
pub(crate) fn text(signal: &Signal) -> String {
    String::from_utf8(json::encode(signal)).unwrap_or_default()
}

impl Collector {
    pub(crate) const fn store(&mut self) -> &mut Store {
        &mut self.store
    }

    /// The handle of a provider. What others have stored is taken in the first time; the empty name is nobody's.
    fn know(&mut self, provider: &str) -> Result<u32, CacheError> {
        if let Some(handle) = self.known.get(provider) {
            return Ok(*handle);
        }
        let stored = if provider.is_empty() { None } else { signal_cache::read(provider)? };
        let handle = self.store.add_provider(provider);
        if let Some(stored) = stored {
            // What is no signal says nothing.
            let _ = self.store.adopt(handle, stored.json.as_bytes());
        }
        self.known.insert(provider.into(), handle);
        Ok(handle)
    }

    pub(crate) fn record<'h>(
        &mut self,
        provider: &str,
        provider_type: &str,
        call: &Call<'_>,
        headers: impl Iterator<Item = (&'h [u8], &'h [u8])>,
    ) -> Result<(), CacheError> {
        if !provider.is_empty() {
            let handle = self.know(provider)?;
            let recorded = self.store.record_call(handle, provider_type, call, headers);
            recorded.map_err(|_| CacheError::Io("the provider is not known any more".into()))?;
        }
        Ok(())
    }

    /// The signal as of now; `live` looks at the quota anew.
    fn judge(&mut self, handle: u32, provider_type: &str, base_url: &str, live: bool) -> Signal {
        let evidence = match evidence::plan(provider_type) {
            Source::Recorded => Evidence::None,
            Source::Probe => Evidence::Probe(probe::check_alive(provider_type, base_url).from_wit()),
            Source::Quota if live => Evidence::Quota(quota_harness::refresh_quota(provider_type).from_wit()),
            Source::Quota => Evidence::Quota(quota_harness::quota_status(provider_type).from_wit()),
        };
        self.judge_by(handle, &evidence)
    }

    fn judge_by(&mut self, handle: u32, evidence: &Evidence) -> Signal {
        let now = now();
        self.store.collect(handle, evidence, now).unwrap_or_else(|_| Signal::unknown(String::new(), now))
    }

    pub(crate) fn collect(
        &mut self,
        provider: &str,
        provider_type: &str,
        base_url: &str,
    ) -> Result<String, CacheError> {
        let handle = self.know(provider)?;
        Ok(text(&self.judge(handle, provider_type, base_url, false)))
    }

    /// The signal of what is known in memory, written so that other processes see it.
    pub(crate) fn persist(&mut self, provider: &str) -> Result<String, CacheError> {
        if provider.is_empty() {
            return Ok(text(&Signal::unknown(String::new(), now())));
        }
        let handle = self.know(provider)?;
        let signal = self.judge_by(handle, &Evidence::None);
        self.settle(provider, handle, Durability::Visible)?;
        Ok(text(&signal))
    }

    /// Writes a provider's present state, merged with what is stored. Returns the JSON that is there then.
    fn settle(
        &mut self,
        provider: &str,
        handle: u32,
        durability: Durability,
    ) -> Result<Option<String>, CacheError> {
        let (now, ahead) = (now(), signal_cache::get_settings().refresh_deadline_ns);
        let mut stored = signal_cache::read(provider)?.map(|entry| entry.json);
        for _ in 0..ROUNDS {
            let outcome = self.store.settle(
                handle,
                stored.as_deref().map(str::as_bytes),
                now,
                Duration::from_nanos(ahead),
            );
            let Ok(Outcome::Write(signal)) = outcome else { return Ok(stored) };
            let json = text(&signal);
            match signal_cache::replace(provider, stored.as_deref(), &json, durability)? {
                Replaced::Written => {
                    let _ = self.store.share(handle);
                    return Ok(Some(json));
                }
                Replaced::Changed(by_another) => stored = by_another,
            }
        }
        Err(CacheError::Io(alloc::format!(
            "the signal of {provider} was replaced {ROUNDS} times in a row while it was to be written; nothing was \
             written: find the program that does so"
        )))
    }

    pub(crate) fn warmup(
        &mut self,
        provider: &str,
        provider_type: &str,
        base_url: &str,
    ) -> Result<String, CacheError> {
        let handle = self.know(provider)?;
        match signal_cache::claim_refresh(provider)? {
            Claim::Claimed => {
                let signal = self.judge(handle, provider_type, base_url, true);
                let settled = self.settle(provider, handle, Durability::Durable);
                let failure = settled.as_ref().err().map(message);
                signal_cache::end_refresh(provider, failure)?;
                Ok(settled?.unwrap_or_else(|| text(&signal)))
            }
            Claim::Joined => {
                let stored = signal_cache::read(provider)?;
                let stored = stored.and_then(|entry| json::decode(provider, entry.json.as_bytes()).ok());
                Ok(text(&stored.unwrap_or_else(|| self.judge_by(handle, &Evidence::None))))
            }
        }
    }
}

fn message(error: &CacheError) -> &str {
    match error {
        CacheError::InvalidName(text) | CacheError::CoolingDown(text) | CacheError::Io(text) => text,
    }
}
