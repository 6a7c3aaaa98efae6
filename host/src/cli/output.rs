//! What commands print: a table for people, JSON for programs, one value a line.

use std::io::{self, IsTerminal, Write};

use anstream::{AutoStream, ColorChoice};
use clap::ValueEnum;
use runtime_signals::{CachedSignal, Store};

use super::table;

/// What to print.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// JSON, one value a line.
    Json,
    /// A table.
    Table,
}

/// Standard output.
#[derive(Clone, Copy)]
pub(super) struct Output {
    format: Format,
    /// Can the cursor be moved?
    pub(super) is_terminal: bool,
    pub(super) colours: bool,
}

impl Output {
    /// Without a format, what suits the standard output.
    pub(super) fn new(format: Option<Format>) -> Self {
        let stdout = io::stdout();
        let is_terminal = stdout.is_terminal();
        let suitable = if is_terminal { Format::Table } else { Format::Json };
        let colours = AutoStream::choice(&stdout) != ColorChoice::Never;
        Self { format: format.unwrap_or(suitable), is_terminal, colours }
    }

    /// JSON, wherever it goes.
    pub(super) const fn json() -> Self {
        Self { format: Format::Json, is_terminal: false, colours: false }
    }

    pub(super) fn is_json(&self) -> bool {
        self.format == Format::Json
    }

    /// Prints signals: as JSON, the signals alone.
    pub(super) fn signals(&self, signals: &[CachedSignal], store: &Store) -> anyhow::Result<()> {
        self.print(signals, store, |signal, out| {
            out.extend_from_slice(&store.encode(&signal.signal)?);
            Ok(())
        })
    }

    /// Prints what is stored: as JSON, the signals with their age.
    pub(super) fn entries(&self, entries: &[CachedSignal], store: &Store) -> anyhow::Result<()> {
        self.print(entries, store, |CachedSignal { signal, fresh, age }, out| {
            out.extend_from_slice(b"{\"signal\":");
            out.extend_from_slice(&store.encode(signal)?);
            let age_ns = u64::try_from(age.as_nanos()).unwrap_or(u64::MAX);
            write!(out, ",\"fresh\":{fresh},\"age_ns\":{age_ns}}}")?;
            Ok(())
        })
    }

    fn print(
        &self,
        signals: &[CachedSignal],
        store: &Store,
        json: impl Fn(&CachedSignal, &mut Vec<u8>) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let mut out = Vec::new();
        match self.format {
            Format::Table if signals.is_empty() => out.extend_from_slice(b"no signals\n"),
            Format::Json => {
                for signal in signals {
                    json(signal, &mut out)?;
                    out.push(b'\n');
                }
            }
            Format::Table => {
                let now = store.now();
                out.extend_from_slice(table::signals(signals, now, self.colours).as_bytes());
                if let [only] = signals {
                    out.extend_from_slice(table::details(&only.signal, now, self.colours).as_bytes());
                }
            }
        }
        Ok(write(&out)?)
    }
}

/// Standard output cannot be written to.
#[derive(Debug, thiserror::Error)]
#[error("cannot write to standard output: {0}")]
pub(super) struct OutputError(io::Error);

impl OutputError {
    /// Has its reader gone away?
    pub(super) fn is_broken_pipe(&self) -> bool {
        self.0.kind() == io::ErrorKind::BrokenPipe
    }
}

/// Writes to standard output, at once.
pub(super) fn write(bytes: &[u8]) -> Result<(), OutputError> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(bytes).and_then(|()| stdout.flush()).map_err(OutputError)
}
