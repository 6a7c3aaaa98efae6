//! Hosts that share their signals by a real Redis server: services with caches of their own, through the real binary.

mod bad_input;
mod hosts;
mod local;
mod outages;
mod redis_server;
mod refreshes;
mod security;
mod sharing;

pub(crate) use hosts::{OPENAI, refusal, sharing, status};
