//! Where a test has a process die: between any two steps of the protocol that others can tell apart.
//!
//! Compiled in by the feature `fault-points`, which `cargo xtask test` sets and no build for use does. Without it to
//! pass a point is nothing.

#[cfg(all(feature = "fault-points", not(debug_assertions)))]
compile_error!("the feature fault-points is for tests: no optimised build has it");

macro_rules! points {
    ($($point:ident $name:literal,)*) => {
        /// What has just been done.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(super) enum Point {
            $(#[doc = $name] $point,)*
        }

        /// The names of all fault points.
        #[cfg(feature = "fault-points")]
        pub const FAULT_POINTS: &[&str] = &[$($name,)*];

        #[cfg(feature = "fault-points")]
        impl Point {
            const fn name(self) -> &'static str {
                match self {
                    $(Self::$point => $name,)*
                }
            }
        }
    };
}

points! {
    GuardMade "guard: file made",
    GuardTaken "guard: taken",
    GuardGivenBack "guard: given back",
    FileCreated "private file: created",
    FileWritten "private file: written",
    FileSynced "private file: synced",
    FileLinked "private file: linked",
    FileRenamed "private file: renamed",
    FileRemoved "private file: removed",
    LockPrepared "lock: prepared",
    LockTakenOver "lock: abandoned one removed",
    LockHeld "lock: held",
    LockRemoved "lock: removed",
    CommitPrepared "commit: prepared",
    CommitDecided "commit: about to rename",
    CommitRenamed "commit: renamed",
    MarkerTakenOver "marker: stale one removed",
    MarkerPublished "marker: published",
    MarkerFailed "marker: turned into a failure",
    MarkerRemoved "marker: removed",
    PrunedMarker "prune: marker removed",
    PrunedEntry "prune: entry removed",
    PrunedPrivate "prune: private file removed",
}

/// Passes a point.
#[cfg(not(feature = "fault-points"))]
pub(super) const fn pass(_: Point) {}

#[cfg(feature = "fault-points")]
pub use armed::die_at;
#[cfg(feature = "fault-points")]
pub(super) use armed::pass;

#[cfg(feature = "fault-points")]
mod armed {
    use std::sync::{Mutex, PoisonError};

    use rustix::process::{Signal, getpid, kill_process};

    use super::Point;

    static ARMED: Mutex<Option<(String, u32)>> = Mutex::new(None);

    /// Has this process killed (`SIGKILL`) when it passes the point of this name (one of
    /// [`FAULT_POINTS`](super::FAULT_POINTS)) for the `passing`-th time from now, from 1; with 0 never. The last call
    /// counts.
    pub fn die_at(point: &str, passing: u32) {
        *ARMED.lock().unwrap_or_else(PoisonError::into_inner) =
            (passing > 0).then(|| (point.to_owned(), passing));
    }

    pub(in crate::cache) fn pass(point: Point) {
        let mut armed = ARMED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((name, left)) = armed.as_mut()
            && name == point.name()
        {
            *left = left.saturating_sub(1);
            if *left == 0 {
                // It does not return; if it could not be sent, the test finds this process alive.
                let _ = kill_process(getpid(), Signal::KILL);
            }
        }
    }
}
