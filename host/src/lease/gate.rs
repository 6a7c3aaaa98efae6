//! What happens around a reset: those who wait get different instants, and are let through in steps that double.

use std::time::{Duration, SystemTime};

/// From one step to the next.
pub const STEP: Duration = Duration::from_millis(100);
/// After so many steps, more than a thousand have passed: whatever the provider has to say, it has said.
const STEPS: u32 = 10;
/// Places beyond that are not told apart.
const LAST_PLACE: u32 = 1 << STEPS;

/// One provider and scope around one reset.
#[derive(Debug)]
pub(super) struct Gate {
    opens_at: SystemTime,
    /// Is it there for a refusal or a limit, and to let through in steps?
    is_stepped: bool,
    /// How many were told a time.
    told: u32,
    /// How many have passed since it opened.
    passed: u32,
}

impl Default for Gate {
    fn default() -> Self {
        Self { opens_at: SystemTime::UNIX_EPOCH, is_stepped: false, told: 0, passed: 0 }
    }
}

impl Gate {
    /// Nothing passes before `at`. Tells when the next one may ask again.
    pub(super) fn close(&mut self, at: SystemTime, now: SystemTime) -> SystemTime {
        self.shut(at, now);
        self.is_stepped = true;
        self.next_time()
    }

    /// As `at` comes, what is in flight may leave room: those who ask meanwhile get different times.
    pub(super) fn spread(&mut self, at: SystemTime, now: SystemTime) -> SystemTime {
        self.shut(at, now);
        self.next_time()
    }

    fn shut(&mut self, at: SystemTime, now: SystemTime) {
        if self.opens_at <= now {
            // It was open: this is about another reset.
            *self = Self { opens_at: at, ..Self::default() };
        }
        self.opens_at = self.opens_at.max(at);
    }

    fn next_time(&mut self) -> SystemTime {
        let step = self.told.checked_add(1).map_or(STEPS, u32::ilog2);
        self.told = self.told.saturating_add(1).min(LAST_PLACE);
        self.opens_at + STEP * step
    }

    /// Lets one through, or tells when to ask again.
    pub(super) fn pass(&mut self, now: SystemTime) -> Result<(), SystemTime> {
        let Ok(open_for) = now.duration_since(self.opens_at) else {
            // The evidence says that it can pass, earlier than was thought.
            return Ok(());
        };
        if !self.is_stepped || self.is_over(now) {
            return Ok(());
        }
        let step = u32::try_from(open_for.as_nanos() / STEP.as_nanos()).unwrap_or(STEPS).min(STEPS);
        // One in the first step, two in the second, four in the third …
        let allowed = (2_u32 << step) - 1;
        if self.passed < allowed {
            self.passed += 1;
            return Ok(());
        }
        Err(self.opens_at + STEP * (step + 1))
    }

    /// Is there nothing left for it to do?
    pub(super) fn is_over(&self, now: SystemTime) -> bool {
        now.duration_since(self.opens_at).is_ok_and(|open_for| open_for >= STEP * STEPS)
    }
}
