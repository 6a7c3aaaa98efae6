//! Debian's `redis-server`, unpacked by `cargo xtask redis`.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

use crate::support::unpacked;

/// A server that ends with the test.
pub(crate) struct RedisServer {
    folder: TempDir,
    port: u16,
    options: Vec<String>,
    child: Option<Child>,
}

/// The program, which is fetched if it is not there.
fn program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| unpacked("redis", "redis-server/redis-server"))
}

impl RedisServer {
    /// A server that anybody may use.
    pub(crate) fn start() -> Self {
        Self::with(|_| vec![])
    }

    /// A server with more options than where it listens. They are given its folder.
    pub(crate) fn with(options: impl FnOnce(&Path) -> Vec<String>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let options = options(folder.path());
        let mut server = Self { folder, port: 0, options, child: None };
        // Another program may take the port between the look and the start.
        for _ in 0..10 {
            server.port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
            if server.try_run() {
                return server;
            }
        }
        panic!("the server does not start");
    }

    fn try_run(&mut self) -> bool {
        let port = self.port.to_string();
        let own = ["--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--daemonize", "no"];
        // TLS options name the port themselves.
        let is_tls = self.options.iter().any(|option| option == "--tls-port");
        let ports = if is_tls { ["--port", "0"] } else { ["--port", &port] };
        let options = self.options.iter().map(|option| option.replace("{port}", &port));
        let mut command = Command::new(program());
        command.args(own).args(ports).args(options).arg("--dir").arg(self.folder.path());
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let mut log = BufReader::new(child.stdout.take().unwrap()).lines();
        let is_ready = log.any(|line| line.unwrap().contains("Ready to accept connections"));
        // It must not wait for somebody to read what it logs.
        std::thread::spawn(move || log.for_each(drop));
        if is_ready {
            self.child = Some(child);
        } else {
            child.wait().unwrap();
        }
        is_ready
    }

    /// Starts it again at the same place, with what it has saved.
    pub(crate) fn run(&mut self) {
        assert!(self.try_run(), "the server does not start again");
    }

    /// Ends it as a power cut would.
    pub(crate) fn kill(&mut self) {
        let mut child = self.child.take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    fn send(&self, signal: Signal) {
        let id = self.child.as_ref().unwrap().id();
        kill(Pid::from_raw(id.try_into().unwrap()), signal).unwrap();
    }

    /// Keeps it from doing anything; its connections stay.
    pub(crate) fn pause(&self) {
        self.send(Signal::SIGSTOP);
    }

    pub(crate) fn resume(&self) {
        self.send(Signal::SIGCONT);
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// A connection of the test's own.
    pub(crate) fn connection(&self) -> redis::Connection {
        redis::Client::open(self.url()).unwrap().get_connection().unwrap()
    }

    /// Saves what it holds now, to be there after the next start.
    pub(crate) fn save(&self) {
        redis::cmd("SAVE").exec(&mut self.connection()).unwrap();
        assert!(fs::exists(self.folder.path().join("dump.rdb")).unwrap());
    }

    /// The providers whose signals it holds.
    pub(crate) fn providers(&self) -> Vec<String> {
        let mut names: Vec<String> =
            redis::cmd("HKEYS").arg("runtime-signals:signals").query(&mut self.connection()).unwrap();
        names.sort_unstable();
        names
    }

    /// The value of a provider.
    pub(crate) fn value(&self, provider: &str) -> Option<String> {
        let mut get = redis::cmd("HGET");
        get.arg("runtime-signals:signals").arg(provider);
        let bytes: Option<Vec<u8>> = get.query(&mut self.connection()).unwrap();
        bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
    }

    /// Puts a value there as a stranger would, and announces it.
    pub(crate) fn put(&self, provider: &[u8], value: &[u8]) {
        let mut connection = self.connection();
        redis::cmd("HSET")
            .arg("runtime-signals:signals")
            .arg(provider)
            .arg(value)
            .exec(&mut connection)
            .unwrap();
        self.announce(&[b"stranger ", provider].concat());
    }

    /// Says something on the fleet's channel.
    pub(crate) fn announce(&self, message: &[u8]) {
        let mut publish = redis::cmd("PUBLISH");
        publish.arg("runtime-signals:changed").arg(message).exec(&mut self.connection()).unwrap();
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
