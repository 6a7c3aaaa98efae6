//! What the system tells of a process.

use std::fmt::Display;
use std::fs;

/// A size of a process's status, in KiB; the process by its number, or `self`.
pub(crate) fn kib_of(process: impl Display, name: &str) -> f64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    line.split_whitespace().next().unwrap().parse().unwrap()
}
