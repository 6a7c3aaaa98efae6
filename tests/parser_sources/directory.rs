//! A directory that is watched: what is added, replaced or removed is noticed, and nothing half-written is taken.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use runtime_signals::parsers::Candidate;
use runtime_signals::parsers::source::{Directory, FileError, Intake, Watch, WatchOptions};
use tempfile::TempDir;

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(30);
/// A rest that is over soon, and one that is never over within a test.
const SHORT: Duration = Duration::from_millis(20);
const LONG: Duration = Duration::from_secs(3600);
const MOST_BYTES: u64 = 1000;

/// What a watch has told.
#[derive(Debug, PartialEq, Eq)]
enum Told {
    Taken(String, Vec<u8>),
    Withdrawn(String),
    Refused(String),
}

/// Takes the content as signed where the signature is the content's length.
struct Recorder(Sender<Told>);

impl Recorder {
    fn tell(&self, told: Told) {
        let _ = self.0.send(told);
    }
}

fn name(file: &Path) -> String {
    file.file_name().unwrap().to_str().unwrap().to_owned()
}

impl Intake for Recorder {
    fn is_signed(&self, candidate: &Candidate) -> bool {
        candidate.signature.as_ref().is_some_and(|text| *text == candidate.bytes.len().to_string())
    }

    fn take(&mut self, file: &Path, candidate: Candidate) {
        self.tell(Told::Taken(name(file), candidate.bytes));
    }

    fn withdraw(&mut self, file: &Path) {
        self.tell(Told::Withdrawn(name(file)));
    }

    fn refuse(&mut self, error: FileError) {
        self.tell(Told::Refused(error.to_string()));
    }
}

/// A directory with a watch over it.
struct Scene {
    folder: TempDir,
    told: Receiver<Told>,
    _watch: Watch,
}

impl Scene {
    fn new(rest: Duration) -> Self {
        Self::with(WatchOptions { rest, rescan: PATIENCE }, |_| ())
    }

    /// With something in the directory before it is watched.
    fn with(options: WatchOptions, prepare: impl FnOnce(&Path)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        prepare(folder.path());
        let (sender, told) = channel();
        let directory = Directory::new(folder.path(), MOST_BYTES);
        let watch = Watch::start(directory, options, Recorder(sender)).unwrap();
        Self { folder, told, _watch: watch }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes in place: whoever reads meanwhile sees a part.
    fn write(&self, name: &str, content: &[u8]) {
        fs::write(self.path(name), content).unwrap();
    }

    fn next(&self) -> Told {
        self.told.recv_timeout(PATIENCE).expect("something is told")
    }
}

fn taken(name: &str, content: &[u8]) -> Told {
    Told::Taken(name.to_owned(), content.to_vec())
}

#[test]
fn what_is_added_replaced_and_removed_is_noticed() {
    let scene = Scene::new(SHORT);
    scene.write("a.wasm", b"one");
    assert_eq!(scene.next(), taken("a.wasm", b"one"));
    scene.write(".new", b"two");
    fs::rename(scene.path(".new"), scene.path("a.wasm")).unwrap();
    assert_eq!(scene.next(), taken("a.wasm", b"two"));
    fs::remove_file(scene.path("a.wasm")).unwrap();
    assert_eq!(scene.next(), Told::Withdrawn("a.wasm".into()));
}

#[test]
fn what_is_there_already_is_taken() {
    let options = WatchOptions { rest: SHORT, rescan: PATIENCE };
    let scene = Scene::with(options, |folder| fs::write(folder.join("a.wasm"), b"one").unwrap());
    assert_eq!(scene.next(), taken("a.wasm", b"one"));
}

#[test]
fn a_signed_file_is_taken_at_once_and_never_in_part() {
    let scene = Scene::new(LONG);
    let content: Vec<u8> = (0..=255).cycle().take(900).collect();
    scene.write("a.wasm.minisig", b"900");
    let mut file = File::create(scene.path("a.wasm")).unwrap();
    for part in content.chunks(100) {
        file.write_all(part).unwrap();
        file.sync_all().unwrap();
    }
    drop(file);
    assert_eq!(scene.next(), taken("a.wasm", &content));

    // The signature of the next one comes first or last: the old pair and a mixed one are never taken.
    scene.write("a.wasm.minisig", b"3");
    scene.write("a.wasm", b"two");
    assert_eq!(scene.next(), taken("a.wasm", b"two"));
    scene.write("a.wasm", b"three");
    scene.write("a.wasm.minisig", b"5");
    assert_eq!(scene.next(), taken("a.wasm", b"three"));
    assert!(scene.told.try_recv().is_err());
}

#[test]
fn a_file_without_a_good_signature_is_taken_as_it_is_when_it_rests() {
    let scene = Scene::new(SHORT);
    scene.write("a.wasm.minisig", b"7");
    scene.write("a.wasm", b"one");
    // What is to be done about it is for the intake to say.
    assert_eq!(scene.next(), taken("a.wasm", b"one"));
    scene.write("a.wasm.minisig", b"3");
    assert_eq!(scene.next(), taken("a.wasm", b"one"));
}

#[test]
fn what_cannot_be_taken_is_told_and_the_rest_goes_on() {
    let scene = Scene::new(SHORT);
    scene.write("large.wasm", &[0; MOST_BYTES as usize + 1]);
    assert!(
        matches!(scene.next(), Told::Refused(text) if text.contains("large.wasm: it is larger than 1000 bytes"))
    );
    scene.write("outside", b"outside");
    symlink(scene.path("outside"), scene.path("link.wasm")).unwrap();
    assert!(matches!(scene.next(), Told::Refused(text) if text.contains("link.wasm: it is a symbolic link")));
    fs::create_dir(scene.path("folder.wasm")).unwrap();
    assert!(
        matches!(scene.next(), Told::Refused(text) if text.contains("folder.wasm: it is no regular file"))
    );
    scene.write("good.wasm.minisig", b"4");
    scene.write("good.wasm", b"good");
    assert_eq!(scene.next(), taken("good.wasm", b"good"));
}

#[test]
fn a_thousand_files_of_other_kinds_are_in_nobodys_way() {
    let options = WatchOptions { rest: LONG, rescan: PATIENCE };
    let junk = |folder: &Path, kind: &str| {
        for number in 0..1000 {
            fs::write(folder.join(format!("{number:04}{kind}")), b"junk").unwrap();
        }
    };
    let scene = Scene::with(options, |folder| junk(folder, ".txt"));
    junk(scene.folder.path(), ".tmp");
    scene.write("z.wasm.minisig", b"4");
    scene.write("z.wasm", b"good");
    assert_eq!(scene.next(), taken("z.wasm", b"good"));
    assert!(scene.told.try_recv().is_err());
}

#[test]
fn of_a_thousand_components_the_first_are_taken_and_the_rest_is_told() {
    let options = WatchOptions { rest: SHORT, rescan: PATIENCE };
    let scene = Scene::with(options, |folder| {
        for number in 0..1000 {
            fs::write(folder.join(format!("{number:04}.wasm")), b"x").unwrap();
        }
    });
    assert!(matches!(scene.next(), Told::Refused(text) if text.contains("it holds 1000 components")));
    for number in 0..64 {
        assert_eq!(scene.next(), taken(&format!("{number:04}.wasm"), b"x"));
    }
    assert!(scene.told.try_recv().is_err());
}

#[test]
fn a_directory_that_comes_later_or_anew_is_watched() {
    let outer = tempfile::tempdir().unwrap();
    let folder = outer.path().join("parsers");
    let (sender, told) = channel();
    let options = WatchOptions { rest: SHORT, rescan: SHORT };
    let _watch = Watch::start(Directory::new(&folder, MOST_BYTES), options, Recorder(sender)).unwrap();
    let next = || told.recv_timeout(PATIENCE).unwrap();
    assert!(matches!(next(), Told::Refused(text) if text.contains("parsers: it cannot be read")));

    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("a.wasm"), b"one").unwrap();
    assert_eq!(next(), taken("a.wasm", b"one"));

    // Another one in its place, complete from the start.
    let other = outer.path().join("other");
    fs::create_dir(&other).unwrap();
    fs::write(other.join("b.wasm"), b"two").unwrap();
    fs::rename(&folder, outer.path().join("old")).unwrap();
    fs::rename(&other, &folder).unwrap();
    let mut both = [next(), next()].map(|told| if let Told::Refused(_) = told { next() } else { told });
    both.sort_by_key(|told| matches!(told, Told::Withdrawn(_)));
    assert_eq!(both, [taken("b.wasm", b"two"), Told::Withdrawn("a.wasm".into())]);
}

#[test]
fn a_watch_ends_when_it_is_dropped() {
    let Scene { folder, told, _watch } = Scene::new(LONG);
    drop(_watch);
    // The thread has let go of its sender.
    fs::write(folder.path().join("a.wasm"), b"one").unwrap();
    assert!(told.recv().is_err());
}
