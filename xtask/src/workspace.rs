//! Where things lie, and how programs are run.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};

/// One checkout together with the folder its builds go to.
pub(crate) struct Workspace {
    /// The folder of the root `Cargo.toml`.
    pub(crate) root: PathBuf,
    /// Cargo's target folder, absolute.
    pub(crate) target: PathBuf,
}

impl Workspace {
    /// The workspace of the current directory, with the target folder that cargo itself would use.
    pub(crate) fn discover() -> Result<Self> {
        let text = output(cargo().args(["metadata", "--no-deps", "--format-version", "1"]))?;
        Self::from_metadata(&text)
    }

    fn from_metadata(text: &str) -> Result<Self> {
        let metadata: serde_json::Value =
            serde_json::from_str(text).context("`cargo metadata` printed no JSON")?;
        let path = |key: &str| {
            let value = metadata.get(key).and_then(serde_json::Value::as_str);
            value.map(PathBuf::from).with_context(|| format!("`cargo metadata` names no {key}"))
        };
        Ok(Self { root: path("workspace_root")?, target: path("target_directory")? })
    }

    /// Where the finished components lie; the build script of `host` looks there.
    pub(crate) fn components(&self) -> PathBuf {
        self.target.join("components")
    }

    /// Target folder of guest builds: another compiler may be at work there, and sharing one folder would
    /// make both rebuild in turn.
    pub(crate) fn guest_target(&self) -> PathBuf {
        self.target.join("guest")
    }

    /// Where the programs of gateway tests are installed.
    pub(crate) fn gateways(&self) -> PathBuf {
        self.target.join("gateways")
    }

    /// Where the registry that tests pull from is unpacked.
    pub(crate) fn registry(&self) -> PathBuf {
        self.target.join("docker-registry")
    }

    /// Where the Redis server of tests is unpacked.
    pub(crate) fn redis(&self) -> PathBuf {
        self.target.join("redis-server")
    }

    /// Where the tracer of tests is unpacked.
    pub(crate) fn strace(&self) -> PathBuf {
        self.target.join("strace")
    }

    /// Where the library is unpacked that sets the clock of programs in tests.
    pub(crate) fn faketime(&self) -> PathBuf {
        self.target.join("faketime")
    }

    /// Where the browser of tests is unpacked.
    pub(crate) fn chromium(&self) -> PathBuf {
        self.target.join("chromium")
    }

    /// Where what makes modules smaller is unpacked.
    pub(crate) fn binaryen(&self) -> PathBuf {
        self.target.join("binaryen")
    }

    /// Where a compiler from Debian's packages is unpacked.
    pub(crate) fn wasm_toolchain(&self) -> PathBuf {
        self.target.join("wasm-toolchain")
    }
}

/// The cargo that runs this tool, or the one on the `PATH`.
pub(crate) fn cargo() -> Command {
    Command::new(std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo")))
}

/// Runs a program that must succeed.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("`{}` cannot be run", name(command)))?;
    if !status.success() {
        bail!("`{}` failed ({status})", name(command));
    }
    Ok(())
}

/// Runs a program whose exit status is ours; it has said itself what went wrong.
pub(crate) fn run_through(command: &mut Command) -> Result<ExitCode> {
    let status = command.status().with_context(|| format!("`{}` cannot be run", name(command)))?;
    match status.code() {
        Some(code) => Ok(u8::try_from(code).map_or(ExitCode::FAILURE, ExitCode::from)),
        None => bail!("`{}` was ended ({status})", name(command)),
    }
}

/// Runs a program and returns its stdout; its stderr is part of the error.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("`{}` cannot be run", name(command)))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("`{}` failed ({}): {}", name(command), output.status, said.trim());
    }
    String::from_utf8(output.stdout)
        .with_context(|| format!("`{}` printed something else than text", name(command)))
}

/// The SHA-256 of a file, as `sha256sum` prints it.
pub(crate) fn hash(file: &Path) -> Result<String> {
    let bytes = fs::read(file).with_context(|| format!("{} cannot be read", file.display()))?;
    Ok(Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect())
}

/// What lies in a folder, by name.
pub(crate) fn children(folder: &Path) -> Result<Vec<PathBuf>> {
    let unreadable = || format!("{} cannot be read", folder.display());
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder).with_context(unreadable)? {
        paths.push(entry.with_context(unreadable)?.path());
    }
    paths.sort();
    Ok(paths)
}

/// Removes a folder with all that is in it, if it exists.
pub(crate) fn remove_folder(folder: &Path) -> Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(error).with_context(|| format!("{} cannot be removed", folder.display()))
        }
        _ => Ok(()),
    }
}

/// Waits until no other process holds this file, which then is ours until the value is dropped. The file
/// stays.
pub(crate) fn lock(file: &Path) -> Result<File> {
    let locked = File::create(file).and_then(|file| file.lock().map(|()| file));
    locked.with_context(|| format!("{} cannot be locked", file.display()))
}

/// The program and its arguments, for messages. The program is named without its folder.
fn name(command: &Command) -> String {
    let program = Path::new(command.get_program());
    let mut words = vec![program.file_name().unwrap_or(program.as_os_str()).to_string_lossy()];
    words.extend(command.get_args().map(|arg| arg.to_string_lossy()));
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_those_of_sha256sum() {
        let folder = std::env::temp_dir().join(format!("xtask-hash-{}", std::process::id()));
        remove_folder(&folder).unwrap();
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("abc"), "abc").unwrap();
        let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(hash(&folder.join("abc")).unwrap(), expected);
        remove_folder(&folder).unwrap();
    }

    #[test]
    fn cargo_says_where_the_target_folder_is() {
        let text = r#"{"packages":[],"target_directory":"/elsewhere/t","workspace_root":"/src/rs"}"#;
        let workspace = Workspace::from_metadata(text).unwrap();
        assert_eq!(workspace.root, Path::new("/src/rs"));
        assert_eq!(workspace.components(), Path::new("/elsewhere/t/components"));
    }

    #[test]
    fn metadata_without_a_target_folder_is_an_error_that_names_it() {
        let error = Workspace::from_metadata(r#"{"workspace_root":"/src"}"#).err().unwrap();
        assert!(error.to_string().contains("target_directory"), "{error}");
    }

    #[test]
    fn a_failed_program_is_named_with_what_it_said() {
        let error = output(Command::new("sh").args(["-c", "echo why >&2; exit 3"])).unwrap_err();
        let message = error.to_string();
        assert!(message.contains("sh -c") && message.contains("3): why"), "{message}");
    }
}
