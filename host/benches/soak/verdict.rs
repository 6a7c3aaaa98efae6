//! What the samples of a run say.

use std::fmt;

use super::samples::{End, Samples};

/// The share of the time that does not count: caches and windows fill.
pub(crate) const WARM_UP: f64 = 0.15;
/// By how much memory may grow after that, as a share of what it was.
const MOST_GROWTH: f64 = 0.10;
/// By how many descriptors, or threads, the last third may have more than the first.
const MOST_MORE: f64 = 2.0;
/// The share of the observations that were due that has to be accepted.
const LEAST_ACCEPTED: f64 = 0.98;
/// With fewer samples nothing is said.
const LEAST_SAMPLES: usize = 9;

/// What there is to be told, and what of it must not be.
#[derive(Debug, Default)]
pub(crate) struct Verdict {
    lines: Vec<String>,
    pub(crate) failures: Vec<String>,
}

impl fmt::Display for Verdict {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in &self.lines {
            writeln!(formatter, "{line}")?;
        }
        for failure in &self.failures {
            writeln!(formatter, "FAILED: {failure}")?;
        }
        write!(formatter, "{}", if self.failures.is_empty() { "passed" } else { "failed" })
    }
}

/// A straight line through points, by least squares.
pub(crate) struct Fit {
    at_zero: f64,
    /// For each second.
    pub(crate) slope: f64,
}

impl Fit {
    pub(crate) fn of(points: &[(f64, f64)]) -> Self {
        let count = points.len() as f64;
        let mean = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / count;
        let (middle, level) = (mean(|point| point.0), mean(|point| point.1));
        let covariance: f64 = points.iter().map(|point| (point.0 - middle) * (point.1 - level)).sum();
        let variance: f64 = points.iter().map(|point| (point.0 - middle).powi(2)).sum();
        let slope = covariance / variance;
        Self { at_zero: level - slope * middle, slope }
    }

    pub(crate) fn at(&self, time: f64) -> f64 {
        self.at_zero + self.slope * time
    }
}

/// When the warm-up is over, in seconds.
pub(crate) fn settled_from(samples: &Samples) -> f64 {
    samples.column("time_s").last().copied().unwrap_or_default() * WARM_UP
}

/// The times and values of a column after the warm-up.
pub(crate) fn settled(samples: &Samples, column: &[f64]) -> Vec<(f64, f64)> {
    let from = settled_from(samples);
    let points = samples.column("time_s").iter().copied().zip(column.iter().copied());
    points.filter(|(time, value)| *time >= from && value.is_finite()).collect()
}

fn median(points: &[(f64, f64)]) -> f64 {
    let mut values: Vec<f64> = points.iter().map(|(_, value)| *value).collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// The medians of the first and of the last third, and the largest of all.
fn thirds(samples: &Samples, name: &str) -> (f64, f64, f64) {
    let points = settled(samples, samples.column(name));
    let third = points.len() / 3;
    let largest = points.iter().map(|(_, value)| *value).fold(f64::NAN, f64::max);
    (median(&points[..third]), median(&points[points.len() - third..]), largest)
}

fn mean(points: &[(f64, f64)]) -> f64 {
    points.iter().map(|(_, value)| value).sum::<f64>() / points.len() as f64
}

pub(crate) fn of(samples: &Samples) -> Verdict {
    let mut verdict = Verdict::default();
    if settled(samples, samples.column("resident_mib")).len() < LEAST_SAMPLES {
        verdict.failures.push("there are too few samples".into());
    } else {
        memory(samples, &mut verdict);
        kept(samples, "descriptors", &mut verdict);
        kept(samples, "threads", &mut verdict);
        latencies(samples, &mut verdict);
    }
    work(samples, &mut verdict);
    match &samples.end {
        Some(end) => ended(end, samples, &mut verdict),
        None => verdict.failures.push("the run did not come to its end".into()),
    }
    verdict
}

fn memory(samples: &Samples, verdict: &mut Verdict) {
    let points = settled(samples, samples.column("resident_mib"));
    let fit = Fit::of(&points);
    let (from, to) = (points[0].0, points[points.len() - 1].0);
    let growth = (fit.at(to) - fit.at(from)) / fit.at(from);
    let values = points.iter().map(|(_, value)| *value);
    verdict.lines.push(format!(
        "{:.1} min, of which the first {:.1} do not count\nmemory: {:+.2} MiB/h, {:+.1} % from {:.1} MiB over the run; \
         between {:.1} and {:.1} MiB",
        to / 60.0,
        from / 60.0,
        fit.slope * 3600.0,
        growth * 100.0,
        fit.at(from),
        values.clone().fold(f64::INFINITY, f64::min),
        values.fold(0.0, f64::max)
    ));
    if growth > MOST_GROWTH {
        verdict.failures.push(format!("memory grew by more than {:.0} %", MOST_GROWTH * 100.0));
    }
}

fn kept(samples: &Samples, name: &str, verdict: &mut Verdict) {
    let (first, last, most) = thirds(samples, name);
    verdict
        .lines
        .push(format!("{name}: {first:.0} in the first third, {last:.0} in the last, {most:.0} at most"));
    if last > first + MOST_MORE {
        verdict.failures.push(format!("{name} became more"));
    }
}

fn latencies(samples: &Samples, verdict: &mut Verdict) {
    for (what, median, tail) in [
        ("POST of 100 observations", "post_p50_ms", "post_p99_ms"),
        ("GET about one provider", "read_p50_ms", "read_p99_ms"),
        ("GET about all providers", "list_p50_ms", "list_p99_ms"),
    ] {
        let [(p50_first, p50_last, _), (first, last, most)] =
            [median, tail].map(|name| thirds(samples, name));
        verdict.lines.push(format!(
            "{what}: p50 {p50_first:.2} ms in the first third, {p50_last:.2} ms in the last; p99 of two seconds {first:.2} \
             and {last:.2} ms, {most:.0} ms at most"
        ));
    }
}

fn work(samples: &Samples, verdict: &mut Verdict) {
    let connected = samples.column("shared_connected");
    verdict.lines.push(format!(
        "{:.0} observations accepted, {:.0} a second; {:.0} events; {:.0} times told to begin anew; {:.0} swaps of parsers; \
         {:.0} outages of Redis, connected in {:.0} % of the samples, {:.0} signals published",
        samples.sum("accepted"),
        mean(&settled(samples, &samples.rate("accepted"))),
        samples.sum("events"),
        samples.sum("resyncs"),
        samples.sum("swaps"),
        samples.sum("outages"),
        connected.iter().sum::<f64>() * 100.0 / connected.len() as f64,
        samples.column("shared_published").iter().copied().fold(0.0, f64::max)
    ));
    verdict.lines.push(format!(
        "{:.2} cores, {:.1} MiB a second written, {:.0} files in the cache",
        mean(&settled(samples, &samples.per_second("cpu_s"))),
        mean(&settled(samples, &samples.per_second("written_mib"))),
        samples.column("cache_files").last().copied().unwrap_or(f64::NAN)
    ));
    for name in ["errors", "refused"] {
        if samples.sum(name) > 0.0 {
            verdict.failures.push(format!("{name}: {:.0}", samples.sum(name)));
        }
    }
}

fn ended(end: &End, samples: &Samples, verdict: &mut Verdict) {
    let kept = end.providers - end.lost.len();
    verdict.lines.push(format!(
        "ended after {:.1} s: {}; of {kept} of {} providers the last acknowledged observation is on disk; {} other files are left; \
         {} warnings in the log",
        end.stop_s,
        end.exit,
        end.providers,
        end.left_over.len(),
        end.warnings
    ));
    if mean(&settled(samples, &samples.rate("accepted"))) < f64::from(end.rate) * LEAST_ACCEPTED {
        verdict.failures.push(format!("the service did not keep up with {} observations a second", end.rate));
    }
    if !end.is_graceful {
        verdict.failures.push(format!("the service ended with {}", end.exit));
    }
    if !end.lost.is_empty() {
        let some: Vec<&str> = end.lost.iter().take(5).map(String::as_str).collect();
        verdict.failures.push(format!("acknowledged and not on disk: {} …", some.join(", ")));
    }
    if end.log_errors > 0 {
        verdict.failures.push(format!("the log tells of {} errors", end.log_errors));
    }
    verdict.failures.extend(end.messages.iter().map(|(message, count)| format!("{count} × {message}")));
}
