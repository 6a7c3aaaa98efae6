//! A service as a child of ours, and plain HTTP to it.

use std::collections::HashMap;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixDatagram;
use std::process::{Child, ChildStdout, Command};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};

use crate::cli::Home;
use crate::support::resident_kib;

/// Longer than anything takes that works.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A running service. It ends with the test.
pub(crate) struct Service {
    pub(crate) home: Home,
    child: Child,
    /// Where it listens.
    pub(crate) address: SocketAddr,
    _stdout: BufReader<ChildStdout>,
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HashMap<String, String>,
    pub(crate) body: String,
}

impl Answer {
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The value of a header, empty where there is none.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    /// The detail of a problem document.
    #[track_caller]
    pub(crate) fn problem(&self) -> String {
        assert_eq!(self.header("content-type"), "application/problem+json", "{self:?}");
        let problem = self.json();
        assert_eq!(problem["status"], json!(self.status), "{self:?}");
        problem["detail"].as_str().unwrap().to_owned()
    }
}

/// Writes the user's own configuration.
pub(crate) fn configure(home: &Home, text: &str) {
    let file = home.path(".config/runtime-signals/runtime-signals.toml");
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(file, text).unwrap();
}

/// Nothing is looked for, so that nothing of the machine is found.
pub(crate) const ALONE: &str = "[discovery]\nenabled = false\n";

impl Service {
    /// With nothing configured and nothing looked for.
    pub(crate) fn start() -> Self {
        Self::configured(ALONE)
    }

    pub(crate) fn configured(text: &str) -> Self {
        let home = Home::new();
        configure(&home, text);
        Self::at(home, &[])
    }

    /// On a port that the system chooses.
    pub(crate) fn at(home: Home, environment: &[(&str, &str)]) -> Self {
        Self::listening(home, "127.0.0.1:0", environment)
    }

    /// At this address.
    pub(crate) fn listening(home: Home, address: &str, environment: &[(&str, &str)]) -> Self {
        let mut command = home.command(&["serve", "--listen", address]);
        command.envs(environment.iter().copied());
        Self::started_by(home, command)
    }

    /// On a port that the system chooses, started by a program that runs what its last arguments name.
    pub(crate) fn behind(home: Home, starter: Command) -> Self {
        let command = home.command_by(starter, &["serve", "--listen", "127.0.0.1:0"]);
        Self::started_by(home, command)
    }

    fn started_by(home: Home, mut command: Command) -> Self {
        let mut child = command.spawn().unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        let Ok(told) = serde_json::from_str::<Value>(&line) else {
            let mut stderr = String::new();
            child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
            panic!("it did not start: {stderr}");
        };
        let address = told["url"].as_str().unwrap().strip_prefix("http://").unwrap().parse().unwrap();
        Self { home, child, address, _stdout: stdout }
    }

    pub(crate) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    /// Sends bytes, and reads all that comes back until the other side closes.
    pub(crate) fn raw(&self, request: &[u8]) -> Answer {
        let mut stream = self.connect();
        stream.write_all(request).unwrap();
        answer(stream)
    }

    pub(crate) fn request(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        let mut request = format!("{method} {path} HTTP/1.1\r\nconnection: close\r\n");
        if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
            request.push_str(&format!("host: {}\r\n", self.address));
        }
        for (name, value) in headers {
            request.push_str(&format!("{name}: {value}\r\n"));
        }
        request.push_str(&format!("content-length: {}\r\n\r\n", body.len()));
        self.raw(&[request.as_bytes(), body].concat())
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.request("GET", path, &[], b"")
    }

    pub(crate) fn post(&self, path: &str, body: &Value) -> Answer {
        let headers = [("content-type", "application/json")];
        self.request("POST", path, &headers, body.to_string().as_bytes())
    }

    /// Sends observations, one a line.
    pub(crate) fn observe(&self, calls: &[Value]) -> Answer {
        let lines = crate::cli::lines(calls);
        self.request("POST", "/v1/observations", &[("content-type", "application/x-ndjson")], &lines)
    }

    /// The signal of a provider.
    #[track_caller]
    pub(crate) fn signal(&self, provider: &str) -> Value {
        let answer = self.get(&format!("/v1/signals/{provider}"));
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()["signal"].take()
    }

    pub(crate) fn send(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id().try_into().unwrap()), signal).unwrap();
    }

    /// The number of its process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Memory in use, in KiB.
    pub(crate) fn resident_kib(&self) -> u64 {
        resident_kib(self.child.id())
    }

    /// Asks it to end, waits for that, and gives its log.
    pub(crate) fn end(self) -> String {
        self.end_by(Signal::SIGTERM).1
    }

    /// The same by this signal; with what it leaves behind.
    pub(crate) fn end_by(mut self, signal: Signal) -> (Home, String) {
        self.send(signal);
        let mut stderr = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
        assert_eq!(self.child.wait().unwrap().code(), Some(0), "{stderr}");
        (std::mem::replace(&mut self.home, Home::new()), stderr)
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A service manager, as systemd is one.
pub(crate) struct Manager {
    path: String,
    socket: UnixDatagram,
}

impl Manager {
    pub(crate) fn new(home: &Home) -> Self {
        let path = home.path("notify.sock").to_str().unwrap().to_owned();
        let socket = UnixDatagram::bind(&path).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        Self { path, socket }
    }

    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// What it is told next.
    pub(crate) fn told(&self) -> String {
        let mut buffer = [0; 1024];
        let length = self.socket.recv(&mut buffer).unwrap();
        String::from_utf8_lossy(&buffer[..length]).into_owned()
    }
}

/// Reads an answer to its end.
pub(crate) fn answer(mut stream: impl Read) -> Answer {
    let mut bytes = Vec::new();
    // What was sent before the other side broke off counts.
    let _ = stream.read_to_end(&mut bytes);
    let text = String::from_utf8(bytes).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {text:?}"));
    let mut lines = head.split("\r\n");
    let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    let headers = lines.filter_map(|line| line.split_once(": "));
    let headers = headers.map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned())).collect();
    Answer { status, headers, body: body.to_owned() }
}

/// Asks again until it is so.
#[track_caller]
pub(crate) fn eventually<T>(mut ask: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(found) = ask() {
            return found;
        }
        assert!(started.elapsed() < PATIENCE, "it did not become so");
        std::thread::sleep(Duration::from_millis(20));
    }
}
