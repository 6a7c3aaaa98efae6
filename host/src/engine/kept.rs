//! What follows from all that is known of a provider, kept for as long as it cannot have changed.

use std::time::SystemTime;

use super::FromWit;
use super::instance::Judged;

/// A packed signal, and when it holds if nothing is told meanwhile.
pub(super) struct Kept {
    signal: Vec<u8>,
    judged_at: SystemTime,
    good_until: SystemTime,
}

impl Kept {
    pub(super) fn new(judged: Judged, judged_at: SystemTime) -> Self {
        Self { signal: judged.signal, judged_at, good_until: judged.good_until.from_wit() }
    }

    /// Does it hold at `now`, but for the time at which it was judged?
    pub(super) fn is_good(&self, now: SystemTime) -> bool {
        self.judged_at <= now && now < self.good_until
    }

    pub(super) fn signal(&self) -> &[u8] {
        &self.signal
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::engine::ToWit;

    #[test]
    fn it_holds_from_when_it_was_judged_until_time_alone_changes_it() {
        let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        let kept = Kept::new(Judged { signal: vec![7], good_until: at(20).to_wit() }, at(10));
        assert_eq!([9, 10, 19, 20].map(|now| kept.is_good(at(now))), [false, true, true, false]);
        assert_eq!(kept.signal(), [7]);
    }
}
