//! Connections to the server, one after the other, for as long as the service lasts.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep, timeout};

use super::error::SharedError;
use super::exchange::Exchange;
use super::incoming::Incoming;
use super::reach::Reach;
use super::tier::SharedTier;
use crate::server::AppState;

/// The first pause after a failure; it doubles with each.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// The longest pause after failures.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// Between two looks at what is held back.
const BEAT: Duration = Duration::from_millis(200);
/// After so many of them: is the server still there?
const BEATS_TO_PING: u32 = 5;
/// News that comes so soon after other news goes with it.
const GATHER: Duration = Duration::from_millis(25);
/// How long the last signals may take at the end.
const GRACE: Duration = Duration::from_secs(2);

/// Shares signals until the tier is told to end.
pub(crate) async fn run(state: AppState, tier: Arc<SharedTier>) {
    let looking = tokio::spawn(look_at_providers(state.clone(), tier.clone()));
    tier.providers_are_known().await;
    while let Err(error) = session(&state, &tier).await {
        let pause = pause_after(tier.lost(&error), fastrand::f64());
        tokio::select! {
            () = sleep(pause) => {}
            () = tier.retry.notified() => {}
            () = tier.ended() => break,
        }
    }
    looking.abort();
}

/// Half the pause is certain, the rest by chance: hosts that lost the server together do not come back together.
fn pause_after(attempts: u32, random: f64) -> Duration {
    let doubled = FIRST_PAUSE.saturating_mul(2_u32.saturating_pow(attempts)).min(LONGEST_PAUSE);
    doubled.mul_f64(0.5 + random / 2.0)
}

/// Keeps track of which providers are shared.
async fn look_at_providers(state: AppState, tier: Arc<SharedTier>) {
    let mut changes = state.follow_providers();
    loop {
        changes.mark_unchanged();
        let (configured, all) = (state.config(), state.providers());
        tier.set_reach(Reach::find(&configured.providers, &all).await);
        state.board.names().iter().for_each(|name| tier.news.add(name));
        if changes.changed().await.is_err() {
            return;
        }
    }
}

/// One connection. Returns when the tier has ended.
async fn session(state: &AppState, tier: &Arc<SharedTier>) -> Result<(), SharedError> {
    let incoming = Arc::new(Incoming::new(tier.most));
    let connection = tier.server.connect(&incoming).await?;
    let uptime = connection.uptime().await;
    let mut exchange = Exchange::new(state.board.clone(), tier.clone(), connection.clone());
    exchange.read_all().await?;
    // Whatever has changed while the server was away.
    state.board.names().iter().for_each(|name| tier.news.add(name));
    tier.found(connection.clone(), uptime);

    let mut beats = 0;
    let mut beat = interval_at(Instant::now() + BEAT, BEAT);
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        exchange.take_in(&incoming).await?;
        exchange.publish().await?;
        if incoming.is_empty() && tier.news.is_empty() {
            tokio::select! {
                () = incoming.wait() => {}
                () = tier.news.wait() => {}
                _ = beat.tick() => {
                    exchange.bring_back();
                    beats += 1;
                    if beats % BEATS_TO_PING == 0 {
                        connection.ping().await?;
                    }
                }
                () = tier.ended() => {
                    end(exchange, &connection, tier).await;
                    return Ok(());
                }
            }
        }
        if incoming.is_lost() {
            return Err(SharedError::Lost { url: tier.server.url.clone() });
        }
        if incoming.take_missed() {
            exchange.read_all().await?;
        }
        sleep(GATHER).await;
    }
}

/// Publishes what is left, and gives claims back.
async fn end(mut exchange: Exchange, connection: &super::link::Connection, tier: &SharedTier) {
    let last = async {
        exchange.bring_back();
        exchange.publish_all().await?;
        let held: Vec<_> = tier.held().drain().collect();
        for provider in held {
            connection.release(&provider, Duration::ZERO).await?;
        }
        Ok::<(), SharedError>(())
    };
    match timeout(GRACE, last).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::warn!(%error, "the last signals could not be shared; they are on disk"),
        Err(_) => tracing::warn!("the last signals took too long to be shared; they are on disk"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest_and_are_moved_by_chance() {
        let pause = |attempts, random| pause_after(attempts, random).as_millis();
        assert_eq!(
            [0, 1, 2, 5, 6, 60].map(|attempts| pause(attempts, 1.0)),
            [100, 200, 400, 3200, 5000, 5000]
        );
        assert_eq!((pause(1, 0.0), pause(1, 0.5)), (100, 150));
    }
}
