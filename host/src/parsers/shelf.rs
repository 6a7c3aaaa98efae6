//! What is in service, on disk: components by their digest, and which of them serves what.
//!
//! The folder is one of our own: mode 0700, files 0600, written under a private name and renamed into place. Several
//! processes share it; a lock is held while one changes what serves.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, OFlags, flock};

use super::book::Book;
use super::candidate::{Candidate, Digest};
use super::error::{ParserError, ParserProblem};
use super::signature::MOST_SIGNATURE_BYTES;

const BOOK: &str = "parsers.json";
const LOCK: &str = "lock";
const COMPONENTS: &str = "components";
const MOST_BOOK_BYTES: usize = 1 << 20;

/// Changes with each change of the book.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Stamp(Option<(u64, i64, i64)>);

/// The folder.
pub(super) struct Shelf {
    folder: PathBuf,
}

/// The right to change what serves, among all processes.
pub(super) struct Lock(#[expect(dead_code, reason = "held until it is dropped")] File);

impl Shelf {
    /// A folder that is made when something is put into it.
    pub(super) const fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// Waits until no other thread or process changes what serves. Makes the folder if there is none, and refuses one
    /// that others could write to.
    pub(super) fn lock(&self) -> Result<Lock, ParserError> {
        for folder in [self.folder.clone(), self.folder.join(COMPONENTS)] {
            let made = DirBuilder::new().recursive(true).mode(0o700).create(&folder);
            made.and_then(|()| trust(&folder)).map_err(|error| failed(&folder, error))?;
        }
        let path = self.folder.join(LOCK);
        let open = || {
            let file = OpenOptions::new()
                .create(true)
                .truncate(false)
                .write(true)
                .mode(0o600)
                .custom_flags(OFlags::NOFOLLOW.bits().cast_signed())
                .open(&path)?;
            flock(&file, FlockOperation::LockExclusive)?;
            Ok(file)
        };
        open().map(Lock).map_err(|error| failed(&path, error))
    }

    /// Which parser serves what; nothing does where nothing was written yet.
    pub(super) fn book(&self) -> Result<Book, ParserError> {
        match trust(&self.folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Book::default()),
            trusted => trusted.map_err(|error| failed(&self.folder, error))?,
        }
        let path = self.folder.join(BOOK);
        let Some(bytes) = read(&path, MOST_BOOK_BYTES).map_err(|error| failed(&path, error))? else {
            return Ok(Book::default());
        };
        serde_json::from_slice(&bytes).map_err(|error| {
            let why = error.to_string();
            ParserProblem::Damaged { path: path.clone(), why }.of(path.display().to_string())
        })
    }

    pub(super) fn write_book(&self, book: &Book, durability: Durability) -> Result<(), ParserError> {
        let path = self.folder.join(BOOK);
        let json = serde_json::to_vec_pretty(book).map_err(io::Error::other);
        json.and_then(|json| write(&path, &json, durability)).map_err(|error| failed(&path, error))
    }

    /// When the book was written last.
    pub(super) fn stamp(&self) -> Stamp {
        let metadata = fs::symlink_metadata(self.folder.join(BOOK)).ok();
        Stamp(metadata.map(|metadata| (metadata.ino(), metadata.mtime(), metadata.mtime_nsec())))
    }

    /// Keeps a component with its signature.
    pub(super) fn put(&self, digest: Digest, candidate: &Candidate) -> Result<(), ParserError> {
        let path = self.component(digest);
        let signature = path.with_extension("minisig");
        let put = || {
            match &candidate.signature {
                Some(text) => write(&signature, text.as_bytes(), Durability::Durable)?,
                None => remove(&signature)?,
            }
            write(&path, &candidate.bytes, Durability::Durable)
        };
        put().map_err(|error| failed(&path, error))
    }

    /// A component that was kept, with its signature. Its bytes have this digest.
    pub(super) fn get(&self, digest: Digest, most: usize, origin: &str) -> Result<Candidate, ParserError> {
        let path = self.component(digest);
        let get = || {
            let bytes = read(&path, most)?.ok_or(io::ErrorKind::NotFound)?;
            let signature = read(&path.with_extension("minisig"), MOST_SIGNATURE_BYTES)?;
            Ok((bytes, signature.map(|signature| String::from_utf8_lossy(&signature).into_owned())))
        };
        let (bytes, signature) = get().map_err(|error| failed(&path, error))?;
        Ok(Candidate { bytes, signature, origin: origin.into(), expected: Some(digest) })
    }

    /// Removes the components that the book does not name. What cannot be removed stays.
    pub(super) fn tidy(&self, book: &Book) {
        let named: Vec<String> = book.digests().map(|digest| digest.hex()).collect();
        let Ok(entries) = fs::read_dir(self.folder.join(COMPONENTS)) else { return };
        for path in entries.filter_map(|entry| Some(entry.ok()?.path())) {
            let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
            if !named.iter().any(|name| name == stem) {
                let _ = fs::remove_file(&path);
            }
        }
    }

    fn component(&self, digest: Digest) -> PathBuf {
        self.folder.join(COMPONENTS).join(digest.hex()).with_extension("wasm")
    }
}

/// Does a file survive the end of the machine?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Durability {
    /// Only the end of the process: for the request path.
    Visible,
    Durable,
}

fn failed(path: &Path, error: io::Error) -> ParserError {
    ParserProblem::Shelf { path: path.to_owned(), error }.of("parsers")
}

/// Refuses a folder that others could write to.
fn trust(folder: &Path) -> io::Result<()> {
    let metadata = fs::symlink_metadata(folder)?;
    let refuse = |why| Err(io::Error::other(why));
    match (metadata.is_dir(), metadata.uid() == rustix::process::geteuid().as_raw(), metadata.mode() & 0o077)
    {
        (true, true, 0) => Ok(()),
        (false, ..) => refuse("it is no folder"),
        (_, false, _) => refuse("it belongs to another user"),
        _ => refuse("others may enter it; run `chmod 700` on it"),
    }
}

/// The content of a regular file of our own, of at most so many bytes; `None` where there is none.
fn read(path: &Path, most: usize) -> io::Result<Option<Vec<u8>>> {
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
    let file = match OpenOptions::new().read(true).custom_flags(flags).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let metadata = file.metadata()?;
    if !metadata.is_file() || metadata.uid() != rustix::process::geteuid().as_raw() {
        return Err(io::Error::other("it is no file of our own"));
    }
    let mut bytes = Vec::new();
    file.take(u64::try_from(most).unwrap_or(u64::MAX).saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() > most {
        return Err(io::Error::other(format!("it has more than {most} bytes")));
    }
    Ok(Some(bytes))
}

fn write(path: &Path, bytes: &[u8], durability: Durability) -> io::Result<()> {
    let private = path.with_extension(format!("{}.tmp", std::process::id()));
    remove(&private)?;
    let fill = || {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&private)?;
        file.write_all(bytes)?;
        if durability == Durability::Durable {
            file.sync_data()?;
        }
        fs::rename(&private, path)
    };
    fill().inspect_err(|_| {
        let _ = fs::remove_file(&private);
    })
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
