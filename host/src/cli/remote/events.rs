//! The stream of a service's events, within bounds.

use std::collections::VecDeque;
use std::time::Duration;

use http::{Method, StatusCode, header};
use reqwest::Response;
use runtime_signals::config::ServiceAddress;

use super::{Remote, RemoteError};

/// A service gives a sign of life each time.
const SIGN_OF_LIFE: Duration = Duration::from_secs(15);
/// The largest event, in bytes.
const MOST_BYTES: usize = 1 << 20;

/// A stream of events.
pub(in crate::cli) struct Events {
    address: ServiceAddress,
    response: Response,
    parser: Parser,
    /// How long it may be silent.
    silence: Duration,
}

/// A server-sent event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::cli) struct Event {
    /// What kind it is.
    pub(in crate::cli) name: String,
    /// Its data; lines are joined.
    pub(in crate::cli) data: Vec<u8>,
}

impl Remote {
    /// Begins to listen.
    pub(in crate::cli) async fn events(&self) -> Result<Events, RemoteError> {
        let request = self.request(Method::GET, self.url("v1/events", &[])?);
        let request = request.header(header::ACCEPT, "text/event-stream");
        let address = self.address.clone();
        let open = async {
            let response = request.send().await;
            let response = response.map_err(|error| RemoteError::unreachable(&address, &error))?;
            if response.status() == StatusCode::OK {
                return Ok(response);
            }
            self.bounded(response).await?;
            Err(RemoteError::strange(&address, "it has no events"))
        };
        let opened = tokio::time::timeout(self.patience, open).await;
        let response = opened.map_err(|_| silent(&address))??;
        let silence = SIGN_OF_LIFE.saturating_add(self.patience);
        Ok(Events { address, response, parser: Parser::default(), silence })
    }
}

impl Events {
    /// The next event.
    ///
    /// # Errors
    /// The stream is at its end, or silent for too long.
    pub(in crate::cli) async fn next(&mut self) -> Result<Event, RemoteError> {
        loop {
            if let Some(event) = self.parser.ready.pop_front() {
                return Ok(event);
            }
            let part = tokio::time::timeout(self.silence, self.response.chunk()).await;
            let part = part.map_err(|_| silent(&self.address))?;
            let part = part.map_err(|error| RemoteError::unreachable(&self.address, &error))?;
            let part = part.ok_or_else(|| RemoteError::Unreachable {
                address: self.address.clone(),
                what: "it has ended the stream".to_owned(),
            })?;
            if !self.parser.push(&part) {
                return Err(RemoteError::strange(&self.address, "an event is larger than 1 MiB"));
            }
        }
    }
}

fn silent(address: &ServiceAddress) -> RemoteError {
    RemoteError::Unreachable { address: address.clone(), what: "no sign of life".to_owned() }
}

/// Makes events of the bytes of a stream.
#[derive(Default)]
struct Parser {
    line: Vec<u8>,
    event: Event,
    ready: VecDeque<Event>,
}

impl Parser {
    /// Takes more bytes. `false`: an event has more than it may have.
    fn push(&mut self, bytes: &[u8]) -> bool {
        for byte in bytes {
            if *byte != b'\n' {
                self.line.push(*byte);
                if self.line.len() + self.event.data.len() > MOST_BYTES {
                    return false;
                }
                continue;
            }
            let line = std::mem::take(&mut self.line);
            self.take(line.strip_suffix(b"\r").unwrap_or(&line));
        }
        true
    }

    fn take(&mut self, line: &[u8]) {
        if line.is_empty() {
            let event = std::mem::take(&mut self.event);
            if !event.data.is_empty() {
                self.ready.push_back(event);
            }
            return;
        }
        let value = |field: &[u8]| {
            let value = line.strip_prefix(field)?.strip_prefix(b":")?;
            Some(value.strip_prefix(b" ").unwrap_or(value))
        };
        if let Some(name) = value(b"event") {
            self.event.name = String::from_utf8_lossy(name).into_owned();
        } else if let Some(data) = value(b"data") {
            if !self.event.data.is_empty() {
                self.event.data.push(b'\n');
            }
            self.event.data.extend_from_slice(data);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(parts: &[&str]) -> Vec<(String, String)> {
        let mut parser = Parser::default();
        assert!(parts.iter().all(|part| parser.push(part.as_bytes())));
        let text = |event: Event| (event.name, String::from_utf8(event.data).unwrap());
        parser.ready.into_iter().map(text).collect()
    }

    #[test]
    fn events_are_made_whatever_the_parts_are() {
        let stream = "event: signal\ndata: {\"a\":1}\n\n: a sign of life\n\nevent: resync\r\ndata:1\r\ndata: 2\r\n\r\ndata: unfinished\n";
        let expected =
            [("signal".to_owned(), "{\"a\":1}".to_owned()), ("resync".to_owned(), "1\n2".to_owned())];
        assert_eq!(parse(&[stream]), expected);
        for cut in 0..stream.len() {
            let (before, after) = stream.split_at(cut);
            assert_eq!(parse(&[before, after]), expected, "{cut}");
        }
    }

    #[test]
    fn what_never_ends_is_not_held() {
        let mut parser = Parser::default();
        let line = format!("data: {}\n", "x".repeat(1000));
        let refused = (0..2000).any(|_| !parser.push(line.as_bytes()));
        assert!(refused && parser.event.data.len() <= MOST_BYTES);
        let mut parser = Parser::default();
        assert!(!parser.push(&vec![b'x'; MOST_BYTES + 1]));
    }
}
