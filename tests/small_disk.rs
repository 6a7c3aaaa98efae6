//! A disk that fills up or turns read-only while a program runs: a file system in memory that only that program has,
//! in namespaces of its own. Needs `unshare` and `nsenter` (util-linux), and leave to make user namespaces.

use std::fs::File;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Runs the program that is added as arguments, with a disk of 256 KiB at `folder`.
pub(crate) fn starter(folder: &Path) -> Command {
    std::fs::create_dir_all(folder).unwrap();
    let script = format!(
        "mount -t tmpfs -o size=256k,mode=755 tmpfs '{}' || exit 97; exec \"$0\" \"$@\"",
        folder.display()
    );
    let mut starter = Command::new("unshare");
    starter.args(["--map-root-user", "--mount", "sh", "-c", &script]);
    starter
}

/// Whether this machine lets a program have a disk of its own; says so where it does not.
pub(crate) fn can_be_had() -> bool {
    let folder = tempfile::tempdir().unwrap();
    let tried = starter(folder.path()).arg("true").stderr(Stdio::piped()).output();
    let can = tried.as_ref().is_ok_and(|output| output.status.success());
    if !can {
        eprintln!("left out: this machine lets no program have a file system of its own: {tried:?}");
    }
    can
}

/// The disk of a program that runs.
pub(crate) struct SmallDisk {
    pid: u32,
    folder: PathBuf,
}

impl SmallDisk {
    /// That of the program with this number, started by [`starter`].
    pub(crate) fn of(pid: u32, folder: &Path) -> Self {
        Self { pid, folder: folder.to_owned() }
    }

    /// A file on it, as this process can reach it.
    pub(crate) fn path(&self, file: &str) -> PathBuf {
        Path::new("/proc")
            .join(self.pid.to_string())
            .join("root")
            .join(self.folder.strip_prefix("/").unwrap())
            .join(file)
    }

    /// The names in a folder of it, sorted.
    pub(crate) fn names(&self, folder: &str) -> Vec<String> {
        let entries = std::fs::read_dir(self.path(folder)).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// Leaves not a byte.
    pub(crate) fn fill(&self) {
        let mut filler = File::create(self.path("filler")).unwrap();
        let error = loop {
            if let Err(error) = filler.write_all(&[0; 512]) {
                break error;
            }
        };
        assert_eq!(error.kind(), ErrorKind::StorageFull, "{error}");
    }

    pub(crate) fn free(&self) {
        std::fs::remove_file(self.path("filler")).unwrap();
    }

    /// As the kernel does it after errors of a disk.
    pub(crate) fn turn_read_only(&self) {
        self.remount("remount,ro");
    }

    pub(crate) fn turn_writable(&self) {
        self.remount("remount,rw");
    }

    fn remount(&self, options: &str) {
        let mut enter = Command::new("nsenter");
        enter.args(["--target", &self.pid.to_string(), "--user", "--mount", "--preserve-credentials"]);
        let output = enter.args(["mount", "-o", options]).arg(&self.folder).output().unwrap();
        assert!(output.status.success(), "{output:?}");
    }
}
