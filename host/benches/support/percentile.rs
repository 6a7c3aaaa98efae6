//! What part of the measured values lies below which of them.

/// Of values in their order; `part` is between 0 and 1.
pub(crate) fn percentile<T: Copy>(sorted: &[T], part: f64) -> T {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an index")]
    let index = (sorted.len() as f64 * part) as usize;
    sorted[index.min(sorted.len() - 1)]
}
