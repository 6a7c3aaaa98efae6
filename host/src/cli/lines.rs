//! Input line by line, within bounds.
//!
//! A line is held while it is read, the file never. One that is too long is skipped as it comes in. Lines
//! are handed on in batches, and not later than when there is nothing more to read at once, so that the
//! input may be a pipe that somebody types into.

use std::fmt::Display;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use runtime_signals::forms::{BadLine, MOST_BYTES};

use super::{Exit, tell};

/// Most lines of a batch.
const MOST_LINES: usize = 256;
/// How much is read at once.
const BUFFER: usize = 64 << 10;

/// The argument for it: a file, or `-` for standard input.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Input {
    /// The file to read; `-` for standard input
    #[arg(value_name = "FILE", default_value = "-")]
    file: PathBuf,
}

impl Input {
    fn open(&self) -> Result<Box<dyn Read>, InputError> {
        if self.file == Path::new("-") {
            return Ok(Box::new(io::stdin().lock()));
        }
        match File::open(&self.file) {
            Ok(file) => Ok(Box::new(file)),
            Err(error) => Err(self.failed(error)),
        }
    }

    /// Reads the input to its end, as one thing of at most [`MOST_BYTES`].
    pub(super) fn read_whole(&self) -> anyhow::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let bounded = self.open()?.take(MOST_BYTES as u64 + 1).read_to_end(&mut bytes);
        bounded.map_err(|error| self.failed(error))?;
        if bytes.len() > MOST_BYTES {
            anyhow::bail!("the input is {}", BadLine::TooLong);
        }
        Ok(bytes)
    }

    fn failed(&self, error: io::Error) -> InputError {
        InputError { file: self.file.clone(), error }
    }
}

/// The input cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("cannot read {}: {error}; give a file that can be read, or - for standard input", file.display())]
pub(super) struct InputError {
    file: PathBuf,
    error: io::Error,
}

/// A line that was understood.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Line<T> {
    /// Counted from 1.
    pub(super) number: u64,
    pub(super) content: T,
}

/// How many lines there were. Blank ones do not count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) lines: u64,
    pub(super) bad: u64,
}

impl Tally {
    /// Reports a bad line.
    pub(super) fn reject(&mut self, number: u64, reason: impl Display) {
        self.bad += 1;
        tell(format_args!("line {number}: {reason}"));
    }

    /// Reports how many lines were bad, if any were.
    pub(super) fn exit(self) -> Exit {
        if self.bad == 0 {
            return Exit::DONE;
        }
        let Self { lines, bad } = self;
        tell(format_args!("bad lines: {bad} of {lines}"));
        Exit::FAILED
    }
}

/// Reads the input to its end: lines are understood by `parse` and taken by `take`, in order.
pub(super) fn for_each_batch<T>(
    input: &Input,
    parse: impl Fn(&[u8]) -> Result<T, BadLine>,
    mut take: impl FnMut(Vec<Line<T>>, &mut Tally) -> anyhow::Result<()>,
) -> anyhow::Result<Tally> {
    let mut lines = Lines::new(input.open()?);
    let mut tally = Tally::default();
    let mut batch = Vec::new();
    loop {
        let end = match lines.next() {
            Ok(Some((number, line))) => {
                if line.as_ref().map_or(true, |line| !line.trim_ascii().is_empty()) {
                    tally.lines += 1;
                    match line.and_then(&parse) {
                        Ok(content) => batch.push(Line { number, content }),
                        Err(reason) => tally.reject(number, reason),
                    }
                }
                None
            }
            Ok(None) => Some(Ok(())),
            Err(error) => Some(Err(input.failed(error))),
        };
        let is_due = end.is_some() || batch.len() >= MOST_LINES || !lines.has_another();
        if is_due && !batch.is_empty() {
            take(std::mem::take(&mut batch), &mut tally)?;
        }
        if let Some(end) = end {
            end?;
            return Ok(tally);
        }
    }
}

/// A line without its end, and its number.
type Numbered<'a> = (u64, Result<&'a [u8], BadLine>);

/// The lines of a reader.
struct Lines<R> {
    reader: BufReader<R>,
    number: u64,
    line: Vec<u8>,
}

impl<R: Read> Lines<R> {
    fn new(reader: R) -> Self {
        Self { reader: BufReader::with_capacity(BUFFER, reader), number: 0, line: Vec::new() }
    }

    /// The next line; `None` at the end.
    fn next(&mut self) -> io::Result<Option<Numbered<'_>>> {
        self.line.clear();
        let most = MOST_BYTES as u64 + 1;
        if self.reader.by_ref().take(most).read_until(b'\n', &mut self.line)? == 0 {
            return Ok(None);
        }
        self.number += 1;
        if self.line.last() == Some(&b'\n') {
            self.line.pop();
        } else if self.line.len() > MOST_BYTES {
            self.reader.skip_until(b'\n')?;
            return Ok(Some((self.number, Err(BadLine::TooLong))));
        }
        Ok(Some((self.number, Ok(&self.line))))
    }

    /// Is another whole line at hand without waiting for it?
    fn has_another(&self) -> bool {
        self.reader.buffer().contains(&b'\n')
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The lengths of the lines of a text; `None` for those that are too long.
    fn lengths(text: &[u8]) -> Vec<(u64, Option<usize>)> {
        let mut lines = Lines::new(text);
        let mut found = Vec::new();
        while let Some((number, line)) = lines.next().unwrap() {
            found.push((number, line.ok().map(<[u8]>::len)));
        }
        found
    }

    #[test]
    fn lines_are_counted_with_or_without_a_last_end() {
        assert_eq!(lengths(b""), []);
        assert_eq!(lengths(b"ab\n\nc\n"), [(1, Some(2)), (2, Some(0)), (3, Some(1))]);
        assert_eq!(lengths(b"ab\nc"), [(1, Some(2)), (2, Some(1))]);
    }

    #[test]
    fn the_longest_line_passes_and_one_byte_more_does_not() {
        let line = |length| [vec![b'a'; length], b"\nb\n".to_vec()].concat();
        assert_eq!(lengths(&line(MOST_BYTES)), [(1, Some(MOST_BYTES)), (2, Some(1))]);
        assert_eq!(lengths(&line(MOST_BYTES + 1)), [(1, None), (2, Some(1))]);
        assert_eq!(lengths(&vec![b'a'; MOST_BYTES + 1]), [(1, None)]);
        assert_eq!(lengths(&vec![b'a'; MOST_BYTES]), [(1, Some(MOST_BYTES))]);
    }

    #[test]
    fn of_a_line_that_is_too_long_no_more_is_held_than_the_bound() {
        let mut lines = Lines::new(io::repeat(b'a').take(64 << 20));
        assert!(matches!(lines.next().unwrap(), Some((1, Err(BadLine::TooLong)))));
        assert!(lines.line.capacity() <= 4 * MOST_BYTES, "{}", lines.line.capacity());
        assert!(lines.next().unwrap().is_none());
    }
}
