//! A provider of the test's own: says byte by byte what a test wants, and keeps what it was sent.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};

use super::client::{ALONE, PATIENCE};

/// A provider that is listening. It goes on until the test ends.
pub(crate) struct Upstream {
    pub(crate) address: SocketAddr,
    sent: Mutex<Receiver<Sent>>,
}

/// A request, as it was sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sent {
    /// The request line.
    pub(crate) line: String,
    /// The lines of the headers.
    pub(crate) headers: Vec<String>,
    /// The body, without its chunks.
    pub(crate) body: Vec<u8>,
}

impl Sent {
    /// The value of a header.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let pairs = self.headers.iter().filter_map(|line| line.split_once(": "));
        pairs.into_iter().find(|(other, _)| other.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// The same without what is of one connection, and without the host.
    pub(crate) fn without_host(mut self) -> Self {
        let is_own = |line: &String| {
            let line = line.to_ascii_lowercase();
            line.starts_with("host:") || line.starts_with("connection:")
        };
        self.headers.retain(|line| !is_own(line));
        self
    }
}

impl Upstream {
    /// Answers every request with these bytes.
    pub(crate) fn saying(answer: impl AsRef<[u8]> + Send + Sync + 'static) -> Self {
        Self::answering(move |_, stream| stream.write_all(answer.as_ref()).is_ok())
    }

    /// Answers every request with these bytes, each when the gate is opened for it.
    pub(crate) fn held_back(gate: &Arc<Gate>, answer: &'static str) -> Self {
        let held = gate.clone();
        Self::answering(move |_, stream| {
            held.wait();
            stream.write_all(answer.as_bytes()).is_ok()
        })
    }

    /// Answers requests by a function; `false` ends the connection.
    pub(crate) fn answering(answer: impl Fn(&Sent, &mut TcpStream) -> bool + Send + Sync + 'static) -> Self {
        let (tell, sent) = channel();
        let answer = Arc::new(answer);
        let address = listen(move |mut stream| {
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            while let Some(request) = read(&mut reader) {
                let _ = tell.send(request.clone());
                if !answer(&request, &mut stream) {
                    return;
                }
            }
        });
        Self { address, sent: Mutex::new(sent) }
    }

    /// Does with connections as it likes.
    pub(crate) fn connected(serve: impl Fn(TcpStream) + Send + Sync + 'static) -> Self {
        Self { address: listen(serve), sent: Mutex::new(channel().1) }
    }

    /// The next request that it was sent.
    pub(crate) fn sent(&self) -> Sent {
        self.sent.lock().unwrap().recv_timeout(PATIENCE).expect("it was asked")
    }

    /// Was it sent nothing that was not looked at?
    pub(crate) fn is_untouched(&self) -> bool {
        self.sent.lock().unwrap().try_recv().is_err()
    }

    /// A configuration with this provider alone, named `mine`.
    pub(crate) fn configuration(&self) -> String {
        format!("{ALONE}{}", self.provider("mine"))
    }

    /// The part of a configuration that names it.
    pub(crate) fn provider(&self, name: &str) -> String {
        let address = self.address;
        format!("[[providers]]\nname = {name:?}\ntype = \"openai\"\nbase_url = \"http://{address}\"\n")
    }
}

/// Listens, with a thread for each connection.
fn listen(serve: impl Fn(TcpStream) + Send + Sync + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let serve = Arc::new(serve);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (stream, serve) = (stream.unwrap(), serve.clone());
            stream.set_read_timeout(Some(PATIENCE)).unwrap();
            stream.set_nodelay(true).unwrap();
            std::thread::spawn(move || serve(stream));
        }
    });
    address
}

/// Reads a request; `None` where the connection ends before it does.
pub(crate) fn read(from: &mut impl BufRead) -> Option<Sent> {
    let mut sent = Sent { line: line(from)?, ..Sent::default() };
    loop {
        match line(from)? {
            end if end.is_empty() => break,
            header => sent.headers.push(header),
        }
    }
    if let Some(length) = sent.header("content-length") {
        sent.body = vec![0; length.parse().unwrap()];
        from.read_exact(&mut sent.body).ok()?;
    } else if sent.header("transfer-encoding").is_some() {
        while let Some(part) = chunk(from)? {
            sent.body.extend(part);
        }
    }
    Some(sent)
}

/// Reads a chunk; the last one is none.
pub(crate) fn chunk(from: &mut impl BufRead) -> Option<Option<Vec<u8>>> {
    let length = usize::from_str_radix(&line(from)?, 16).ok()?;
    let mut part = vec![0; length];
    from.read_exact(&mut part).ok()?;
    line(from)?;
    Some(Some(part).filter(|part| !part.is_empty()))
}

/// Reads a line.
pub(crate) fn line(from: &mut impl BufRead) -> Option<String> {
    let mut line = String::new();
    from.read_line(&mut line).ok().filter(|length| *length > 0)?;
    Some(line.trim_end_matches(['\r', '\n']).to_owned())
}

/// Something that a test lets go on when it wants.
pub(crate) struct Gate {
    pub(crate) open: Sender<()>,
    closed: Mutex<Receiver<()>>,
}

impl Gate {
    pub(crate) fn new() -> Arc<Self> {
        let (open, closed) = channel();
        Arc::new(Self { open, closed: Mutex::new(closed) })
    }

    /// Waits until it is opened once more.
    pub(crate) fn wait(&self) {
        self.closed.lock().unwrap().recv_timeout(PATIENCE).expect("it is opened");
    }
}
