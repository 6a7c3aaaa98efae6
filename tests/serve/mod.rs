//! The service, through the real binary and real sockets.

mod bad_input;
mod client;
mod events;
mod observations;
mod reload;
mod security;
mod signals;
mod start;
