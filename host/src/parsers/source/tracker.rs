//! When a file of the watched directory is looked at, taken, or given up: decided from what stands there and the
//! time, without touching either.
//!
//! A file that changes is tried at once, and taken if its signature is good: then it is whole. What is not signed, or
//! not yet, is taken when it has rested for a while; so is a file missed that is gone.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::time::{Duration, Instant};

use super::directory::Stamps;

/// How long a file that has changed twice is left alone before it is tried: it may be in writing.
const TRY_AGAIN: Duration = Duration::from_millis(5);

/// What is to be done about a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Due {
    /// Read it, and take it if it is signed.
    Try(OsString),
    /// Read it and take it as it is.
    Take(OsString),
    /// Take it out: it is gone.
    Withdraw(OsString),
}

/// The files of a directory over time.
pub(super) struct Tracker {
    rest: Duration,
    files: BTreeMap<OsString, Tracked>,
}

struct Tracked {
    /// `None` when it is gone.
    stamps: Option<Stamps>,
    /// Since when it is as it is.
    since: Instant,
    /// When it may be tried, if it has not been tried as it is.
    try_at: Option<Instant>,
    /// It was taken, or refused for good, as it is.
    is_done: bool,
}

impl Tracked {
    fn gone(now: Instant) -> Self {
        Self { stamps: None, since: now, try_at: None, is_done: false }
    }
}

impl Tracker {
    /// Takes what has rested for this long.
    pub(super) fn new(rest: Duration) -> Self {
        Self { rest, files: BTreeMap::new() }
    }

    /// Misses a file that is not there.
    pub(super) fn expect(&mut self, name: &OsStr, now: Instant) {
        self.files.insert(name.to_owned(), Tracked::gone(now));
    }

    /// What is due at `now`, when this stands in the directory.
    pub(super) fn look(&mut self, listing: &BTreeMap<OsString, Stamps>, now: Instant) -> Vec<Due> {
        self.note(listing, now);
        let mut due = Vec::new();
        let rest = self.rest;
        self.files.retain(|name, file| {
            let has_rested = now.duration_since(file.since) >= rest;
            match file.stamps {
                None if has_rested => {
                    due.push(Due::Withdraw(name.clone()));
                    return false;
                }
                Some(_) if !file.is_done && has_rested => {
                    file.is_done = true;
                    file.try_at = None;
                    due.push(Due::Take(name.clone()));
                }
                Some(_) if file.try_at.is_some_and(|at| at <= now) => {
                    file.try_at = None;
                    due.push(Due::Try(name.clone()));
                }
                _ => {}
            }
            true
        });
        due
    }

    fn note(&mut self, listing: &BTreeMap<OsString, Stamps>, now: Instant) {
        for (name, file) in &mut self.files {
            if file.stamps.is_some() && !listing.contains_key(name) {
                *file = Tracked::gone(now);
            }
        }
        for (name, stamps) in listing {
            let known = self.files.get(name);
            if known.is_some_and(|known| known.stamps == Some(*stamps)) {
                continue;
            }
            let known = known.filter(|known| known.stamps.is_some());
            let since_last = known.map(|known| known.since + TRY_AGAIN);
            let try_at = since_last.map_or(now, |earliest| earliest.max(now));
            let file = Tracked { stamps: Some(*stamps), since: now, try_at: Some(try_at), is_done: false };
            self.files.insert(name.clone(), file);
        }
    }

    /// A file was taken on the first try, or refused for what rest does not change.
    pub(super) fn done(&mut self, name: &OsStr) {
        if let Some(file) = self.files.get_mut(name) {
            file.is_done = true;
        }
    }

    /// A file was changing when it was to be taken.
    pub(super) fn disturbed(&mut self, name: &OsStr, now: Instant) {
        if let Some(file) = self.files.get_mut(name) {
            file.is_done = false;
            file.since = now;
        }
    }

    /// When something may be due although nothing changes.
    pub(super) fn next(&self) -> Option<Instant> {
        let waiting = self.files.values().filter(|file| !file.is_done || file.stamps.is_none());
        let rested = waiting.map(|file| file.since + self.rest);
        rested.chain(self.files.values().filter_map(|file| file.try_at)).min()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::parsers::source::directory::Directory;

    const REST: Duration = Duration::from_secs(10);

    /// A directory, what was done about it, and a time that passes as the test says.
    struct Scene {
        folder: tempfile::TempDir,
        tracker: Tracker,
        now: Instant,
    }

    impl Scene {
        fn new() -> Self {
            let (folder, now) = (tempfile::tempdir().unwrap(), Instant::now());
            Self { folder, tracker: Tracker::new(REST), now }
        }

        /// The kind and name of what is due after a while.
        fn after(&mut self, while_: Duration) -> Vec<Due> {
            self.now += while_;
            let (listing, _) = Directory::new(self.folder.path(), 100).list().unwrap();
            self.tracker.look(&listing, self.now)
        }

        fn at_once(&mut self) -> Vec<Due> {
            self.after(Duration::ZERO)
        }

        fn write(&self, name: &str, content: &str) {
            fs::write(self.folder.path().join(name), content).unwrap();
        }

        fn remove(&self, name: &str) {
            fs::remove_file(self.folder.path().join(name)).unwrap();
        }
    }

    fn try_(name: &str) -> Due {
        Due::Try(name.into())
    }

    fn take(name: &str) -> Due {
        Due::Take(name.into())
    }

    #[test]
    fn a_file_is_tried_at_once_and_taken_when_it_has_rested() {
        let mut scene = Scene::new();
        scene.write("a.wasm", "1");
        assert_eq!(scene.at_once(), [try_("a.wasm")]);
        assert_eq!(scene.after(REST / 2), []);
        assert_eq!(scene.tracker.next(), Some(scene.now + REST / 2));
        assert_eq!(scene.after(REST / 2), [take("a.wasm")]);
        assert_eq!(scene.after(REST), []);
        assert_eq!(scene.tracker.next(), None);
    }

    #[test]
    fn a_file_that_was_taken_on_the_first_try_is_left_alone_until_it_changes() {
        let mut scene = Scene::new();
        scene.write("a.wasm", "1");
        assert_eq!(scene.at_once(), [try_("a.wasm")]);
        scene.tracker.done(OsStr::new("a.wasm"));
        assert_eq!(scene.after(REST), []);
        scene.write("a.wasm", "two");
        assert_eq!(scene.at_once(), [try_("a.wasm")]);
    }

    #[test]
    fn a_file_in_writing_never_rests() {
        let mut scene = Scene::new();
        scene.write("a.wasm", "");
        scene.at_once();
        for size in 1..20 {
            scene.write("a.wasm", &"x".repeat(size));
            let due = scene.after(REST - TRY_AGAIN);
            assert!(!due.contains(&take("a.wasm")), "{size}");
        }
        assert_eq!(scene.after(REST), [take("a.wasm")]);
    }

    #[test]
    fn a_file_that_changes_again_is_tried_a_little_later() {
        let mut scene = Scene::new();
        scene.write("a.wasm", "");
        assert_eq!(scene.at_once(), [try_("a.wasm")]);
        scene.write("a.wasm", "1");
        assert_eq!(scene.at_once(), []);
        assert_eq!(scene.tracker.next(), Some(scene.now + TRY_AGAIN));
        assert_eq!(scene.after(TRY_AGAIN), [try_("a.wasm")]);
    }

    #[test]
    fn a_signature_that_comes_later_makes_the_file_tried_again() {
        let mut scene = Scene::new();
        scene.write("a.wasm", "1");
        assert_eq!(scene.at_once(), [try_("a.wasm")]);
        assert_eq!(scene.after(REST), [take("a.wasm")]);
        scene.write("a.wasm.minisig", "signature");
        assert_eq!(scene.at_once(), [try_("a.wasm")]);
    }

    #[test]
    fn a_file_that_is_gone_is_missed_after_a_while_and_not_when_it_was_replaced() {
        let mut scene = Scene::new();
        scene.write("a.wasm", "1");
        scene.at_once();
        scene.tracker.done(OsStr::new("a.wasm"));
        scene.remove("a.wasm");
        assert_eq!(scene.after(REST), []);
        scene.write("a.wasm", "two");
        assert_eq!(scene.after(REST / 2), [try_("a.wasm")]);
        scene.tracker.done(OsStr::new("a.wasm"));

        scene.remove("a.wasm");
        assert_eq!(scene.at_once(), []);
        assert_eq!(scene.tracker.next(), Some(scene.now + REST));
        assert_eq!(scene.after(REST), [Due::Withdraw("a.wasm".into())]);
        assert_eq!(scene.after(REST), []);
    }

    #[test]
    fn a_file_that_is_expected_is_missed_unless_it_is_there() {
        let mut scene = Scene::new();
        scene.tracker.expect(OsStr::new("a.wasm"), scene.now);
        scene.tracker.expect(OsStr::new("b.wasm"), scene.now);
        scene.write("a.wasm", "1");
        assert_eq!(scene.at_once(), [try_("a.wasm")]);
        assert_eq!(scene.after(REST), [take("a.wasm"), Due::Withdraw("b.wasm".into())]);
    }

    #[test]
    fn a_file_that_was_disturbed_rests_anew() {
        let mut scene = Scene::new();
        scene.write("a.wasm", "1");
        scene.at_once();
        assert_eq!(scene.after(REST), [take("a.wasm")]);
        scene.tracker.disturbed(OsStr::new("a.wasm"), scene.now);
        assert_eq!(scene.after(REST / 2), []);
        assert_eq!(scene.after(REST / 2), [take("a.wasm")]);
    }
}
