//! The service over HTTP: takes observations from anywhere, shows signals, keeps providers fresh.
//!
//! A group of endpoints is a file that gives a router; [`router`] puts them together behind the same guards. What
//! they share is the [`AppState`]. The board holds what clients see; its changes go to event streams.

mod board;
mod conditional;
mod dashboard;
mod discovery;
mod events;
mod guard;
mod health;
mod inputs;
mod intake;
mod leases;
mod listener;
mod metrics;
mod observations;
mod on_change;
mod openapi;
mod pace;
mod problem;
mod providers;
mod proxy;
mod rank;
mod refresh;
mod router;
mod signals;
mod start;
mod state;
mod token;
mod wait;

pub use self::board::{Board, Change, Entry};
pub use self::problem::Problem;
pub use self::start::{Bound, Server, StartError};
pub use self::state::AppState;
pub use self::token::{Token, TokenError};

#[cfg(feature = "fuzzing")]
pub(crate) use self::proxy::fuzzing;
