//! `parsers.lock`: what was taken from registries, so that it is the same everywhere and later.
//!
//! A tag can be moved, a digest cannot. The file notes the digest of the manifest that a reference named when it was
//! added; whoever has the file gets the same bytes and the same signature, or an error.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::file::{FileProblem, Links, read_bounded};
use super::reference::{Reference, read_digest};
use crate::parsers::Digest;

const VERSION: u32 = 1;
/// Largest file, in bytes.
const MOST_BYTES: u64 = 256 << 10;
const HEAD: &str = "# Parsers from registries, by digest. Written by `runtime-signals parser add`.\n";

/// A lock file. It need not exist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LockFile(PathBuf);

/// What was taken of a reference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Locked {
    /// The parser's name, and that of its file.
    pub name: String,
    /// As it was asked for, without the digest where a tag was given.
    pub reference: Reference,
    /// Of the manifest.
    pub digest: Digest,
}

impl Locked {
    /// The reference with the digest: always the same component.
    #[must_use]
    pub fn pinned(&self) -> Reference {
        self.reference.at(self.digest)
    }
}

/// A lock file cannot be used. It was not changed.
#[derive(Debug, thiserror::Error)]
#[error("{}: {problem}", path.display())]
pub struct LockError {
    /// The file.
    pub path: PathBuf,
    /// What is wrong.
    pub problem: LockProblem,
}

/// What is wrong with a lock file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LockProblem {
    /// It cannot be read.
    #[error(transparent)]
    File(#[from] FileProblem),
    /// It is none.
    #[error("it is no lock file: {0}; take it from version control, or remove it and add the parsers again")]
    Form(String),
    /// It is of a later version of this program.
    #[error("it is of version {0}, and this program knows {VERSION}; update runtime-signals")]
    Version(u32),
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Form {
    version: u32,
    #[serde(default, rename = "parser")]
    parsers: Vec<Entry>,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: String,
    reference: String,
    digest: String,
}

/// The version alone: what else stands in later ones is not known.
#[derive(Deserialize)]
struct Head {
    version: u32,
}

impl LockFile {
    /// The lock file at this path.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// What it holds; nothing if there is none.
    ///
    /// # Errors
    ///
    /// [`LockError`] when it cannot be read or is no lock file.
    pub fn read(&self) -> Result<Vec<Locked>, LockError> {
        self.read_entries().map_err(|problem| self.refuse(problem))
    }

    /// Changes what it holds: alone among processes, and so that others see it whole. Its folder is made if it is
    /// missing.
    ///
    /// # Errors
    ///
    /// [`LockError`] when it cannot be read or written, or is no lock file.
    pub fn update(&self, change: impl FnOnce(&mut Vec<Locked>)) -> Result<(), LockError> {
        let write = || -> Result<(), LockProblem> {
            let failed = FileProblem::io("written");
            let folder = self.0.parent().filter(|folder| !folder.as_os_str().is_empty());
            let folder = folder.unwrap_or(Path::new("."));
            std::fs::create_dir_all(folder).map_err(&failed)?;
            let _alone = File::open(folder).and_then(|open| open.lock().map(|()| open)).map_err(&failed)?;
            let mut entries = self.read_entries()?;
            change(&mut entries);
            let text = write(entries).map_err(|error| LockProblem::Form(error.to_string()))?;
            put(folder, &self.0, text.as_bytes()).map_err(failed)?;
            Ok(())
        };
        write().map_err(|problem| self.refuse(problem))
    }

    fn read_entries(&self) -> Result<Vec<Locked>, LockProblem> {
        let Some(bytes) = read_bounded(&self.0, MOST_BYTES, Links::Followed)? else { return Ok(Vec::new()) };
        let text = String::from_utf8(bytes).map_err(|_| LockProblem::Form("it is no text".into()))?;
        read(&text)
    }

    fn refuse(&self, problem: LockProblem) -> LockError {
        LockError { path: self.0.clone(), problem }
    }
}

fn read(text: &str) -> Result<Vec<Locked>, LockProblem> {
    let no_lock = |error: toml::de::Error| LockProblem::Form(error.message().to_owned());
    let Head { version } = toml::from_str(text).map_err(no_lock)?;
    if version != VERSION {
        return Err(LockProblem::Version(version));
    }
    let form: Form = toml::from_str(text).map_err(no_lock)?;
    let mut entries: Vec<Locked> = Vec::with_capacity(form.parsers.len());
    for Entry { name, reference, digest } in form.parsers {
        let reference: Reference =
            reference.parse().map_err(|error| LockProblem::Form(format!("of `{name}`, {error}")))?;
        let digest =
            read_digest(&digest).map_err(|error| LockProblem::Form(format!("of `{name}`, {error}")))?;
        if entries.iter().any(|entry| entry.name == name) {
            return Err(LockProblem::Form(format!("`{name}` stands there twice")));
        }
        entries.push(Locked { name, reference, digest });
    }
    Ok(entries)
}

fn write(mut entries: Vec<Locked>) -> Result<String, toml::ser::Error> {
    entries.sort_by(|a, b| a.name.cmp(&b.name));
    let parsers = entries.into_iter().map(|Locked { name, reference, digest }| Entry {
        name,
        reference: reference.to_string(),
        digest: digest.to_string(),
    });
    let form = Form { version: VERSION, parsers: parsers.collect() };
    Ok(format!("{HEAD}{}", toml::to_string(&form)?))
}

/// Puts a file in place of another, whole and on disk.
fn put(folder: &Path, file: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut temporary = tempfile::Builder::new().prefix(".parser-").tempfile_in(folder)?;
    temporary.write_all(bytes)?;
    temporary.as_file().sync_all()?;
    temporary.persist(file)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;

    use super::*;

    fn locked(name: &str, reference: &str, content: &str) -> Locked {
        Locked {
            name: name.into(),
            reference: reference.parse().unwrap(),
            digest: Digest::of(content.as_bytes()),
        }
    }

    #[test]
    fn what_is_written_is_read_in_the_order_of_names() {
        let folder = tempfile::tempdir().unwrap();
        let lock = LockFile::new(folder.path().join("deep/parsers.lock"));
        assert_eq!(lock.read().unwrap(), []);
        let (a, b) = (locked("a", "ghcr.io/acme/a:1", "1"), locked("b", "localhost:5000/b", "2"));
        lock.update(|entries| entries.extend([b.clone(), a.clone()])).unwrap();
        assert_eq!(lock.read().unwrap(), [a.clone(), b]);
        assert_eq!(
            std::fs::read_to_string(lock.path()).unwrap(),
            format!(
                "{HEAD}version = 1\n\n[[parser]]\nname = \"a\"\nreference = \"ghcr.io/acme/a:1\"\ndigest = \"{}\"\n\n\
                 [[parser]]\nname = \"b\"\nreference = \"localhost:5000/b:latest\"\ndigest = \"{}\"\n",
                Digest::of(b"1"),
                Digest::of(b"2")
            )
        );
        assert_eq!(a.pinned().to_string(), format!("ghcr.io/acme/a:1@{}", Digest::of(b"1")));
        assert_eq!(std::fs::read_dir(folder.path().join("deep")).unwrap().count(), 1);
    }

    #[test]
    fn changes_at_the_same_time_are_all_kept() {
        let folder = tempfile::tempdir().unwrap();
        let lock = LockFile::new(folder.path().join("parsers.lock"));
        let names: Vec<String> = (0..8).map(|number| format!("p{number}")).collect();
        let start = Barrier::new(names.len());
        std::thread::scope(|threads| {
            for name in &names {
                threads.spawn(|| {
                    start.wait();
                    lock.update(|entries| entries.push(locked(name, "ghcr.io/a/b:1", name))).unwrap();
                });
            }
        });
        let found: Vec<String> = lock.read().unwrap().into_iter().map(|entry| entry.name).collect();
        assert_eq!(found, names);
    }

    #[test]
    fn what_is_no_lock_file_is_told_and_stays() {
        let folder = tempfile::tempdir().unwrap();
        let lock = LockFile::new(folder.path().join("parsers.lock"));
        let entry = |reference: &str, digest: &str| {
            format!(
                "version = 1\n[[parser]]\nname = \"a\"\nreference = \"{reference}\"\ndigest = \"{digest}\"\n"
            )
        };
        let digest = Digest::of(b"").to_string();
        let good = entry("ghcr.io/a/b:1", &digest);
        let twice = format!("{good}{}", good.trim_start_matches("version = 1\n"));
        for (text, expected) in [
            (String::new(), "missing field `version`"),
            ("version = 2\nfuture = 1\n".into(), "it is of version 2"),
            ("version = 1\nfuture = 1\n".into(), "unknown field `future`"),
            (entry("a/b", &digest), "of `a`, \"a/b\" does not begin with a registry's host"),
            (entry("ghcr.io/a/b:1", "sha256:00"), "of `a`, \"sha256:00\" is no digest"),
            (twice, "`a` stands there twice"),
            ("#".repeat((256 << 10) + 1), "larger than"),
        ] {
            std::fs::write(lock.path(), &text).unwrap();
            let error = lock.update(Vec::clear).unwrap_err().to_string();
            assert!(error.contains(expected) && error.contains("parsers.lock: "), "{error}");
            assert_eq!(std::fs::read_to_string(lock.path()).unwrap(), text);
        }
    }
}
