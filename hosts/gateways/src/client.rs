//! An HTTP client on one connection that stays open, for responses of any kind.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// Longest head that is read, in bytes.
const MOST_HEAD_BYTES: usize = 16 << 20;
/// How long a peer may be silent.
const SILENCE: Duration = Duration::from_secs(20);

/// One connection.
pub struct Client(BufReader<TcpStream>);

/// A response, or its head.
#[derive(Debug)]
pub struct Response {
    /// The status.
    pub status: u16,
    /// The headers in their order, names in lower case. Bytes that are no UTF-8 are replaced.
    pub headers: Vec<(String, String)>,
    /// The body, as far as it was read.
    pub body: Vec<u8>,
}

impl Response {
    /// The first value of a header.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
    }

    /// The body as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

impl Client {
    /// A connection to a port of this machine.
    #[must_use]
    pub fn connect(port: u16) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", port)).expect("the gateway listens");
        stream.set_read_timeout(Some(SILENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self(BufReader::new(stream))
    }

    /// Sends a request without a body and reads the response.
    pub fn get(&mut self, host: &str, path: &str) -> Response {
        self.send("GET", host, path, "");
        self.receive()
    }

    /// Sends JSON and reads the response.
    pub fn post(&mut self, host: &str, path: &str, json: &str) -> Response {
        self.send("POST", host, path, json);
        self.receive()
    }

    /// Sends a request.
    pub fn send(&mut self, method: &str, host: &str, path: &str, body: &str) {
        let kind = if body.is_empty() { "" } else { "content-type: application/json\r\n" };
        let length = body.len();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: {host}\r\n{kind}content-length: {length}\r\n\r\n{body}"
        );
        self.0.get_mut().write_all(request.as_bytes()).expect("the gateway reads");
    }

    /// Reads a response to its end.
    pub fn receive(&mut self) -> Response {
        let mut response = self.receive_head();
        if let Some(length) = response.header("content-length") {
            response.body = vec![0; length.parse().unwrap()];
            self.0.read_exact(&mut response.body).unwrap();
        } else if response.header("transfer-encoding") == Some("chunked") {
            while self.chunk(&mut response.body) {}
        }
        response
    }

    /// Reads the head of a response.
    pub fn receive_head(&mut self) -> Response {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let read = self.0.read_until(b'\n', &mut head);
            let read = read.unwrap_or_else(|error| panic!("no response: {error} ({:?})", error.kind()));
            assert!(read > 0 && head.len() < MOST_HEAD_BYTES, "{}", ErrorKind::UnexpectedEof);
        }
        let mut headers = vec![httparse::EMPTY_HEADER; head.iter().filter(|byte| **byte == b'\n').count()];
        let mut response = httparse::Response::new(&mut headers);
        response.parse(&head).unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let headers = response.headers.iter().map(|header| (header.name.to_lowercase(), text(header.value)));
        Response { status: response.code.unwrap(), headers: headers.collect(), body: Vec::new() }
    }

    fn chunk(&mut self, body: &mut Vec<u8>) -> bool {
        let mut line = String::new();
        self.0.read_line(&mut line).unwrap();
        let length = usize::from_str_radix(line.trim(), 16).unwrap();
        let start = body.len();
        body.resize(start + length + 2, 0);
        self.0.read_exact(&mut body[start..]).unwrap();
        body.truncate(start + length);
        length > 0
    }
}
