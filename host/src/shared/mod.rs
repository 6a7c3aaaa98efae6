//! The shared tier: what the hosts of a fleet tell each other by way of a Redis or Valkey server.
//!
//! The server holds, by provider, the same JSON as the cache on disk, with absolute times; what expires there by itself
//! is only what a fleet that is gone has left. A host publishes a signal when it has news of it, replacing the very
//! value that it has seen: where another host was faster, both values are merged first. A value that comes from the
//! server goes to the disk by the rules of commits, and from there into memory. So the disk stays the truth while the
//! server is away, and whatever changed meanwhile is published when it is back.
//!
//! - [`tier`]: what the rest of the service asks: is a provider shared, whose turn is its refresh.
//! - [`link`](mod@link): the server, and the few things that are asked of it.
//! - [`session`], [`exchange`]: one connection's life; signals from and to the server.
//! - [`reach`]: what is only on this machine and stays there.

mod digest;
mod error;
mod exchange;
mod facts;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;
mod incoming;
mod lease;
mod link;
mod news;
mod reach;
mod replies;
mod session;
mod status;
mod tier;

pub use self::error::SharedError;
pub use self::status::{SharedState, SharedStatus};

pub(crate) use self::facts::hash_of;
pub(crate) use self::lease::Turn;
pub(crate) use self::news::News;
pub(crate) use self::session::run;
pub(crate) use self::tier::SharedTier;

/// The longest value that is published or taken in, in bytes.
const MOST_VALUE_BYTES: usize = 64 << 10;
/// Signals that go over the line at once.
const AT_ONCE: usize = 64;
/// What a fleet that is gone leaves behind is cleared away after so long: longer than any limit lasts.
const KEPT: std::time::Duration = std::time::Duration::from_secs(35 * 24 * 60 * 60);
