//! `watch`: on a real pseudo-terminal, and as lines to a pipe.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::fd::OwnedFd;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

use nix::pty::{Winsize, openpty};
use nix::sys::signal::{Signal, kill};
use nix::sys::termios::{LocalFlags, tcgetattr};
use nix::unistd::Pid;
use rustix::termios::tcsetwinsize;
use serde_json::{Value, json};

use crate::cli::{Ended, Home, call, lines};
use crate::serve::client::{Service, eventually};

const ROWS: u16 = 24;
const COLUMNS: u16 = 100;

/// A terminal with a command in it.
struct Terminal {
    master: File,
    slave: OwnedFd,
    child: Child,
    shown: Arc<Mutex<Shown>>,
}

/// What was written to it.
struct Shown {
    screen: vt100::Parser,
    bytes: Vec<u8>,
}

impl Terminal {
    fn run(home: &Home, arguments: &[&str], environment: &[(&str, &str)]) -> Self {
        let size = Winsize { ws_row: ROWS, ws_col: COLUMNS, ws_xpixel: 0, ws_ypixel: 0 };
        let pty = openpty(Some(&size), None).unwrap();
        let end = || Stdio::from(pty.slave.try_clone().unwrap());
        let plain = home.command(arguments);
        // In a session of its own, whose terminal this one is.
        let mut command = Command::new("/usr/bin/setsid");
        command.arg("--ctty").arg(plain.get_program()).args(plain.get_args()).env_clear();
        command.envs(plain.get_envs().filter_map(|(name, value)| Some((name, value?))));
        command.env("TERM", "xterm-256color").envs(environment.iter().copied());
        let child = command.stdin(end()).stdout(end()).stderr(end()).spawn().unwrap();
        let master = File::from(pty.master);
        let shown = Shown { screen: vt100::Parser::new(ROWS, COLUMNS, 0), bytes: Vec::new() };
        let shown = Arc::new(Mutex::new(shown));
        let (mut output, to) = (master.try_clone().unwrap(), shown.clone());
        std::thread::spawn(move || {
            let mut part = [0; 4096];
            // It fails when the terminal is closed.
            while let Ok(length @ 1..) = output.read(&mut part) {
                let mut shown = to.lock().unwrap();
                shown.screen.process(&part[..length]);
                shown.bytes.extend_from_slice(&part[..length]);
            }
        });
        Self { master, slave: pty.slave, child, shown }
    }

    fn press(&mut self, keys: &str) {
        self.master.write_all(keys.as_bytes()).unwrap();
    }

    fn text(&self) -> String {
        self.shown.lock().unwrap().screen.screen().contents()
    }

    /// Waits until the screen is as it should be.
    #[track_caller]
    fn until(&self, what: &str, is_so: impl Fn(&str) -> bool) {
        let is_so = || is_so(&self.text()).then_some(());
        let found = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| eventually(is_so)));
        assert!(found.is_ok(), "{what}: {}", self.text());
    }

    fn resize(&self, rows: u16, columns: u16) {
        self.shown.lock().unwrap().screen.screen_mut().set_size(rows, columns);
        let size = rustix::termios::Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&self.master, size).unwrap();
    }

    fn end_by(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id().try_into().unwrap()), signal).unwrap();
    }

    /// Waits for its end, and looks whether the terminal is as it was.
    fn ended(mut self) -> (i32, Vec<u8>) {
        let status = eventually(|| self.child.try_wait().unwrap()).code().unwrap();
        self.until("the screen is given back", |_| {
            !self.shown.lock().unwrap().screen.screen().alternate_screen()
        });
        let flags = tcgetattr(&self.slave).unwrap().local_flags;
        assert!(flags.contains(LocalFlags::ICANON | LocalFlags::ECHO), "{flags:?}");
        assert!(!self.shown.lock().unwrap().screen.screen().hide_cursor());
        (status, self.shown.lock().unwrap().bytes.clone())
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn ingest(home: &Home, calls: &[Value]) {
    assert_eq!(home.run_with(&["ingest"], &lines(calls)).status, 0);
}

fn fill(home: &Home) {
    let calls = [
        call(
            "fine",
            200,
            json!({"x-ratelimit-limit-requests": "100", "x-ratelimit-remaining-requests": "50",
            "x-ratelimit-reset-requests": "1h0m0s"}),
        ),
        call("out", 429, json!({"retry-after": "600"})),
    ];
    ingest(home, &calls);
}

#[test]
fn providers_are_shown_as_they_change_and_keys_work() {
    let home = Home::new();
    fill(&home);
    let mut terminal = Terminal::run(&home, &["watch"], &[]);
    terminal.until("the cache is shown, most urgent first", |text| {
        let place = |name| text.lines().position(|line| line.starts_with(name));
        place("out ").is_some_and(|out| place("fine ").is_some_and(|fine| out < fine))
    });
    terminal.until("a limit is a bar", |text| text.contains("█████░░░░░  50% left"));
    ingest(&home, &[call("late", 500, json!({}))]);
    terminal.until("what comes later is shown too", |text| {
        text.contains("\nlate ") && text.contains("3 providers")
    });

    terminal.press("/fin\r");
    terminal.until("the list is filtered", |text| !text.contains("\nout ") && text.contains("\nfine "));
    terminal.press("\r");
    terminal.until("details", |text| text.contains("LIMITS") && text.contains("50 of 100, resets in"));
    terminal.resize(10, 60);
    terminal
        .until("it fits into another size", |text| text.lines().count() <= 10 && text.contains("q leave"));
    terminal.resize(ROWS, COLUMNS);
    // A key that is pressed in the same moment would wait for the next one in crossterm.
    terminal.until("it has its size again", |text| text.lines().count() > 10);
    // A single escape is told from a sequence by what does not follow it.
    terminal.press("\u{1b}");
    terminal.until("back to the list", |text| text.contains("PROVIDER"));
    terminal.press("?");
    terminal.until("help", |text| text.contains("show only what has this text"));
    terminal.press("xq");
    assert_eq!(terminal.ended().0, 0);
}

#[test]
fn ctrl_c_and_sigterm_give_the_terminal_back() {
    let home = Home::new();
    fill(&home);
    let started = || {
        let terminal = Terminal::run(&home, &["watch"], &[]);
        terminal.until("it runs", |text| text.contains("2 providers"));
        terminal
    };
    let mut by_key = started();
    by_key.press("\u{3}");
    assert_eq!(by_key.ended().0, 0);
    let by_signal = started();
    by_signal.end_by(Signal::SIGTERM);
    assert_eq!(by_signal.ended().0, 0);
}

#[test]
fn a_service_is_watched_and_its_end_is_told() {
    let service = Service::start();
    service.observe(&[call("mine", 200, json!({}))]);
    let home = Home::new();
    let url = format!("http://{}", service.address);
    let mut terminal = Terminal::run(&home, &["watch", "--service", &url], &[]);
    terminal.until("it is live", |text| text.contains("live") && text.contains("\nmine "));
    service.observe(&[call("mine", 429, json!({"retry-after": "600"}))]);
    terminal.until("a change is shown", |text| text.contains("exhausted"));
    terminal.press("\r");
    terminal.until("its type and its parser", |text| {
        text.contains("type         openai") && text.contains("read by      the built-in parser")
    });
    terminal.press("\r");
    service.end();
    terminal.until("its end is shown", |text| text.contains("disconnected for") && text.contains("\nmine "));
    terminal.press("q");
    assert_eq!(terminal.ended().0, 0);
}

#[test]
fn what_providers_say_does_not_steer_the_terminal() {
    let home = Home::new();
    let mut failed = call("evil", 500, json!({}));
    failed["error"] = json!("a\u{1b}]0;owned\u{7}b\u{9b}2Jc");
    ingest(&home, &[failed]);
    let mut terminal = Terminal::run(&home, &["watch"], &[("NO_COLOR", "1")]);
    terminal.until("it is shown", |text| text.contains("owned"));
    terminal.press("\r");
    terminal.until("details", |text| text.contains("last error"));
    terminal.press("q");
    let (status, bytes) = terminal.ended();
    assert_eq!(status, 0);
    let text = String::from_utf8_lossy(&bytes);
    assert!(!text.contains("\u{1b}]0;") && !text.contains('\u{7}') && !text.contains('\u{9b}'), "{text:?}");
    let colours = ["\u{1b}[31m", "\u{1b}[38;5;1m", "\u{1b}[38;5;3m", "\u{1b}[33m"];
    assert!(colours.iter().all(|colour| !text.contains(colour)), "{text:?}");
}

/// A `watch` whose output is a pipe.
struct Piped(Child, BufReader<std::process::ChildStdout>);

impl Piped {
    fn run(home: &Home, arguments: &[&str]) -> Self {
        let mut child = home.command(&[&["watch"], arguments].concat()).spawn().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        Self(child, stdout)
    }

    fn next(&mut self) -> Value {
        let mut line = String::new();
        self.1.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap()
    }

    fn end(mut self) {
        kill(Pid::from_raw(self.0.id().try_into().unwrap()), Signal::SIGTERM).unwrap();
        assert_eq!(self.0.wait().unwrap().code(), Some(0));
    }
}

#[test]
fn to_a_pipe_each_change_is_a_line() {
    let home = Home::new();
    ingest(&home, &[call("mine", 200, json!({}))]);
    let mut piped = Piped::run(&home, &[]);
    let first = piped.next();
    assert_eq!((&first["signal"]["status"], &first["fresh"]), (&json!("available"), &json!(true)));
    ingest(&home, &[call("mine", 429, json!({"retry-after": "600"}))]);
    assert_eq!(piped.next()["signal"]["status"], json!("exhausted"));
    piped.end();

    let service = Service::start();
    service.observe(&[call("theirs", 200, json!({}))]);
    let mut piped = Piped::run(&home, &["--service", &format!("http://{}", service.address)]);
    assert_eq!(piped.next()["signal"]["provider"], json!("theirs"));
    piped.end();
}

#[test]
fn without_a_terminal_or_a_service_it_says_what_to_do() {
    let home = Home::new();
    let ended = home.run(&["watch", "--format", "table"]);
    assert_eq!(ended.status, 2, "{ended:?}");
    assert!(ended.stderr.contains("read --json"), "{}", ended.stderr);
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let away: Ended = home.run(&["watch", "--service", &format!("http://{free}")]);
    assert_eq!((away.status, away.stdout.as_str()), (1, ""), "{away:?}");
    assert!(away.stderr.contains("runtime-signals serve"), "{}", away.stderr);
}
