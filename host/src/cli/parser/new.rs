//! `parser new`: a project that builds at once and passes its own cases.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use super::super::{Exit, output};

/// The files of a project. `{{name}}` is the parser's name, `{{sdk}}` what it depends on.
const FILES: [(&str, &str); 5] = [
    ("Cargo.toml", include_str!("template/Cargo.toml.txt")),
    ("README.md", include_str!("template/README.md")),
    ("cases.toml", include_str!("template/cases.toml")),
    ("src/lib.rs", include_str!("template/src/lib.rs.txt")),
    (".gitignore", "/target\n"),
];

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// The parser's name, which is also that of the provider type: a-z, 0-9 and `-`
    #[arg(value_parser = name)]
    name: String,
    /// Where to write it, instead of a new folder of that name
    #[arg(long, value_name = "DIR")]
    path: Option<PathBuf>,
    /// A checkout's folder `guest/parsers/sdk`, instead of the published SDK
    #[arg(long, value_name = "DIR")]
    sdk: Option<PathBuf>,
}

/// A name that a parser, a crate and a provider type can have.
fn name(text: &str) -> Result<String, String> {
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let begins = text.bytes().next().is_some_and(|byte| byte.is_ascii_lowercase());
    match begins && text.len() <= 64 && text.bytes().all(fits) {
        true => Ok(text.to_owned()),
        false => {
            Err("write a letter, then letters, digits and `-`, all in lower case, at most 64".to_owned())
        }
    }
}

/// Writes the files; a folder that has anything in it is left alone.
pub(super) fn run(Args { name, path, sdk }: &Args) -> anyhow::Result<Exit> {
    let folder = path.clone().unwrap_or_else(|| PathBuf::from(name));
    let sdk = dependency(sdk.as_deref())?;
    fs::create_dir_all(folder.join("src"))
        .with_context(|| format!("{} cannot be made", folder.join("src").display()))?;
    for (file, template) in FILES {
        let text = template.replace("{{name}}", name).replace("{{sdk}}", &sdk);
        write(&folder.join(file), &text)?;
    }
    output::write(
        format!(
            "{0}: a parser for the provider type `{name}`\n\
             build it:  cd {0} && runtime-signals parser build\n\
             try it:    runtime-signals parser test target/{name}.wasm\n",
            folder.display()
        )
        .as_bytes(),
    )?;
    Ok(Exit::DONE)
}

/// What the project depends on.
fn dependency(sdk: Option<&Path>) -> anyhow::Result<String> {
    let Some(sdk) = sdk else { return Ok(format!("{:?}", env!("CARGO_PKG_VERSION"))) };
    let path = sdk.canonicalize().with_context(|| format!("there is no SDK in {}", sdk.display()))?;
    if !path.join("Cargo.toml").is_file() {
        bail!("there is no SDK in {}: name the folder guest/parsers/sdk of a checkout", sdk.display());
    }
    let path = path.to_str().with_context(|| format!("the path {} is not UTF-8", sdk.display()))?;
    Ok(format!("{{ path = {path:?} }}"))
}

/// Writes a file that must not be there yet.
fn write(file: &Path, text: &str) -> anyhow::Result<()> {
    fs::File::create_new(file)
        .and_then(|mut new| new.write_all(text.as_bytes()))
        .with_context(|| format!("{} cannot be written: choose another folder with --path", file.display()))
}
