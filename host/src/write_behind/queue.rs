//! Who is to be written, and when: urgent changes first.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use super::Known;

/// How soon others need to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Urgency {
    /// A refusal or a failure: they would run into it as well. Where not all can be written in time, these go first.
    Urgent,
    /// A success.
    Routine,
}

/// A place in the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Ticket {
    pub(super) due: Instant,
    /// Tells those apart that are due at the same time.
    number: u64,
}

/// Providers that wait to be written, earliest first.
#[derive(Default)]
pub(super) struct Queue {
    urgent: BTreeMap<Ticket, Arc<Known>>,
    routine: BTreeMap<Ticket, Arc<Known>>,
    count: u64,
    /// Has the thread been started?
    pub(super) running: bool,
    pub(super) ended: bool,
}

impl Queue {
    /// Adds a provider.
    pub(super) fn push(&mut self, due: Instant, urgency: Urgency, known: Arc<Known>) -> Ticket {
        self.count += 1;
        let ticket = Ticket { due, number: self.count };
        self.of(urgency).insert(ticket, known);
        ticket
    }

    /// Takes a provider out. Tells whether it was there.
    pub(super) fn remove(&mut self, ticket: Ticket, urgency: Urgency) -> bool {
        self.of(urgency).remove(&ticket).is_some()
    }

    /// All that wait.
    pub(super) fn all(&self) -> Vec<Arc<Known>> {
        self.urgent.values().chain(self.routine.values()).cloned().collect()
    }

    fn of(&mut self, urgency: Urgency) -> &mut BTreeMap<Ticket, Arc<Known>> {
        match urgency {
            Urgency::Urgent => &mut self.urgent,
            Urgency::Routine => &mut self.routine,
        }
    }

    /// When the first is due.
    pub(super) fn first_due(&self) -> Option<Instant> {
        let first = [&self.urgent, &self.routine].map(|queue| queue.keys().next().map(|ticket| ticket.due));
        first.into_iter().flatten().min()
    }

    /// Takes out who is to be written at `now`.
    pub(super) fn pop_due(&mut self, now: Instant) -> Option<(Ticket, Arc<Known>)> {
        for queue in [&mut self.urgent, &mut self.routine] {
            let first = queue.first_entry().filter(|entry| entry.key().due <= now);
            if let Some(first) = first {
                return Some(first.remove_entry());
            }
        }
        None
    }
}
