//! How long the next part of a body may take.

use std::future::Future as _;
use std::pin::Pin;
use std::task::Context;
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

/// Runs out when nothing comes for a time. It costs next to nothing while parts come in.
pub(super) struct Patience {
    limit: Duration,
    waiting_since: Option<Instant>,
    sleep: Option<Pin<Box<Sleep>>>,
}

impl Patience {
    pub(super) fn new(limit: Duration) -> Self {
        Self { limit, waiting_since: None, sleep: None }
    }

    /// A part has come, or none was asked for.
    pub(super) fn restore(&mut self) {
        self.waiting_since = None;
    }

    /// There is still nothing: has it run out? If not, the task is woken when it may have.
    pub(super) fn has_run_out(&mut self, context: &mut Context<'_>) -> bool {
        let until = *self.waiting_since.get_or_insert_with(Instant::now) + self.limit;
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(sleep_until(until)));
        while sleep.as_mut().poll(context).is_ready() {
            if until <= Instant::now() {
                return true;
            }
            // It was set for a part that has come meanwhile.
            sleep.as_mut().reset(until);
        }
        false
    }
}

/// What is told when it has run out.
pub(super) fn nothing_came(limit: Duration) -> std::io::Error {
    std::io::Error::new(std::io::ErrorKind::TimedOut, format!("timed out, as nothing came within {limit:?}"))
}
