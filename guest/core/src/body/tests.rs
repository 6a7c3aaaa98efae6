//! What bodies say, and what no body can do.

mod fields;
mod hostile;
mod sentences;
mod vectors;

use alloc::string::{String, ToString};

use super::*;

/// 2026-01-15T12:00:00Z.
const NOW_S: i64 = 1_768_478_400;

fn now() -> Time {
    Time::new(NOW_S, 0).unwrap()
}

fn body(text: &str) -> Body {
    read(text.as_bytes(), now())
}

/// The body of an error with that message.
fn message(text: &str) -> Body {
    body(&alloc::format!(r#"{{"error":{{"message":{text:?}}}}}"#))
}

/// The wait in milliseconds, rounded up.
fn wait_ms(body: &Body) -> Option<u128> {
    body.wait.map(|wait| wait.as_nanos().div_ceil(1_000_000))
}

/// Seconds from now on.
fn in_s(seconds: i64) -> Option<Time> {
    Time::new(NOW_S + seconds, 0)
}

/// A limit in one line: `requests/60 pool @model limit 30 used 30 left 0 asked 1 share 0.5 up`.
fn line(limit: &StatedLimit) -> String {
    use core::fmt::Write;
    let mut line = String::from(limit.quantity.as_str());
    let mut add = |name: &str, figure: Option<String>| {
        if let Some(figure) = figure {
            write!(line, "{name}{figure}").unwrap();
        }
    };
    add("/", limit.window_s.map(|window| window.to_string()));
    add(" ", Some(limit.pool.clone()).filter(|pool| !pool.is_empty()));
    add(" @", limit.model.clone());
    add(" limit ", limit.limit.map(|figure| figure.to_string()));
    add(" used ", limit.used.map(|figure| figure.to_string()));
    add(" left ", limit.remaining.map(|figure| figure.to_string()));
    add(" asked ", limit.requested.map(|figure| figure.to_string()));
    add(" share ", limit.utilization.map(|share| share.to_string()));
    add(" until ", limit.resets_at.map(|time| time.to_string()));
    add(" up", limit.used_up.then(String::new));
    line
}

fn lines(body: &Body) -> Vec<String> {
    body.limits.iter().map(line).collect()
}
