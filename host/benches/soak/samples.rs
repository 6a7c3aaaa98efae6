//! The file of samples: comma-separated values, and a line with what came of it at the end.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{Error, ErrorKind, Result, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};

/// What stands before the last line.
const END: &str = "# ";

/// What came of a run.
#[derive(Serialize, Deserialize)]
pub(crate) struct End {
    /// Observations a second, as they were due.
    pub(crate) rate: u32,
    pub(crate) exit: String,
    pub(crate) is_graceful: bool,
    /// Seconds from the signal to the end.
    pub(crate) stop_s: f64,
    pub(crate) providers: usize,
    /// Of which an acknowledged observation is not on disk.
    pub(crate) lost: Vec<String>,
    /// Files in the cache beside the signals.
    pub(crate) left_over: Vec<String>,
    pub(crate) warnings: u64,
    pub(crate) log_errors: u64,
    pub(crate) messages: BTreeMap<String, u32>,
}

/// Samples, by columns.
#[derive(Default)]
pub(crate) struct Samples {
    columns: BTreeMap<String, Vec<f64>>,
    /// Missing where the run did not come to its end.
    pub(crate) end: Option<End>,
}

impl Samples {
    pub(crate) fn create(file: &Path) -> Writer {
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        Writer { file: File::create(file).unwrap(), has_head: false }
    }

    /// Of a file.
    pub(crate) fn read(file: &Path) -> Result<Self> {
        Self::parse(&fs::read_to_string(file)?)
    }

    pub(crate) fn parse(text: &str) -> Result<Self> {
        let wrong =
            |number: usize| Error::new(ErrorKind::InvalidData, format!("line {} is no sample", number + 1));
        let mut lines = text.lines().enumerate();
        let (_, head) = lines.next().ok_or_else(|| wrong(0))?;
        let names: Vec<&str> = head.split(',').collect();
        let mut samples = Self::default();
        for (number, line) in lines {
            if let Some(end) = line.strip_prefix(END) {
                samples.end = Some(serde_json::from_str(end)?);
                break;
            }
            let values: Vec<f64> = line.split(',').map_while(|value| value.parse().ok()).collect();
            if values.len() != names.len() {
                return Err(wrong(number));
            }
            for (name, value) in names.iter().zip(values) {
                samples.columns.entry((*name).to_owned()).or_default().push(value);
            }
        }
        Ok(samples)
    }

    /// The values of a column, in the order of time.
    pub(crate) fn column(&self, name: &str) -> &[f64] {
        self.columns.get(name).map_or(&[], Vec::as_slice)
    }

    /// Of a column that counts up, the difference a second from one sample to the next.
    pub(crate) fn per_second(&self, name: &str) -> Vec<f64> {
        let (times, values) = (self.column("time_s"), self.column(name));
        let steps = times.windows(2).zip(values.windows(2));
        let differences = steps.map(|(time, value)| (value[1] - value[0]) / (time[1] - time[0]));
        // There is none before the first.
        std::iter::once(f64::NAN).chain(differences).take(values.len()).collect()
    }

    /// Of a column that counts within each sample, the same.
    pub(crate) fn rate(&self, name: &str) -> Vec<f64> {
        let times = self.column("time_s");
        let before = std::iter::once(0.0).chain(times.iter().copied());
        let spans = times.iter().zip(before).map(|(time, before)| time - before);
        self.column(name).iter().zip(spans).map(|(value, span)| value / span).collect()
    }

    pub(crate) fn sum(&self, name: &str) -> f64 {
        self.column(name).iter().sum()
    }
}

/// Writes samples as they come.
pub(crate) struct Writer {
    file: File,
    has_head: bool,
}

impl Writer {
    pub(crate) fn write(&mut self, row: &[(&str, f64)]) {
        if !std::mem::replace(&mut self.has_head, true) {
            let names: Vec<&str> = row.iter().map(|(name, _)| *name).collect();
            writeln!(self.file, "{}", names.join(",")).unwrap();
        }
        let values: Vec<String> = row.iter().map(|(_, value)| Self::value(*value)).collect();
        writeln!(self.file, "{}", values.join(",")).unwrap();
    }

    pub(crate) fn end(&mut self, end: &End) {
        writeln!(self.file, "{END}{}", serde_json::to_string(end).unwrap()).unwrap();
    }

    /// A sample as a line for people.
    pub(crate) fn told(row: &[(&str, f64)]) -> String {
        let told = row.iter().map(|(name, value)| format!("{name} {}", Self::value(*value)));
        told.collect::<Vec<_>>().join(", ")
    }

    fn value(value: f64) -> String {
        let text = format!("{value:.3}");
        if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
    }
}
