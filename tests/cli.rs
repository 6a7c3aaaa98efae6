//! The command line, through the real binary.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

/// A user with nothing but an empty home.
pub(crate) struct Home(TempDir);

impl Home {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// The root of the signal cache.
    pub(crate) fn cache(&self) -> PathBuf {
        self.path("cache")
    }

    /// The entry of a provider.
    pub(crate) fn entry(&self, provider: &str) -> PathBuf {
        self.cache().join("runtime").join(format!("{provider}.json"))
    }

    /// The binary in a clean environment. Only compiled code is shared with other tests.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        self.clean(Command::new(env!("CARGO_BIN_EXE_runtime-signals")), arguments)
    }

    /// The same, started by a program that runs what its last arguments name.
    pub(crate) fn command_by(&self, mut starter: Command, arguments: &[&str]) -> Command {
        starter.arg(env!("CARGO_BIN_EXE_runtime-signals"));
        self.clean(starter, arguments)
    }

    fn clean(&self, mut command: Command, arguments: &[&str]) -> Command {
        command
            .args(arguments)
            .env_clear()
            .env("HOME", self.0.path())
            .env("XDG_CACHE_HOME", Path::new(env!("CARGO_TARGET_TMPDIR")).join("user-cache"))
            .env("XDG_STATE_HOME", self.path("state"))
            .env("CODEX_HOME", self.path("codex"))
            .env("FIZEAU_CACHE_DIR", self.cache())
            .env("TMPDIR", self.0.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Ended {
        Ended::from(self.command(arguments).output().unwrap())
    }

    pub(crate) fn run_with(&self, arguments: &[&str], input: &[u8]) -> Ended {
        let mut child = self.command(arguments).stdin(Stdio::piped()).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let output = std::thread::scope(|threads| {
            threads.spawn(move || stdin.write_all(input));
            child.wait_with_output().unwrap()
        });
        Ended::from(output)
    }
}

/// What came of a run.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) status: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl From<Output> for Ended {
    fn from(output: Output) -> Self {
        Self {
            status: output.status.code().expect("it was killed"),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

impl Ended {
    /// The values on standard output, one a line.
    pub(crate) fn json(&self) -> Vec<Value> {
        self.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// The only value on standard output of a run that did well.
    #[track_caller]
    pub(crate) fn only_json(&self) -> Value {
        assert_eq!((self.status, self.stderr.as_str()), (0, ""), "{self:?}");
        let [value]: [Value; 1] = self.json().try_into().unwrap();
        value
    }
}

/// An observation of a provider of type `openai`, received now.
pub(crate) fn call(provider: &str, status: u16, headers: Value) -> Value {
    json!({"provider": provider, "type": "openai", "status": status, "headers": headers, "latency_ms": 840})
}

pub(crate) fn lines(values: &[Value]) -> Vec<u8> {
    values.iter().flat_map(|value| format!("{value}\n").into_bytes()).collect()
}

/// Stores an available, an exhausted and a degraded provider.
fn fill(home: &Home) {
    let calls = [
        call("fine", 200, json!({"x-ratelimit-remaining-requests": "59"})),
        call("out", 429, json!({"retry-after": "120"})),
        call("broken", 500, json!({})),
    ];
    assert_eq!(home.run_with(&["ingest"], &lines(&calls)).status, 0);
}

fn providers(entries: &[Value]) -> Vec<&str> {
    entries.iter().map(|entry| entry["signal"]["provider"].as_str().unwrap()).collect()
}

#[test]
fn read_prints_the_stored_bytes_and_their_age() {
    let home = Home::new();
    fill(&home);
    let read = home.run(&["read", "fine", "--json"]);
    let value = read.only_json();
    assert_eq!(value["signal"]["quota_remaining"], 59);
    assert_eq!(value["fresh"], true);
    assert!(value["age_ns"].as_u64().unwrap() < 60_000_000_000);
    let stored = std::fs::read_to_string(home.entry("fine")).unwrap();
    assert!(read.stdout.starts_with(&format!("{{\"signal\":{stored},\"fresh\":true,\"age_ns\":")));
}

#[test]
fn read_without_a_name_prints_all_that_is_stored() {
    let home = Home::new();
    assert_eq!(home.run(&["read"]).stdout, "");
    fill(&home);
    std::fs::write(home.entry("torn"), "{\"provider\":\"torn\",").unwrap();
    let read = home.run(&["read"]);
    assert_eq!(read.status, 0);
    assert_eq!(providers(&read.json()), ["broken", "fine", "out"]);
    assert!(read.stderr.contains("no signal of torn is stored"), "{}", read.stderr);
}

#[test]
fn what_is_absent_or_no_signal_exits_with_3() {
    let home = Home::new();
    let absent = home.run(&["read", "nobody"]);
    assert_eq!((absent.status, absent.stdout.as_str()), (3, ""));
    assert!(absent.stderr.contains("no signal of nobody is stored"), "{}", absent.stderr);
    fill(&home);
    for content in ["", "{}", "null", "{\"provider\":\"fine\"", "[]"] {
        std::fs::write(home.entry("fine"), content).unwrap();
        assert_eq!(home.run(&["read", "fine"]).status, 3, "{content}");
        assert_eq!(home.run(&["clear", "fine"]).status, 3, "{content}");
    }
    assert_eq!(home.run(&["clear", "nobody"]).status, 3);
    assert!(!home.entry("nobody").exists());
}

#[test]
fn unsafe_names_are_bad_usage_and_name_the_rule() {
    let home = Home::new();
    for name in ["", "../up", ".hidden", "a/b", "a\\b", "a\nb", &"n".repeat(129)] {
        for arguments in [
            vec!["read", name],
            vec!["clear", name],
            vec!["warmup", name],
            vec!["collect", name, "--type", "openai"],
            vec!["cache", "prune", "--keep", name],
        ] {
            let ended = home.run(&arguments);
            assert_eq!((ended.status, ended.stdout.as_str()), (2, ""), "{arguments:?}");
            assert!(ended.stderr.contains("provider name"), "{}", ended.stderr);
        }
    }
    assert!(!home.cache().exists());
}

#[test]
fn bad_usage_exits_with_2() {
    let home = Home::new();
    for arguments in [
        &["no-such-command"][..],
        &["read", "a", "b"],
        &["collect", "a"],
        &["collect", "--type", "openai"],
        &["warmup", "--type", "openai"],
        &["read", "--json", "--format", "table"],
        &["read", "--format", "yaml"],
        &["completions", "no-such-shell"],
        &["read", "--cache-dir", ""],
    ] {
        assert_eq!(home.run(arguments).status, 2, "{arguments:?}");
    }
}

#[test]
fn the_help_tells_the_exit_statuses() {
    let help = Home::new().run(&["--help"]);
    assert_eq!(help.status, 0);
    for text in ["Exit status:", "nothing that is a signal is stored", "FIZEAU_CACHE_DIR"] {
        assert!(help.stdout.contains(text), "{}", help.stdout);
    }
}

#[test]
fn without_a_command_the_most_urgent_come_first() {
    let home = Home::new();
    fill(&home);
    let status = home.run(&[]);
    assert_eq!(status.status, 0);
    let entries = status.json();
    assert_eq!(providers(&entries), ["out", "broken", "fine"]);
    let statuses: Vec<_> = entries.iter().map(|entry| &entry["signal"]["status"]).collect();
    assert_eq!(statuses, ["exhausted", "degraded", "available"]);
    assert!(entries.iter().all(|entry| entry["fresh"] == true));

    let table = home.run(&["--format", "table"]).stdout;
    let rows: Vec<Vec<&str>> = table.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(rows[0], ["PROVIDER", "STATUS", "REASON", "REMAINING", "RESETS", "IN", "P50", "AGE"]);
    assert_eq!(rows[1][..4], ["out", "exhausted", "rate_limited", "0"]);
    assert_eq!(rows[2][..3], ["broken", "degraded", "error"]);
    assert_eq!(rows[3][..4], ["fine", "available", "-", "59"]);
    assert_eq!(rows.len(), 4);
}

#[test]
fn without_a_command_nothing_stored_is_nothing_wrong() {
    let home = Home::new();
    let status = home.run(&[]);
    assert_eq!((status.status, status.stdout.as_str(), status.stderr.as_str()), (0, "", ""));
    assert!(home.run(&["--format", "table"]).stdout.starts_with("no signals in "));
    assert!(!home.cache().exists());
}

#[test]
fn quotas_of_subscriptions_are_found_on_disk() {
    let home = Home::new();
    let reset = jiff::Timestamp::now().checked_add(jiff::SignedDuration::from_hours(2)).unwrap();
    let input = json!({"rate_limits": {
        "five_hour": {"used_percentage": 100, "resets_at": reset.as_second()},
        "seven_day": {"used_percentage": 40, "resets_at": reset.as_second()},
    }});
    let line = home.run_with(&["statusline"], input.to_string().as_bytes());
    assert_eq!(line.status, 0, "{line:?}");
    assert!(line.stdout.starts_with("5h 100% resets "), "{}", line.stdout);
    assert!(line.stdout.ends_with("7d 40%\n"), "{}", line.stdout);

    let status = home.run(&[]);
    let entries = status.json();
    assert_eq!(providers(&entries), ["claude"], "{status:?}");
    assert_eq!(entries[0]["signal"]["status"], "exhausted");
    assert_eq!(entries[0]["fresh"], true);
    assert!(!home.entry("claude").exists());
    let collected = home.run(&["collect", "claude", "--type", "claude"]).only_json();
    assert_eq!(collected["reason"], "quota_exhausted");
}

#[test]
fn the_users_own_status_line_gets_the_input_and_its_status_is_ours() {
    let home = Home::new();
    let ended = home.run_with(&["statusline", "--", "/bin/sh", "-c", "cat; exit 7"], b"{\"a\":1}");
    assert_eq!((ended.status, ended.stdout.as_str()), (7, "{\"a\":1}"));
    let missing = home.run_with(&["statusline", "--", "/no/such/program"], b"{}");
    assert_eq!(missing.status, 1);
    assert!(missing.stderr.contains("/no/such/program"), "{}", missing.stderr);
}

#[test]
fn a_dead_local_server_is_degraded_and_no_failure() {
    let home = Home::new();
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let url = format!("http://user:SECRET@{free}/SECRET?key=SECRET");
    let collected = home.run(&["collect", "studio", "--type", "ollama", "--base-url", &url]);
    let signal = collected.only_json();
    assert_eq!((&signal["status"], &signal["reason"]), (&json!("degraded"), &json!("unreachable")));
    assert!(!collected.stdout.contains("SECRET"), "{}", collected.stdout);
    assert!(!home.cache().exists(), "collect stores nothing");

    let warm = home.run(&["warmup", "studio", "--type", "ollama", "--base-url", &url]).only_json();
    assert_eq!(warm["status"], "degraded");
    assert_eq!(home.run(&["read", "studio"]).only_json()["signal"]["status"], "degraded");
}

#[test]
fn warmup_without_a_name_keeps_what_is_known_of_all() {
    let home = Home::new();
    fill(&home);
    let warm = home.run(&["warmup"]);
    assert_eq!(warm.status, 0, "{warm:?}");
    let signals = warm.json();
    let names: Vec<_> = signals.iter().map(|signal| signal["provider"].as_str().unwrap()).collect();
    assert_eq!(names, ["broken", "fine", "out"]);
    assert_eq!(signals[2]["status"], "exhausted");
    let fine = home.run(&["read", "fine"]).only_json();
    assert_eq!(fine["signal"]["quota_remaining"], 59);
}

#[test]
fn clear_ends_a_refusal_here_and_on_disk() {
    let home = Home::new();
    fill(&home);
    let cleared = home.run(&["clear", "out"]).only_json();
    assert_ne!(cleared["status"], "exhausted");
    assert_ne!(home.run(&["read", "out"]).only_json()["signal"]["status"], "exhausted");
}

#[test]
fn clear_with_a_model_leaves_the_others_refused() {
    let home = Home::new();
    let refused = |model: &str| {
        let mut line = call("out", 429, json!({"retry-after": "120"}));
        line["model"] = json!(model);
        line
    };
    home.run_with(&["ingest"], &lines(&[refused("small"), refused("large")]));
    let cleared = home.run(&["clear", "out", "--model", "small"]).only_json();
    let cooldowns = cleared["cooldowns"].as_array().unwrap();
    assert_eq!(cooldowns.len(), 1);
    assert_eq!(cooldowns[0]["scope"]["model"], "large");
}

#[test]
fn the_cache_can_be_named_and_tidied() {
    let home = Home::new();
    fill(&home);
    let root = home.cache();
    assert_eq!(home.run(&["cache", "path"]).stdout, format!("{}\n", root.display()));
    let other = home.path("other");
    let path = home.run(&["--cache-dir", other.to_str().unwrap(), "cache", "path"]).stdout;
    assert_eq!(path, format!("{}\n", other.display()));

    let pruned = home.run(&["cache", "prune", "--keep", "fine", "out"]).only_json();
    assert_eq!(pruned, json!({"removed": ["broken"], "refreshing": [], "failed": [], "temp_files": 0}));
    assert!(!home.entry("broken").exists() && home.entry("fine").exists());
    let pruned = home.run(&["cache", "prune", "--keep", "fine", "--keep", "absent"]).only_json();
    assert_eq!(pruned["removed"], json!(["out"]));
    assert_eq!(home.run(&["--format", "table", "cache", "prune"]).stdout, "fine removed\n");
    assert_eq!(home.run(&["read"]).stdout, "");
}

#[test]
fn a_cache_directory_that_cannot_be_is_a_failure_with_advice() {
    let home = Home::new();
    std::fs::write(home.path("file"), "").unwrap();
    let file = home.path("file");
    let root = file.to_str().unwrap();
    let calls = lines(&[call("fine", 200, json!({}))]);
    for ended in [
        home.run_with(&["--cache-dir", root, "ingest"], &calls),
        home.run(&["--cache-dir", root, "warmup", "fine", "--type", "openai"]),
    ] {
        assert_eq!(ended.status, 1, "{ended:?}");
        assert!(ended.stderr.contains(root) && ended.stderr.contains("FIZEAU_CACHE_DIR"), "{}", ended.stderr);
    }
}

#[test]
fn a_setting_that_cannot_be_used_names_its_variable() {
    let home = Home::new();
    let ended = Ended::from(home.command(&["read"]).env("FIZ_TTL_RUNTIME", "soon").output().unwrap());
    assert_eq!(ended.status, 1);
    assert!(ended.stderr.contains("FIZ_TTL_RUNTIME"), "{}", ended.stderr);
}

#[test]
fn the_completions_of_bash_are_a_script() {
    let home = Home::new();
    let script = home.run(&["completions", "bash"]);
    assert_eq!(script.status, 0);
    assert!(script.stdout.lines().any(|line| line.trim().starts_with("complete -F ")), "{}", script.stdout);
    let mut bash = Command::new("bash").arg("-n").stdin(Stdio::piped()).spawn().unwrap();
    bash.stdin.take().unwrap().write_all(script.stdout.as_bytes()).unwrap();
    assert!(bash.wait().unwrap().success());
}

#[test]
fn colours_come_only_where_they_are_wanted() {
    let home = Home::new();
    fill(&home);
    let table = |variables: &[(&str, &str)]| {
        let mut command = home.command(&["--format", "table"]);
        Ended::from(command.envs(variables.iter().copied()).output().unwrap()).stdout
    };
    assert!(!table(&[]).contains('\u{1b}'));
    assert!(table(&[("CLICOLOR_FORCE", "1")]).contains("\u{1b}[31mexhausted"));
    assert!(!table(&[("NO_COLOR", "1")]).contains('\u{1b}'));
}

#[test]
fn the_log_says_what_it_is_told_to() {
    let home = Home::new();
    let log = |level: Option<&str>| {
        let mut command = home.command(&["collect", "studio", "--type", "ollama"]);
        command.envs(level.map(|level| ("RUNTIME_SIGNALS_LOG", level)));
        Ended::from(command.output().unwrap()).stderr
    };
    assert!(log(None).contains("liveness check left out"), "{}", log(None));
    assert_eq!(log(Some("error")), "");
}
