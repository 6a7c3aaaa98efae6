//! A folder of the thread's own, for what is read from files.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use tempfile::TempDir;

thread_local! {
    static FOLDER: TempDir = tempfile::tempdir().expect("a folder can be made");
}

/// The path of a file that need not exist; the folders above it do.
pub(crate) fn path(name: &str) -> PathBuf {
    let path = FOLDER.with(|folder| folder.path().join(name));
    fs::create_dir_all(parent(&path)).expect("a folder can be made");
    path
}

/// The same, with a file of these bytes there, last changed at this time.
pub(crate) fn file(name: &str, bytes: &[u8], modified: SystemTime) -> PathBuf {
    let path = path(name);
    fs::write(&path, bytes).expect("a file can be written");
    let file = File::options().write(true).open(&path).expect("what was written can be opened");
    file.set_modified(modified).expect("a time can be set");
    path
}

/// The same, with no file there.
pub(crate) fn no_file(name: &str) -> PathBuf {
    let path = path(name);
    let _ = fs::remove_file(&path);
    path
}

/// The folder that a file lies in.
pub(crate) fn parent(path: &Path) -> &Path {
    path.parent().expect("a file lies in a folder")
}
