//! What a provider was told since its state was exported: packed observations, some with a finished reading. The
//! latest of them may wait in here, until somebody asks about the provider or there are enough for one call.

use super::bindings::exports::runtime_signals::signals::types::Reading;
use super::packing;

/// What a reading counts for, in bytes, towards the next export.
const READING_BYTES: usize = 256;

/// Packed observations in order.
#[derive(Clone, Default)]
pub(super) struct Journal {
    packed: Vec<u8>,
    /// By the offset of its observation, in order.
    readings: Vec<(usize, Reading)>,
    /// How many bytes of `packed` the present instance knows.
    told: usize,
}

/// Observations that go in by one call.
pub(super) enum Run<'a> {
    /// Any number of packed observations, which the guest reads.
    Observations(&'a mut [u8]),
    /// One, which has been read.
    Read(&'a mut [u8], &'a Reading),
}

impl Journal {
    /// One observation that the present instance does not know yet.
    pub(super) fn of(observation: &[u8], reading: Option<&Reading>) -> Self {
        let readings = reading.map(|reading| (0, reading.clone())).into_iter().collect();
        Self { packed: observation.to_vec(), readings, told: 0 }
    }

    /// Adds an observation that the present instance knows, as it knows all before it; with its reading if it has been
    /// read.
    pub(super) fn push_told(&mut self, observation: &[u8], reading: Option<&Reading>) {
        self.readings.extend(reading.map(|reading| (self.packed.len(), reading.clone())));
        self.push(observation);
        self.all_told();
    }

    /// Adds an observation that the present instance does not know yet.
    pub(super) fn push(&mut self, observation: &[u8]) {
        self.packed.extend_from_slice(observation);
    }

    /// The present instance knows all of it now.
    pub(super) const fn all_told(&mut self) {
        self.told = self.packed.len();
    }

    /// The present instance knows nothing of it.
    pub(super) const fn none_told(&mut self) {
        self.told = 0;
    }

    /// What the present instance does not know yet, in bytes.
    pub(super) const fn untold(&self) -> usize {
        self.packed.len() - self.told
    }

    /// About what it takes, in bytes.
    pub(super) fn len(&self) -> usize {
        self.packed.len() + self.readings.len() * READING_BYTES
    }

    /// Forgets all of it, and keeps memory for about so many bytes.
    pub(super) fn clear(&mut self, bytes: usize) {
        self.packed.clear();
        // It doubles as it grows.
        self.packed.shrink_to(2 * bytes);
        self.readings.clear();
        self.told = 0;
    }

    /// Drops the oldest observations until at most so many bytes are left.
    pub(super) fn shorten(&mut self, most: usize) {
        while self.len() > most {
            let oldest = packing::split(&self.packed).next().map_or(self.packed.len(), <[u8]>::len);
            self.packed.drain(..oldest);
            self.told = self.told.saturating_sub(oldest);
            self.readings.retain(|(at, _)| *at >= oldest);
            self.readings.iter_mut().for_each(|(at, _)| *at -= oldest);
        }
    }

    /// Each observation with its reading.
    pub(super) fn entries(&self) -> impl Iterator<Item = (&[u8], Option<&Reading>)> {
        let mut at = 0;
        let mut readings = self.readings.iter().peekable();
        packing::split(&self.packed).map(move |observation| {
            let reading = readings.next_if(|(offset, _)| *offset == at).map(|(_, reading)| reading);
            at += observation.len();
            (observation, reading)
        })
    }

    /// What the present instance does not know yet, in order, for the provider of this handle.
    pub(super) fn runs(&mut self, handle: u32) -> impl Iterator<Item = Run<'_>> {
        let mut done = self.told;
        let mut rest = self.packed.get_mut(done..).unwrap_or_default();
        let mut at = 0;
        while let Some(unnamed) = rest.get_mut(at..).filter(|unnamed| !unnamed.is_empty()) {
            packing::set_provider(unnamed, handle);
            at += packing::split(unnamed).next().map_or(unnamed.len(), <[u8]>::len);
        }
        let first = self.readings.partition_point(|(at, _)| *at < done);
        let mut readings = self.readings.iter().skip(first).peekable();
        std::iter::from_fn(move || {
            let read = readings.next_if(|(at, _)| *at == done).map(|(_, reading)| reading);
            let length = match (read, readings.peek()) {
                (Some(_), _) => packing::split(rest).next().map_or(rest.len(), <[u8]>::len),
                (None, Some((next, _))) => next - done,
                (None, None) => rest.len(),
            };
            let (run, tail) = std::mem::take(&mut rest).split_at_mut_checked(length)?;
            rest = tail;
            done += length;
            match read {
                _ if run.is_empty() => None,
                Some(reading) => Some(Run::Read(run, reading)),
                None => Some(Run::Observations(run)),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An observation of so many bytes.
    fn observation(length: u8) -> Vec<u8> {
        let mut packed = vec![0; length.into()];
        packed[0] = length;
        packed
    }

    fn reading(remaining: u64) -> Reading {
        Reading {
            remaining_requests: Some(remaining),
            remaining_tokens: None,
            reset_at: None,
            retry_after_ms: None,
            exhausted: false,
            limits: Vec::new(),
            reason: None,
            refusal: None,
        }
    }

    fn journal() -> Journal {
        let mut journal = Journal::default();
        for (length, remaining) in [(8, None), (9, None), (10, Some(1)), (11, Some(2)), (12, None)] {
            journal.push_told(&observation(length), remaining.map(reading).as_ref());
        }
        journal
    }

    /// How long each run is, whose it is, and what has been read.
    fn runs(journal: &mut Journal) -> Vec<(usize, u8, Option<u64>)> {
        let runs = journal.runs(7).map(|run| match run {
            Run::Observations(packed) => (packed.len(), packed[4], None),
            Run::Read(packed, reading) => (packed.len(), packed[4], reading.remaining_requests),
        });
        runs.collect()
    }

    #[test]
    fn runs_keep_the_order_and_name_the_provider() {
        let mut journal = journal();
        journal.none_told();
        assert_eq!(runs(&mut journal), [(17, 7, None), (10, 7, Some(1)), (11, 7, Some(2)), (12, 7, None)]);
        assert_eq!(runs(&mut Journal::default()), []);
    }

    #[test]
    fn only_what_is_not_told_yet_is_told() {
        let mut journal = journal();
        assert_eq!((journal.untold(), runs(&mut journal)), (0, vec![]));
        journal.push(&observation(13));
        journal.push(&observation(14));
        assert_eq!((journal.untold(), runs(&mut journal)), (27, vec![(27, 7, None)]));
        journal.shorten(14);
        assert_eq!((journal.untold(), runs(&mut journal)), (14, vec![(14, 7, None)]));
        journal.all_told();
        assert_eq!((journal.untold(), runs(&mut journal)), (0, vec![]));
        let mut one = Journal::of(&observation(9), Some(&reading(3)));
        assert_eq!((one.untold(), runs(&mut one)), (9, vec![(9, 7, Some(3))]));
    }

    #[test]
    fn the_oldest_go_first_and_readings_stay_with_their_observations() {
        let mut journal = journal();
        journal.shorten(2 * READING_BYTES + 40);
        let left = |journal: &Journal| {
            let of = |(packed, reading): (&[u8], Option<&Reading>)| {
                (packed.len(), reading.and_then(|reading| reading.remaining_requests))
            };
            journal.entries().map(of).collect::<Vec<_>>()
        };
        assert_eq!(left(&journal), [(10, Some(1)), (11, Some(2)), (12, None)]);
        journal.shorten(READING_BYTES + 40);
        assert_eq!(left(&journal), [(11, Some(2)), (12, None)]);
        journal.shorten(0);
        assert_eq!(left(&journal), []);
    }
}
