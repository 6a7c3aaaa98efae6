//! What libFuzzer has said, in short.

/// How far a run came.
#[derive(Debug, PartialEq)]
pub(super) struct Summary {
    executions: u64,
    edges: u64,
    inputs: u64,
}

impl Summary {
    /// What libFuzzer has said at the end.
    pub(super) fn of(said: &str) -> Option<Self> {
        let executions =
            said.lines().find_map(|line| line.strip_prefix("stat::number_of_executed_units:"))?;
        let last = said.lines().rev().find(|line| line.contains(" cov: "))?;
        let figure = |name: &str| {
            let (_, rest) = last.split_once(name)?;
            rest.trim_start().split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
        };
        Some(Self {
            executions: executions.trim().parse().ok()?,
            edges: figure(" cov:")?,
            inputs: figure(" corp:")?,
        })
    }
}

impl std::fmt::Display for Summary {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { executions, edges, inputs } = self;
        write!(f, "{executions} executions, {edges} edges reached, {inputs} inputs kept, nothing found")
    }
}

/// The message of a panic, or else the last that was said.
pub(super) fn finding(said: &str) -> String {
    let lines: Vec<_> = said.lines().collect();
    match lines.iter().position(|line| line.contains(" panicked at ")) {
        Some(start) => {
            let message = lines.iter().skip(start).take_while(|line| !line.starts_with("stack backtrace:"));
            message.take(20).copied().collect::<Vec<_>>().join("\n")
        }
        None => lines.get(lines.len().saturating_sub(20)..).unwrap_or_default().join("\n"),
    }
}

/// How to see it again.
pub(super) fn reproduction(target: &str, said: &str) -> String {
    match said.split_once("Test unit written to ").and_then(|(_, rest)| rest.lines().next()) {
        Some(path) => format!("again: cargo xtask fuzz {target} --input {path}"),
        None => format!("{target} has left no input"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DONE: &str = "#2\tINITED cov: 7 ft: 9 corp: 2/4b\n\
        #6430\tDONE   cov: 5233 ft: 17994 corp: 1451/609Kb lim: 1362 exec/s: 401 rss: 37Mb\n\
        stat::number_of_executed_units: 6430\nstat::average_exec_per_sec:     401\n";
    const CRASH: &str = "#9\tNEW    cov: 7 ft: 9 corp: 2/4b\n\n\
        thread '<unnamed>' (1) panicked at src/response.rs:1:1:\nit is not\nstack backtrace:\n   0: more\n\
        artifact_prefix='a/'; Test unit written to /t/fuzz/artifacts/response/crash-1\nBase64: AA==\n";

    #[test]
    fn how_far_a_run_came_is_read_from_its_last_lines() {
        let expected = Summary { executions: 6430, edges: 5233, inputs: 1451 };
        assert_eq!(Summary::of(DONE), Some(expected));
        assert_eq!(Summary::of(CRASH), None);
    }

    #[test]
    fn a_finding_is_told_by_its_panic_and_by_how_to_see_it_again() {
        assert_eq!(finding(CRASH), "thread '<unnamed>' (1) panicked at src/response.rs:1:1:\nit is not");
        let again = "again: cargo xtask fuzz response --input /t/fuzz/artifacts/response/crash-1";
        assert_eq!(reproduction("response", CRASH), again);
        assert!(finding("no\npanic").ends_with("panic"));
        assert!(reproduction("signal", "out of memory").contains("no input"));
    }
}
