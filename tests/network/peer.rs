//! Peers on loopback that misbehave, each in one way.

use std::io::{BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::serve::client::PATIENCE;
use crate::serve::upstream::read;

/// Between two bytes of those who drip, and between two interim answers.
const DRIP: Duration = Duration::from_millis(20);
/// What the sockets of both sides hold, and what is read before somebody has had enough, in bytes.
pub(super) const A_LITTLE: usize = 32 << 20;

/// What a peer does with each request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// It says nothing, and keeps the connection.
    Silent,
    /// It closes the connection.
    HangsUp,
    /// It has the system reset the connection.
    Resets,
    /// It answers something that is not HTTP.
    Garbage,
    /// Its head comes byte by byte, and has no end.
    DripsHead,
    /// Its body comes byte by byte, and has no end.
    DripsBody,
    /// It closes the connection within the body.
    BreaksOff,
    /// It sends headers without an end.
    EndlessHead,
    /// It announces an answer again and again, and gives none.
    RepeatsInterim,
    /// It sends a body without an end, and without a length.
    EndlessBody,
    /// It sends a chunk whose size has no end.
    EndlessChunkSize,
    /// It sends a body that unpacks to a thousand times as much: 1 GiB.
    Bomb,
    /// It says that what is asked for is with this other peer.
    Redirects(SocketAddr),
    /// It says that what is asked for is where it was asked for.
    RedirectsToItself,
}

/// A peer, which goes on until the test program ends.
pub(super) struct Peer {
    pub(super) address: SocketAddr,
    asked: Arc<AtomicUsize>,
    poured: Mutex<Receiver<usize>>,
}

impl Peer {
    pub(super) fn start(fault: Fault) -> Self {
        Self::answering("200 OK", fault)
    }

    /// A peer whose head has this status, where it has one.
    pub(super) fn answering(status: &'static str, fault: Fault) -> Self {
        Self::misbehaving(move |stream| {
            if fault == Fault::Resets {
                // What has come and is not read makes the system reset the connection.
                let _ = stream.read_exact(&mut [0]);
                return 0;
            }
            match read(&mut BufReader::new(stream.try_clone().unwrap())) {
                Some(_) => misbehave(stream, status, fault),
                None => 0,
            }
        })
    }

    /// A peer that does with connections as it likes, and tells how many bytes it got rid of.
    pub(super) fn misbehaving(deed: impl Fn(&mut TcpStream) -> usize + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("0.0.0.0:0").unwrap();
        let address = SocketAddr::from(([127, 0, 0, 1], listener.local_addr().unwrap().port()));
        let (asked, (tell, poured)) = (Arc::new(AtomicUsize::new(0)), channel());
        let (counted, deed) = (asked.clone(), Arc::new(deed));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (mut stream, deed, tell) = (stream.unwrap(), deed.clone(), tell.clone());
                counted.fetch_add(1, Ordering::SeqCst);
                stream.set_read_timeout(Some(PATIENCE)).unwrap();
                stream.set_nodelay(true).unwrap();
                std::thread::spawn(move || {
                    // Nobody may want to know.
                    let _ = tell.send(deed(&mut stream));
                });
            }
        });
        Self { address, asked, poured: Mutex::new(poured) }
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// How many connections there were.
    pub(super) fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    /// How many bytes the other side of one connection has taken before it had enough.
    #[track_caller]
    pub(super) fn poured(&self) -> usize {
        self.poured.lock().unwrap().recv_timeout(PATIENCE).expect("the other side has had enough")
    }
}

/// Bytes, again and again until the other side has had enough; how many it took.
pub(super) fn pour(stream: &mut TcpStream, start: &[u8], again: &[u8]) -> usize {
    send_on(stream, start, again, || {})
}

/// The same at leisure.
pub(super) fn drip(stream: &mut TcpStream, start: &[u8], again: &[u8]) -> usize {
    send_on(stream, start, again, || std::thread::sleep(DRIP))
}

fn send_on(stream: &mut TcpStream, start: &[u8], again: &[u8], pause: impl Fn()) -> usize {
    let mut sent = 0;
    let mut part = start;
    while stream.write_all(part).is_ok() {
        sent += part.len();
        part = again;
        pause();
    }
    sent
}

/// Waits until the other side has had enough.
pub(super) fn keep_silent(stream: &mut TcpStream) -> usize {
    let _ = std::io::copy(stream, &mut std::io::sink());
    0
}

fn misbehave(stream: &mut TcpStream, status: &str, fault: Fault) -> usize {
    let head = |more: &str| format!("HTTP/1.1 {status}\r\n{more}").into_bytes();
    let say = |stream: &mut TcpStream, bytes: &[u8]| stream.write_all(bytes).map_or(0, |()| bytes.len());
    match fault {
        Fault::Silent => keep_silent(stream),
        Fault::HangsUp | Fault::Resets => 0,
        Fault::Garbage => say(stream, b"220 mail.example ESMTP\r\n\r\n"),
        Fault::DripsHead => drip(stream, &head("x-slow: "), b"a"),
        Fault::DripsBody => drip(stream, &head("content-length: 60000\r\n\r\n"), b" "),
        Fault::BreaksOff => say(stream, &head("content-length: 1000\r\n\r\n{")),
        Fault::EndlessHead => {
            pour(stream, &head(""), format!("x-filler: {}\r\n", "a".repeat(4_000)).as_bytes())
        }
        Fault::RepeatsInterim => drip(stream, b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        Fault::EndlessBody => pour(stream, &head("connection: close\r\n\r\n"), &[b' '; 16 << 10]),
        Fault::EndlessChunkSize => {
            let chunked = "transfer-encoding: chunked\r\n\r\n1;";
            pour(stream, &head(chunked), &[b'a'; 16 << 10])
        }
        Fault::Bomb => {
            let bomb = bomb();
            let length = format!("content-encoding: gzip\r\ncontent-length: {}\r\n\r\n", bomb.len());
            say(stream, &[head(&length), bomb].concat())
        }
        Fault::Redirects(to) => redirect(stream, &format!("http://{to}/elsewhere")),
        Fault::RedirectsToItself => {
            let itself = stream.local_addr().unwrap();
            redirect(stream, &format!("http://{itself}/again"))
        }
    }
}

fn redirect(stream: &mut TcpStream, to: &str) -> usize {
    let answer = format!(
        "HTTP/1.1 307 Temporary Redirect\r\nlocation: {to}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
    );
    stream.write_all(answer.as_bytes()).map_or(0, |()| answer.len())
}

/// 1 GiB of nothing, packed: 1 MiB again and again.
fn bomb() -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(&[0; 1 << 20]).unwrap();
    encoder.finish().unwrap().repeat(1024)
}
