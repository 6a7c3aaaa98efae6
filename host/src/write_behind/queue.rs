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
    /// Puts a provider where it belongs; `place` is where it stands, if it does.
    pub(super) fn put(
        &mut self,
        place: &mut Option<(Ticket, Urgency)>,
        due: Instant,
        urgency: Urgency,
        known: &Arc<Known>,
    ) {
        self.take(place);
        self.count += 1;
        let ticket = Ticket { due, number: self.count };
        self.of(urgency).insert(ticket, known.clone());
        *place = Some((ticket, urgency));
    }

    /// Takes a provider out, if it stands anywhere.
    pub(super) fn take(&mut self, place: &mut Option<(Ticket, Urgency)>) {
        if let Some((ticket, urgency)) = place.take() {
            self.of(urgency).remove(&ticket);
        }
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

    /// Who is to be written at `now`.
    pub(super) fn first_due_at(&self, now: Instant) -> Option<Arc<Known>> {
        let first = [&self.urgent, &self.routine].map(BTreeMap::first_key_value);
        let due = first.into_iter().flatten().find(|(ticket, _)| ticket.due <= now);
        due.map(|(_, known)| known.clone())
    }
}
