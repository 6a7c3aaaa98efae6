//! Compiled code, kept on disk so that a start does not compile.
//!
//! Compiled code runs outside of the sandbox, so the folder is one of our own, never below the cache that
//! other programs write: mode 0700, owned by us, no symlinks. A file's name is the hash of the component and
//! of everything its compilation depends on; its first 32 bytes are the hash of what follows. Whatever does
//! not check out is compiled again and replaced.

use std::fs::{DirBuilder, File, OpenOptions};
use std::hash::{Hash, Hasher};
use std::io::{Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;
use sha2::{Digest, Sha256};
use wasmtime::Engine;
use wasmtime::component::Component;

use super::EngineError;

/// Length of the hash in front of the code.
const HASH_BYTES: usize = 32;
/// Largest file that is read.
const MOST_BYTES: u64 = 64 << 20;

/// Where compiled code is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum CodeCache {
    /// `runtime-signals/code` in the user's cache folder, beside the signal cache, not below it.
    #[default]
    User,
    /// This folder.
    Folder(PathBuf),
    /// Nowhere: each start compiles.
    Off,
}

impl CodeCache {
    /// The folder, whether or not it is there; `None` for none.
    #[must_use]
    pub fn folder(&self) -> Option<PathBuf> {
        match self {
            Self::Off => None,
            Self::Folder(folder) => Some(folder.clone()),
            Self::User => {
                let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty());
                let caches = variable("XDG_CACHE_HOME")
                    .map(PathBuf::from)
                    .or_else(|| Some(PathBuf::from(variable("HOME")?).join(".cache")))?;
                Some(caches.join("runtime-signals").join("code"))
            }
        }
    }
}

/// The component, from compiled code if there is any, else compiled and kept.
pub(crate) fn load(engine: &Engine, wasm: &[u8], cache: &CodeCache) -> Result<Component, EngineError> {
    let Some(folder) = cache.folder() else { return compile(engine, wasm) };
    if let Err(error) = prepare(&folder) {
        tracing::warn!(%error, "no compiled code is kept");
        return compile(engine, wasm);
    }
    let file = folder.join(file_name(engine, wasm));
    if let Some(component) = read(engine, &file) {
        return Ok(component);
    }
    let component = compile(engine, wasm)?;
    if let Err(error) = keep(&component, &file) {
        tracing::warn!(file = %file.display(), %error, "compiled code could not be kept");
    }
    Ok(component)
}

fn compile(engine: &Engine, wasm: &[u8]) -> Result<Component, EngineError> {
    let compiled =
        Component::from_binary(engine, wasm).map_err(|error| EngineError::Load(format!("{error:#}")));
    give_back_memory();
    compiled
}

/// Gives memory that is free back to the system: the compiler takes tens of MiB, which the allocator would keep for
/// ever.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[expect(unsafe_code, reason = "the allocator of the C library offers it as a C function only")]
fn give_back_memory() {
    // SAFETY: it may be called by any thread at any time, and touches no memory that is in use.
    unsafe { libc::malloc_trim(0) };
}

#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
const fn give_back_memory() {}

/// Makes the folder, and refuses one that another user could write to.
fn prepare(folder: &Path) -> Result<(), EngineError> {
    let refuse = |why: String| EngineError::CodeCache { path: folder.into(), why };
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .map_err(|error| refuse(error.to_string()))?;
    let metadata = folder.symlink_metadata().map_err(|error| refuse(error.to_string()))?;
    let ours = metadata.uid() == rustix::process::geteuid().as_raw();
    match (metadata.is_dir(), ours, metadata.mode() & 0o077) {
        (true, true, 0) => Ok(()),
        (false, ..) => Err(refuse("it is no folder".into())),
        (_, false, _) => Err(refuse("it belongs to another user".into())),
        _ => Err(refuse("others may enter it; run `chmod 700` on it".into())),
    }
}

/// A name that changes with the component and with the version and settings of the compiler.
fn file_name(engine: &Engine, wasm: &[u8]) -> String {
    struct Sha(Sha256);
    impl Hasher for Sha {
        fn write(&mut self, bytes: &[u8]) {
            self.0.update(bytes);
        }
        fn finish(&self) -> u64 {
            0
        }
    }
    let mut hasher = Sha(Sha256::new());
    hasher.write(&Sha256::digest(wasm));
    engine.precompile_compatibility_hash().hash(&mut hasher);
    let digest = hasher.0.finalize();
    let name: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{name}.cwasm")
}

fn read(engine: &Engine, file: &Path) -> Option<Component> {
    let flags = OFlags::NOFOLLOW.bits().cast_signed();
    let opened = OpenOptions::new().read(true).custom_flags(flags).open(file).ok()?;
    let metadata = opened.metadata().ok()?;
    let ours = metadata.uid() == rustix::process::geteuid().as_raw() && metadata.mode() & 0o022 == 0;
    if !metadata.is_file() || !ours || metadata.len() > MOST_BYTES {
        return None;
    }
    let mut bytes = Vec::with_capacity(usize::try_from(metadata.len()).ok()?);
    opened.take(MOST_BYTES).read_to_end(&mut bytes).ok()?;
    let (hash, code) = bytes.split_first_chunk::<HASH_BYTES>()?;
    if Sha256::digest(code).as_slice() != hash {
        tracing::warn!(file = %file.display(), "compiled code is damaged and will be replaced");
        return None;
    }
    load_compiled(engine, code)
}

/// Loads code that [`keep`] wrote, as its hash, owner and mode show.
#[expect(unsafe_code, reason = "the one place where precompiled code is loaded")]
fn load_compiled(engine: &Engine, code: &[u8]) -> Option<Component> {
    // SAFETY: `deserialize` demands bytes that `Component::serialize` made. These stood in a folder that
    // nobody but this user can write to, under a name and a hash that this program gave them. Wasmtime
    // itself refuses those of another version or another configuration.
    unsafe { Component::deserialize(engine, code) }.ok()
}

/// Writes the code under a private name and moves it into place.
fn keep(component: &Component, file: &Path) -> std::io::Result<()> {
    let code = component.serialize().map_err(std::io::Error::other)?;
    let private = file.with_extension(format!("{}.tmp", std::process::id()));
    let write = || {
        let mut out: File = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&private)?;
        out.write_all(&Sha256::digest(&code))?;
        out.write_all(&code)?;
        std::fs::rename(&private, file)
    };
    write().inspect_err(|_| {
        let _ = std::fs::remove_file(&private);
    })
}
