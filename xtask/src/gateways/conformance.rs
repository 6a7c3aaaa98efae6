//! One table of what each host makes of the same steps.
//!
//! The library's own test leaves the steps, and what engine and collector answer to them within it. Other hosts read the
//! steps as lines of JSON from stdin and print a line with the result of each.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use super::bounded;
use crate::suite;
use crate::workspace::{Workspace, run};

/// The results by the step's id.
type Results = BTreeMap<String, Value>;

/// Has a host answer the steps, and keeps its answers for the table.
pub(super) fn answer(workspace: &Workspace, host: &str, command: &Command) -> Result<()> {
    own_answers(workspace)?;
    let (steps, answers) = (file(workspace, "steps"), file(workspace, host));
    let open = File::open(&steps).with_context(|| format!("{} cannot be read", steps.display()))?;
    let out = File::create(&answers).with_context(|| format!("{} cannot be written", answers.display()))?;
    run(bounded(command).stdin(Stdio::from(open)).stdout(out))?;
    table(workspace, &["engine", "collector", host])
}

/// The answers of this workspace's own host.
fn own_answers(workspace: &Workspace) -> Result<()> {
    let test = "collector::every_step_has_the_same_answer_and_leaves_the_same_files";
    let mut own = suite::of_host();
    own.current_dir(&workspace.root).args(["--quiet", "--", "--exact", test]);
    run(own.stdout(Stdio::null()))
}

/// Prints how each host's answers compare with the engine's, a row a step. Any difference is a failure.
fn table(workspace: &Workspace, hosts: &[&str]) -> Result<()> {
    let results: Vec<_> = hosts.iter().map(|host| read(&file(workspace, host))).collect::<Result<_>>()?;
    let (engine, _) = results.split_first().context("there is no host")?;
    ensure!(!engine.is_empty(), "there are no steps");
    println!("{:<48} {}", "step", hosts.join("  "));
    let mut differing = Vec::new();
    for (id, expected) in engine {
        let mut row = format!("{id:<48}");
        for (host, found) in hosts.iter().zip(&results) {
            let verdict = if found.get(id) == Some(expected) { "same" } else { "DIFFERS" };
            row.push_str(&format!(" {verdict:<width$} ", width = host.len()));
            if verdict != "same" {
                differing.push(format!("{host}: {id}: {expected} expected, {:?} found", found.get(id)));
            }
        }
        println!("{}", row.trim_end());
    }
    println!("{} steps, {} hosts", engine.len(), hosts.len());
    if differing.is_empty() { Ok(()) } else { bail!("answers differ:\n{}", differing.join("\n")) }
}

fn read(file: &Path) -> Result<Results> {
    let text = fs::read_to_string(file).with_context(|| format!("{} cannot be read", file.display()))?;
    let line = |line: &str| -> Result<(String, Value)> {
        let line: Value = serde_json::from_str(line)?;
        let id = line.get("id").and_then(Value::as_str).context("a line has no id")?;
        Ok((id.to_owned(), line.get("result").cloned().unwrap_or_default()))
    };
    text.lines().map(line).collect::<Result<_>>().with_context(|| format!("{} is damaged", file.display()))
}

/// Where the library's test leaves its files.
fn file(workspace: &Workspace, name: &str) -> PathBuf {
    workspace.target.join("tmp/steps").join(name).with_extension("ndjson")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_that_answers_otherwise_or_not_at_all_is_named_with_the_step() {
        let target = std::env::temp_dir().join(format!("xtask-table-{}", std::process::id()));
        let workspace = Workspace { root: target.clone(), target: target.clone() };
        fs::create_dir_all(target.join("tmp/steps")).unwrap();
        let leave = |name: &str, text: &str| fs::write(file(&workspace, name), text).unwrap();
        leave("engine", "{\"id\":\"a\",\"result\":\"1\"}\n{\"id\":\"b\",\"result\":null}\n");
        leave("same", "{\"id\":\"b\",\"result\":null}\n{\"id\":\"a\",\"result\":\"1\"}\n");
        leave("other", "{\"id\":\"a\",\"result\":\"2\"}\n");
        assert!(table(&workspace, &["engine", "same"]).is_ok());
        let error = table(&workspace, &["engine", "same", "other"]).unwrap_err().to_string();
        assert!(
            error.contains("other: a") && error.contains("other: b") && !error.contains("same:"),
            "{error}"
        );
        fs::remove_dir_all(&target).unwrap();
    }
}
