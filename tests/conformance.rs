//! What real providers send: every vector through the `parse` command.
//!
//! The vectors' conventions: figures must be equal, resets may differ by a second, and a vector's `null`
//! means that nothing may be reported.

use std::collections::BTreeMap;
use std::io::Write;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

/// The vectors that the three base dialects and `Retry-After` suffice for.
const COVERED: &[&str] = &[
    "anthropic-429-input",
    "anthropic-529",
    "deepseek-402",
    "empty-values",
    "llama-server-503-loading",
    "ollama-503-queue",
    "openai-200-rpd-refill",
    "openai-200-usage-based",
    "openai-429-no-headers",
    "openai-429-tpm-remaining-nonzero",
    "openai-usage-based-minus-one",
    "openrouter-200-silent",
    "openrouter-429-header-ms",
    "openrouter-429-iso",
    "ra-asctime",
    "ra-date-past",
    "ra-delta",
    "ra-empty-ms",
    "ra-imf-date",
    "ra-nan",
    "ra-rfc850",
];

fn vectors() -> Vec<Value> {
    serde_json::from_str(include_str!("vectors/rate-limit-responses.json")).unwrap()
}

/// The reading of each vector, in order, by the real binary.
fn parse(vectors: &[Value]) -> Vec<Value> {
    let mut parser = Command::new(env!("CARGO_BIN_EXE_runtime-signals"))
        .arg("parse")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = parser.stdin.take().unwrap();
    let lines: String = vectors
        .iter()
        .map(|vector| {
            let line = json!({
                "type": vector["provider_type"], "status": vector["status"], "headers": vector["headers"],
                "body": vector["body"], "now": vector["now"],
            });
            format!("{line}\n")
        })
        .collect();
    let writer = std::thread::spawn(move || stdin.write_all(lines.as_bytes()).unwrap());
    let output = parser.wait_with_output().unwrap();
    writer.join().unwrap();
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// What differs between a vector's expectation and a reading.
fn differences(vector: &Value, reading: &Value) -> Vec<String> {
    let expected = vector["expect"].as_object().unwrap();
    let differs = |key: &str, expected: &Value, found: &Value| match key {
        "reset_at" => match (time(expected), time(found)) {
            (Some(a), Some(b)) => (a.as_second() - b.as_second()).abs() > 1,
            (a, b) => a != b,
        },
        _ => expected != found,
    };
    expected
        .iter()
        .filter(|(key, expected)| differs(key, expected, &reading[key.as_str()]))
        .map(|(key, expected)| format!("{key}: {expected} expected, {} found", reading[key.as_str()]))
        .collect()
}

fn time(value: &Value) -> Option<jiff::Timestamp> {
    value.as_str().map(|text| text.parse().unwrap())
}

#[test]
fn the_vectors_of_the_base_dialects_pass_and_the_rest_is_named() {
    let vectors = vectors();
    let readings = parse(&vectors);
    assert_eq!(vectors.len(), readings.len());
    let mut table: BTreeMap<&str, [Vec<&str>; 2]> = BTreeMap::new();
    let mut wrong = Vec::new();
    for (vector, reading) in vectors.iter().zip(&readings) {
        let id = vector["id"].as_str().unwrap();
        let covered = COVERED.contains(&id);
        let found = differences(vector, reading);
        if covered && !found.is_empty() {
            wrong.push(format!("{id}: {}", found.join("; ")));
        }
        let row = table.entry(vector["provider_type"].as_str().unwrap()).or_default();
        row[usize::from(!covered)].push(id);
    }
    for (provider_type, [covered, rest]) in &table {
        println!("{provider_type}: pass [{}], not yet covered [{}]", covered.join(" "), rest.join(" "));
    }
    let known: Vec<_> = vectors.iter().map(|vector| vector["id"].as_str().unwrap()).collect();
    let unknown: Vec<_> = COVERED.iter().filter(|id| !known.contains(id)).collect();
    assert!(unknown.is_empty(), "no such vectors: {unknown:?}");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn reading_a_response_twice_changes_nothing() {
    let vectors = vectors();
    let twice: Vec<Value> = vectors.iter().flat_map(|vector| [vector.clone(), vector.clone()]).collect();
    for pair in parse(&twice).chunks_exact(2) {
        assert_eq!(pair[0], pair[1]);
    }
}
