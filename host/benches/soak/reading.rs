//! Those who ask, and one who listens.

use std::io::{BufRead, BufReader, Error, ErrorKind, Result, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::course::{Course, Schedule};
use crate::load::Poster;
use crate::served::Link;
use crate::tally::Meter;

/// Reads of all readers together in a second.
const READS: u32 = 20;
/// What is asked for about all providers, in turn, each second.
const LISTS: [&str; 5] = ["/v1/rank?tokens=1000", "/v1/signals", "/metrics", "/v1/providers", "/v1/pace"];
/// Longer than the stream is ever silent.
const PATIENCE: Duration = Duration::from_secs(60);

/// The path of a read; is it about all providers?
fn path(number: u32) -> (String, bool) {
    let provider = Poster::name(number as usize * 7);
    match number % READS {
        0 => (LISTS[(number / READS) as usize % LISTS.len()].to_owned(), true),
        turn if turn % 5 == 0 => (format!("/v1/wait?provider={provider}&tokens=1000"), false),
        _ => (format!("/v1/signals/{provider}"), false),
    }
}

/// One of so many readers.
pub(crate) fn read(address: &str, index: u32, readers: u32, course: &Course, meter: &Meter) {
    let mut link = None;
    let mut schedule = Schedule::new(
        course.began + Duration::from_secs(1) * index / READS,
        Duration::from_secs(1) * readers / READS,
    );
    for number in (index..).step_by(readers as usize) {
        let Some(due) = schedule.next(course) else { return };
        let (path, is_list) = path(number);
        let connected = link.take().map_or_else(|| Link::to(address), Ok);
        let answer = connected.and_then(|mut connected| {
            connected.try_get(&path)?;
            link = Some(connected);
            Ok(())
        });
        if let Err(error) = answer {
            // Of all providers the same.
            let endpoint = path.split('?').next().unwrap().trim_end_matches(|end: char| end.is_ascii_digit());
            meter.error(format!("GET {endpoint}: {error}"));
            continue;
        }
        let mut tally = meter.tally();
        let times = if is_list { &mut tally.lists } else { &mut tally.reads };
        times.push(due.elapsed());
    }
}

/// Takes all events until the load is over.
pub(crate) fn listen(address: &str, course: &Course, meter: &Meter) {
    while !course.is_over() {
        let listened = listen_once(address, course, meter);
        // It may also end with the service.
        if let Err(error) = listened
            && !course.is_over()
        {
            meter.error(format!("GET /v1/events: {error}"));
            course.sleep_until(Instant::now() + Duration::from_secs(1));
        }
    }
}

fn listen_once(address: &str, course: &Course, meter: &Meter) -> Result<()> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(format!("GET /v1/events HTTP/1.1\r\nhost: {address}\r\n\r\n").as_bytes())?;
    let mut lines = BufReader::new(stream);
    let mut line = String::new();
    lines.read_line(&mut line)?;
    if !line.starts_with("HTTP/1.1 200 ") {
        return Err(Error::other(line.trim().to_owned()));
    }
    while !course.is_over() {
        line.clear();
        if lines.read_line(&mut line)? == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        match line.trim_end() {
            "event: signal" => meter.tally().events += 1,
            "event: resync" => meter.tally().resyncs += 1,
            _ => (),
        }
    }
    Ok(())
}
