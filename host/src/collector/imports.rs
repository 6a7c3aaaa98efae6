//! The four capabilities that the component imports.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::SystemTime;

use tokio::runtime::Handle;
use wasmtime::component::HasSelf;

use super::Effects;
use super::bindings::runtime_signals::signals::signal_cache::{
    CacheError, Claim, Durability, Entry, Replaced, Settings,
};
use super::bindings::runtime_signals::signals::{clock, probe, quota_harness, signal_cache};
use crate::cache::{
    CacheError as Failed, CommitError, Decision, Durability as Lasting, Raw, Source, cache_source,
};
use crate::engine::wit::{Instant, ProbeOutcome, QuotaStatus};
use crate::engine::{ToWit, Usage, nanoseconds, thread_cpu_time};
use crate::time::parse_rfc3339;

/// Most calls of the host within one call of the component; a refresh makes about ten.
const MOST_CALLS: usize = 64;

/// The linker's view of [`Host`].
pub(super) type Own = HasSelf<Host>;

/// What an instance has used, and what it may ask for.
pub(super) struct Host {
    pub(super) usage: Usage,
    effects: Arc<Effects>,
    /// Where live checks wait and how the claim of a refresh was settled, in a call that may make them.
    live: Option<(Handle, Claim)>,
    calls_left: usize,
}

impl Host {
    pub(super) const fn new(usage: Usage, effects: Arc<Effects>) -> Self {
        Self { usage, effects, live: None, calls_left: 0 }
    }

    pub(super) fn begin_call(&mut self, live: Option<(Handle, Claim)>) {
        self.usage.begin_call();
        self.live = live;
        self.calls_left = MOST_CALLS;
    }

    /// Does the host's own work, whose processor time is not the component's.
    fn work<T>(&mut self, work: impl FnOnce(&Self) -> wasmtime::Result<T>) -> wasmtime::Result<T> {
        let left = self.calls_left.checked_sub(1);
        self.calls_left = left.ok_or_else(|| {
            wasmtime::Error::msg(format!("it asked the host for more than {MOST_CALLS} things in one call"))
        })?;
        let began = thread_cpu_time();
        let done = work(self);
        self.usage.spare(began);
        done
    }

    fn live(&self) -> wasmtime::Result<&(Handle, Claim)> {
        self.live
            .as_ref()
            .ok_or_else(|| wasmtime::Error::msg("it asked for a live check in a call that makes none"))
    }

    /// Waits for a live check.
    fn wait<T>(&mut self, check: impl AsyncFnOnce(&Effects) -> T) -> wasmtime::Result<T> {
        self.work(|host| Ok(host.live()?.0.block_on(check(&host.effects))))
    }

    /// Does something to a file of the cache.
    fn on_disk<T>(
        &mut self,
        provider: &str,
        work: impl FnOnce(&Effects, &Source) -> Result<T, Failed>,
    ) -> wasmtime::Result<Result<T, CacheError>> {
        self.work(|host| {
            Ok(match cache_source(provider) {
                Ok(source) => work(&host.effects, &source).map_err(|error| CacheError::Io(error.to_string())),
                Err(error) => Err(CacheError::InvalidName(error.to_string())),
            })
        })
    }
}

impl clock::Host for Host {
    fn now(&mut self) -> wasmtime::Result<Instant> {
        self.work(|host| Ok(host.effects.clock.now().to_wit()))
    }
}

impl probe::Host for Host {
    fn check_alive(&mut self, provider_type: String, base_url: String) -> wasmtime::Result<ProbeOutcome> {
        self.wait(async |effects| effects.probe.check_alive(&provider_type, &base_url).await.to_wit())
    }
}

impl quota_harness::Host for Host {
    fn quota_status(&mut self, name: String) -> wasmtime::Result<QuotaStatus> {
        self.work(|host| Ok(host.effects.quota.quota_status(&name, host.effects.clock.now()).to_wit()))
    }

    fn refresh_quota(&mut self, name: String) -> wasmtime::Result<QuotaStatus> {
        self.wait(async |effects| effects.quota.refresh_quota(&name, effects.clock.now()).await.to_wit())
    }
}

impl signal_cache::Host for Host {
    fn get_settings(&mut self) -> wasmtime::Result<Settings> {
        self.work(|host| {
            let options = host.effects.cache.options();
            Ok(Settings {
                ttl_ns: nanoseconds(options.ttl),
                refresh_deadline_ns: nanoseconds(options.refresh_deadline),
            })
        })
    }

    fn read(&mut self, provider: String) -> wasmtime::Result<Result<Option<Entry>, CacheError>> {
        self.on_disk(&provider, |effects, source| {
            let raw = effects.cache.read(source)?;
            let entry = |raw: Raw| {
                let modified = raw.modified.to_wit();
                Some(Entry { json: String::from_utf8(raw.bytes).ok()?, modified })
            };
            Ok(raw.and_then(entry))
        })
    }

    fn replace(
        &mut self,
        provider: String,
        seen: Option<String>,
        json: String,
        durability: Durability,
    ) -> wasmtime::Result<Result<Replaced, CacheError>> {
        let durability = match durability {
            Durability::Visible => Lasting::Visible,
            Durability::Durable => Lasting::Durable,
        };
        self.on_disk(&provider, |effects, source| {
            let in_place = Arc::new(AtomicBool::new(false));
            let placed = in_place.clone();
            let decide = move |stored: Option<&[u8]>| {
                let stored = stored.and_then(|stored| str::from_utf8(stored).ok());
                // Asked again after it is in place: another program's refresh may have put back an older one.
                if placed.load(Ordering::Acquire) && stored.and_then(recorded_at) < recorded_at(&json)
                    || stored == seen.as_deref()
                {
                    Ok(Decision::Write(json.clone().into_bytes()))
                } else {
                    Err(Changed(stored.map(str::to_owned)))
                }
            };
            match effects.cache.commit(source, durability, decide) {
                Ok(_) => {
                    in_place.store(true, Ordering::Release);
                    Ok(Replaced::Written)
                }
                Err(CommitError::Decide(Changed(stored))) => Ok(Replaced::Changed(stored)),
                Err(CommitError::Cache(error)) => Err(error),
            }
        })
    }

    fn claim_refresh(&mut self, _: String) -> wasmtime::Result<Result<Claim, CacheError>> {
        // The flight that this call is part of has settled it, so that others wait for it and not for the instance.
        self.work(|host| Ok(Ok(host.live()?.1)))
    }

    fn end_refresh(&mut self, _: String, _: Option<String>) -> wasmtime::Result<Result<(), CacheError>> {
        // The flight ends with the call, by what the component answers.
        self.work(|host| host.live().map(|_| Ok(())))
    }
}

/// What is stored is another than the component saw.
#[derive(Debug)]
struct Changed(Option<String>);

impl fmt::Display for Changed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("another process has stored a signal meanwhile")
    }
}

fn recorded_at(json: &str) -> Option<SystemTime> {
    let signal: serde_json::Value = serde_json::from_str(json).ok()?;
    parse_rfc3339(signal.get("recorded_at")?.as_str()?)
}
