//! Observations that wait to be posted: bounded, and what does not fit is counted.

use std::collections::VecDeque;

use runtime_signals_core::json::Writer;

use crate::ledger::Exchange;

/// Most bytes that wait.
const MOST_BYTES: usize = 1 << 20;

/// Writes an exchange as a line of JSON, its end included. Bytes that are no UTF-8 are replaced.
#[must_use]
pub fn line(provider: &str, provider_type: &str, exchange: &Exchange<'_>) -> String {
    let (latency, headers) = (exchange.latency(), exchange.headers);
    let values: Vec<_> = headers.iter().map(|(_, value)| String::from_utf8_lossy(value)).collect();
    let mut pairs = headers.iter().zip(&values).map(|((name, _), value)| (name.as_str(), &**value));
    let mut json = Writer::with_capacity(256);
    json.object(&mut |json| {
        json.text("provider", provider);
        json.text("type", provider_type);
        json.number("status", Some(exchange.status.into()).filter(|status| *status > 0));
        json.pairs("headers", &mut pairs);
        json.number("latency_ns", u64::try_from(latency.as_nanos()).ok());
        json.number("ttfb_ms", u64::try_from(latency.as_millis()).ok());
        json.text_unless_empty("error", exchange.error.unwrap_or_default());
        json.time("at", Some(exchange.received_at));
    });
    let mut line = String::from_utf8(json.finish()).unwrap_or_default();
    line.push('\n');
    line
}

/// Lines that wait.
#[derive(Debug)]
pub struct Queue {
    lines: VecDeque<String>,
    bytes: usize,
    most_lines: usize,
}

impl Queue {
    /// A queue for this many lines.
    #[must_use]
    pub fn new(most_lines: usize) -> Self {
        Self { lines: VecDeque::new(), bytes: 0, most_lines }
    }

    /// Adds a line; `false` where there is no room and it is dropped.
    pub fn push(&mut self, line: String) -> bool {
        let fits = self.lines.len() < self.most_lines && self.bytes + line.len() <= MOST_BYTES;
        if fits {
            self.bytes += line.len();
            self.lines.push_back(line);
        }
        fits
    }

    /// Takes at most `most` of the oldest lines, one behind the other, and tells how many; `None` where none waits.
    pub fn take(&mut self, most: usize) -> Option<(String, usize)> {
        let lines = most.min(self.lines.len());
        let batch: String = self.lines.drain(..lines).collect();
        self.bytes -= batch.len();
        (lines > 0).then_some((batch, lines))
    }
}

#[cfg(test)]
mod tests {
    use runtime_signals_core::Time;

    use super::*;

    #[test]
    fn a_line_is_an_observation_whatever_bytes_a_header_has() {
        let received_at = Time::new(1_790_000_000, 500_000_000).unwrap();
        let sent_at = Time::new(1_790_000_000, 0).unwrap();
        let headers = [("retry-after".to_owned(), b"20".to_vec()), ("x-a".to_owned(), b"\xff\"".to_vec())];
        let exchange = Exchange { status: 429, error: None, headers: &headers, sent_at, received_at };
        assert_eq!(
            line("o", "openai", &exchange),
            "{\"provider\":\"o\",\"type\":\"openai\",\"status\":429,\
             \"headers\":[[\"retry-after\",\"20\"],[\"x-a\",\"\u{fffd}\\\"\"]],\
             \"latency_ns\":500000000,\"ttfb_ms\":500,\"at\":\"2026-09-21T14:13:20.5Z\"}\n"
        );
        let failed = Exchange { status: 0, error: Some("timeout"), headers: &[], ..exchange };
        let line = line("o", "openai", &failed);
        assert!(line.contains("\"error\":\"timeout\"") && !line.contains("status"), "{line}");
    }

    #[test]
    fn what_does_not_fit_is_refused_and_the_oldest_leave_first() {
        let mut queue = Queue::new(2);
        assert!(queue.push("a\n".into()) && queue.push("b\n".into()));
        assert!(!queue.push("c\n".into()));
        assert_eq!(queue.take(1), Some(("a\n".into(), 1)));
        assert!(queue.push("d\n".into()));
        assert_eq!(queue.take(9), Some(("b\nd\n".into(), 2)));
        assert_eq!(queue.take(9), None);
        assert!(!Queue::new(2).push("x".repeat(MOST_BYTES + 1)));
    }
}
