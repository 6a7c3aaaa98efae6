//! A provider, or a service, that answers as a test wants.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

/// So many requests are kept.
const MOST_KEPT: usize = 10_000;

/// A request that came.
#[derive(Clone, Debug)]
pub struct Request {
    /// The method.
    pub method: String,
    /// The path with its query.
    pub path: String,
    /// The body.
    pub body: String,
}

/// How a mock answers: writes the bytes of a response.
type Answer = dyn Fn(&Request, &mut dyn Write) -> std::io::Result<()> + Send + Sync;

/// A server on a port of its own, until it is dropped.
pub struct Mock {
    /// The port.
    pub port: u16,
    requests: Arc<Mutex<Vec<Request>>>,
    ends: Arc<AtomicBool>,
}

impl Mock {
    /// Starts one.
    pub fn start(
        answer: impl Fn(&Request, &mut dyn Write) -> std::io::Result<()> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let (requests, ends) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicBool::new(false)));
        let answer: Arc<Answer> = Arc::new(answer);
        let mock = Self { port, requests: requests.clone(), ends: ends.clone() };
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if ends.load(Ordering::Relaxed) {
                    return;
                }
                let (answer, requests) = (answer.clone(), requests.clone());
                std::thread::spawn(move || serve(stream, &*answer, &requests));
            }
        });
        mock
    }

    /// The requests that came so far, the first 10,000.
    #[must_use]
    pub fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }
}

impl Drop for Mock {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::Relaxed);
        // Wakes who waits for connections.
        TcpStream::connect(("127.0.0.1", self.port)).ok();
    }
}

/// Answers until the peer ends the connection.
fn serve(stream: TcpStream, answer: &Answer, requests: &Mutex<Vec<Request>>) -> Option<()> {
    stream.set_nodelay(true).ok()?;
    let mut reader = BufReader::new(stream);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let mut words = line.split(' ');
        let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
        let mut length = 0;
        loop {
            line.clear();
            reader.read_line(&mut line).ok()?;
            let Some((name, value)) = line.split_once(':') else { break };
            if name.eq_ignore_ascii_case("content-length") {
                length = value.trim().parse().ok()?;
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).ok()?;
        let request = Request { method, path, body: String::from_utf8_lossy(&body).into_owned() };
        {
            let mut requests = requests.lock().unwrap();
            if requests.len() < MOST_KEPT {
                requests.push(request.clone());
            }
        }
        answer(&request, reader.get_mut()).ok()?;
    }
}

/// A response with a body of JSON.
#[must_use]
pub fn response(status: u16, headers: &[(&str, &str)], json: &str) -> Vec<u8> {
    let mut text = format!("HTTP/1.1 {status} status\r\ncontent-type: application/json\r\n");
    for (name, value) in headers {
        text += &format!("{name}: {value}\r\n");
    }
    text += &format!("content-length: {}\r\n\r\n{json}", json.len());
    text.into_bytes()
}

/// A port of this machine on which nobody listens.
#[must_use]
pub fn closed_port() -> u16 {
    TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port()
}
