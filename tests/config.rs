//! The configuration file: the documented one is what is read, and commands go by it.

use std::fs;
use std::path::Path;

use runtime_signals::config::Config;
use serde_json::json;

use crate::cli::{Home, call, lines};

const EXAMPLE: &str = include_str!("../docs/runtime-signals.toml");

/// Writes the user's own configuration.
fn configure(home: &Home, text: &str) {
    let file = home.path(".config/runtime-signals/runtime-signals.toml");
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(file, text).unwrap();
}

#[test]
fn the_documented_example_states_every_default() {
    let mut example = Config::parse(EXAMPLE).unwrap();
    let providers = std::mem::take(&mut example.providers);
    assert_eq!(example, Config::default());
    assert_eq!(providers.len(), 2);
    assert_eq!(providers[1].input().base_url, "http://studio.local:1234");
}

#[test]
fn the_documented_example_names_every_key() {
    let commented_out: String =
        EXAMPLE.lines().map(|line| format!("{}\n", line.strip_prefix("# ").unwrap_or(line))).collect();
    // What is prose in the comments at the top is no TOML: from the first table on.
    let text = &commented_out[commented_out.find("[cache]").unwrap()..];
    let whole = Config::parse(text).unwrap();
    assert_eq!(whole.cache.directory.as_deref(), Some(Path::new("/home/me/.cache/fizeau")));
    assert!(whole.service.socket.is_some() && whole.service.token_file.is_some());
    assert_eq!(whole.discovery.enabled, Some(true));
    let first = &whole.providers[0];
    assert!(first.base_url.is_some() && first.order.is_some());
    assert!(whole.providers[1].interval.is_some());
    // Whatever can be said is shown by `--check`, and the example has a line for it.
    for line in whole.to_toml().lines().filter_map(|line| line.split_once(" = ")).map(|(key, _)| key) {
        assert!(text.contains(&format!("{line} = ")), "the example lacks {line}");
    }
}

#[test]
fn what_is_refused_stops_a_command_and_names_file_line_and_key() {
    let home = Home::new();
    configure(&home, "[cache]\nttl = \"5m\"\ntime_to_live = \"5m\"\n");
    let ended = home.run(&["read"]);
    assert_eq!((ended.status, ended.stdout.as_str()), (1, ""));
    let start =
        format!("runtime-signals: {}", home.path(".config/runtime-signals/runtime-signals.toml").display());
    assert!(ended.stderr.starts_with(&start), "{}", ended.stderr);
    assert!(ended.stderr.contains(": line 3: `cache.time_to_live`: unknown key; "), "{}", ended.stderr);
}

#[test]
fn the_file_that_is_named_wins_over_the_variables_and_that_over_the_users() {
    let home = Home::new();
    for (name, directory) in [("flag.toml", "by-flag"), ("variable.toml", "by-variable")] {
        let text = format!("[cache]\ndirectory = {:?}\n", home.path(directory));
        fs::write(home.path(name), text).unwrap();
    }
    configure(&home, &format!("[cache]\ndirectory = {:?}\n", home.path("by-user")));
    let root = |arguments: &[&str], variable: Option<&str>| {
        let mut command = home.command(&[&["cache", "path"], arguments].concat());
        command.env_remove("FIZEAU_CACHE_DIR");
        if let Some(name) = variable {
            command.env("RUNTIME_SIGNALS_CONFIG", home.path(name));
        }
        String::from_utf8(command.output().unwrap().stdout).unwrap()
    };
    let expected = |directory| format!("{}\n", home.path(directory).display());
    let flag = home.path("flag.toml");
    assert_eq!(root(&[], None), expected("by-user"));
    assert_eq!(root(&[], Some("variable.toml")), expected("by-variable"));
    assert_eq!(root(&["--config", flag.to_str().unwrap()], Some("variable.toml")), expected("by-flag"));
}

#[test]
fn the_environments_overrides_and_the_command_line_win_over_the_file() {
    let home = Home::new();
    configure(&home, &format!("[cache]\ndirectory = {:?}\nttl = \"1ns\"\n", home.path("elsewhere")));
    let path = |arguments: &[&str]| home.run(&[&["cache", "path"], arguments].concat()).stdout;
    assert_eq!(path(&[]), format!("{}\n", home.cache().display()));
    assert_eq!(path(&["--cache-dir", "/by/flag"]), "/by/flag\n");

    assert_eq!(home.run_with(&["ingest"], &lines(&[call("mine", 200, json!({}))])).status, 0);
    assert_eq!(home.run(&["read", "mine"]).only_json()["fresh"], json!(false));
    let output = home.command(&["read", "mine"]).env("FIZ_TTL_RUNTIME", "1h").output().unwrap();
    let read: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(read["fresh"], json!(true));
}

#[test]
fn commands_take_the_type_and_the_address_of_a_provider_from_the_file() {
    let home = Home::new();
    // Nobody listens on port 1.
    configure(
        &home,
        "[[providers]]\nname = \"studio\"\ntype = \"lmstudio\"\nbase_url = \"http://127.0.0.1:1\"\n",
    );
    let signal = home.run(&["collect", "studio"]).only_json();
    assert_eq!((&signal["status"], &signal["reason"]), (&json!("degraded"), &json!("unreachable")));
    let refused = home.run(&["collect", "other"]);
    assert_eq!(refused.status, 2);
    assert!(
        refused.stderr.contains("the type of other is not known: name it by --type"),
        "{}",
        refused.stderr
    );

    assert!(home.run(&["read"]).stderr.contains("no signal of studio is stored"));
    let warmed = home.run(&["warmup"]);
    assert_eq!((warmed.status, warmed.json().len()), (0, 1), "{warmed:?}");
    assert_eq!(home.run(&["read"]).only_json()["signal"]["provider"], json!("studio"));
}
