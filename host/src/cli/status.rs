//! Without a command: the status of everything, most urgent first.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::time::Duration;

use runtime_signals::quota::{QuotaHarness, QuotaPaths, QuotaSources, QuotaState, SUBSCRIPTIONS};
use runtime_signals::{CachedSignal, CollectInput, Error, Limit, ModelStatus, Service, Signal};

use super::context::{Context, block_on};
use super::remote::Remote;
use super::{Exit, output, remote, tell};

/// Prints the signals of all that is cached or found, or that a service knows, as of now.
pub(super) fn run(context: &Context) -> anyhow::Result<Exit> {
    if let Some(remote) = context.remote()? {
        return of_service(&remote, context);
    }
    let service = context.service()?;
    let signals = most_urgent_first(found(&service)?);
    if signals.is_empty() && !context.output.is_json() {
        let root = service.cache().root().display();
        let text = format!("no signals in {root}, and no quota of a subscription on this machine\n");
        output::write(text.as_bytes())?;
        return Ok(Exit::DONE);
    }
    context.output.entries(&signals, service.store())?;
    Ok(Exit::DONE)
}

/// All that is cached or found, as of now, by name.
pub(super) fn found(service: &Service) -> anyhow::Result<Vec<CachedSignal>> {
    let mut found = cached(service)?;
    block_on(add_subscriptions(service, &mut found))??;
    Ok(found.into_values().collect())
}

fn of_service(remote: &Remote, context: &Context) -> anyhow::Result<Exit> {
    let store = context.judge()?;
    let signals = most_urgent_first(block_on(remote::entries(remote, &store))??);
    if signals.is_empty() && !context.output.is_json() {
        let text = format!("the service at {} knows no signals\n", remote.address());
        output::write(text.as_bytes())?;
        return Ok(Exit::DONE);
    }
    context.output.entries(&signals, &store)?;
    Ok(Exit::DONE)
}

fn most_urgent_first(mut signals: Vec<CachedSignal>) -> Vec<CachedSignal> {
    signals.sort_by(|a, b| urgency(&a.signal, &b.signal));
    signals
}

/// What is cached, judged now.
fn cached(service: &Service) -> Result<BTreeMap<String, CachedSignal>, Error> {
    let mut found = BTreeMap::new();
    for source in service.cache().list()? {
        let name = source.name();
        match service.read_cached(name)? {
            Some(CachedSignal { fresh, age, .. }) => {
                let signal = service.recorded(name)?;
                found.insert(name.to_owned(), CachedSignal { signal, fresh, age });
            }
            None => {
                let path = service.cache().path(&source);
                tell(format_args!("runtime-signals: no signal of {name} is stored in {}", path.display()));
            }
        }
    }
    Ok(found)
}

/// Adds the subscriptions whose quota stands on disk.
pub(super) async fn add_subscriptions(
    service: &Service,
    found: &mut BTreeMap<String, CachedSignal>,
) -> Result<(), Error> {
    let sources = QuotaSources::new(QuotaPaths::from_env());
    for name in SUBSCRIPTIONS {
        let quota = sources.quota_status(name, service.store().now());
        if quota.state == QuotaState::Unavailable {
            continue;
        }
        let input = CollectInput { provider_type: name.to_owned(), base_url: String::new() };
        let signal = service.collect(name, &input).await?;
        let (mut fresh, mut age) = (quota.fresh, quota.age.unwrap_or_default());
        if let Some(stored) = found.get(name).filter(|stored| stored.fresh && !fresh) {
            (fresh, age) = (stored.fresh, stored.age);
        }
        found.insert(name.to_owned(), CachedSignal { signal, fresh, age });
    }
    Ok(())
}

/// Worse statuses first, then the longer wait, then the smaller share left.
pub(super) fn urgency(a: &Signal, b: &Signal) -> Ordering {
    rank(a.status)
        .cmp(&rank(b.status))
        .then_with(|| wait(b).cmp(&wait(a)))
        .then_with(|| share_left(a).total_cmp(&share_left(b)))
        .then_with(|| a.provider.cmp(&b.provider))
}

fn rank(status: ModelStatus) -> u8 {
    match status {
        ModelStatus::Exhausted => 0,
        ModelStatus::Degraded => 1,
        ModelStatus::Unknown => 2,
        ModelStatus::Available => 3,
    }
}

/// How long nothing can be sent. Where a refusal does not say, it counts as endless.
fn wait(signal: &Signal) -> Duration {
    if signal.status != ModelStatus::Exhausted {
        return Duration::ZERO;
    }
    let until = signal.quota_reset_at.map(|reset| reset.duration_since(signal.recorded_at));
    until.map_or(Duration::MAX, Result::unwrap_or_default)
}

/// The smallest share left of any limit, 0 to 1.
fn share_left(signal: &Signal) -> f64 {
    let shares = signal.limits.iter().filter_map(Limit::share_left);
    shares.fold(1.0, f64::min)
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use runtime_signals::{Effect, Quantity, Refill, Scope};

    use super::*;

    const NOW: SystemTime = SystemTime::UNIX_EPOCH;

    fn signal(provider: &str, status: ModelStatus) -> Signal {
        Signal { status, ..Signal::unknown(provider.to_owned(), NOW) }
    }

    fn exhausted(provider: &str, seconds: Option<u64>) -> Signal {
        let mut signal = signal(provider, ModelStatus::Exhausted);
        signal.quota_reset_at = seconds.map(|seconds| NOW + Duration::from_secs(seconds));
        signal
    }

    fn left(provider: &str, remaining: u64, limit: u64) -> Signal {
        let mut signal = signal(provider, ModelStatus::Available);
        signal.limits = vec![Limit {
            quantity: Quantity::Requests,
            scope: Scope::default(),
            pool: String::new(),
            window: None,
            limit: Some(limit),
            remaining: Some(remaining),
            utilization: None,
            resets_at: None,
            captured_at: NOW,
            refill: Refill::WindowEdge,
            effect: Effect::Refuses,
        }];
        signal
    }

    #[test]
    fn the_most_urgent_come_first() {
        let mut signals = [
            left("plenty", 90, 100),
            signal("silent", ModelStatus::Available),
            left("little", 400, 10_000),
            signal("unknown", ModelStatus::Unknown),
            exhausted("soon", Some(5)),
            exhausted("endless", None),
            signal("failing", ModelStatus::Degraded),
            exhausted("late", Some(500)),
        ];
        signals.sort_by(urgency);
        let order: Vec<&str> = signals.iter().map(|signal| signal.provider.as_str()).collect();
        let expected = ["endless", "late", "soon", "failing", "unknown", "little", "plenty", "silent"];
        assert_eq!(order, expected);
    }
}
