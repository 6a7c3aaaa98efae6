//! How the shared tier is doing.

use std::sync::atomic::{AtomicU64, Ordering};

use serde::Serialize;

/// Is the server there?
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SharedState {
    /// It is, and signals go both ways.
    Connected,
    /// It is not: this host goes on by what it has on disk.
    Away,
}

/// How the shared tier is doing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct SharedStatus {
    /// `connected` or `away`.
    pub state: SharedState,
    /// The server, without user and password.
    pub server: String,
    /// Why it is away.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Connections that were made since the start.
    pub connections: u64,
    /// Signals that were published.
    pub published: u64,
    /// Signals that were taken in.
    pub taken_in: u64,
    /// Signals that another host had changed meanwhile, and that were merged before they were published.
    pub merged: u64,
    /// Values that are no signals, and were ignored.
    pub ignored: u64,
    /// Refreshes that were left to another host.
    pub left_to_others: u64,
}

/// What is counted.
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) connections: Count,
    pub(super) published: Count,
    pub(super) taken_in: Count,
    pub(super) merged: Count,
    pub(super) ignored: Count,
    pub(super) left_to_others: Count,
}

/// A number that only grows.
#[derive(Debug, Default)]
pub(super) struct Count(AtomicU64);

impl Count {
    pub(super) fn add(&self, more: usize) {
        self.0.fetch_add(more as u64, Ordering::Relaxed);
    }

    pub(super) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}
