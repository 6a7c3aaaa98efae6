//! The length of a window, inferred where a provider refills continuously.
//!
//! Such a provider's reset is the time until the allowance is full again: `used / limit × window`. One
//! response with something used therefore tells the length (8.64 s × 10,000 / 1 is a day), and with it
//! a limit per minute from one per day, without a table of providers.

use core::time::Duration;

use crate::number::Precision;

/// The lengths that providers use, in seconds, the shortest first: minute, 5 minutes, hour, 5 hours, day, week, 30 days.
const KNOWN: [u64; 7] = [60, 300, 3_600, 18_000, 86_400, 604_800, 2_592_000];
/// Slack for counts that moved between two of the provider's own steps.
const SLACK: f64 = 0.005;

/// The one known length that explains a reset that far from now, if exactly one does.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "an estimate within half a percent")]
pub fn infer(limit: u64, remaining: u64, reset: Duration, precision: Precision) -> Option<u64> {
    let used = limit.checked_sub(remaining).filter(|used| *used > 0)?;
    let (earlier_s, later_s) = match precision {
        // Cut off below the last unit: the true span is up to one unit longer.
        Precision::Seconds => (0.0, 1.0),
        Precision::Milliseconds => (0.0, 0.001),
        // Rounded to seconds by another clock.
        Precision::PointInTime => (2.0, 1.0),
    };
    let reset_s = reset.as_secs_f64();
    let windows = limit as f64 / used as f64;
    let shortest_s = (reset_s - earlier_s).max(0.0) * windows * (1.0 - SLACK);
    let longest_s = (reset_s + later_s) * windows * (1.0 + SLACK);
    let mut fitting = KNOWN.iter().skip_while(|known| (**known as f64) < shortest_s);
    let first = fitting.next().filter(|known| **known as f64 <= longest_s)?;
    fitting.next().is_none_or(|next| *next as f64 > longest_s).then_some(*first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn captured_responses_tell_their_windows() {
        const MS: Precision = Precision::Milliseconds;
        const S: Precision = Precision::Seconds;
        for (limit, remaining, reset_ms, precision, window) in [
            (10_000, 9_999, 8_640, MS, Some(86_400)),
            (200_000, 199_938, 18, MS, Some(60)),
            (60_000, 55_904, 4_096, MS, Some(60)),
            (30_000, 554, 58_891, MS, Some(60)),
            (500, 499, 120, MS, Some(60)),
            (50_000, 49_999, 1, MS, Some(60)),
            (1_000, 998, 172_800, MS, Some(86_400)),
            (12_000, 11_961, 194, MS, Some(60)),
            (5, 4, 12_000, S, Some(60)),
            // A documentation sample, and buckets that tell nothing.
            (150_000, 149_984, 360_000, MS, None),
            (100, 100, 0, MS, None),
            (100, 150, 1_000, MS, None),
        ] {
            let reset = Duration::from_millis(reset_ms);
            assert_eq!(infer(limit, remaining, reset, precision), window, "{limit}/{remaining}");
        }
    }

    #[test]
    fn a_coarse_reset_that_fits_several_windows_tells_none() {
        assert_eq!(infer(1_000, 999, Duration::ZERO, Precision::PointInTime), None);
    }
}
