//! Observations as they come in: unpacked within bounds, cut into lines, recorded in batches.

use std::io::{self, Write};
use std::sync::atomic::Ordering;

use flate2::write::MultiGzDecoder;
use http::StatusCode;
use serde::Serialize;
use serde_json::json;

use super::metrics::Counters;
use super::problem::Problem;
use super::state::AppState;
use crate::config::ServiceLimits;
use crate::forms::{BadLine, Call, MOST_BYTES};
use crate::observation::Observation;

/// Lines that are recorded together, in bytes: some hundreds to a thousand.
pub(super) const BATCH_BYTES: usize = 256 << 10;
/// Lines after which whoever waits for the processor may go first, such as a reader: they take less than a millisecond.
const LINES_A_TURN: u64 = 64;
/// Refusals that an answer lists; more are counted only.
const MOST_LISTED: usize = 100;
/// What little an unpacked body may have whatever its ratio, in bytes.
const ALWAYS: usize = 64 << 10;

/// A body on its way in.
pub(super) struct Unpacker {
    form: Form,
    received: usize,
    most: usize,
    ratio: usize,
}

enum Form {
    Plain(Bounded),
    Gzip(Box<MultiGzDecoder<Bounded>>),
}

/// Bytes, up to a bound over all that was ever written.
#[derive(Default)]
struct Bounded {
    bytes: Vec<u8>,
    written: usize,
    most: usize,
}

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.written = self.written.saturating_add(bytes.len());
        if self.written > self.most {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Unpacker {
    /// For a body of this `Content-Encoding`.
    pub(super) fn new(encoding: Option<&str>, limits: &ServiceLimits) -> Result<Self, Problem> {
        let form = match encoding.map(|encoding| encoding.trim().to_ascii_lowercase()).as_deref() {
            None | Some("" | "identity") => Form::Plain(Bounded::default()),
            Some("gzip" | "x-gzip") => Form::Gzip(Box::new(MultiGzDecoder::new(Bounded::default()))),
            Some(_) => {
                let detail = "the content encoding is neither gzip nor identity";
                return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail));
            }
        };
        Ok(Self { form, received: 0, most: limits.body_bytes, ratio: limits.compression_ratio })
    }

    fn bounded(&mut self) -> &mut Bounded {
        match &mut self.form {
            Form::Plain(bounded) => bounded,
            Form::Gzip(decoder) => decoder.get_mut(),
        }
    }

    /// Takes the next part of the body.
    pub(super) fn push(&mut self, part: &[u8]) -> Result<(), Problem> {
        self.received = self.received.saturating_add(part.len());
        let by_ratio = self.received.saturating_mul(self.ratio).max(ALWAYS);
        self.bounded().most = self.most.min(by_ratio);
        let outcome = match &mut self.form {
            Form::Plain(bounded) => bounded.write_all(part),
            Form::Gzip(decoder) => decoder.write_all(part),
        };
        outcome.map_err(|error| self.refuse(&error))
    }

    /// The body is at its end.
    pub(super) fn finish(&mut self) -> Result<(), Problem> {
        let Form::Gzip(decoder) = &mut self.form else { return Ok(()) };
        decoder.try_finish().map_err(|error| self.refuse(&error))
    }

    fn refuse(&self, error: &io::Error) -> Problem {
        if error.kind() == io::ErrorKind::FileTooLarge {
            let (most, ratio) = (self.most, self.ratio);
            let detail = format!(
                "the body is larger than {most} bytes, or unpacks to more than {ratio} times its size; send \
                 less at once"
            );
            return Problem::new(StatusCode::PAYLOAD_TOO_LARGE, detail);
        }
        Problem::bad_request("the body is no gzip, or not all of it")
    }

    /// All that was unpacked and not taken yet.
    pub(super) fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.bounded().bytes)
    }

    /// The whole lines among it.
    pub(super) fn take_lines(&mut self) -> Vec<u8> {
        let bytes = &mut self.bounded().bytes;
        let end = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        let rest = bytes.split_off(end);
        std::mem::replace(bytes, rest)
    }

    pub(super) fn waiting(&mut self) -> usize {
        self.bounded().bytes.len()
    }
}

/// What became of the lines of a request.
#[derive(Debug, Default, Serialize, utoipa::ToSchema)]
pub(super) struct Tally {
    /// Observations that were recorded.
    accepted: u64,
    /// Lines that were not.
    refused: u64,
    /// The first 100 of those.
    refusals: Vec<Refusal>,
    #[serde(skip)]
    lines: u64,
}

/// A line that was not recorded.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(super) struct Refusal {
    /// Counted from 1.
    line: u64,
    /// Why.
    reason: String,
}

impl Tally {
    fn refuse(&mut self, line: u64, reason: impl ToString) {
        self.refused += 1;
        if self.refusals.len() < MOST_LISTED {
            self.refusals.push(Refusal { line, reason: reason.to_string() });
        }
    }

    /// Adds it to what the service has counted.
    pub(super) fn count(&self, counters: &Counters) {
        counters.accepted.fetch_add(self.accepted, Ordering::Relaxed);
        counters.refused.fetch_add(self.refused, Ordering::Relaxed);
    }

    /// Nothing of it was any good.
    pub(super) fn is_all_bad(&self) -> bool {
        self.accepted == 0 && self.refused > 0
    }

    /// The same as members of a problem.
    pub(super) fn told_by(&self, problem: Problem) -> Problem {
        problem
            .with("accepted", self.accepted)
            .with("refused", self.refused)
            .with("refusals", json!(self.refusals))
    }
}

/// Records whole lines; blank ones count for their numbers only.
pub(super) fn record_lines(state: &AppState, bytes: &[u8], tally: &mut Tally) {
    let mut calls = Vec::new();
    for line in bytes.strip_suffix(b"\n").unwrap_or(bytes).split(|byte| *byte == b'\n') {
        tally.lines += 1;
        if tally.lines.is_multiple_of(LINES_A_TURN) {
            std::thread::yield_now();
        }
        if line.trim_ascii().is_empty() {
            continue;
        }
        let read = if line.len() > MOST_BYTES { Err(BadLine::TooLong) } else { Call::read(line) };
        match read {
            Ok(call) => calls.push((tally.lines, call)),
            Err(reason) => tally.refuse(tally.lines, reason),
        }
    }
    record(state, &calls, tally);
}

/// Records one observation that is a whole body.
pub(super) fn record_one(state: &AppState, bytes: &[u8], tally: &mut Tally) {
    tally.lines += 1;
    match Call::read(bytes) {
        Ok(call) => record(state, &[(1, call)], tally),
        Err(reason) => tally.refuse(1, reason),
    }
}

fn record(state: &AppState, calls: &[(u64, Call)], tally: &mut Tally) {
    let most = state.config().service.limits.providers;
    let mut numbers = Vec::with_capacity(calls.len());
    let mut observations: Vec<Observation<'_>> = Vec::with_capacity(calls.len());
    let mut latest = "";
    for (number, call) in calls {
        if call.provider != latest {
            if !state.board.admit(&call.provider, most) {
                tally.refuse(
                    *number,
                    format_args!("there are {most} providers already; see `service.limits`"),
                );
                continue;
            }
            latest = &call.provider;
        }
        numbers.push(*number);
        observations.push(call.observation());
    }
    let outcomes = state.service.observe_batch(&observations);
    let mut latest = "";
    for ((observation, number), outcome) in observations.iter().zip(numbers).zip(outcomes) {
        match outcome {
            Ok(()) => {
                tally.accepted += 1;
                if observation.provider != latest {
                    state.recorded(observation);
                    latest = observation.provider;
                }
            }
            Err(error) => tally.refuse(number, error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(body_bytes: usize, compression_ratio: usize) -> ServiceLimits {
        ServiceLimits { body_bytes, compression_ratio, ..ServiceLimits::default() }
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn a_body_is_unpacked_in_parts_of_any_size_and_from_several_members() {
        let packed = [gzip(b"a\nb"), gzip(b"c\nd")].concat();
        let mut unpacker = Unpacker::new(Some("gzip"), &limits(1000, 100)).unwrap();
        let mut lines = Vec::new();
        for byte in packed {
            unpacker.push(&[byte]).unwrap();
            lines.extend(unpacker.take_lines());
        }
        unpacker.finish().unwrap();
        assert_eq!((lines.as_slice(), unpacker.take().as_slice()), (&b"a\nbc\n"[..], &b"d"[..]));
    }

    #[test]
    fn what_unpacks_to_too_much_is_refused_before_it_is_held() {
        let bomb = gzip(&vec![0; 64 << 20]);
        for limits in [limits(1 << 20, usize::MAX), limits(usize::MAX, 10)] {
            let mut unpacker = Unpacker::new(Some("gzip"), &limits).unwrap();
            assert!(unpacker.push(&bomb).is_err());
            assert!(unpacker.waiting() <= 1 << 20, "{}", unpacker.waiting());
        }
    }

    #[test]
    fn what_is_no_gzip_or_not_all_of_it_is_refused() {
        let mut unpacker = Unpacker::new(Some("gzip"), &limits(1000, 100)).unwrap();
        assert!(unpacker.push(b"{\"provider\":1}").is_err());
        let mut unpacker = Unpacker::new(Some("gzip"), &limits(1000, 100)).unwrap();
        let packed = gzip(b"abc");
        unpacker.push(&packed[..packed.len() - 3]).unwrap();
        assert!(unpacker.finish().is_err());
        assert!(Unpacker::new(Some("br"), &limits(1000, 100)).is_err());
    }
}
