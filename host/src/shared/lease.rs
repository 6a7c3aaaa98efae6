//! Whose turn it is to refresh a provider.

use std::sync::Arc;
use std::time::Duration;

use super::link::Connection;
use super::tier::SharedTier;

/// Hosts are never quite in step: the next refresh is due a little before the one who made the last one comes again.
const EARLY: f64 = 0.9;

/// Whose turn it is to refresh a provider.
pub(crate) enum Turn {
    /// Ours: with a lease where the provider is shared and the server is there.
    Ours(Option<Lease>),
    /// Another host is at it, or has been lately: its signal comes by the server.
    Others,
    /// To be asked again after so long.
    Later(Duration),
}

/// The claim to a refresh. One that is not released ends by itself, by the server's clock.
pub(crate) struct Lease {
    tier: Arc<SharedTier>,
    provider: Box<str>,
    connection: Connection,
}

impl Lease {
    pub(super) fn new(tier: Arc<SharedTier>, provider: &str, connection: Connection) -> Self {
        Self { tier, provider: provider.into(), connection }
    }

    /// The refresh is made, and the next one due after `pause`.
    pub(crate) async fn release(self, pause: Duration) {
        self.tier.held().remove(&self.provider);
        if let Err(error) = self.connection.release(&self.provider, pause.mul_f64(EARLY)).await {
            tracing::debug!(provider = %self.provider, %error, "a claim could not be given back");
        }
    }
}
