//! Keeping providers fresh: each on its own interval, never twice at the same time.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::sync::{Semaphore, watch};

use super::state::AppState;
use crate::config::{ProviderConfig, RefreshSettings};
use crate::shared::Turn;
use crate::signal::{Reason, Signal};

/// The first looks after the start are spread over so long at most.
const SPREAD: Duration = Duration::from_secs(2);

/// What is to be looked at, and how often.
#[derive(Clone, PartialEq)]
struct Task {
    provider: ProviderConfig,
    settings: RefreshSettings,
}

/// Keeps one task for each provider that is configured or found, for as long as the service lasts.
pub(super) async fn run(state: AppState) {
    let mut providers = state.follow_providers();
    let mut running: HashMap<String, (Task, watch::Sender<bool>)> = HashMap::new();
    let mut turns = Arc::new(Semaphore::new(0));
    let mut at_once = 0;
    loop {
        let config = state.config();
        if config.refresh.at_once != at_once {
            at_once = config.refresh.at_once;
            turns = Arc::new(Semaphore::new(at_once));
            running.clear();
        }
        let mut wanted: HashMap<String, Task> = HashMap::new();
        for provider in state.providers() {
            let name = provider.name.as_str().to_owned();
            wanted.insert(name, Task { provider, settings: config.refresh.clone() });
        }
        // A task whose sender is gone ends after the look that it is at.
        running.retain(|name, (task, _)| wanted.get(name) == Some(task));
        for (name, task) in wanted {
            running.entry(name).or_insert_with(|| {
                let (keep, kept) = watch::channel(true);
                tokio::spawn(keep_fresh(state.clone(), task.clone(), turns.clone(), kept));
                (task, keep)
            });
        }
        tokio::select! {
            changed = providers.changed() => if changed.is_err() { return },
            () = state.ended() => return,
        }
    }
}

/// Looks at one provider until its task is not wanted any more.
async fn keep_fresh(state: AppState, task: Task, turns: Arc<Semaphore>, mut kept: watch::Receiver<bool>) {
    let Task { provider, settings } = task;
    let (name, input) = (provider.name.as_str(), provider.input());
    let interval = provider.interval.unwrap_or(settings.interval);
    let mut pause = SPREAD.min(interval).mul_f64(fastrand::f64());
    let mut failures = 0;
    loop {
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            _ = kept.changed() => return,
        }
        let Ok(place) = turns.acquire().await else { return };
        let turn = match &state.tier {
            Some(tier) => tier.turn(name).await,
            None => Turn::Ours(None),
        };
        let lease = match turn {
            Turn::Ours(lease) => lease,
            Turn::Others => {
                pause = next_pause(interval, &settings, 0, fastrand::f64());
                continue;
            }
            Turn::Later(wait) => {
                pause = wait;
                continue;
            }
        };
        let started = SystemTime::now();
        let outcome = state.service.warmup(name, &input).await;
        drop(place);
        let failed = match &outcome {
            Ok(signal) => has_failed(signal, started),
            Err(error) => {
                tracing::warn!(provider = name, %error, "a refresh failed");
                true
            }
        };
        state.board.mark(name);
        failures = if failed { failures + 1 } else { 0 };
        pause = next_pause(interval, &settings, failures, fastrand::f64());
        if let Some(lease) = lease {
            lease.release(pause).await;
        }
    }
}

/// Did the look itself find the provider out of reach?
fn has_failed(signal: &Signal, started: SystemTime) -> bool {
    let is_of_now = signal.last_error_at.is_some_and(|at| at >= started);
    is_of_now && matches!(signal.reason, Some(Reason::Unreachable | Reason::Timeout | Reason::Error))
}

/// The interval, doubled for each failure in a row up to the bound, and moved by up to the jitter either way.
fn next_pause(interval: Duration, settings: &RefreshSettings, failures: u32, random: f64) -> Duration {
    let bound = settings.longest_backoff.max(interval);
    let doubled = interval.saturating_mul(2_u32.saturating_pow(failures)).min(bound);
    doubled.mul_f64(1.0 + settings.jitter * (2.0 * random - 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_double_the_pause_up_to_the_bound() {
        let settings = RefreshSettings { jitter: 0.0, ..RefreshSettings::default() };
        let seconds = |interval, failures| {
            next_pause(Duration::from_secs(interval), &settings, failures, 0.7).as_secs()
        };
        assert_eq!([0, 1, 2, 3, 4, 40].map(|failures| seconds(60, failures)), [60, 120, 240, 480, 600, 600]);
        // An interval beyond the bound stays what it is.
        assert_eq!(seconds(3600, 5), 3600);
    }

    #[test]
    fn the_jitter_moves_the_pause_by_its_share_either_way() {
        let settings = RefreshSettings { jitter: 0.25, ..RefreshSettings::default() };
        let pause = |random| next_pause(Duration::from_secs(100), &settings, 0, random).as_secs_f64();
        assert_eq!((pause(0.0), pause(0.5), pause(1.0)), (75.0, 100.0, 125.0));
    }
}
