//! What real providers send: every vector through the `parse` command.
//!
//! The vectors' conventions: figures must be equal, resets may differ by a second, and a vector's `null`
//! means that nothing may be reported.

use std::collections::BTreeMap;
use std::io::Write;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

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
fn every_vector_is_read_as_expected() {
    let vectors = vectors();
    let readings = parse(&vectors);
    assert_eq!(vectors.len(), readings.len());
    let mut table: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let mut wrong = Vec::new();
    for (vector, reading) in vectors.iter().zip(&readings) {
        let id = vector["id"].as_str().unwrap();
        let found = differences(vector, reading);
        if found.is_empty() {
            table.entry(vector["provider_type"].as_str().unwrap()).or_default().push(id);
        } else {
            wrong.push(format!("{id}: {}", found.join("; ")));
        }
    }
    for (provider_type, passed) in &table {
        println!("{provider_type:<24} {:>2}  {}", passed.len(), passed.join(" "));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The examples that stand in the built-in profiles, in the form of vectors.
fn embedded() -> Vec<Value> {
    let sources = runtime_signals_profile::toml::compile_builtin().unwrap();
    let vectors = sources.into_iter().flat_map(|source| {
        let name = source.profile.name;
        source.cases.into_iter().map(move |case| {
            let mut expect = json!({
                "remaining_requests": case.expect.remaining_requests,
                "remaining_tokens": case.expect.remaining_tokens,
                "reset_at": case.expect.reset_at,
                "retry_after_ms": case.expect.retry_after_ms,
                "exhausted": case.expect.exhausted,
            });
            if let Some(refusal) = case.expect.refusal {
                expect["refusal"] = json!(refusal.map(|class| class.as_str()));
            }
            json!({
                "id": format!("{name}: {}", case.name), "provider_type": name, "status": case.status,
                "headers": case.headers, "body": case.body, "now": case.now, "expect": expect,
            })
        })
    });
    vectors.collect()
}

#[test]
fn every_example_of_a_built_in_profile_is_read_as_it_says() {
    let examples = embedded();
    let readings = parse(&examples);
    assert_eq!(examples.len(), readings.len());
    let differing = examples.iter().zip(&readings).filter_map(|(example, reading)| {
        let found = differences(example, reading);
        (!found.is_empty()).then(|| format!("{}: {}", example["id"], found.join("; ")))
    });
    let differing: Vec<_> = differing.collect();
    assert!(differing.is_empty(), "{}", differing.join("\n"));
}

#[test]
fn reading_a_response_twice_changes_nothing() {
    let vectors = vectors();
    let twice: Vec<Value> = vectors.iter().flat_map(|vector| [vector.clone(), vector.clone()]).collect();
    for pair in parse(&twice).chunks_exact(2) {
        assert_eq!(pair[0], pair[1]);
    }
}
