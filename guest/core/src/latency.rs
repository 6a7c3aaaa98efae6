//! The latency window: the last samples of a provider and their percentiles.

use alloc::collections::BinaryHeap;
use alloc::vec::Vec;
use core::cell::RefCell;

use runtime_signals_profile::carry::{load_length, save_length};

use crate::state::State;

/// Samples kept where nothing else is asked for.
pub const DEFAULT_SIZE: usize = 100;
/// Most samples kept, whatever is asked for: one moves at most half a megabyte.
pub const MOST_SAMPLES: usize = 1 << 16;

/// At most so many samples wait to be sorted in, so that nobody has to wait long for that.
const MOST_WAITING: usize = 256;

/// The last samples in nanoseconds; the oldest is overwritten.
///
/// Samples come far more often than somebody asks for a percentile: recording stores one number, and what has come
/// since is sorted in when a percentile is asked for.
#[derive(Clone, Debug)]
pub struct LatencyWindow {
    size: usize,
    /// In order of arrival, the oldest at `next` once the window is full.
    ring: Vec<u64>,
    next: usize,
    sorted: RefCell<Sorted>,
}

/// The samples of a ring in ascending order, as far as they were sorted in.
#[derive(Clone, Debug, Default)]
struct Sorted {
    samples: Vec<u64>,
    /// How many of the ring's latest samples wait to be sorted in.
    waiting: usize,
    /// Samples that those have overwritten, and which `samples` still has.
    left: Vec<u64>,
}

impl LatencyWindow {
    /// A window of `size` samples; 0 means 100, and more than [`MOST_SAMPLES`] that many.
    #[must_use]
    pub fn new(size: usize) -> Self {
        let size = if size == 0 { DEFAULT_SIZE } else { size.min(MOST_SAMPLES) };
        Self { size, ring: Vec::new(), next: 0, sorted: RefCell::default() }
    }

    /// Adds a sample.
    #[inline]
    pub fn record(&mut self, sample_ns: u64) {
        let sorted = self.sorted.get_mut();
        if let Some(oldest) = self.ring.get_mut(self.next) {
            let leaves = core::mem::replace(oldest, sample_ns);
            // With more than a part of them, all are sorted anew.
            if sorted.waiting < self.size {
                sorted.left.push(leaves);
            }
        } else {
            self.ring.push(sample_ns);
        }
        sorted.waiting = sorted.waiting.saturating_add(1);
        self.next += 1;
        if self.next == self.size {
            self.next = 0;
        }
        if self.size > MOST_WAITING && sorted.waiting == MOST_WAITING {
            sorted.catch_up(&self.ring, self.next);
        }
    }

    /// Samples in the window.
    #[must_use]
    pub const fn count(&self) -> usize {
        self.ring.len()
    }

    /// The sample below which `percent` of the window lies, in nanoseconds; 0 when it is empty.
    #[must_use]
    pub fn percentile(&self, percent: usize) -> u64 {
        let mut sorted = self.sorted.borrow_mut();
        if sorted.waiting > 0 {
            sorted.catch_up(&self.ring, self.next);
        }
        sorted.samples.get(sorted.samples.len() * percent / 100).copied().unwrap_or(0)
    }

    /// The upper median in nanoseconds; 0 when it is empty.
    #[must_use]
    pub fn p50(&self) -> u64 {
        self.percentile(50)
    }
}

impl Sorted {
    /// Sorts in what waits, of a ring whose next place is `next`.
    #[inline(never)]
    fn catch_up(&mut self, ring: &[u64], next: usize) {
        let waiting = core::mem::take(&mut self.waiting);
        if waiting > ring.len() / 4 * 3 {
            // To sort all anew is quicker than to move so many one by one.
            self.left.clear();
            self.samples.clear();
            self.samples.extend_from_slice(ring);
            self.samples = BinaryHeap::from(core::mem::take(&mut self.samples)).into_sorted_vec();
            return;
        }
        let (newer, older) = ring.split_at_checked(next).unwrap_or_default();
        let latest = newer.iter().rev().chain(older.iter().rev()).take(waiting);
        for enters in latest {
            if let Some(leaves) = self.left.pop() {
                replace(&mut self.samples, leaves, *enters);
            } else {
                let at = self.samples.partition_point(|other| other < enters);
                self.samples.insert(at, *enters);
            }
        }
    }
}

/// Puts `enters` where it belongs and takes `leaves` out, moving only what lies between the two.
fn replace(sorted: &mut [u64], leaves: u64, enters: u64) {
    if leaves == enters {
        return;
    }
    let mut from = sorted.partition_point(|other| *other < leaves);
    let to = sorted.partition_point(|other| *other < enters);
    if to > from {
        sorted.copy_within(from + 1..to, from);
        from = to - 1;
    } else {
        sorted.copy_within(to..from, to + 1);
        from = to;
    }
    sorted.get_mut(from).into_iter().for_each(|place| *place = enters);
}

/// What is carried of a window: its size and the samples, oldest first.
impl State for LatencyWindow {
    fn save(&self, to: &mut Vec<u8>) {
        (self.size as u64).save(to);
        save_length(self.ring.len(), to);
        to.reserve(size_of_val(self.ring.as_slice()));
        let (newer, older) = self.ring.split_at_checked(self.next).unwrap_or_default();
        older.iter().chain(newer).for_each(|sample| sample.save(to));
    }

    fn load(from: &mut &[u8]) -> Option<Self> {
        let mut window = Self::new(usize::try_from(u64::load(from)?).ok()?);
        let count = load_length(from)?;
        let (samples, rest) = from.split_at_checked(count.checked_mul(size_of::<u64>())?)?;
        *from = rest;
        window.ring.reserve_exact(count.min(window.size));
        samples.as_chunks().0.iter().for_each(|sample| window.record(u64::from_le_bytes(*sample)));
        Some(window)
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_empty_window_has_a_median_of_zero() {
        assert_eq!(LatencyWindow::new(0).p50(), 0);
    }

    #[test]
    fn an_even_count_takes_the_upper_middle() {
        let mut window = LatencyWindow::new(10);
        [40, 10, 30, 20].into_iter().for_each(|sample| window.record(sample));
        assert_eq!(window.p50(), 30);
    }

    #[test]
    fn a_size_of_zero_means_a_hundred() {
        let mut window = LatencyWindow::new(0);
        (0..250).for_each(|sample| window.record(sample));
        assert_eq!((window.count(), window.p50()), (100, 200));
    }

    #[test]
    fn a_window_is_bounded_whatever_is_asked_for() {
        assert_eq!(LatencyWindow::new(usize::MAX).size, MOST_SAMPLES);
        let mut state = Vec::new();
        u64::MAX.save(&mut state);
        Vec::<u64>::new().save(&mut state);
        assert_eq!(LatencyWindow::load(&mut state.as_slice()).unwrap().size, MOST_SAMPLES);
    }

    proptest! {
        #[test]
        fn percentiles_equal_whenever_they_are_asked_for(
            size in prop::sample::select(vec![1usize, 2, 7, 100, 300, 600]),
            parts in prop::collection::vec(prop::collection::vec(0u64..50, 0..400), 0..6),
        ) {
            let mut window = LatencyWindow::new(size);
            let mut all = Vec::new();
            for part in parts {
                part.iter().for_each(|sample| window.record(*sample));
                all.extend(part);
                let mut last = all[all.len().saturating_sub(size)..].to_vec();
                last.sort_unstable();
                for percent in [50, 90, 99] {
                    let expected = last.get(last.len() * percent / 100).copied().unwrap_or(0);
                    prop_assert_eq!(window.percentile(percent), expected);
                }
            }
        }

        #[test]
        fn percentiles_equal_those_of_the_sorted_last_samples(
            size in 1usize..20,
            samples in prop::collection::vec(0u64..50, 0..100),
        ) {
            let mut window = LatencyWindow::new(size);
            samples.iter().for_each(|sample| window.record(*sample));
            let mut last = samples[samples.len().saturating_sub(size)..].to_vec();
            last.sort_unstable();
            for percent in [50, 90, 99] {
                let expected = last.get(last.len() * percent / 100).copied().unwrap_or(0);
                prop_assert_eq!(window.percentile(percent), expected);
            }
            let mut state = Vec::new();
            window.save(&mut state);
            let mut moved = LatencyWindow::load(&mut state.as_slice()).unwrap();
            prop_assert_eq!((moved.percentile(50), moved.count()), (window.percentile(50), window.count()));
            // The oldest sample is the same one on both sides.
            [7, 8, 9].into_iter().for_each(|sample| { window.record(sample); moved.record(sample); });
            prop_assert_eq!(moved.percentile(50), window.percentile(50));
        }
    }
}
