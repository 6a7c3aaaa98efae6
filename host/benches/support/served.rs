//! A service as a process of its own, what it has used, and plain HTTP to it.

use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

#[path = "process.rs"]
mod process;

/// A running service; it ends with this.
pub(crate) struct Served {
    home: TempDir,
    child: Child,
    address: String,
    _stdout: BufReader<ChildStdout>,
}

impl Served {
    /// With this configuration, on a port that the system chooses.
    pub(crate) fn start(configuration: &str) -> Self {
        Self::at(tempfile::tempdir().unwrap(), configuration, Stdio::null())
    }

    /// The same in a home that is there already, with its log going there.
    pub(crate) fn at(home: TempDir, configuration: &str, log: Stdio) -> Self {
        let file = home.path().join("runtime-signals.toml");
        fs::write(&file, configuration).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_runtime-signals"));
        command.env_clear().env("HOME", home.path()).arg("--config").arg(&file);
        command.args(["serve", "--listen", "127.0.0.1:0"]);
        let mut child = command.stdout(Stdio::piped()).stderr(log).spawn().unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        let told: serde_json::Value = serde_json::from_str(&line).unwrap();
        let address = told["url"].as_str().unwrap().strip_prefix("http://").unwrap().to_owned();
        Self { home, child, address, _stdout: stdout }
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    pub(crate) fn connect(&self) -> Link {
        Link::to(&self.address).unwrap()
    }

    /// Its home, where its cache is as well.
    pub(crate) fn home(&self) -> &Path {
        self.home.path()
    }

    /// What the system tells of its process under this name.
    pub(crate) fn told_of(&self, name: &str) -> PathBuf {
        Path::new("/proc").join(self.child.id().to_string()).join(name)
    }

    /// Has it not ended by itself?
    pub(crate) fn is_running(&self) -> bool {
        let stat = fs::read_to_string(self.told_of("stat")).unwrap_or_default();
        stat.rsplit_once(')').is_some_and(|(_, rest)| !rest.trim_start().starts_with(['Z', 'X']))
    }

    /// Asks it to end, and waits for that.
    pub(crate) fn end(&mut self) -> ExitStatus {
        kill(Pid::from_raw(self.child.id().try_into().unwrap()), Signal::SIGTERM).unwrap();
        self.child.wait().unwrap()
    }

    /// Processor time that it has used, all threads together.
    pub(crate) fn cpu_time(&self) -> Duration {
        let stat = fs::read_to_string(self.told_of("stat")).unwrap();
        let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
        let ticks: u64 = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
        // A tick has 10 ms on Linux, whatever the kernel was built for.
        Duration::from_millis(ticks * 10)
    }

    /// Memory in use, in MiB.
    pub(crate) fn resident_mib(&self) -> f64 {
        self.kib_of("VmRSS:") / 1024.0
    }

    /// A size of the process's status, in KiB.
    pub(crate) fn kib_of(&self, name: &str) -> f64 {
        process::kib_of(self.child.id(), name)
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

/// A connection that is kept open.
pub(crate) struct Link {
    stream: BufReader<TcpStream>,
    host: String,
}

impl Link {
    pub(crate) fn to(address: &str) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(60)))?;
        Ok(Self { stream: BufReader::new(stream), host: address.to_owned() })
    }

    /// The body of an answer that is a success.
    pub(crate) fn get(&mut self, path: &str) -> String {
        self.try_get(path).unwrap()
    }

    /// The same.
    pub(crate) fn post(&mut self, path: &str, content_type: &str, body: &[u8]) -> String {
        self.try_post(path, content_type, body).unwrap()
    }

    /// Anything but a success is an error.
    pub(crate) fn try_get(&mut self, path: &str) -> io::Result<String> {
        let request = format!("GET {path} HTTP/1.1\r\nhost: {}\r\n\r\n", self.host);
        self.ask(request.as_bytes(), b"")
    }

    /// Anything but a success is an error.
    pub(crate) fn try_post(&mut self, path: &str, content_type: &str, body: &[u8]) -> io::Result<String> {
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: {}\r\ncontent-type: {content_type}\r\ncontent-length: {}\r\n\r\n",
            self.host,
            body.len()
        );
        self.ask(head.as_bytes(), body)
    }

    fn ask(&mut self, head: &[u8], body: &[u8]) -> io::Result<String> {
        let stream = self.stream.get_mut();
        stream.write_all(head)?;
        stream.write_all(body)?;
        let mut first = String::new();
        self.stream.read_line(&mut first)?;
        let mut line = String::new();
        let mut length = 0;
        loop {
            line.clear();
            if self.stream.read_line(&mut line)? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            if line == "\r\n" {
                break;
            }
            let (name, value) = line.split_once(':').ok_or(io::ErrorKind::InvalidData)?;
            if name.eq_ignore_ascii_case("content-length") {
                length = value.trim().parse().map_err(io::Error::other)?;
            }
        }
        let mut answer = vec![0; length];
        self.stream.read_exact(&mut answer)?;
        let answer = String::from_utf8(answer).map_err(io::Error::other)?;
        if first.starts_with("HTTP/1.1 200") {
            Ok(answer)
        } else {
            Err(io::Error::other(format!("{} {answer}", first.trim())))
        }
    }
}
