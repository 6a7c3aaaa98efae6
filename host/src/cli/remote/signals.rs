//! The signals that a service knows.

use std::time::Duration;

use runtime_signals::{CachedSignal, Store};
use serde::Deserialize;
use serde_json::Value;

use super::{Remote, RemoteError, signal_path};

/// A signal, as `/v1/signals` and `/v1/events` show it.
#[derive(Clone, Debug, Deserialize)]
pub(in crate::cli) struct Seen {
    signal: Value,
    fresh: bool,
    /// `None`: there was never any news of the provider.
    age_ns: Option<u64>,
}

/// The answer of `/v1/signals`.
#[derive(Deserialize)]
struct All {
    signals: Vec<Seen>,
}

impl Seen {
    /// The provider's name, for people.
    pub(in crate::cli) fn provider(&self) -> &str {
        self.signal.get("provider").and_then(Value::as_str).unwrap_or("?")
    }

    /// The same as what the cache gives; `None` where nothing is known of the provider.
    pub(in crate::cli) fn cached(
        &self,
        store: &Store,
    ) -> Result<Option<CachedSignal>, runtime_signals::Error> {
        let Some(age) = self.age_ns.map(Duration::from_nanos) else { return Ok(None) };
        let signal = store.decode(self.provider(), self.signal.to_string().as_bytes())?;
        Ok(Some(CachedSignal { signal, fresh: self.fresh, age }))
    }
}

/// The signal of a provider; `None` where the service knows of no such provider.
pub(in crate::cli) async fn signal(remote: &Remote, provider: &str) -> Result<Option<Seen>, RemoteError> {
    remote.get(&signal_path(provider), &[]).await?.read()
}

/// The signals of all providers of which there was any news, by name.
pub(in crate::cli) async fn entries(remote: &Remote, store: &Store) -> anyhow::Result<Vec<CachedSignal>> {
    let seen = signals(remote).await?;
    let known = seen.iter().map(|seen| seen.cached(store)).filter_map(Result::transpose);
    Ok(known.collect::<Result<_, _>>()?)
}

/// The signals of all providers, by name.
pub(in crate::cli) async fn signals(remote: &Remote) -> Result<Vec<Seen>, RemoteError> {
    let all: Option<All> = remote.get("v1/signals", &[]).await?.read()?;
    Ok(all.map(|all| all.signals).unwrap_or_default())
}
