//! What a provider was told since its state was exported: packed observations, some with a finished reading.

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
}

/// Observations that go in by one call.
pub(super) enum Run<'a> {
    /// Any number of packed observations, which the guest reads.
    Observations(&'a mut [u8]),
    /// One, which has been read.
    Read(&'a mut [u8], &'a Reading),
}

impl Journal {
    /// Adds an observation, with its reading if it has been read.
    pub(super) fn push(&mut self, observation: &[u8], reading: Option<&Reading>) {
        self.readings.extend(reading.map(|reading| (self.packed.len(), reading.clone())));
        self.packed.extend_from_slice(observation);
    }

    /// About what it takes, in bytes.
    pub(super) fn len(&self) -> usize {
        self.packed.len() + self.readings.len() * READING_BYTES
    }

    pub(super) fn clear(&mut self) {
        self.packed.clear();
        self.readings.clear();
    }

    /// Drops the oldest observations until at most so many bytes are left.
    pub(super) fn shorten(&mut self, most: usize) {
        while self.len() > most {
            let oldest = packing::split(&self.packed).next().map_or(self.packed.len(), <[u8]>::len);
            self.packed.drain(..oldest);
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

    /// The runs of observations in order, for the provider of this handle.
    pub(super) fn runs(&mut self, handle: u32) -> impl Iterator<Item = Run<'_>> {
        let mut at = 0;
        while let Some(rest) = self.packed.get_mut(at..).filter(|rest| !rest.is_empty()) {
            packing::set_provider(rest, handle);
            at += packing::split(rest).next().map_or(rest.len(), <[u8]>::len);
        }
        let mut rest = &mut *self.packed;
        let mut done = 0;
        let mut readings = self.readings.iter().peekable();
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
            journal.push(&observation(length), remaining.map(reading).as_ref());
        }
        journal
    }

    #[test]
    fn runs_keep_the_order_and_name_the_provider() {
        let mut journal = journal();
        let runs: Vec<_> = journal
            .runs(7)
            .map(|run| match run {
                Run::Observations(packed) => (packed.len(), packed[4], None),
                Run::Read(packed, reading) => (packed.len(), packed[4], reading.remaining_requests),
            })
            .collect();
        assert_eq!(runs, [(17, 7, None), (10, 7, Some(1)), (11, 7, Some(2)), (12, 7, None)]);
        assert_eq!(Journal::default().runs(7).count(), 0);
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
