//! The tier's directory.
//!
//! All names are opened relative to one descriptor of the directory, and no symbolic link in it is followed. The way
//! to the directory may hold links: it is the user's own. Directories we make have mode 0750, files 0600, whatever
//! the umask; those that exist are left as they are.

use std::fs::{DirBuilder, File};
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, Mode, OFlags};
use rustix::io::Errno;

use super::error::CacheError;
use super::fault::{self, Point};
use super::file::{FileStamp, PrivateName, SideFile, TempFile};
use super::process;

const DIRECTORY_MODE: u32 = 0o750;
const FILE_MODE: u32 = 0o600;

/// An open directory of the cache.
#[derive(Debug)]
pub(super) struct TierDir {
    fd: OwnedFd,
    path: PathBuf,
}

impl TierDir {
    /// Opens the directory, if there is one.
    pub(super) fn open(path: &Path) -> Result<Option<Self>, CacheError> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        match rustix::fs::open(path, flags, Mode::empty()) {
            Ok(fd) => Ok(Some(Self { fd, path: path.to_owned() })),
            Err(Errno::NOENT) => Ok(None),
            Err(error) => Err(CacheError::io("open the directory", path)(error)),
        }
    }

    /// Opens the directory, made if it is missing, with all above it.
    pub(super) fn create(path: &Path) -> Result<Self, CacheError> {
        if let Some(dir) = Self::open(path)? {
            return Ok(dir);
        }
        make_directories(path)?;
        Self::open(path)?.ok_or_else(|| {
            if path.is_symlink() {
                let cause = io::Error::other("it is a symbolic link that leads nowhere");
                return CacheError::io("open the directory", path)(cause);
            }
            CacheError::io("open the directory", path)(Errno::NOENT)
        })
    }

    /// The path of a file in this directory.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Opens a file; `None` when there is none. Neither a link is followed nor does a named pipe block.
    pub(super) fn open_file(&self, name: &str, flags: OFlags) -> rustix::io::Result<Option<File>> {
        let flags = flags | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        match rustix::fs::openat(&self.fd, name, flags, Mode::empty()) {
            Ok(fd) => Ok(Some(File::from(fd))),
            Err(Errno::NOENT) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// What stands at `name` now. Looked up by the whole path, so that a replaced directory shows as well.
    pub(super) fn stamp(&self, name: &str) -> Result<Option<FileStamp>, CacheError> {
        match std::fs::symlink_metadata(self.path(name)) {
            Ok(meta) => Ok(Some(FileStamp::of(&meta))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(CacheError::io("look at", self.path(name))(error)),
        }
    }

    /// Reads the lock or marker at `name`, if there is one. What cannot be read counts as empty.
    pub(super) fn side_file(&self, name: &str) -> Result<Option<SideFile>, CacheError> {
        match self.open_file(name, OFlags::RDONLY) {
            Ok(None) => Ok(None),
            Ok(Some(file)) => SideFile::read(file).map(Some).map_err(CacheError::io("read", self.path(name))),
            // A link, or a file we may not read. It is there, unless it just went.
            Err(_) => match std::fs::symlink_metadata(self.path(name)) {
                Ok(meta) => Ok(Some(SideFile::unreadable(&meta))),
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
                Err(error) => Err(CacheError::io("look at", self.path(name))(error)),
            },
        }
    }

    /// Fails where another directory stands at the path by now, or none: what is done here, nobody would find.
    pub(super) fn check_in_place(&self) -> Result<(), CacheError> {
        let failed = || CacheError::io("use the directory", &self.path);
        let standing = rustix::fs::stat(&self.path).map_err(failed())?;
        let own = rustix::fs::fstat(&self.fd).map_err(failed())?;
        if (standing.st_dev, standing.st_ino) == (own.st_dev, own.st_ino) {
            return Ok(());
        }
        Err(failed()(Errno::NOENT))
    }

    /// Removes `name` if it still is the file of this stamp. Whether it was.
    pub(super) fn remove_if(&self, name: &str, stamp: &FileStamp) -> Result<bool, CacheError> {
        match self.stamp(name)? {
            Some(found) if found.is_same_file(stamp) => self.remove(name),
            _ => Ok(false),
        }
    }

    /// Removes `name`. Whether there was one.
    pub(super) fn remove(&self, name: &str) -> Result<bool, CacheError> {
        match rustix::fs::unlinkat(&self.fd, name, AtFlags::empty()) {
            Ok(()) => Ok(true),
            Err(Errno::NOENT) => Ok(false),
            Err(error) => Err(CacheError::io("remove", self.path(name))(error)),
        }
    }

    /// Writes a file under a private name.
    pub(super) fn temp_file(&self, bytes: &[u8]) -> Result<TempFile<'_>, CacheError> {
        let name = process::temp_name();
        let failed = |action| CacheError::io(action, self.path(&name));
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fd = rustix::fs::openat(&self.fd, &name, flags, Mode::RUSR | Mode::WUSR)
            .map_err(CacheError::io("create a file in", &self.path))?;
        let entry = PrivateName::new(self, name.clone());
        fault::pass(Point::FileCreated);
        let mut file = File::from(fd);
        file.write_all(bytes).map_err(failed("write"))?;
        let meta = file.metadata().map_err(failed("look at"))?;
        // An unusual umask takes bits away.
        if meta.mode() & 0o777 != FILE_MODE {
            let mode = std::fs::Permissions::from_mode(FILE_MODE);
            file.set_permissions(mode).map_err(failed("set the mode of"))?;
        }
        fault::pass(Point::FileWritten);
        Ok(TempFile::new(entry, file, &meta))
    }

    pub(super) fn rename(&self, from: &str, to: &str) -> Result<(), CacheError> {
        rustix::fs::renameat(&self.fd, from, &self.fd, to).map_err(CacheError::io("replace", self.path(to)))
    }

    /// Gives the file `from` the further name `to`. Whether that was free.
    pub(super) fn link(&self, from: &str, to: &str) -> Result<bool, CacheError> {
        match rustix::fs::linkat(&self.fd, from, &self.fd, to, AtFlags::empty()) {
            Ok(()) => Ok(true),
            Err(Errno::EXIST) => Ok(false),
            Err(error) => Err(CacheError::io("create", self.path(to))(error)),
        }
    }
}

impl AsFd for TierDir {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

fn make_directories(path: &Path) -> Result<(), CacheError> {
    let make = || DirBuilder::new().mode(DIRECTORY_MODE).create(path);
    let failed = |action| CacheError::io::<io::Error>(action, path);
    let made = match (make(), path.parent()) {
        (Err(error), Some(parent)) if error.kind() == io::ErrorKind::NotFound => {
            make_directories(parent)?;
            make()
        }
        (made, _) => made,
    };
    match made {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(()),
        Err(error) => return Err(failed("make the directory")(error)),
    }
    let mode = std::fs::symlink_metadata(path).map_err(failed("look at"))?.permissions().mode();
    if mode & 0o777 == DIRECTORY_MODE {
        return Ok(());
    }
    let mode = std::fs::Permissions::from_mode(DIRECTORY_MODE | (mode & 0o7000));
    std::fs::set_permissions(path, mode).map_err(failed("set the mode of"))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::cache::test_support::mode_of;

    #[test]
    fn missing_directories_are_made_with_mode_0750_and_files_with_0600() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("a/b/runtime");
        assert!(TierDir::open(&path).unwrap().is_none());
        let dir = TierDir::create(&path).unwrap();
        assert_eq!(mode_of(&path), 0o750);
        assert_eq!(mode_of(path.parent().unwrap()), 0o750);
        dir.temp_file(b"x").unwrap().rename_to("x.json").unwrap();
        assert_eq!(mode_of(&path.join("x.json")), 0o600);
    }

    #[test]
    fn an_existing_directory_keeps_its_mode() {
        let root = tempfile::tempdir().unwrap();
        std::fs::set_permissions(root.path(), std::fs::Permissions::from_mode(0o700)).unwrap();
        TierDir::create(root.path()).unwrap();
        assert_eq!(mode_of(root.path()), 0o700);
    }

    #[test]
    fn a_file_in_the_way_of_the_directory_is_an_error_that_names_it() {
        let root = tempfile::tempdir().unwrap();
        std::fs::write(root.path().join("file"), b"").unwrap();
        let error = TierDir::create(&root.path().join("file/runtime")).unwrap_err().to_string();
        assert!(error.contains("file/runtime") && error.contains("a part of this path is a file"), "{error}");
    }

    #[test]
    fn a_temp_file_that_gets_no_name_is_removed() {
        let root = tempfile::tempdir().unwrap();
        let dir = TierDir::create(root.path()).unwrap();
        drop(dir.temp_file(b"x").unwrap());
        assert_eq!(std::fs::read_dir(root.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_link_succeeds_only_where_nothing_stands() {
        let root = tempfile::tempdir().unwrap();
        let dir = TierDir::create(root.path()).unwrap();
        assert!(dir.temp_file(b"first").unwrap().link_to("x.lock").unwrap().is_some());
        assert!(dir.temp_file(b"second").unwrap().link_to("x.lock").unwrap().is_none());
        assert_eq!(std::fs::read(root.path().join("x.lock")).unwrap(), b"first");
        assert_eq!(std::fs::read_dir(root.path()).unwrap().count(), 1);
    }

    #[test]
    fn only_the_file_of_the_stamp_is_removed() {
        let root = tempfile::tempdir().unwrap();
        let dir = TierDir::create(root.path()).unwrap();
        let ours = dir.temp_file(b"ours").unwrap().link_to("x.lock").unwrap().unwrap();
        dir.temp_file(b"theirs").unwrap().rename_to("x.lock").unwrap();
        assert!(!dir.remove_if("x.lock", ours.stamp()).unwrap());
        assert_eq!(std::fs::read(root.path().join("x.lock")).unwrap(), b"theirs");
    }

    #[test]
    fn a_link_is_read_as_an_empty_side_file_and_removed_as_itself() {
        let root = tempfile::tempdir().unwrap();
        let target = root.path().join("target");
        std::fs::write(&target, b"{\"pid\":1}").unwrap();
        symlink(&target, root.path().join("x.lock")).unwrap();
        let dir = TierDir::create(root.path()).unwrap();
        let side = dir.side_file("x.lock").unwrap().unwrap();
        assert!(side.bytes.is_empty());
        assert!(dir.remove_if("x.lock", &side.stamp).unwrap());
        assert!(target.exists());
    }
}
