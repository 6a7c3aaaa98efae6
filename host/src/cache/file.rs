//! Files of the cache: private until complete, then renamed or linked to their name.
//!
//! A private file is removed when its handle is dropped; what a killed process leaves behind, prune removes.

use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::time::SystemTime;

use super::dir::TierDir;
use super::error::CacheError;
use super::fault::{self, Point};

/// More than any lock or marker has.
const MAX_SIDE_BYTES: usize = 16 * 1024;

/// Tells whether a file is still the one that was seen, and unchanged.
///
/// The system gives a removed file's number to the next one, so whoever compares must hold the file open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FileStamp {
    device: u64,
    number: u64,
    size: u64,
    modified: (i64, i64),
}

impl FileStamp {
    pub(super) fn of(meta: &Metadata) -> Self {
        Self {
            device: meta.dev(),
            number: meta.ino(),
            size: meta.size(),
            modified: (meta.mtime(), meta.mtime_nsec()),
        }
    }

    /// Whether both are the same file, changed or not.
    pub(super) fn is_same_file(&self, other: &Self) -> bool {
        self.device == other.device && self.number == other.number
    }
}

/// A file under a private name, removed when dropped.
#[derive(Debug)]
pub(super) struct PrivateName<'d> {
    dir: &'d TierDir,
    name: String,
    /// It has moved to its public name.
    moved: bool,
}

impl<'d> PrivateName<'d> {
    pub(super) fn new(dir: &'d TierDir, name: String) -> Self {
        Self { dir, name, moved: false }
    }
}

impl Drop for PrivateName<'_> {
    fn drop(&mut self) {
        if self.moved {
            return;
        }
        if let Err(error) = self.dir.remove(&self.name) {
            tracing::warn!(%error, "a temporary file of the signal cache stays behind");
        }
        fault::pass(Point::FileRemoved);
    }
}

/// A complete file that has no public name yet; removed when dropped.
#[derive(Debug)]
pub(super) struct TempFile<'d> {
    entry: PrivateName<'d>,
    own: OwnFile,
}

impl<'d> TempFile<'d> {
    /// A file with all its content.
    pub(super) fn new(entry: PrivateName<'d>, file: File, meta: &Metadata) -> Self {
        Self { entry, own: OwnFile { file, stamp: FileStamp::of(meta) } }
    }

    /// Returns when the content is on disk.
    pub(super) fn sync(&self) -> Result<(), CacheError> {
        let path = self.entry.dir.path(&self.entry.name);
        self.own.file.sync_all().map_err(CacheError::io("sync", path))?;
        fault::pass(Point::FileSynced);
        Ok(())
    }

    /// Puts the file at `name`, in place of whatever stands there.
    pub(super) fn rename_to(mut self, name: &str) -> Result<OwnFile, CacheError> {
        self.entry.dir.rename(&self.entry.name, name)?;
        self.entry.moved = true;
        fault::pass(Point::FileRenamed);
        Ok(self.own)
    }

    /// Puts the file at `name` unless something stands there: then `None`.
    pub(super) fn link_to(self, name: &str) -> Result<Option<OwnFile>, CacheError> {
        Ok(self.link(name)?.then_some(self.own))
    }

    /// Gives the file the further name `name` unless something stands there. Whether that was free.
    pub(super) fn link(&self, name: &str) -> Result<bool, CacheError> {
        let linked = self.entry.dir.link(&self.entry.name, name)?;
        fault::pass(Point::FileLinked);
        Ok(linked)
    }

    pub(super) fn stamp(&self) -> &FileStamp {
        self.own.stamp()
    }
}

/// A file this process made, held open so that its stamp stays its own.
#[derive(Debug)]
pub(super) struct OwnFile {
    file: File,
    stamp: FileStamp,
}

impl OwnFile {
    pub(super) fn stamp(&self) -> &FileStamp {
        &self.stamp
    }
}

/// A lock or marker as it was read.
#[derive(Debug)]
pub(super) struct SideFile {
    /// Its content; empty where it cannot be read, is no file, or is larger than any of these can be.
    pub(super) bytes: Vec<u8>,
    pub(super) modified: SystemTime,
    pub(super) stamp: FileStamp,
    _held: Option<File>,
}

impl SideFile {
    pub(super) fn read(file: File) -> io::Result<Self> {
        let meta = file.metadata()?;
        let bytes = read_bounded(&file, &meta, MAX_SIDE_BYTES)?.unwrap_or_default();
        Ok(Self { bytes, modified: modified(&meta), stamp: FileStamp::of(&meta), _held: Some(file) })
    }

    pub(super) fn unreadable(meta: &Metadata) -> Self {
        Self { bytes: Vec::new(), modified: modified(meta), stamp: FileStamp::of(meta), _held: None }
    }
}

/// When the content last changed; a file system that does not tell has never changed it.
pub(super) fn modified(meta: &Metadata) -> SystemTime {
    meta.modified().unwrap_or(SystemTime::UNIX_EPOCH)
}

/// The whole content; `None` when this is no regular file or has more than `limit` bytes.
pub(super) fn read_bounded(file: &File, meta: &Metadata, limit: usize) -> io::Result<Option<Vec<u8>>> {
    let size = usize::try_from(meta.len()).unwrap_or(usize::MAX);
    if !meta.is_file() || size > limit {
        return Ok(None);
    }
    // One byte more shows a file that grew after its size was taken.
    let bound = limit.saturating_add(1);
    let mut bytes = Vec::with_capacity(size.saturating_add(1));
    file.take(u64::try_from(bound).unwrap_or(u64::MAX)).read_to_end(&mut bytes)?;
    Ok((bytes.len() <= limit).then_some(bytes))
}
