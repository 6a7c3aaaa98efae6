//! `parser inspect`, `verify` and `test`: looks into a component's file.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::anyhow;
use runtime_signals::parsers::{Candidate, Inspection, Options, TrustedKey};

use crate::cli::context::Context;
use crate::cli::{Exit, human, output, printable, tell};

/// A longer one is none.
const MOST_SIGNATURE_BYTES: usize = 4 << 10;

#[derive(Debug, clap::Args)]
pub(in super::super) struct Args {
    /// The component; its signature is looked for beside it, in FILE.minisig
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

#[derive(Debug, clap::Args)]
pub(in super::super) struct VerifyArgs {
    #[command(flatten)]
    component: Args,
    /// A public key to trust as well, as minisign prints it
    #[arg(long, value_name = "KEY")]
    key: Option<String>,
}

impl Args {
    fn candidate(&self, options: &Options) -> anyhow::Result<Candidate> {
        let most = options.most_component_bytes().max(options.large_limits.component_bytes);
        let origin = self.file.display().to_string();
        let bytes = read(&self.file, most)?.ok_or_else(|| anyhow!("{origin}: there is no such file"))?;
        let mut beside = self.file.clone().into_os_string();
        beside.push(".minisig");
        let signature = read(Path::new(&beside), MOST_SIGNATURE_BYTES)?;
        let signature = signature.map(|text| String::from_utf8_lossy(&text).into_owned());
        Ok(Candidate::new(bytes, signature, origin))
    }
}

/// The content of a file, if there is one, and one byte more than allowed of a larger one.
fn read(file: &Path, most: usize) -> anyhow::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    match File::open(file).and_then(|file| file.take(most as u64 + 1).read_to_end(&mut bytes)) {
        Ok(_) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(anyhow!("{}: it cannot be read: {error}", file.display())),
    }
}

pub(super) fn inspect(args: &Args, context: &Context) -> anyhow::Result<Exit> {
    let options = &context.config()?.parsers;
    let inspection = context.parsers()?.inspect(&args.candidate(options)?)?;
    let text = match context.output.is_json() {
        true => serde_json::to_string(&inspection)? + "\n",
        false => described(&inspection),
    };
    output::write(text.as_bytes())?;
    Ok(if inspection.passed() { Exit::DONE } else { Exit::FAILED })
}

pub(super) fn verify(args: &VerifyArgs, context: &Context) -> anyhow::Result<Exit> {
    let mut options = context.config()?.parsers.clone();
    options.keys.extend(args.key.as_ref().map(|key| TrustedKey {
        name: "--key".into(),
        public_key: key.clone(),
        provider_types: vec!["*".into()],
        allow_wasi: false,
        large: false,
    }));
    let candidate = args.component.candidate(&options)?;
    let inspection = context.parsers_with(options)?.verify(&candidate)?;
    let text = match context.output.is_json() {
        true => serde_json::to_string(&inspection)? + "\n",
        false => {
            let Inspection { origin, name, version, signer, cases, .. } = &inspection;
            let signed = signer.as_ref().map_or_else(|| "unsigned".into(), |key| format!("signed by {key}"));
            printable(&format!("{origin}: {name} {version}, {signed}, passed {}", counted(cases.len())))
                + "\n"
        }
    };
    output::write(text.as_bytes())?;
    Ok(Exit::DONE)
}

pub(super) fn test(args: &Args, context: &Context) -> anyhow::Result<Exit> {
    let options = &context.config()?.parsers;
    let inspection = context.parsers()?.inspect(&args.candidate(options)?)?;
    let mut text = String::new();
    for case in &inspection.cases {
        let outcome = match (context.output.is_json(), case.differences.is_empty()) {
            (true, _) => serde_json::to_string(case)?,
            (false, true) => printable(&format!("ok      {}", case.name)),
            (false, false) => printable(&format!("failed  {}: {}", case.name, case.differences.join(", "))),
        };
        text.push_str(&outcome);
        text.push('\n');
    }
    output::write(text.as_bytes())?;
    if inspection.cases.is_empty() {
        tell(format_args!("it has no case: add one, so that it is noticed when the parser no longer fits"));
    }
    Ok(if inspection.passed() { Exit::DONE } else { Exit::FAILED })
}

fn counted(cases: usize) -> String {
    match cases {
        0 => "no case: it has none".to_owned(),
        1 => "1 case".to_owned(),
        cases => format!("{cases} cases"),
    }
}

/// All that is known, a line for each thing.
fn described(inspection: &Inspection) -> String {
    let Inspection { origin, digest, bytes, name, version, interface, limits, cases, .. } = inspection;
    let listed = |texts: &[String]| if texts.is_empty() { "none".to_owned() } else { texts.join(", ") };
    let signer = match (&inspection.signer, &inspection.signature_problem) {
        (Some(key), _) => format!("key {key}"),
        (None, Some(problem)) => format!("nobody who is trusted: {problem}"),
        (None, None) => "nobody".to_owned(),
    };
    let passed = cases.iter().filter(|case| case.differences.is_empty()).count();
    let call = human::latency(Duration::from_nanos(inspection.call_ns));
    let limits = format!(
        "{} bytes of memory, {:?} of processor time a call, {} bytes of result",
        limits.memory_bytes, limits.cpu_time, limits.result_bytes
    );
    let mut text = String::new();
    for (what, said) in [
        ("file", origin.clone()),
        ("parser", format!("{name} {version}, for interface {interface}")),
        ("digest", digest.to_string()),
        ("size", format!("{bytes} bytes")),
        ("signed by", signer),
        ("types", listed(&inspection.provider_types)),
        ("headers", listed(&inspection.headers)),
        ("bodies", if inspection.wants_body { "of errors" } else { "none" }.to_owned()),
        ("exports", listed(&inspection.exports)),
        ("imports", listed(&inspection.imports)),
        ("limits", limits),
        ("a call", format!("{call}, {} bytes of memory", inspection.memory_bytes)),
        ("cases", format!("{passed} of {} passed", cases.len())),
    ] {
        text += &printable(&format!("{what:<10}{said}"));
        text.push('\n');
    }
    for case in cases.iter().filter(|case| !case.differences.is_empty()) {
        text += &printable(&format!("          {}: {}", case.name, case.differences.join(", ")));
        text.push('\n');
    }
    text
}
