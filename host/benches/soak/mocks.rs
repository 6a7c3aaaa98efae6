//! Providers that the service looks at: most are there, some fail, some are slow, one comes and goes.

use std::io::{BufRead, BufReader, Result, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

/// Longer than the service waits for an answer.
const SILENCE: Duration = Duration::from_secs(4);
const SLOWNESS: Duration = Duration::from_millis(1500);
/// How long the one that comes and goes stays so.
const TURN: u64 = 60;

/// How a provider behaves, and how many do so.
const BEHAVIOURS: [(&str, usize); 6] =
    [("fine", 9), ("slow", 3), ("failing", 3), ("broken", 2), ("silent", 2), ("turning", 1)];
const TYPES: [&str; 4] = ["vllm", "ollama", "llama-server", "lmstudio"];

/// Starts the providers; they end with this process. Gives their part of the configuration.
pub(crate) fn start() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let began = Instant::now();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            // A connection that breaks off is the service's to make again.
            thread::spawn(move || serve(&stream, began));
        }
    });
    let behaviours = BEHAVIOURS.iter().flat_map(|(behaviour, count)| (0..*count).map(move |_| behaviour));
    let provider = |(number, behaviour): (usize, &&str)| {
        let provider_type = TYPES[number % TYPES.len()];
        format!(
            "[[providers]]\nname = \"{behaviour}-{number}\"\ntype = \"{provider_type}\"\n\
             base_url = \"http://{address}/{behaviour}/{number}\"\n"
        )
    };
    behaviours.enumerate().map(provider).collect()
}

/// Answers the requests of a connection, by the first part of their path.
fn serve(stream: &TcpStream, began: Instant) -> Result<()> {
    let mut reader = BufReader::new(stream);
    loop {
        let mut request = String::new();
        reader.read_line(&mut request)?;
        let mut line = String::from("-");
        while !line.trim_end().is_empty() {
            line.clear();
            if reader.read_line(&mut line)? == 0 {
                return Ok(());
            }
        }
        let behaviour = request.split('/').nth(1).unwrap_or_default();
        let fails = match behaviour {
            "slow" => {
                thread::sleep(SLOWNESS);
                false
            }
            "silent" => {
                thread::sleep(SILENCE);
                return Ok(());
            }
            "broken" => return Ok(()),
            "turning" => began.elapsed().as_secs() / TURN % 2 == 1,
            _ => behaviour == "failing",
        };
        let (status, body) = if fails {
            ("503 Service Unavailable", "")
        } else {
            ("200 OK", r#"{"object":"list","data":[]}"#)
        };
        write!(&mut &*stream, "HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n{body}", body.len())?;
    }
}
