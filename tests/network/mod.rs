//! Peers that misbehave, met by whatever calls out: clear errors in bounded time and memory, and nothing secret in them.

mod peer;
mod probes;
mod proxy;
mod refreshes;
mod registries;
mod remote;
mod shared;
mod webhooks;
