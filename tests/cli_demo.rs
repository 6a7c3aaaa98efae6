//! `demo`: the whole path on simulated providers.

use std::io::{BufRead, BufReader};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::cli::Home;

fn status<'a>(signals: &'a [Value], provider: &str) -> &'a str {
    let signal = signals.iter().find(|signal| signal["provider"] == provider);
    signal.unwrap()["status"].as_str().unwrap()
}

/// What the home holds afterwards, by name.
fn left_over(home: &Home) -> Vec<String> {
    let entries = std::fs::read_dir(home.path("")).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn one_round_shows_every_status_and_ends() {
    let home = Home::new();
    let began = Instant::now();
    let ended = home.run(&["demo", "--once", "--json"]);
    assert!(began.elapsed() < Duration::from_secs(20));
    assert_eq!((ended.status, ended.stderr.as_str()), (0, ""));
    let signals = ended.json();
    assert_eq!(signals.len(), 6);
    for (provider, expected) in [
        ("openai", "available"),
        ("anthropic", "available"),
        ("openrouter", "exhausted"),
        ("ollama", "available"),
        ("failing", "degraded"),
        ("hanging", "degraded"),
    ] {
        assert_eq!(status(&signals, provider), expected, "{provider}");
    }
    let by_name = |name: &str| signals.iter().find(|signal| signal["provider"] == name).unwrap();
    assert_eq!(by_name("openai")["quota_remaining"], 15);
    assert_eq!(by_name("openrouter")["refusal"], "rate");
    assert_eq!(by_name("failing")["last_error_msg"], "HTTP 500");
    assert_eq!(by_name("hanging")["reason"], "timeout");
    assert_eq!(left_over(&home), [""; 0], "the folder of the demo is gone, the user's cache untouched");
}

#[test]
fn with_a_cache_of_its_own_the_signals_stay() {
    let home = Home::new();
    let cache = home.path("demo");
    let cache = cache.to_str().unwrap();
    let table = home.run(&["demo", "--once", "--format", "table", "--cache-dir", cache]);
    assert!(table.stdout.contains("openrouter  exhausted  rate_limited"), "{}", table.stdout);
    let read = home.run(&["read", "openai", "--cache-dir", cache]).only_json();
    assert_eq!(read["signal"]["quota_remaining"], 15);
}

#[test]
fn it_goes_on_until_it_is_interrupted_and_leaves_nothing() {
    let home = Home::new();
    let mut child = home.command(&["demo", "--json"]).spawn().unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut rounds =
        stdout.by_ref().take(12).map(|line| serde_json::from_str::<Value>(&line.unwrap()).unwrap());
    let first: Vec<Value> = rounds.by_ref().take(6).collect();
    let second: Vec<Value> = rounds.collect();
    let left = |signals: &[Value]| signals[0]["quota_remaining"].as_u64().unwrap();
    assert_eq!((left(&first), left(&second)), (19, 18));
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    assert_eq!(stdout.filter(|line| line.is_err()).count(), 0);
    assert!(child.wait().unwrap().success());
    assert_eq!(left_over(&home), [""; 0]);
}

#[test]
fn a_reader_that_goes_away_ends_it() {
    let home = Home::new();
    let mut child = home.command(&["demo", "--json"]).spawn().unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    stdout.read_line(&mut String::new()).unwrap();
    drop(stdout);
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "");
    assert_eq!(left_over(&home), [""; 0]);
}
